// Containers whose output goes to a real rsyslogd.
#include "support/engine_fixture.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kServer = "/usr/sbin/rsyslogd";

// A port that nobody has now.
int free_udp_port() {
    const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = static_cast<sockaddr*>(static_cast<void*>(&name));
    socklen_t size = sizeof name;
    if (::bind(fd.get(), generic, sizeof name) != 0 || ::getsockname(fd.get(), generic, &size) != 0) return 0;
    return ntohs(name.sin_port);
}

// An rsyslogd of the test's own, which writes a line for each message: severity|tag|process|message.
class Rsyslogd {
  public:
    explicit Rsyslogd(const std::string& directory) : directory_(directory), port_(free_udp_port()) {
        write_text(directory_ + "/rsyslog.conf",
                   "global(workDirectory=\"" + directory_ + "\" maxMessageSize=\"8k\")\n" +
                       "module(load=\"imuxsock\" SysSock.Use=\"off\")\n"
                       "module(load=\"imudp\")\n"
                       "input(type=\"imuxsock\" Socket=\"" +
                       socket() +
                       "\" RateLimit.Interval=\"0\")\n"
                       "input(type=\"imudp\" address=\"127.0.0.1\" port=\"" +
                       std::to_string(port_) +
                       "\")\n"
                       "template(name=\"line\" type=\"string\" "
                       "string=\"%syslogseverity-text%|%app-name%|%procid%|%msg%\\n\")\n"
                       "*.* action(type=\"omfile\" file=\"" +
                       file() + "\" template=\"line\" asyncWriting=\"off\")\n");
        start();
    }
    Rsyslogd(const Rsyslogd&) = delete;
    Rsyslogd& operator=(const Rsyslogd&) = delete;
    ~Rsyslogd() { stop(); }

    void start() {
        const std::string config = directory_ + "/rsyslog.conf";
        const std::string pid_file = directory_ + "/rsyslogd.pid";
        std::vector<std::string> words = {kServer, "-n", "-f", config, "-i", pid_file};
        std::vector<char*> argv;
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        ASSERT_EQ(::posix_spawn(&pid_, kServer, nullptr, nullptr, argv.data(), environ), 0);
        ASSERT_TRUE(eventually([&] { return fs::exists(socket()); })) << "rsyslogd does not come up";
    }
    void stop() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
        fs::remove(socket()); // The next one is up when there is a socket again.
    }

    [[nodiscard]] std::string socket() const { return directory_ + "/log"; }
    [[nodiscard]] std::string udp() const { return "udp://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] bool eventually_has(const std::string& pattern) const {
        return eventually([&] { return matches(content_of(file()), pattern); }, 20'000);
    }
    [[nodiscard]] std::string received() const { return content_of(file()); }

  private:
    [[nodiscard]] std::string file() const { return directory_ + "/received"; }

    std::string directory_;
    int port_;
    pid_t pid_ = -1;
};

class SyslogContainer : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        if (!fs::exists(kServer)) GTEST_SKIP() << "rsyslog is not installed";
        server_ = std::make_unique<Rsyslogd>(directory_.path());
    }
    void TearDown() override {
        server_.reset();
        EngineTest::TearDown();
    }

    static std::vector<std::string> flags(const std::string& address) {
        return {"--log-driver", "syslog", "--log-opt", "address=" + address};
    }

    TempDir directory_;
    std::unique_ptr<Rsyslogd> server_;
};

TEST_F(SyslogContainer, IsHeardAtALocalSocket) {
    auto given = flags(server_->socket());
    given.insert(given.end(), {"--log-opt", "tag=app-{name}"});
    const std::string id = start_detached("talker", given, {"sh", "-c", "echo to out; echo to err >&2"});

    const std::string who = "\\|app-talker\\|" + id.substr(0, 12) + "\\| ?";
    EXPECT_TRUE(server_->eventually_has("info" + who + "to out\n")) << server_->received();
    EXPECT_TRUE(server_->eventually_has("err" + who + "to err\n")) << server_->received();
}

TEST_F(SyslogContainer, IsHeardByUdp) {
    const std::string id = start_detached("talker", flags(server_->udp()), {"echo", "far away"});

    EXPECT_TRUE(server_->eventually_has("info\\|talker\\|" + id.substr(0, 12) + "\\|far away\n"))
        << server_->received();
}

TEST_F(SyslogContainer, LongLinesArriveWhole) {
    const std::string id =
        start_detached("talker", flags(server_->socket()),
                       {"sh", "-c", "head -c 40000 /dev/zero | tr '\\0' y; echo; echo end"});

    EXPECT_TRUE(server_->eventually_has(id.substr(0, 12) + "\\| ?end\n"));
    const std::string received = server_->received();
    EXPECT_EQ(std::count(received.begin(), received.end(), 'y'), 40'000);
}

// The container writes a line whenever the test does, so that each part of its life is known.
TEST_F(SyslogContainer, GoesOnWhileTheServerIsAwayAndIsHeardWhenItIsBack) {
    ASSERT_FALSE(start_detached("talker", flags(server_->socket()),
                                {"sh", "-c", "mkfifo /in; while read line </in; do echo $line; done"})
                     .empty());
    const auto say = [&](const std::string& text) {
        return mydocker({"exec", "talker", "sh", "-c", "echo '" + text + "' > /in"}).exit_code;
    };
    ASSERT_TRUE(eventually([&] { return mydocker({"exec", "talker", "test", "-p", "/in"}).exit_code == 0; }));
    ASSERT_EQ(say("first"), 0);
    ASSERT_TRUE(server_->eventually_has("first\n"));

    server_->stop();
    EXPECT_EQ(say("second"), 0);
    EXPECT_EQ(say("third"), 0) << "the container waits for a server that is away";
    server_->start();
    EXPECT_EQ(say("fourth"), 0);

    EXPECT_TRUE(server_->eventually_has("first\n(.*\n)*.*second\n.*third\n.*fourth\n"))
        << server_->received();
}

TEST_F(SyslogContainer, HandsOnWhatWaitedWhileItIsSilent) {
    ASSERT_FALSE(
        start_detached("talker", flags(server_->socket()),
                       {"sh", "-c", "mkfifo /in; read line </in; echo $line; touch /done; sleep 1000"})
            .empty());
    ASSERT_TRUE(eventually([&] { return mydocker({"exec", "talker", "test", "-p", "/in"}).exit_code == 0; }));

    server_->stop();
    EXPECT_EQ(mydocker({"exec", "talker", "sh", "-c", "echo 'only this' > /in"}).exit_code, 0);
    ASSERT_TRUE(
        eventually([&] { return mydocker({"exec", "talker", "test", "-f", "/done"}).exit_code == 0; }));
    server_->start();

    EXPECT_TRUE(server_->eventually_has("only this\n")) << server_->received();
}

TEST_F(SyslogContainer, CountsWhatWaitedInVainAtItsEnd) {
    ASSERT_FALSE(start_detached("talker", flags(server_->socket()),
                                {"sh", "-c", "mkfifo /in; read line </in; seq 100"})
                     .empty());
    ASSERT_TRUE(eventually([&] { return mydocker({"exec", "talker", "test", "-p", "/in"}).exit_code == 0; }));

    server_->stop();
    EXPECT_EQ(mydocker({"exec", "talker", "sh", "-c", "echo > /in"}).exit_code, 0);
    EXPECT_EQ(mydocker({"wait", "talker"}).out, "0\n");

    EXPECT_EQ(mydocker({"inspect", "-f", "{{.State.LogDropped}}", "talker"}).out, "100\n");
}

TEST_F(SyslogContainer, DoesNotStartWhereNoServerIs) {
    auto words = flags(directory_ / "nobody");
    words.insert(words.begin(), {"run", "--rm"});
    words.insert(words.end(), {"busybox", "true"});

    const Outcome outcome = mydocker(words);

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_TRUE(matches(outcome.err, "syslog server '.*/nobody'.*No such file")) << outcome.err;
}

} // namespace
} // namespace mydocker::test
