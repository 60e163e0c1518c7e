// Containers whose output goes to a real journald, and comes back from its journal.
#include "support/engine_fixture.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <spawn.h>
#include <sys/wait.h>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJournald = "/lib/systemd/systemd-journald";

// A journald of the test's own, with a /run that nobody else sees.
class JournalServer {
  public:
    JournalServer() {
        std::string script = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && "
                             "mkdir -p /run/systemd/journal /run/log/journal /run/systemd/journald.conf.d && "
                             "printf '[Journal]\\nAudit=\\nReadKMsg=no\\nRateLimitIntervalSec=0\\n"
                             "Storage=volatile\\n' > /run/systemd/journald.conf.d/test.conf && exec ";
        script += kJournald;
        std::vector<std::string> words = {"unshare", "-m", "sh", "-c", script};
        std::vector<char*> argv;
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        if (::posix_spawnp(&pid_, "unshare", nullptr, nullptr, argv.data(), environ) != 0) pid_ = -1;
    }
    JournalServer(const JournalServer&) = delete;
    JournalServer& operator=(const JournalServer&) = delete;
    ~JournalServer() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }

    [[nodiscard]] bool is_up() const {
        const std::string process = "/proc/" + std::to_string(pid_);
        return eventually([&] {
            return content_of(process + "/comm") == "systemd-journal\n" && fs::exists(socket()) &&
                   !fs::is_empty(directory());
        });
    }
    [[nodiscard]] std::string socket() const { return run() + "/systemd/journal/socket"; }
    [[nodiscard]] std::string directory() const { return run() + "/log/journal"; }

  private:
    [[nodiscard]] std::string run() const { return "/proc/" + std::to_string(pid_) + "/root/run"; }

    pid_t pid_ = -1;
};

class JournaldContainer : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        if (!fs::exists(kJournald)) GTEST_SKIP() << "systemd's journald is not installed";
        server_ = std::make_unique<JournalServer>();
        ASSERT_TRUE(server_->is_up());
    }
    void TearDown() override {
        server_.reset();
        EngineTest::TearDown();
    }

    // A container that has written what the script writes, and ended.
    std::string written(const std::string& script) {
        std::string id =
            start_detached("talker",
                           {"--log-driver", "journald", "--log-opt", "socket=" + server_->socket(),
                            "--log-opt", "directory=" + server_->directory()},
                           {"sh", "-c", script});
        EXPECT_EQ(mydocker({"wait", "talker"}).out, "0\n");
        return id;
    }

    std::unique_ptr<JournalServer> server_;
};

TEST_F(JournaldContainer, HasItsFieldsInTheJournal) {
    const std::string id = written("echo to out; echo to err >&2");
    const Outcome logs = mydocker({"logs", "talker"}); // All of it is in the journal then.
    const Outcome journal = run({"journalctl", "-D", server_->directory(), "-o", "json",
                                 "--output-fields=MESSAGE,PRIORITY,CONTAINER_ID,CONTAINER_ID_FULL,IMAGE_NAME",
                                 "CONTAINER_NAME=talker"});

    EXPECT_EQ(logs.out, "to out\n");
    EXPECT_EQ(logs.err, "to err\n");
    for (const std::string& field :
         {std::string(R"("MESSAGE":"to out")"), std::string(R"("MESSAGE":"to err")"),
          std::string(R"("PRIORITY":"6")"), std::string(R"("PRIORITY":"3")"),
          std::string(R"("IMAGE_NAME":"busybox")"), "\"CONTAINER_ID\":\"" + id.substr(0, 12) + "\"",
          "\"CONTAINER_ID_FULL\":\"" + id + "\""})
        EXPECT_NE(journal.out.find(field), std::string::npos) << field << " in " << journal.out;
}

TEST_F(JournaldContainer, IsReadBack) {
    written("echo one; printf 'a\\001b\\n'; echo; echo last");

    const Outcome logs = mydocker({"logs", "talker"});

    EXPECT_EQ(logs.out, std::string("one\na\001b\n\nlast\n"));
    EXPECT_EQ(mydocker({"logs", "-n", "2", "talker"}).out, "\nlast\n");
    EXPECT_EQ(mydocker({"logs", "-n", "0", "talker"}).out, "");
    EXPECT_EQ(mydocker({"logs", "-n", "100", "talker"}).out, logs.out);
    EXPECT_EQ(mydocker({"logs", "--since", "1h", "talker"}).out, logs.out);
    EXPECT_EQ(mydocker({"logs", "--until", "1h", "talker"}).out, "");
    EXPECT_EQ(mydocker({"logs", "-f", "talker"}).out, logs.out);
    EXPECT_EQ(mydocker({"logs", "-f", "-n", "0", "talker"}).out, "") << "it counts at the first look alone";
    EXPECT_EQ(mydocker({"logs", "-f", "-n", "1", "talker"}).out, "last\n");
}

TEST_F(JournaldContainer, LongLinesAndManyAreReadBackWhole) {
    written("head -c 40000 /dev/zero | tr '\\0' y; echo; seq 20000");

    const std::string out = mydocker({"logs", "talker"}).out;

    std::string wanted(40'000, 'y');
    for (int i = 1; i <= 20'000; ++i)
        wanted += "\n" + std::to_string(i);
    EXPECT_EQ(out.size(), wanted.size() + 1);
    EXPECT_TRUE(out == wanted + "\n");
    EXPECT_EQ(mydocker({"logs", "-n", "20001", "talker"}).out.size(), out.size())
        << "a line is all its pieces";
}

TEST_F(JournaldContainer, IsFollowedWhileItRuns) {
    const std::string id =
        start_detached("talker",
                       {"--log-driver", "journald", "--log-opt", "socket=" + server_->socket(), "--log-opt",
                        "directory=" + server_->directory()},
                       {"sh", "-c", "echo first; mkfifo /in; cat /in; echo last"});
    ASSERT_TRUE(eventually([&] { return mydocker({"exec", "talker", "test", "-p", "/in"}).exit_code == 0; }));
    const std::string follow = line({"logs", "-f", "talker"});
    const std::string feed = line({"exec", "talker", "sh", "-c", "echo middle > /in"});

    const Outcome followed = run({"sh", "-c", follow + " & " + feed + "; wait"});

    EXPECT_EQ(followed.out, "first\nmiddle\nlast\n") << id;
}

} // namespace
} // namespace mydocker::test
