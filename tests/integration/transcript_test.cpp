// The transcripts of the teaching program, typed word for word into a shell on a real terminal.
#include "support/engine_fixture.hpp"
#include "support/terminal.hpp"

#include <memory>
#include <sstream>
#include <string_view>

namespace mydocker::test {
namespace {

constexpr const char* kHost = "host> "; // our shell's prompt
constexpr const char* kInside = "/ # "; // busybox's, for root

class Transcript : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        ignore("content/cache");
        shell_ = std::make_unique<Terminal>(
            std::vector<std::string>{"env", "-u", "PROMPT_COMMAND", "PATH=" + stage() + "/bin:/usr/bin:/bin",
                                     "MYDOCKER_ROOT=" + root(), "MYDOCKER_RUN_ROOT=" + run_root(),
                                     std::string("PS1=") + kHost, "bash", "--norc", "--noprofile",
                                     "--noediting"},
            static_cast<unsigned short>(40), static_cast<unsigned short>(200));
        ASSERT_TRUE(expect(kHost));
    }
    void TearDown() override {
        if (shell_) {
            std::istringstream ids(mydocker({"ps", "-aq"}).out);
            for (std::string id; std::getline(ids, id);)
                remove_at_end(id);
            shell_->type("exit\n");
            EXPECT_EQ(shell_->wait(), 0) << shell_->output();
        }
        EngineTest::TearDown();
    }

    [[nodiscard]] bool expect(const std::string& text) {
        if (shell_->expect(text)) return true;
        ADD_FAILURE() << "'" << text << "' does not come; there is:\n" << shell_->output();
        return false;
    }
    // Types a line of the transcript; the echo of it is passed over.
    void type(const std::string& line) {
        shell_->type(line + "\n");
        (void)expect(line);
    }
    // Types a line and returns what it printed, up to the next prompt.
    std::string answer(const std::string& line) {
        type(line);
        const std::size_t from = shell_->seen(); // More may have been read already.
        if (!expect(kHost)) return {};
        return shell_->output().substr(from, shell_->seen() - std::string_view(kHost).size() - from);
    }
    // Leaves the shell inside a container.
    void leave() {
        type("exit");
        (void)expect(kHost);
    }

    std::unique_ptr<Terminal> shell_;
};

TEST_F(Transcript, RunTiSh) {
    type("mydocker run -ti sh");
    ASSERT_TRUE(expect(kInside));
    type("echo $$ $(tty) $((40 + 2))");
    EXPECT_TRUE(expect("1 /dev/pts/0 42"));

    leave();
    type("echo code=$?");
    EXPECT_TRUE(expect("code=0"));
}

TEST_F(Transcript, RunTiWithLimits) {
    type("mydocker run -ti -m 100m -cpushare 512 -cpuset 0 sh");
    ASSERT_TRUE(expect(kInside));
    type("grep Cpus_allowed_list /proc/self/status");
    EXPECT_TRUE(expect("Cpus_allowed_list:\t0\r\n"));

    leave();
    const Outcome limits = mydocker(
        {"inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.CpuShares}} {{.HostConfig.CpusetCpus}}",
         mydocker({"ps", "-lq"}).out.substr(0, 12)});
    EXPECT_EQ(limits.out, "104857600 512 0\n");
}

TEST_F(Transcript, AVolumeOutlivesItsContainer) {
    const TempDir parent;
    const std::string directory = parent / "some/host/dir";

    type("mydocker run -ti -v " + directory + ":/containerVolume sh");
    ASSERT_TRUE(expect(kInside));
    type("echo hello > /containerVolume/test.txt");
    ASSERT_TRUE(expect(kInside));
    leave();
    (void)answer("mydocker rm $(mydocker ps -lq)");

    EXPECT_EQ(content_of(directory + "/test.txt"), "hello\n");
}

TEST_F(Transcript, CommitMakesAnImageToRun) {
    type("mydocker run -d --name maker sh -c 'echo made > /proof; sleep 1000'");
    ASSERT_TRUE(expect(kHost));
    ASSERT_TRUE(eventually([&] { return mydocker({"exec", "maker", "cat", "/proof"}).out == "made\n"; }));

    EXPECT_NE(answer("mydocker commit maker image").find("sha256:"), std::string::npos);
    EXPECT_NE(answer("mydocker commit maker name:tag").find("sha256:"), std::string::npos);

    EXPECT_NE(answer("mydocker run --rm image cat /proof").find("made\r\n"), std::string::npos);
    EXPECT_NE(answer("mydocker run --rm name:tag cat /proof").find("made\r\n"), std::string::npos);
    (void)answer("mydocker rm -f maker");
    EXPECT_EQ(mydocker({"rmi", "image", "name:tag"}).exit_code, 0);
}

TEST_F(Transcript, ContainersInTheBackground) {
    (void)answer("mydocker run -d top");
    (void)answer("mydocker run -d --name bird top");
    (void)answer("mydocker run --name nobody -d top");

    const std::string listed = answer("mydocker ps");
    std::istringstream header(listed.substr(listed.find("ID")));
    std::string columns;
    std::string column;
    for (int i = 0; i < 7 && header >> column; ++i)
        columns += column + " ";
    EXPECT_EQ(columns, "ID NAME PID STATUS COMMAND CREATED IMAGE ") << listed;
    EXPECT_NE(listed.find("bird"), std::string::npos) << listed;
    EXPECT_NE(listed.find("nobody"), std::string::npos) << listed;

    EXPECT_TRUE(eventually([&] { return mydocker({"logs", "bird"}).out.find("PID") != std::string::npos; }));
    EXPECT_NE(answer("mydocker logs bird").find("PPID"), std::string::npos);

    EXPECT_NE(answer("mydocker stop bird").find("bird"), std::string::npos);
    EXPECT_NE(answer("mydocker ps -a").find("Exited (143)"), std::string::npos) << shell_->output();
    EXPECT_NE(answer("mydocker rm bird").find("bird"), std::string::npos);
    EXPECT_EQ(answer("mydocker ps -a").find("bird"), std::string::npos) << shell_->output();
}

TEST_F(Transcript, ExecShSeesTheContainersProcesses) {
    (void)answer("mydocker run --name nobody -d top");

    type("mydocker exec nobody sh");
    ASSERT_TRUE(expect(kInside));
    type("ps -ef | grep '^ *1 '");
    EXPECT_TRUE(expect("top\r\n"));
    type("exit 5");
    ASSERT_TRUE(expect(kHost));
    type("echo code=$?");
    EXPECT_TRUE(expect("code=5"));
}

TEST_F(Transcript, ExecHasTheContainersEnvironment) {
    (void)answer("mydocker run -d --name env1 -e bird=123 -e luck=bird top");

    const std::string environment = answer("mydocker exec env1 env");

    EXPECT_NE(environment.find("bird=123\r\n"), std::string::npos) << environment;
    EXPECT_NE(environment.find("luck=bird\r\n"), std::string::npos) << environment;
}

TEST_F(Transcript, InitRefuses) {
    const std::string refused = answer("mydocker init");
    EXPECT_NE(refused.find("mydocker: init: internal: "), std::string::npos) << refused;
    type("mydocker init 2>/dev/null; echo code=$?");
    EXPECT_TRUE(expect("code=1"));
}

} // namespace
} // namespace mydocker::test
