// `run` as its users know it: words, streams, exit codes, environment, limits, terminal.
#include "support/engine_fixture.hpp"
#include "support/terminal.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <sstream>

namespace mydocker::test {
namespace {

class Run : public EngineTest {};

TEST_F(Run, KeepsTheWordsOfTheCommandApart) {
    const Outcome outcome =
        mydocker({"run", "--rm", "busybox", "sh", "-c", "for a; do printf '[%s]' \"$a\"; done", "x", "a b",
                  "", "c'd", "*", "$HOME", "l1\nl2", "\xff"});

    EXPECT_EQ(outcome.out, "[a b][][c'd][*][$HOME][l1\nl2][\xff]");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST_F(Run, WritesNothingOfItsOwnIntoTheOutput) {
    const Outcome outcome = mydocker({"--log-level", "debug", "run", "--rm", "busybox", "echo", "hi"});

    EXPECT_EQ(outcome.out, "hi\n");
}

TEST_F(Run, KeepsOutputAndErrorsApart) {
    const Outcome outcome = mydocker({"run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2"});

    EXPECT_EQ(outcome.out, "out\n");
    EXPECT_EQ(outcome.err, "err\n");
}

TEST_F(Run, GivesTheContainerNothingOfTheCallersEnvironment) {
    const Outcome outcome = mydocker_with({"SECRET=1", "MYDOCKER_TEST=2"}, {"run", "--rm", "busybox", "env"});

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out.find("SECRET"), std::string::npos) << outcome.out;
    EXPECT_EQ(outcome.out.find("MYDOCKER"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("PATH=/usr/local/sbin"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("HOME=/root"), std::string::npos) << outcome.out;
}

struct ExitCase {
    std::string name;
    std::vector<std::string> command;
    int code;
};

class RunExit : public EngineTest, public ::testing::WithParamInterface<ExitCase> {};

TEST_P(RunExit, PassesTheCodeThrough) {
    std::vector<std::string> words{"run", "--rm", "busybox"};
    words.insert(words.end(), GetParam().command.begin(), GetParam().command.end());

    EXPECT_EQ(mydocker(words).exit_code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Codes, RunExit,
    ::testing::Values(ExitCase{"True", {"true"}, 0}, ExitCase{"False", {"false"}, 1},
                      ExitCase{"Three", {"sh", "-c", "exit 3"}, 3},
                      ExitCase{"All", {"sh", "-c", "exit 255"}, 255},
                      ExitCase{"Killed", {"sh", "-c", "sh -c 'kill -9 $$'; exit $?"}, 137},
                      ExitCase{"KilledByItself", {"sh", "-c", "kill -9 $$; exit 5"}, 137},
                      ExitCase{"NotKilledByItsChild", {"sh", "-c", "sh -c 'kill -9 1'; exit 6"}, 6},
                      ExitCase{"NotFound", {"no-such-command"}, 127},
                      ExitCase{"NotFoundPath", {"/no/such/command"}, 127},
                      ExitCase{"Directory", {"/etc"}, 126}, ExitCase{"NotExecutable", {"/etc/passwd"}, 126}),
    [](const auto& each) { return each.param.name; });

TEST_F(Run, HasNamespacesOfItsOwn) {
    const Outcome outcome = mydocker(
        {"run", "--rm", "busybox", "sh", "-c",
         "for n in mnt pid uts ipc net cgroup; do readlink /proc/self/ns/$n; done; echo $$; hostname"});

    std::istringstream lines(outcome.out);
    for (const char* name : {"mnt", "pid", "uts", "ipc", "net", "cgroup"}) {
        std::string link;
        std::getline(lines, link);
        EXPECT_NE(link, std::filesystem::read_symlink(std::string("/proc/self/ns/") + name).string());
        EXPECT_TRUE(link.starts_with(name)) << link;
    }
    std::string pid;
    std::getline(lines, pid);
    EXPECT_EQ(pid, "1");
    std::string hostname;
    std::getline(lines, hostname);
    EXPECT_EQ(hostname.size(), 12U);
}

TEST_F(Run, HasOnlyTheLoopbackInterfaceAndItIsUp) {
    const Outcome outcome =
        mydocker({"run", "--rm", "busybox", "sh", "-c", "ls /sys/class/net; cat /sys/class/net/lo/flags"});

    EXPECT_EQ(outcome.out, "lo\n0x9\n") << outcome.err; // IFF_UP | IFF_LOOPBACK
}

TEST_F(Run, SharesTheHostsNetworkWhenAskedTo) {
    const Outcome outcome =
        mydocker({"run", "--rm", "--network", "host", "busybox", "readlink", "/proc/self/ns/net"});

    EXPECT_EQ(outcome.out, std::filesystem::read_symlink("/proc/self/ns/net").string() + "\n") << outcome.err;
}

TEST_F(Run, JoinsTheNetworkOfAnotherContainer) {
    remove_at_end("net-a");
    ASSERT_EQ(mydocker({"run", "-d", "--name", "net-a", "busybox", "sleep", "1000"}).exit_code, 0);
    const std::string pid = member(mydocker({"inspect", "net-a"}).out, "Pid");

    const Outcome outcome =
        mydocker({"run", "--rm", "--network", "container:net-a", "busybox", "readlink", "/proc/self/ns/net"});

    EXPECT_EQ(outcome.out, std::filesystem::read_symlink("/proc/" + pid + "/ns/net").string() + "\n")
        << outcome.err;
}

TEST_F(Run, FeedsStandardInputWithI) {
    std::string input;
    for (int i = 0; i < 300'000; ++i)
        input += static_cast<char>(i * 7);

    const Outcome outcome = mydocker({"run", "--rm", "-i", "busybox", "cat"}, input);

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(outcome.out == input) << outcome.out.size() << " bytes of " << input.size();
}

// What a container does not read waits with its writer, not in the monitor.
TEST_F(Run, HoldsBackInputThatNobodyReads) {
    remove_at_end("deaf");
    const Outcome outcome =
        test::run({"bash", "-c",
                   "yes | " + line({"run", "-i", "--name", "deaf", "busybox", "sleep", "1000"}) +
                       " & sleep 2; ps -o rss= -p $(pgrep -f \"mydocker-monitor $(" + line({"ps", "-q"}) +
                       ")\"); " + line({"kill", "deaf"}) + " > /dev/null; wait"});

    const int kibibytes = std::stoi(outcome.out);
    EXPECT_GT(kibibytes, 0) << outcome.out << outcome.err;
    EXPECT_LT(kibibytes, 20'000) << "two seconds of yes are gigabytes";
}

TEST_F(Run, ClosesStandardInputWithoutI) {
    const Outcome outcome =
        mydocker({"run", "--rm", "busybox", "sh", "-c", "cat; echo end"}, "not for the container");

    EXPECT_EQ(outcome.out, "end\n");
}

TEST_F(Run, LetsTheContainerNoticeThatItsReaderIsGone) {
    const Outcome outcome = test::run(
        {"bash", "-c", line({"run", "--rm", "busybox", "yes"}) + "| head -n 2; echo ${PIPESTATUS[0]}"});

    // Process 1 ignores SIGPIPE (pid_namespaces(7)), so `yes` ends by its failed write.
    EXPECT_EQ(outcome.out, "y\ny\n1\n") << outcome.err;
}

// What the kernel says of the limits below, in the words of this host's cgroup layout.
std::string limits_of(const std::string& id) {
    const std::string tree = "/sys/fs/cgroup/";
    const std::string below = "/mydocker/" + id + "/";
    std::vector<std::string> files{"memory" + below + "memory.limit_in_bytes", "cpu" + below + "cpu.shares",
                                   "cpuset" + below + "cpuset.cpus", "pids" + below + "pids.max"};
    if (missing(Need::cgroup_v1))
        files = {below + "memory.max", below + "cpu.weight", below + "cpuset.cpus", below + "pids.max"};
    std::string text;
    for (const std::string& file : files)
        text += content_of(tree + file);
    return text;
}

TEST_F(Run, SetsTheLimitsItWasAskedFor) {
    const std::string shares = missing(Need::cgroup_v1) ? "59\n" : "512\n"; // As a weight of cgroup v2.
    remove_at_end("limits");
    ASSERT_EQ(mydocker({"run", "-d", "--name", "limits", "-m", "64m", "-cpushare", "512", "-cpuset", "0",
                        "--pids-limit", "99", "busybox", "sleep", "1000"})
                  .exit_code,
              0);

    const std::string id = member(mydocker({"inspect", "limits"}).out, "Id");

    EXPECT_EQ(limits_of(id), "67108864\n" + shares + "0\n99\n");
}

TEST_F(Run, ReportsThatTheContainerRanOutOfMemory) {
    const Outcome outcome =
        mydocker({"run", "--rm", "-m", "32m", "busybox", "sh", "-c", "x=a; while :; do x=$x$x; done"});

    EXPECT_EQ(outcome.exit_code, 137);
    EXPECT_NE(outcome.err.find("out of memory (limit 32 MiB)"), std::string::npos) << outcome.err;
}

TEST_F(Run, GivesAShellOnATerminalOfItsOwn) {
    Terminal terminal(command({"run", "--rm", "-ti", "busybox", "sh"}), 33, 77);
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();

    terminal.type("tty; stty size; echo pid=$$\n");
    EXPECT_TRUE(terminal.expect("/dev/pts/0")) << terminal.output();
    EXPECT_TRUE(terminal.expect("33 77")) << terminal.output();
    EXPECT_TRUE(terminal.expect("pid=1")) << terminal.output();

    // Said by the job itself: from then on it is in the foreground, and Ctrl-Z meets nobody else.
    terminal.type("sh -c \"echo sta''rted; exec sleep 1000\"\n");
    ASSERT_TRUE(terminal.expect("started\r\n")) << terminal.output();
    terminal.type("\x1a"); // Ctrl-Z: the shell has job control.
    EXPECT_TRUE(terminal.expect("Stopped")) << terminal.output();
    terminal.type("kill -9 %1; wait; echo ki''lled\n");
    EXPECT_TRUE(terminal.expect("killed\r\n")) << terminal.output();

    terminal.resize(40, 100);
    terminal.type("stty size\n");
    EXPECT_TRUE(terminal.expect("40 100")) << terminal.output();

    terminal.type("exit 3\n");
    EXPECT_EQ(terminal.wait(), 3) << terminal.output();
    EXPECT_TRUE(terminal.is_cooked());
}

TEST_F(Run, RestoresTheTerminalWhenTheContainerIsKilled) {
    remove_at_end("victim");
    Terminal terminal(command({"run", "--rm", "-ti", "--name", "victim", "busybox", "sh"}));
    ASSERT_TRUE(terminal.expect("# "));

    ASSERT_EQ(mydocker({"kill", "victim"}).exit_code, 0);

    EXPECT_EQ(terminal.wait(), 137) << terminal.output();
    EXPECT_TRUE(terminal.is_cooked());
}

TEST_F(Run, PassesSignalsOn) {
    remove_at_end("signals");
    auto words = command({"run", "--rm", "--name", "signals", "busybox", "sh", "-c",
                          "trap 'exit 42' TERM; echo ready; while :; do sleep 0.1; done"});
    Terminal terminal(words);
    ASSERT_TRUE(terminal.expect("ready")) << terminal.output();

    ::kill(terminal.pid(), SIGTERM);

    EXPECT_EQ(terminal.wait(), 42) << terminal.output();
}

TEST_F(Run, LeavesTheContainerRunningWhenTheCommandLineIsKilled) {
    remove_at_end("orphan");
    {
        Terminal terminal(
            command({"run", "-ti", "--name", "orphan", "busybox", "sh", "-c", "echo ready; exec sh"}));
        ASSERT_TRUE(terminal.expect("ready")) << terminal.output();
        ::kill(terminal.pid(), SIGKILL);
        EXPECT_EQ(terminal.wait(), 137);
    }

    const Outcome listed = mydocker({"ps"});

    EXPECT_NE(listed.out.find("orphan"), std::string::npos) << listed.out;
    EXPECT_NE(listed.out.find("Up "), std::string::npos) << listed.out;
    Terminal again(command({"attach", "orphan"}));
    again.type("echo st''ill\n");
    EXPECT_TRUE(again.expect("still\r\n")) << again.output();
    again.type("exit 5\n");
    EXPECT_EQ(again.wait(), 5) << again.output();
}

// A monitor that hangs, in an installation of its own.
class HungStart : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        const std::string libexec = prefix_ / "libexec/mydocker";
        std::filesystem::create_directories(libexec);
        std::filesystem::create_directories(prefix_ / "bin");
        std::filesystem::copy_file(stage() + "/bin/mydocker", prefix_ / "bin/mydocker");
        std::filesystem::create_symlink(stage() + "/lib", prefix_ / "lib");
        std::filesystem::create_symlink(stage() + "/share", prefix_ / "share");
        write_text(libexec + "/mydocker-monitor",
                   "#!/bin/sh\necho hangs > " + (prefix_ / "hangs") + "\nexec sleep 1000\n");
        std::filesystem::permissions(libexec + "/mydocker-monitor", std::filesystem::perms::owner_all);
    }
    std::vector<std::string> hung_run() {
        auto words = command({"run", "--name", "hung", "busybox", "true"});
        words.front() = prefix_ / "bin/mydocker";
        return words;
    }

    TempDir prefix_;
};

TEST_F(HungStart, EndsWithTheSignalThatIsSentAndLeavesNothing) {
    for (const int signal : {SIGINT, SIGTERM}) {
        std::filesystem::remove(prefix_ / "hangs");
        Terminal terminal(hung_run());
        ASSERT_TRUE(eventually([&] { return std::filesystem::exists(prefix_ / "hangs"); }));

        // Before it waits for the monitor a signal ends it at once.
        EXPECT_TRUE(eventually([&] {
            return content_of("/proc/" + std::to_string(terminal.pid()) + "/wchan").find("poll") !=
                   std::string::npos;
        }));
        ::kill(terminal.pid(), signal);

        EXPECT_EQ(terminal.wait(), 128 + signal) << terminal.output();
        EXPECT_NE(terminal.output().find("before the command was executed"), std::string::npos)
            << terminal.output();
        EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
    }
}

TEST_F(Run, SaysOnceWhatItsStartFailedAt) {
    const Outcome outcome = mydocker({"run", "--rm", "--ulimit", "nofile=2000000000", "busybox", "true"});

    EXPECT_EQ(outcome.exit_code, 125);
    const std::string stage = "set the resource limits: ";
    const auto at = outcome.err.find(stage);
    ASSERT_NE(at, std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find(stage, at + 1), std::string::npos) << outcome.err;
}

TEST_F(Run, LeavesTheHostsMountsAlone) {
    const std::string before = content_of("/proc/self/mountinfo");
    remove_at_end("mounts");

    ASSERT_EQ(mydocker({"run", "-d", "--name", "mounts", "busybox", "sleep", "1000"}).exit_code, 0);

    EXPECT_EQ(content_of("/proc/self/mountinfo"), before);
    EXPECT_TRUE(std::filesystem::exists("/dev/null"));
    EXPECT_TRUE(std::filesystem::exists("/proc/self/status"));
}

TEST_F(Run, LeavesTheHostsMountsAloneWhereTheRootIsShared) {
    const std::string script =
        "mount --make-rshared / && cat /proc/self/mountinfo > /tmp/before.$$ && " +
        line({"run", "--rm", "busybox", "sh", "-c", "echo in; ls /proc/self/status /dev/null >/dev/null"}) +
        "&& cat /proc/self/mountinfo | diff - /tmp/before.$$ && test -c /dev/null && test -r "
        "/proc/self/status && echo same; rm -f /tmp/before.$$";

    const Outcome outcome = test::run({"unshare", "-m", "--propagation", "unchanged", "sh", "-c", script});

    EXPECT_EQ(outcome.out, "in\nsame\n") << outcome.err;
}

TEST_F(Run, HasTheDefaultProfile) {
    const Outcome outcome =
        mydocker({"run", "--rm", "busybox", "sh", "-c",
                  "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; "
                  "echo x > /proc/sys/kernel/core_pattern; "
                  "for f in /proc/acpi /proc/kcore /proc/keys /proc/timer_list /sys/firmware; do "
                  "if [ -d $f ]; then ls -A $f; elif [ -e $f ]; then cat $f; fi; done | wc -c; "
                  "mount -t tmpfs t /mnt 2>&1; unshare -U true 2>&1"});

    EXPECT_NE(outcome.out.find("CapInh:\t0000000000000000"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("CapEff:\t00000000800405fb"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("CapAmb:\t0000000000000000"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("NoNewPrivs:\t1"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("Seccomp:\t2"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.err.find("core_pattern: Read-only file system"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.out.find("\n0\n"), std::string::npos) << outcome.out; // What is masked holds nothing.
    EXPECT_NE(outcome.out.find("unshare: "), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("mount: "), std::string::npos) << outcome.out;
}

TEST_F(Run, OnlyOneOfManyGetsAName) {
    remove_at_end("one");
    const std::string taker = line({"run", "-d", "--name", "one", "busybox", "sleep", "1000"});

    const Outcome outcome = test::run(
        {"bash", "-c", "for i in $(seq 100); do { " + taker + ">/dev/null; echo $?; } & done; wait"});

    EXPECT_EQ(std::ranges::count(outcome.out, '0'), 1);
    EXPECT_TRUE(matches(outcome.out, "^(125\n)*0\n(125\n)*$")) << outcome.out;
    // The name's holder may itself fail, where a hundred starts are too much for the machine.
    const std::string refusal = "name 'one' is used by container [0-9a-f]{64}$|is locked by pid [0-9]+ ";
    std::istringstream refusals(outcome.err);
    int refused = 0;
    for (std::string each; std::getline(refusals, each); ++refused)
        EXPECT_TRUE(matches(each, refusal)) << each;
    EXPECT_EQ(refused, 99);
    EXPECT_EQ(mydocker({"ps", "-q"}).out.size(), 13U);
}

TEST_F(Run, LeavesNothingAfterFiftyAtOnce) {
    const Outcome outcome = test::run({"bash", "-c",
                                       "for i in $(seq 50); do " + line({"run", "--rm", "busybox", "true"}) +
                                           " || echo failed & done; wait"});

    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err, "");
}

} // namespace
} // namespace mydocker::test
