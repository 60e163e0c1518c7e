// The streams of `exec`: pipes, the terminal, and what is left of them in the background.
#include "support/exec_fixture.hpp"
#include "support/terminal.hpp"

#include <csignal>

namespace mydocker::test {
namespace {

// --- streams -----------------------------------------------------------------------------------------

TEST_F(Exec, FeedsStandardInputWithIUnchanged) {
    const TempDir directory;
    const std::string file = directory / "bytes";

    const Outcome outcome =
        test::run({"bash", "-c",
                   "head -c 67108864 /dev/urandom > " + file + "; " + line({"exec", "-i", "box", "cat"}) +
                       "< " + file + " | cmp - " + file + " && echo same"});

    EXPECT_EQ(outcome.out, "same\n") << outcome.err;
}

TEST_F(Exec, ClosesStandardInputWithoutI) {
    EXPECT_EQ(mydocker({"exec", "box", "sh", "-c", "cat; echo end"}, "not for the container").out, "end\n");
}

TEST_F(Exec, EndsWhileTheCallersInputIsStillOpen) {
    const TempDir directory;
    const std::string fifo = directory / "fifo";

    const Outcome outcome = test::run({"bash", "-c",
                                       "mkfifo " + fifo + "; exec 5<>" + fifo + "; " +
                                           line({"exec", "-i", "box", "echo", "done"}) + "<&5"});

    EXPECT_EQ(outcome.out, "done\n") << outcome.err;
}

TEST_F(Exec, LetsTheCommandNoticeThatItsReaderIsGone) {
    const Outcome outcome =
        test::run({"bash", "-c", line({"exec", "box", "yes"}) + "| head -n 2; echo ${PIPESTATUS[0]}"});

    EXPECT_EQ(outcome.out, "y\ny\n141\n") << outcome.err;
}

TEST_F(Exec, WaitsForNobodyWhoHoldsTheOutputOpen) {
    EXPECT_EQ(in_box("sleep 1000 & echo done").out, "done\n");
}

TEST_F(Exec, PassesSignalsOn) {
    Terminal terminal(
        command({"exec", "box", "sh", "-c", "trap 'exit 42' TERM; echo ready; while :; do sleep 0.1; done"}));
    ASSERT_TRUE(terminal.expect("ready")) << terminal.output();

    ::kill(terminal.pid(), SIGTERM);

    EXPECT_EQ(terminal.wait(), 42) << terminal.output();
}

// --- the terminal ------------------------------------------------------------------------------------

TEST_F(Exec, GivesAShellOnATerminalOfTheContainers) {
    Terminal terminal(command({"exec", "-ti", "box", "sh"}), 33, 77);
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();

    terminal.type("tty; stty size; echo $TERM; ls -l /dev/pts\n");
    EXPECT_TRUE(terminal.expect("/dev/pts/0\r\n")) << terminal.output();
    EXPECT_TRUE(terminal.expect("33 77\r\n")) << terminal.output();
    EXPECT_TRUE(terminal.expect("xterm\r\n")) << terminal.output();

    // Said by the job itself: from then on it is in the foreground, and Ctrl-C meets nobody else.
    terminal.type("sh -c \"echo sta''rted; exec sleep 3000\"\n");
    ASSERT_TRUE(terminal.expect("started\r\n")) << terminal.output();
    terminal.type("\x03");
    terminal.type("echo co''de=$?\n");
    EXPECT_TRUE(terminal.expect("code=130\r\n")) << terminal.output();

    terminal.resize(40, 100);
    terminal.type("stty size\n");
    EXPECT_TRUE(terminal.expect("40 100")) << terminal.output();

    terminal.type("exit 3\n");
    EXPECT_EQ(terminal.wait(), 3) << terminal.output();
    EXPECT_TRUE(terminal.is_cooked());
}

TEST_F(Exec, HasTheSizeBeforeTheCommandAsksForIt) {
    Terminal terminal(command({"exec", "-t", "box", "stty", "size"}), 33, 77);

    EXPECT_EQ(terminal.wait(), 0);
    EXPECT_TRUE(terminal.output().contains("33 77")) << terminal.output();
}

TEST_F(Exec, HasATerminalBesideTheContainersOwn) {
    start({"-t"});
    Terminal terminal(command({"exec", "-t", "-u", "nobody", "box", "sh", "-c", "tty; stat -c %U $(tty)"}));

    EXPECT_EQ(terminal.wait(), 0);
    EXPECT_TRUE(terminal.output().contains("/dev/pts/1\r\nnobody\r\n")) << terminal.output();
}

TEST_F(Exec, RestoresTheTerminalWhenTheContainerIsKilled) {
    Terminal terminal(command({"exec", "-ti", "box", "sh"}));
    ASSERT_TRUE(terminal.expect("# "));

    ASSERT_EQ(mydocker({"kill", "box"}).exit_code, 0);

    EXPECT_EQ(terminal.wait(), 137) << terminal.output();
    EXPECT_TRUE(terminal.output().contains("container 'box' ended")) << terminal.output();
    EXPECT_TRUE(terminal.is_cooked());
}

TEST_F(Exec, HangsTheTerminalUpWhenTheCommandLineIsKilled) {
    {
        Terminal terminal(command({"exec", "-ti", "box", "sh", "-c", "echo ready; sleep 4000"}));
        ASSERT_TRUE(terminal.expect("ready")) << terminal.output();
        ::kill(terminal.pid(), SIGKILL);
        EXPECT_EQ(terminal.wait(), 137);
    }

    EXPECT_TRUE(eventually([&] { return !in_box("ps").out.contains("sleep 4000"); })) << in_box("ps").out;
}

// --- in the background ----------------------------------------------------------------------------------

TEST_F(Exec, ADetachedTerminalStaysOpen) {
    const Outcome outcome =
        mydocker({"exec", "-dit", "box", "sh", "-c",
                  "tty > /tmp/tty; sleep 0.3; echo to the terminal && echo still there > /tmp/still"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");

    EXPECT_TRUE(eventually([&] { return in_box("cat /tmp/still 2>/dev/null").out == "still there\n"; }));

    EXPECT_TRUE(in_box("cat /tmp/tty").out.starts_with("/dev/pts/")) << in_box("cat /tmp/tty").out;
}

TEST_F(Exec, ADetachedCommandHasNoInput) {
    ASSERT_EQ(mydocker({"exec", "-d", "-i", "box", "sh", "-c", "cat > /tmp/in; echo end >> /tmp/in"}, "words")
                  .exit_code,
              0);

    EXPECT_TRUE(eventually([&] { return in_box("cat /tmp/in 2>/dev/null").out == "end\n"; }));
}

} // namespace
} // namespace mydocker::test
