// Records that lie, though they are sound as files: of another process, another boot, another container's
// belongings. What is not the container's is neither signalled nor removed.
#include "support/engine_fixture.hpp"
#include "support/record_file.hpp"

#include <csignal>
#include <filesystem>
#include <functional>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

// A process that no container knows; it must outlive every test.
class Stranger {
  public:
    Stranger() {
        char sleep[] = "/bin/sleep";
        char time[] = "1000";
        char* const argv[] = {sleep, time, nullptr};
        if (::posix_spawn(&pid_, sleep, nullptr, nullptr, argv, environ) != 0) pid_ = -1;
    }
    Stranger(const Stranger&) = delete;
    Stranger& operator=(const Stranger&) = delete;
    ~Stranger() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool is_alive() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

  private:
    pid_t pid_ = -1;
};

// --- S2, S9: records that lie about processes ---------------------------------------------------------

std::string boot_id() {
    const std::string text = content_of("/proc/sys/kernel/random/boot_id");
    return text.substr(0, text.find('\n'));
}

// As process::identify has it.
std::string start_time(pid_t pid) {
    constexpr int kStartTime = 22;
    return stat_field(pid, kStartTime);
}

// What the record says of its process.
struct Lie {
    std::string name;
    std::function<std::string(pid_t stranger)> process; // as JSON
};

std::ostream& operator<<(std::ostream& out, const Lie& row) {
    return out << row.name;
}

std::string process_json(pid_t pid, const std::string& start, const std::string& boot) {
    return "{\"pid\":" + std::to_string(pid) + ",\"start_time\":" + start + ",\"boot_id\":\"" + boot + "\"}";
}

class LyingRecord : public EngineTest, public ::testing::WithParamInterface<Lie> {
  protected:
    // A container whose record says that it runs as this process; nobody holds its baton, unless its
    // monitor does.
    void make_liar(const std::string& process) {
        remove_at_end("liar");
        const Outcome made = mydocker({"create", "--name", "liar", "busybox", "sleep", "1000"});
        ASSERT_EQ(made.exit_code, 0) << made.err;
        const RecordFile record(root(), made.out.substr(0, 64));
        std::string text = record.document();
        const auto begin = text.find("{\"pid\"");
        text.replace(begin, text.find('}', begin) + 1 - begin, process);
        record.set_document(text);
        record.set_member("state", "\"running\"");
        record.set_member("transition", "\"active\"");
    }
};

TEST_P(LyingRecord, IsShownAsEnded) {
    const Stranger stranger;
    make_liar(GetParam().process(stranger.pid()));

    const Outcome ps = mydocker({"ps", "-a"});

    EXPECT_EQ(ps.exit_code, 0) << ps.err;
    EXPECT_TRUE(matches(ps.out, "liar +- +(Exited|Created)")) << ps.out;
    EXPECT_EQ(mydocker({"ps", "-q"}).out, "");
    EXPECT_TRUE(stranger.is_alive());
}

TEST_P(LyingRecord, NeverHasAStrangerSignalled) {
    const Stranger stranger;
    for (const std::vector<std::string>& words : {std::vector<std::string>{"stop", "-t", "0", "liar"},
                                                  {"kill", "liar"},
                                                  {"start", "liar"},
                                                  {"wait", "liar"},
                                                  {"inspect", "liar"},
                                                  {"rm", "-f", "liar"}}) {
        make_liar(GetParam().process(stranger.pid()));

        (void)mydocker(words);

        EXPECT_TRUE(stranger.is_alive()) << words.front() << " killed a stranger";
        EXPECT_EQ(mydocker({"rm", "-f", "liar"}).exit_code, 0) << "after " << words.front();
        EXPECT_TRUE(stranger.is_alive()) << "rm -f killed a stranger after " << words.front();
    }
}

const std::vector<Lie> kLies{
    {"OfAnotherTime", [](pid_t pid) { return process_json(pid, "12345", boot_id()); }},
    {"OfNoTime", [](pid_t pid) { return process_json(pid, "0", boot_id()); }},
    {"OfAnotherBoot",
     [](pid_t pid) { return process_json(pid, start_time(pid), "00000000-0000-4000-8000-000000000000"); }},
    {"OfNoBoot", [](pid_t pid) { return process_json(pid, start_time(pid), ""); }},
    {"OfThePastAndAnotherBoot", [](pid_t pid) { return process_json(pid, "1", "x"); }},
    {"OfNobody", [](pid_t) { return process_json(4194303, "12345", boot_id()); }},
    {"OfNoPid", [](pid_t) { return process_json(0, "0", ""); }},
};

INSTANTIATE_TEST_SUITE_P(S2, LyingRecord, ::testing::ValuesIn(kLies),
                         [](const auto& each) { return each.param.name; });

class RestartedHost : public EngineTest {};

TEST_F(RestartedHost, ShowsWhatRanAsExitedWithItsReason) {
    remove_at_end("web");
    const std::string id =
        mydocker({"create", "--name", "web", "busybox", "sleep", "1000"}).out.substr(0, 64);
    const RecordFile record(root(), id);
    record.set_member("pid", "4242");
    record.set_member("boot_id", "\"00000000-0000-4000-8000-000000000000\"");
    record.set_member("state", "\"running\"");
    record.set_member("transition", "\"active\"");
    record.set_member("started_ns", "1600000000000000000");

    EXPECT_TRUE(matches(mydocker({"ps", "-a"}).out, "web +- +Exited \\(137\\)"));

    EXPECT_EQ(member(mydocker({"inspect", "web"}).out, "Error"), "the host was restarted");
    EXPECT_EQ(mydocker({"start", "web"}).exit_code, 0);
    EXPECT_EQ(mydocker({"rm", "-f", "web"}).exit_code, 0);
}

TEST_F(RestartedHost, AClockThatJumpedHarmsNothing) {
    remove_at_end("early");
    remove_at_end("late");
    const std::string early = mydocker({"create", "--name", "early", "busybox", "true"}).out.substr(0, 64);
    const std::string late = mydocker({"create", "--name", "late", "busybox", "true"}).out.substr(0, 64);
    RecordFile(root(), early).set_member("created_ns", "4102444800000000000");
    RecordFile(root(), late).set_member("created_ns", "-1");

    const Outcome ps = mydocker({"ps", "-aq"});

    EXPECT_EQ(ps.out, late.substr(0, 12) + "\n" + early.substr(0, 12) + "\n") << "not in order of creation";
    EXPECT_EQ(mydocker({"ps", "-a"}).exit_code, 0);
}

// --- S2: records that lie about what is theirs ------------------------------------------------------

class LyingIntent : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        remove_at_end("liar");
        remove_at_end("bystander");
        bystander_ =
            mydocker({"run", "-d", "--name", "bystander", "busybox", "sleep", "1000"}).out.substr(0, 64);
        liar_ = mydocker({"create", "--name", "liar", "busybox", "true"}).out.substr(0, 64);
        ASSERT_EQ(liar_.size(), 64U);
        original_ = RecordFile(root(), liar_).bytes();
    }
    void TearDown() override {
        if (original_.empty()) return EngineTest::TearDown(); // There is no liar.
        // A lie that was refused is taken back, so that the container can go. Of one that was taken away,
        // what is its own goes by its id, whatever its record said.
        const RecordFile record(root(), liar_);
        if (fs::exists(record.path()))
            record.set_bytes(original_);
        else
            EXPECT_EQ(mydocker({"system", "recover", "--orphans"}).exit_code, 0);
        EngineTest::TearDown();
    }

    void set_intent(const std::string& step, const std::string& value) const {
        const RecordFile record(root(), liar_);
        std::string text = record.document();
        const std::string key = "\"" + step + "\":\"";
        const auto begin = text.find(key, text.find("\"intents\"")) + key.size();
        record.set_document(text.replace(begin, text.find('"', begin) - begin, value));
    }
    [[nodiscard]] std::string intent(const std::string& id, const std::string& step) const {
        const std::string text = RecordFile(root(), id).document();
        const std::string key = "\"" + step + "\":\"";
        const auto begin = text.find(key, text.find("\"intents\"")) + key.size();
        return text.substr(begin, text.find('"', begin) - begin);
    }

    void expect_bystander_untouched() {
        const Outcome ps = mydocker({"ps", "--no-trunc"});
        EXPECT_TRUE(matches(ps.out, bystander_ + " +bystander +[0-9]+ +Up")) << ps.out;
        EXPECT_TRUE(fs::exists(root() + "/containers/" + bystander_ + "/config.json"));
        EXPECT_EQ(mydocker({"stop", "-t", "0", "bystander"}).exit_code, 0);
        const Outcome again = mydocker({"start", "bystander"});
        EXPECT_EQ(again.exit_code, 0) << again.err;
    }

    [[nodiscard]] const std::string& liar() const { return liar_; }
    [[nodiscard]] const std::string& bystander() const { return bystander_; }

  private:
    std::string liar_;
    std::string bystander_;
    std::string original_;
};

TEST_F(LyingIntent, ADirectoryOutsideIsNotRemoved) {
    const TempDir precious;
    write_text(precious / "data", "precious");
    set_intent("bundle", precious.path());

    (void)mydocker({"rm", "-f", "liar"});

    EXPECT_TRUE(fs::exists(precious / "data"));
}

TEST_F(LyingIntent, AnotherContainersBundleIsNotRemoved) {
    set_intent("bundle", intent(bystander(), "bundle"));

    (void)mydocker({"rm", "-f", "liar"});

    expect_bystander_untouched();
}

TEST_F(LyingIntent, AnotherContainersLayerIsNotRemoved) {
    set_intent("storage", bystander());

    (void)mydocker({"rm", "-f", "liar"});

    expect_bystander_untouched();
}

TEST_F(LyingIntent, AnotherContainersCgroupIsNotKilled) {
    set_intent("cgroup", intent(bystander(), "cgroup"));
    RecordFile(root(), liar()).set_member("transition", "\"removing\"");

    (void)mydocker({"rm", "-f", "liar"});

    expect_bystander_untouched();
}

TEST_F(LyingIntent, APathForAnIdIsRefused) {
    set_intent("storage", "../../../../precious");

    (void)mydocker({"rm", "-f", "liar"});

    expect_bystander_untouched();
}

} // namespace
} // namespace mydocker::test
