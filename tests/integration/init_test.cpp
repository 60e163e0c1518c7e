// --init: a first process that reaps, passes signals on, and is nobody's business.
#include "support/engine_fixture.hpp"
#include "support/terminal.hpp"

namespace mydocker::test {
namespace {

class RunInit : public EngineTest {};

TEST_F(RunInit, TheCommandIsNotTheFirstProcess) {
    const Outcome outcome =
        mydocker({"run", "--rm", "--init", "busybox", "sh", "-c", "echo $$; cat /proc/1/comm"});

    EXPECT_EQ(outcome.out, "2\nmydocker-init\n") << outcome.err;
}

TEST_F(RunInit, PassesTheExitCode) {
    EXPECT_EQ(mydocker({"run", "--rm", "--init", "busybox", "sh", "-c", "exit 7"}).exit_code, 7);
    EXPECT_EQ(mydocker({"run", "--rm", "--init", "busybox", "sh", "-c", "kill -9 $$"}).exit_code, 137);
    EXPECT_EQ(mydocker({"run", "--rm", "--init", "busybox", "no-such-command"}).exit_code, 127);
    EXPECT_EQ(mydocker({"run", "--rm", "--init", "busybox", "/etc"}).exit_code, 126);
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

TEST_F(RunInit, ReapsWhatOthersLeave) {
    const std::string script = "for i in 1 2 3; do sh -c 'true & exec true'; done; i=0; "
                               "while grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null && [ $i -lt 50 ]; "
                               "do sleep 0.1; i=$((i+1)); done; "
                               "grep -l '^State:.Z' /proc/[0-9]*/status; echo done";

    const Outcome outcome = mydocker({"run", "--rm", "--init", "busybox", "sh", "-c", script});

    EXPECT_EQ(outcome.out, "done\n");
}

TEST_F(RunInit, PassesSignalsOnAndIsStoppedAtOnceWithoutAHandler) {
    remove_at_end("plain");
    ASSERT_EQ(mydocker({"run", "-d", "--init", "--name", "plain", "busybox", "sleep", "1000"}).exit_code, 0);

    // As process 1 sleep would hear no SIGTERM; as a child it ends.
    EXPECT_EQ(mydocker({"stop", "plain"}).exit_code, 0);

    EXPECT_EQ(member(mydocker({"inspect", "plain"}).out, "ExitCode"), "143");
}

TEST_F(RunInit, LeavesTheTerminalToTheCommand) {
    Terminal terminal(command({"run", "--rm", "--init", "-ti", "busybox", "sh"}));
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();

    terminal.type("sh -c \"echo sta''rted; exec sleep 1000\"\n");
    ASSERT_TRUE(terminal.expect("started\r\n")) << terminal.output();
    terminal.type("\x03");
    terminal.type("echo code=$?\n");
    EXPECT_TRUE(terminal.expect("code=130")) << terminal.output();
    terminal.resize(40, 100);
    terminal.type("stty size; exit 3\n");

    EXPECT_TRUE(terminal.expect("40 100")) << terminal.output();
    EXPECT_EQ(terminal.wait(), 3) << terminal.output();
}

TEST_F(RunInit, IsConfinedLikeTheCommand) {
    const std::string script =
        "grep -E '^(Uid|Seccomp|NoNewPrivs|CapEff):' /proc/1/status > /tmp/one; "
        "grep -E '^(Uid|Seccomp|NoNewPrivs|CapEff):' /proc/self/status | diff /tmp/one - && echo same; "
        "ls /proc/1/fd 2>/dev/null | wc -l";

    const Outcome outcome = mydocker({"run", "--rm", "--init", "-u", "1000", "busybox", "sh", "-c", script});

    EXPECT_EQ(outcome.out, "same\n0\n") << outcome.err;
}

TEST_F(RunInit, ShowsTheEndOfTheInput) {
    const Outcome outcome = mydocker({"run", "--rm", "--init", "-i", "busybox", "cat"}, "through\n");

    EXPECT_EQ(outcome.out, "through\n");
}

TEST_F(RunInit, StaysAcrossStarts) {
    remove_at_end("stays");
    ASSERT_EQ(mydocker({"create", "--init", "--name", "stays", "busybox", "sh", "-c", "echo $$"}).exit_code,
              0);

    EXPECT_EQ(mydocker({"start", "-a", "stays"}).out, "2\n");
    EXPECT_EQ(mydocker({"start", "-a", "stays"}).out, "2\n");
}

} // namespace
} // namespace mydocker::test
