// attach, and the keys that part a command line from what runs on.
#include "support/engine_fixture.hpp"
#include "support/terminal.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

constexpr const char* kParting = "\x10\x11"; // ctrl-p ctrl-q

class Attach : public EngineTest {
  protected:
    void start(const std::string& name, const std::vector<std::string>& flags,
               const std::vector<std::string>& words) {
        id_ = start_detached(name, flags, words);
        ASSERT_NE(id_, "");
    }
    // A shell that says on its terminal that it is there.
    void start_shell(const std::string& name) { start(name, {"-ti"}, {"sh"}); }
    std::string status_of(const std::string& name) {
        return member(mydocker({"inspect", name}).out, "Status");
    }

    std::string id_;
};

TEST_F(Attach, JoinsATerminalAndLeavesItRunning) {
    start_shell("joined");
    Terminal terminal(command({"attach", "joined"}), 33, 77);
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();

    terminal.type("stty size; echo pid=$$\n");
    EXPECT_TRUE(terminal.expect("33 77")) << terminal.output();
    EXPECT_TRUE(terminal.expect("pid=1")) << terminal.output();
    terminal.resize(40, 100);
    terminal.type("stty size\n");
    EXPECT_TRUE(terminal.expect("40 100")) << terminal.output();

    terminal.type(kParting);
    EXPECT_EQ(terminal.wait(), 0) << terminal.output();
    EXPECT_NE(terminal.output().find("read escape sequence"), std::string::npos);
    EXPECT_TRUE(terminal.is_cooked());
    EXPECT_EQ(status_of("joined"), "running");
}

TEST_F(Attach, GivesTheExitCode) {
    start_shell("coded");
    Terminal terminal(command({"attach", "coded"}));
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();

    terminal.type("exit 7\n");

    EXPECT_EQ(terminal.wait(), 7) << terminal.output();
    EXPECT_TRUE(terminal.is_cooked());
    EXPECT_EQ(status_of("coded"), "exited") << "attach waits for it to be at rest";
}

TEST_F(Attach, GivesTheExitCodeOfAContainerThatGoes) {
    start("going", {"--rm", "-i"}, {"sh", "-c", "read line; exit 9"});

    const Outcome outcome = mydocker({"attach", "going"}, "go\n");

    EXPECT_EQ(outcome.exit_code, 9) << outcome.err;
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

TEST_F(Attach, ServesSeveralAtOnceAndTheLog) {
    start_shell("several");
    Terminal one(command({"attach", "several"}));
    Terminal two(command({"attach", "several"}));
    ASSERT_TRUE(one.expect("# ")) << one.output();
    ASSERT_TRUE(two.expect("# ")) << two.output();

    one.type("echo fr''om-one\n");
    EXPECT_TRUE(one.expect("from-one")) << one.output();
    EXPECT_TRUE(two.expect("from-one")) << two.output();
    two.type("echo fr''om-two\n");
    EXPECT_TRUE(one.expect("from-two")) << one.output();

    one.type(kParting);
    EXPECT_EQ(one.wait(), 0);
    two.type("exit 3\n");
    EXPECT_EQ(two.wait(), 3);
    EXPECT_NE(mydocker({"logs", "several"}).out.find("from-two"), std::string::npos);
}

TEST_F(Attach, LeavesARunThatItsKeysPartedFrom) {
    remove_at_end("parted");
    Terminal terminal(command({"run", "-ti", "--name", "parted", "busybox", "sh"}));
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();

    terminal.type(kParting);

    EXPECT_EQ(terminal.wait(), 0) << terminal.output();
    EXPECT_NE(terminal.output().find("read escape sequence"), std::string::npos);
    EXPECT_TRUE(terminal.is_cooked());
    EXPECT_EQ(status_of("parted"), "running");

    Terminal again(command({"attach", "parted"}));
    ASSERT_TRUE(again.expect("# ")) << again.output();
    again.type("exit 5\n");
    EXPECT_EQ(again.wait(), 5) << again.output();
}

TEST_F(Attach, TakesOtherKeysAndLeavesTheUsualOnesToTheContainer) {
    start("keys", {"-ti"},
          {"sh", "-c", "stty raw -echo; echo ready; dd bs=1 count=2 2>/dev/null | od -An -tx1; sleep 1000"});
    Terminal terminal(command({"attach", "--detach-keys", "ctrl-a,d", "keys"}));
    ASSERT_TRUE(
        eventually([&] { return mydocker({"logs", "keys"}).out.find("ready") != std::string::npos; }));
    ASSERT_TRUE(eventually([&] { return !terminal.is_cooked(); }));

    terminal.type(kParting);
    EXPECT_TRUE(terminal.expect("10 11")) << terminal.output();
    terminal.type("\x01"
                  "d");

    EXPECT_EQ(terminal.wait(), 0) << terminal.output();
    EXPECT_EQ(status_of("keys"), "running");
}

TEST_F(Attach, PassesALoneFirstKeyOnAfterAWhile) {
    start("lone", {"-ti"},
          {"sh", "-c", "stty raw -echo; echo ready; dd bs=1 count=1 2>/dev/null | od -An -tx1; sleep 1000"});
    Terminal terminal(command({"attach", "lone"}));
    ASSERT_TRUE(
        eventually([&] { return mydocker({"logs", "lone"}).out.find("ready") != std::string::npos; }));
    ASSERT_TRUE(eventually([&] { return !terminal.is_cooked(); }));

    terminal.type("\x10");

    EXPECT_TRUE(terminal.expect("10\n")) << terminal.output();
}

TEST_F(Attach, LeavesACommandOfExecRunningThatItsKeysPartedFrom) {
    start("host", {}, {"sleep", "1000"});
    Terminal terminal(command({"exec", "-ti", "host", "sh"}));
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();
    // Left alone it writes more than a terminal holds, and must not be hung up on.
    terminal.type("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); "
                  "while [ $i = 50 ] && [ ! -e /go ]; do sleep 0.01; done; done; touch /done; sleep 1000\n");
    ASSERT_TRUE(terminal.expect("0123456789012345678901234567890123456789\r\n")) << terminal.output();

    terminal.type(kParting);

    EXPECT_EQ(terminal.wait(), 0) << terminal.output();
    EXPECT_TRUE(terminal.is_cooked());
    ASSERT_EQ(mydocker({"exec", "host", "touch", "/go"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return mydocker({"exec", "host", "test", "-e", "/done"}).exit_code == 0; }));
}

TEST_F(Attach, KeepsStandardInputOfADetachedRunOpenForTheNextOne) {
    start("fed", {"-i"}, {"sh", "-c", "read a; echo got $a; read b; echo got $b; exit 4"});

    Terminal watcher(command({"attach", "--no-stdin", "fed"}));
    // This one ends its input and is gone; the container reads on.
    Terminal first({"bash", "-c", "exec " + line({"attach", "--sig-proxy=false", "fed"}) + "< <(echo one)"});
    ASSERT_TRUE(first.expect("got one\r\n")) << first.output();
    EXPECT_EQ(first.output(), "got one\r\n");
    ::kill(first.pid(), SIGINT);
    EXPECT_EQ(first.wait(), 130) << first.output();
    EXPECT_EQ(status_of("fed"), "running");

    const Outcome second = mydocker({"attach", "fed"}, "two\n");

    EXPECT_EQ(second.out, "got two\n") << second.err;
    EXPECT_EQ(second.exit_code, 4);
    EXPECT_EQ(watcher.wait(), 4);
    EXPECT_NE(watcher.output().find("got two\r\n"), std::string::npos) << watcher.output();
}

TEST_F(Attach, EndsTheInputOfWhatWasMadeForTheForeground) {
    remove_at_end("once");
    ASSERT_EQ(mydocker({"create", "-i", "--name", "once", "busybox", "sh", "-c", "cat; echo end"}).exit_code,
              0);
    ASSERT_EQ(mydocker({"start", "once"}).exit_code, 0);

    const Outcome outcome = mydocker({"attach", "once"}, "some\n");

    EXPECT_EQ(outcome.out, "some\nend\n") << outcome.err;
}

TEST_F(Attach, StartGivesInputOnlyWhenAskedTo) {
    remove_at_end("asked");
    // Without input there is nothing to wait for: the first time it gives up.
    const std::string script =
        "if test -e /again; then read a; else echo > /again; read -t 1 a; fi; echo got=$a";
    ASSERT_EQ(mydocker({"create", "-i", "--name", "asked", "busybox", "sh", "-c", script}).exit_code, 0);

    EXPECT_EQ(mydocker({"start", "-a", "asked"}, "x\n").out, "got=\n");
    EXPECT_EQ(mydocker({"start", "-a", "-i", "asked"}, "y\n").out, "got=y\n");
    EXPECT_EQ(mydocker({"start", "-i", "asked"}, "z\n").out, "got=z\n");
}

TEST_F(Attach, StartOfWhatRunsJoinsIt) {
    start("running", {"-i"}, {"sh", "-c", "read a; echo got $a; exit 6"});

    const Outcome outcome = mydocker({"start", "-a", "-i", "running"}, "in\n");

    EXPECT_EQ(outcome.out, "got in\n") << outcome.err;
    EXPECT_EQ(outcome.exit_code, 6);
}

TEST_F(Attach, KeepsOutputAndErrorsApart) {
    start("apart", {"-i"}, {"sh", "-c", "read a; echo out; echo err >&2"});

    const Outcome outcome = mydocker({"attach", "apart"}, "\n");

    EXPECT_EQ(outcome.out, "out\n");
    EXPECT_EQ(outcome.err, "err\n");
}

TEST_F(Attach, PassesSignalsOnUnlessToldNotTo) {
    start("signals", {}, {"sh", "-c", "trap 'exit 42' INT; while :; do echo tick; sleep 0.1; done"});
    Terminal apart(command({"attach", "--sig-proxy=false", "signals"}));
    ASSERT_TRUE(apart.expect("tick")) << apart.output();
    ::kill(apart.pid(), SIGINT);
    EXPECT_EQ(apart.wait(), 130);
    EXPECT_EQ(status_of("signals"), "running");

    Terminal terminal(command({"attach", "signals"}));
    ASSERT_TRUE(terminal.expect("tick")) << terminal.output();
    ::kill(terminal.pid(), SIGINT);

    EXPECT_EQ(terminal.wait(), 42) << terminal.output();
}

// A reader that does not read, until it is asked to.
class SlowReader {
  public:
    explicit SlowReader(const std::string& line) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(ends[1], STDOUT_FILENO);
            ::execlp("sh", "sh", "-c", line.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        from_.reset(ends[0]);
    }
    // Reads until `text` is there; empty: to the end.
    std::string read(const std::string& text) {
        std::array<char, 65536> buffer;
        while (text.empty() || seen_.find(text) == std::string::npos) {
            const ssize_t count = ::read(from_.get(), buffer.data(), buffer.size());
            if (count <= 0) break;
            seen_.append(buffer.data(), static_cast<std::size_t>(count));
        }
        return seen_;
    }
    ~SlowReader() { ::waitpid(pid_, nullptr, 0); }
    SlowReader(const SlowReader&) = delete;
    SlowReader& operator=(const SlowReader&) = delete;

  private:
    pid_t pid_ = -1;
    UniqueFd from_;
    std::string seen_;
};

// It is a guest: the container waits for it a few seconds, then goes on, and the log has all.
TEST_F(Attach, DoesNotStopTheContainerWhenItsReaderDoesNotRead) {
    start("slow", {"-i"},
          {"sh", "-c",
           "read a; dd if=/dev/zero bs=1000000 count=4 2>/dev/null; echo; echo end; "
           "while :; do echo tick; sleep 0.1; done"});
    SlowReader reader("echo go | " + line({"attach", "slow"}) + "2>&1");

    EXPECT_TRUE(eventually(
        [&] { return mydocker({"logs", "--tail", "50", "slow"}).out.find("end\n") != std::string::npos; },
        20000));

    EXPECT_LT(reader.read("tick").size(), 4000000U) << "it has missed some, and goes on with what comes";
    ASSERT_EQ(mydocker({"kill", "slow"}).exit_code, 0);
    EXPECT_NE(reader.read("").find("bytes of output are not shown"), std::string::npos);
}

TEST_F(Attach, IsForRootAlone) {
    start("closed", {}, {"sleep", "1000"});
    struct stat status{};

    ASSERT_EQ(::lstat((run_root() + "/" + id_ + "/attach.sock").c_str(), &status), 0);

    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    ASSERT_EQ(::lstat((run_root() + "/" + id_).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(Attach, RefusesWhatDoesNotRun) {
    remove_at_end("still");
    ASSERT_EQ(mydocker({"create", "--name", "still", "busybox", "true"}).exit_code, 0);

    const Outcome outcome = mydocker({"attach", "still"});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.err,
              "mydocker: attach: container 'still' is not running; 'mydocker start -a' starts it\n");
}

TEST_F(Attach, RefusesKeysThatAreNone) {
    const Outcome outcome = mydocker({"attach", "--detach-keys", "ctrl-p,quit", "any"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("'quit' is no key"), std::string::npos) << outcome.err;
}

TEST_F(Attach, NeedsATerminalForATerminal) {
    start_shell("tty");

    const Outcome outcome = mydocker({"attach", "tty"});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find("has a terminal; attaching needs one"), std::string::npos) << outcome.err;
}

TEST_F(Attach, EndsWithAContainerWhoseMonitorIsKilled) {
    start("lost", {}, {"sh", "-c", "while :; do echo tick; sleep 0.1; done"});
    const pid_t monitor = parent_of(std::stoi(member(mydocker({"inspect", "lost"}).out, "Pid")));
    ASSERT_GT(monitor, 1);
    Terminal terminal(command({"attach", "lost"}));
    ASSERT_TRUE(terminal.expect("tick")) << terminal.output();

    ASSERT_EQ(::kill(monitor, SIGKILL), 0);

    EXPECT_EQ(terminal.wait(), 137) << terminal.output();
    EXPECT_NE(terminal.output().find("monitor lost"), std::string::npos) << terminal.output();
}

TEST_F(Attach, OfARunIsToTheNamedStreamsAlone) {
    const std::string script = "echo out; echo err >&2; cat; exit 7";
    const auto run = [&](std::vector<std::string> flags) {
        flags.insert(flags.begin(), {"run", "--rm"});
        flags.insert(flags.end(), {"busybox", "sh", "-c", script});
        return mydocker(flags, "in\n");
    };

    const Outcome out = run({"-a", "stdout"});
    EXPECT_EQ(out.out + "|" + out.err, "out\n|");
    EXPECT_EQ(out.exit_code, 7);
    const Outcome err = run({"--attach", "STDERR"});
    EXPECT_EQ(err.out + "|" + err.err, "|err\n");
    EXPECT_EQ(err.exit_code, 7);
    const Outcome both = run({"-i", "-a", "stdin", "-a", "stdout"});
    EXPECT_EQ(both.out + "|" + both.err, "out\nin\n|");
    EXPECT_EQ(both.exit_code, 7);
}

TEST_F(Attach, OfARunToInputAlonePrintsTheId) {
    remove_at_end("fed");

    const Outcome outcome =
        mydocker({"run", "-i", "-a", "stdin", "--name", "fed", "busybox", "sh", "-c", "cat; exit 3"}, "in\n");

    EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
    EXPECT_EQ(outcome.out, mydocker({"ps", "-aq", "--no-trunc"}).out);
    EXPECT_EQ(mydocker({"logs", "fed"}).out, "in\n");
}

TEST_F(Attach, OfARunWithoutItsInputLeavesThatOpen) {
    const Outcome outcome =
        mydocker({"run", "--rm", "-i", "-a", "stdout", "busybox", "sh", "-c", "timeout 1 cat; echo $?"},
                 "not for it\n");

    EXPECT_EQ(outcome.out, "143\n") << outcome.err;
}

TEST_F(Attach, OfARunRefusesWhatCannotBe) {
    const Outcome both = mydocker({"run", "-d", "-a", "stdout", "busybox", "true"});
    EXPECT_EQ(both.exit_code, 125);
    EXPECT_EQ(both.err.find("mydocker: run: conflicting options: --attach and --detach"), 0U) << both.err;

    EXPECT_EQ(mydocker({"run", "-a", "stdlog", "busybox", "true"}).exit_code, 125);
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

} // namespace
} // namespace mydocker::test
