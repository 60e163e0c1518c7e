// Flags for what a container shares with the host or another container, and --privileged: each seen from
// inside.
#include "support/engine_fixture.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace mydocker::test {
namespace {

class HostFlags : public EngineTest {
  protected:
    // A container to join.
    void start_other(const std::vector<std::string>& flags = {}) {
        ASSERT_NE(start_detached("other", flags, {"sleep", "4321"}), "");
    }
};

constexpr const char* kRights = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status";

TEST_F(HostFlags, PrivilegedHasAllThatTheEngineHas) {
    const Outcome plain = shell({}, kRights);
    EXPECT_TRUE(matches(plain.out, "NoNewPrivs:\t1\nSeccomp:\t2\n")) << plain.out;
    std::ifstream own("/proc/self/status");
    std::string line;
    while (std::getline(own, line) && !line.starts_with("CapPrm:")) {
    }

    const Outcome all = shell({"--privileged"}, kRights);
    EXPECT_EQ(all.out, "CapEff:" + line.substr(7) + "\nNoNewPrivs:\t0\nSeccomp:\t0\n") << all.err;
    const Outcome mounts =
        shell({"--privileged"},
              "mkdir /m && mount -t tmpfs x /m && grep -c -E ' (/sys|/proc/sys|/proc/kcore) .*[ ,]ro' "
              "/proc/mounts; grep -E ' /sys .*[ ,]rw' /proc/mounts | wc -l; "
              "grep -E ' /sys/fs/cgroup.*[ ,]ro[ ,]' /proc/mounts | wc -l");
    EXPECT_EQ(mounts.out, "0\n1\n0\n") << mounts.err;
}

TEST_F(HostFlags, PrivilegedGetsTheDevicesOfTheHost) {
    std::string device;
    for (const auto& entry : std::filesystem::directory_iterator("/dev"))
        if (entry.is_block_file() && !entry.is_symlink()) device = entry.path();
    if (device.empty()) GTEST_SKIP() << "the host has no block device";

    EXPECT_EQ(shell({"--privileged"}, "test -b " + device + " && dd if=" + device + " of=/dev/null count=0")
                  .exit_code,
              0);
    EXPECT_EQ(shell({}, "test -e " + device).exit_code, 1);
}

TEST_F(HostFlags, PrivilegedGivesUpWhatIsSaidOtherwise) {
    const Outcome some = shell({"--privileged", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
                                "--security-opt", "seccomp=builtin"},
                               kRights);

    EXPECT_TRUE(matches(some.out, "NoNewPrivs:\t1\nSeccomp:\t2\n")) << some.out << some.err;
}

TEST_F(HostFlags, ExecHasWhatAPrivilegedContainerHas) {
    start_other({"--privileged"});

    EXPECT_EQ(mydocker({"exec", "other", "sh", "-c", "mkdir /m && mount -t tmpfs x /m"}).exit_code, 0);
}

// --- namespaces ----------------------------------------------------------------------------------------

TEST_F(HostFlags, PidOfTheHostLeavesNoProcessBehind) {
    const Outcome outcome =
        shell({"--pid", "host"}, "test $$ != 1 && sleep 4321 & readlink /proc/self/ns/pid");

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, std::filesystem::read_symlink("/proc/self/ns/pid").string() + "\n");
    EXPECT_TRUE(eventually([] { return run({"pgrep", "-f", "sleep 4321"}).exit_code == 1; }));
}

TEST_F(HostFlags, PidOfAnotherContainerIsJoinedAgainAtEachStart) {
    start_other();

    EXPECT_EQ(shell({"--pid", "container:other"}, "cat /proc/1/cmdline | tr '\\0' ' '").out, "sleep 4321 ");
    remove_at_end("joined");
    ASSERT_EQ(mydocker({"create", "--name", "joined", "--pid", "container:other", "busybox", "sh", "-c",
                        "cat /proc/1/cmdline | tr '\\0' ' '"})
                  .exit_code,
              0);
    EXPECT_EQ(mydocker({"restart", "other"}).exit_code == 0 ||
                  (mydocker({"stop", "-t", "0", "other"}).exit_code == 0 &&
                   mydocker({"start", "other"}).exit_code == 0),
              true);
    EXPECT_EQ(mydocker({"start", "-a", "joined"}).out, "sleep 4321 ");
    EXPECT_EQ(mydocker({"kill", "other"}).exit_code, 0);
    const Outcome gone = mydocker({"start", "-a", "joined"});
    EXPECT_EQ(gone.exit_code, 125);
    EXPECT_NE(gone.err.find("pid: container 'other' is not running"), std::string::npos) << gone.err;
}

// They do not die with the first process there, and their output does not end.
TEST_F(HostFlags, WhoeverIsLeftInASharedPidNamespaceHoldsNothingUp) {
    remove_at_end("loud");
    ASSERT_EQ(mydocker({"run", "-d", "--name", "loud", "--pid", "host", "--log-opt", "max_size=0", "busybox",
                        "sh", "-c", "echo first; yes & sleep 0.3; exit 3"})
                  .exit_code,
              0);

    const auto status = [&] { return mydocker({"inspect", "-f", "{{.State.Status}}", "loud"}).out; };
    EXPECT_TRUE(eventually([&] { return status() == "exited\n"; }));

    EXPECT_EQ(mydocker({"wait", "loud"}).out, "3\n");
    EXPECT_EQ(mydocker({"logs", "loud"}).out.substr(0, 8), "first\ny\n");
    EXPECT_EQ(shell({"--pid", "host"}, "yes & sleep 0.2; exit 4").exit_code, 4) << "with somebody reading";
}

TEST_F(HostFlags, IpcGoesWithSharedMemory) {
    start_other({"--ipc", "shareable"});
    ASSERT_EQ(mydocker({"exec", "other", "sh", "-c", "echo hello > /dev/shm/letter"}).exit_code, 0);

    const Outcome joined =
        shell({"--ipc", "container:other"}, "cat /dev/shm/letter; readlink /proc/self/ns/ipc");
    EXPECT_EQ(joined.out, "hello\n" + mydocker({"exec", "other", "readlink", "/proc/self/ns/ipc"}).out)
        << joined.err;
    EXPECT_EQ(shell({"--ipc", "host"}, "readlink /proc/self/ns/ipc").out,
              std::filesystem::read_symlink("/proc/self/ns/ipc").string() + "\n");
    EXPECT_EQ(shell({"--ipc", "host", "--shm-size", "1m"}, "true").exit_code, 125);
}

TEST_F(HostFlags, UtsAndCgroupNamespacesOfTheHost) {
    std::string name(256, '\0');
    ASSERT_EQ(::gethostname(name.data(), name.size()), 0);
    name.resize(name.find('\0'));

    EXPECT_EQ(shell({"--uts", "host"}, "hostname; echo $HOSTNAME").out, name + "\n" + name + "\n");
    EXPECT_EQ(shell({"--uts", "host", "--hostname", "x"}, "true").exit_code, 125);
    EXPECT_EQ(shell({"--cgroupns", "host"}, "readlink /proc/self/ns/cgroup").out,
              std::filesystem::read_symlink("/proc/self/ns/cgroup").string() + "\n");
    EXPECT_EQ(shell({"--domainname", "example.org"}, "cat /proc/sys/kernel/domainname").out, "example.org\n");
}

TEST_F(HostFlags, UtsOfAnotherContainer) {
    ASSERT_NE(start_detached("named", {"-h", "nest"}, {"sleep", "1000"}), "");

    const Outcome joined = shell({"--uts", "container:named"}, "hostname; echo $HOSTNAME; readlink "
                                                               "/proc/self/ns/uts; cat /etc/hostname");

    EXPECT_EQ(joined.out,
              "nest\nnest\n" + mydocker({"exec", "named", "readlink", "/proc/self/ns/uts"}).out + "nest\n")
        << joined.err;
    EXPECT_EQ(shell({"--uts", "container:named", "--domainname", "x"}, "true").exit_code, 125);
    ASSERT_EQ(mydocker({"stop", "-t", "0", "named"}).exit_code, 0);
    EXPECT_TRUE(
        matches(shell({"--uts", "container:named"}, "true").err, "uts: container 'named' is not running"));
}

// docker-run(1), --hostname; there "-h" is no help.
TEST_F(HostFlags, TheShortFlagOfTheHostNameIsDockers) {
    EXPECT_EQ(shell({"-h", "nest"}, "hostname").out, "nest\n");
    EXPECT_EQ(mydocker({"run", "--help"}).exit_code, 0);
    EXPECT_EQ(mydocker({"ps", "-h"}).exit_code, 0);
}

// capabilities(7): over an exec a user who is not root keeps what is ambient.
TEST_F(HostFlags, ACapabilityAskedForIsTheUsersToo) {
    const std::string script = "grep -E 'CapEff|CapAmb' /proc/self/status";
    EXPECT_EQ(shell({"-u", "1000", "--cap-add", "NET_BIND_SERVICE"}, script).out,
              "CapEff:\t0000000000000400\nCapAmb:\t0000000000000400\n");
    EXPECT_EQ(shell({"-u", "1000"}, script).out, "CapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n");
    EXPECT_TRUE(matches(shell({"--cap-add", "NET_BIND_SERVICE"}, script).out, "CapAmb:\t0000000000000000"));
}

TEST_F(HostFlags, TheEnvironmentHereComesLast) {
    const auto shown = [&](std::vector<std::string> flags) {
        flags.insert(flags.begin(), {"run", "--rm"});
        flags.insert(flags.end(), {"busybox", "sh", "-c", "echo $MINE $PATH"});
        return mydocker_with({"MINE=here", "PATH=/usr/bin:/bin:/mine"}, flags).out;
    };
    const std::string path = mydocker({"run", "--rm", "busybox", "sh", "-c", "echo $PATH"}).out;

    EXPECT_EQ(shown({}), path);
    EXPECT_EQ(shown({"--env-host", "-e", "MINE=asked"}), "asked " + path);
    EXPECT_TRUE(shown({"--env-host"}).starts_with("here "));
}

TEST_F(HostFlags, AnotherPlatformIsRefused) {
    EXPECT_EQ(shell({"--platform", "linux"}, "echo here").out, "here\n");
    const Outcome other = shell({"--platform", "linux/s390x"}, "true");
    EXPECT_EQ(other.exit_code, 125);
    EXPECT_TRUE(matches(other.err, "platform: 'linux/s390x' cannot run here; this machine is linux/"));
}

// --- devices, groups, numbers and words ------------------------------------------------------------------

TEST_F(HostFlags, ADeviceIsThereWithItsAccess) {
    const std::string device = "/dev/loop-control"; // Not among those that everybody has.
    if (!std::filesystem::exists(device)) GTEST_SKIP() << "the host has no " << device;

    EXPECT_EQ(shell({"--device", device}, "test -c " + device + " && exec 3<>" + device).exit_code, 0);
    EXPECT_EQ(shell({"--device", device + ":/dev/mine"}, "exec 3<>/dev/mine").exit_code, 0);
    EXPECT_EQ(shell({"--device", device + ":/dev/mine:r"}, "exec 3</dev/mine").exit_code, 0);
    EXPECT_NE(shell({"--device", device + ":/dev/mine:r"}, "exec 3<>/dev/mine").exit_code, 0);
    EXPECT_EQ(shell({"--cap-add", "MKNOD", "--device-cgroup-rule", "c 10:237 rwm"},
                    "mknod /dev/mine c 10 237 && exec 3<>/dev/mine")
                  .exit_code,
              0);
}

TEST_F(HostFlags, GroupsAreThoseOfTheImage) {
    EXPECT_EQ(shell({"--group-add", "4242"}, "id -G").out.find("4242") != std::string::npos, true);
    const std::string wheel = shell({}, "sed -n 's/^wheel:x:\\([0-9]*\\):.*/\\1/p' /etc/group").out;
    ASSERT_NE(wheel, "");
    const Outcome named = shell({"-u", "1000", "--group-add", "wheel"}, "id -G | tr ' ' '\\n' | tail -1");
    EXPECT_EQ(named.out, wheel) << named.err;
    const Outcome unknown = shell({"--group-add", "no-such-group"}, "true");
    EXPECT_EQ(unknown.exit_code, 126);
    EXPECT_NE(unknown.err.find("'no-such-group'"), std::string::npos) << unknown.err;
}

TEST_F(HostFlags, NumbersAreSet) {
    EXPECT_EQ(shell({"--oom-score-adj", "500"}, "cat /proc/self/oom_score_adj").out, "500\n");
    EXPECT_EQ(shell({"--sysctl", "kernel.msgmax=9000"}, "cat /proc/sys/kernel/msgmax").out, "9000\n");
    const Outcome whole = shell({"--sysctl", "kernel.panic=1"}, "true");
    EXPECT_EQ(whole.exit_code, 125);
    EXPECT_NE(whole.err.find("belongs to the whole host"), std::string::npos) << whole.err;
}

TEST_F(HostFlags, ALabelGivenTwiceIsTheLastOne) {
    const TempDir files;
    write_text(files / "labels", "a=file\na=again\nb=file\n");
    remove_at_end("box");

    ASSERT_EQ(mydocker({"create", "--name", "box", "--label-file", files / "labels", "-l", "a=1", "-l", "a=2",
                        "busybox", "true"})
                  .exit_code,
              0);

    EXPECT_EQ(mydocker({"inspect", "-f", "{{.Config.Labels.a}} {{.Config.Labels.b}}", "box"}).out,
              "2 file\n");
}

TEST_F(HostFlags, WordsAreKept) {
    const TempDir files;
    write_text(files / "labels", "# mine\nfrom=file\nboth=file\n");
    remove_at_end("box");

    ASSERT_EQ(mydocker({"create", "--name", "box", "--label-file", files / "labels", "-l", "both=line",
                        "--annotation", "org.example=yes", "--pull", "never", "--userns", "host", "busybox",
                        "true"})
                  .exit_code,
              0);

    const std::string shown = mydocker({"inspect", "box"}).out;
    EXPECT_EQ(member(shown, "from"), "file");
    EXPECT_EQ(member(shown, "both"), "line");
    const std::string text = content_of(member(shown, "OciConfigPath"));
    EXPECT_NE(text.find("\"org.example\":\"yes\""), std::string::npos) << text;
    EXPECT_EQ(shell({"--log-opt", "no-such=1"}, "true").exit_code, 125);
}

struct BadFlag {
    std::string name;
    std::vector<std::string> flags;
    std::string says;
};

class Refused : public HostFlags, public ::testing::WithParamInterface<BadFlag> {};

TEST_P(Refused, InOneLineThatNamesIt) {
    const Outcome outcome = shell(GetParam().flags, "true");

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find(GetParam().says), std::string::npos) << outcome.err;
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(
    Flags, Refused,
    ::testing::Values(BadFlag{"Publish", {"-p", "80:80"}, "publish"},
                      BadFlag{"Expose", {"--expose", "80"}, "expose"},
                      BadFlag{"Swappiness", {"--memory-swappiness", "0"}, "memory-swappiness"},
                      BadFlag{"Kernel", {"--kernel-memory", "1g"}, "kernel-memory"},
                      BadFlag{"OomKill", {"--oom-kill-disable"}, "oom-kill-disable"},
                      BadFlag{"Pull", {"--pull", "always"}, "registry"},
                      BadFlag{"PullWord", {"--pull", "x"}, "'x'"}, BadFlag{"Pid", {"--pid", "x"}, "pid: 'x'"},
                      BadFlag{"Ipc", {"--ipc", "x"}, "ipc: 'x'"}, BadFlag{"Uts", {"--uts", "x"}, "uts: 'x'"},
                      BadFlag{"Userns", {"--userns", "x"}, "userns: 'x'"},
                      BadFlag{"Nobody", {"--pid", "container:nobody"}, "no container 'nobody'"},
                      BadFlag{"Device", {"--device", "dev"}, "device: 'dev'"},
                      BadFlag{"NoDevice", {"--device", "/etc/passwd"}, "'/etc/passwd' is no device"},
                      BadFlag{"Absent", {"--device", "/dev/absent"}, "'/dev/absent'"},
                      BadFlag{"Access", {"--device", "/dev/null:/dev/n:x"}, "letters r, w and m"},
                      BadFlag{"Rule", {"--device-cgroup-rule", "c 1"}, "'c 1'"},
                      BadFlag{"RuleNumber", {"--device-cgroup-rule", "c 99999:1 r"}, "99999"},
                      BadFlag{"Score", {"--oom-score-adj", "2000"}, "oom-score-adj"},
                      BadFlag{"Sysctl", {"--sysctl", "x"}, "sysctl: 'x'"},
                      BadFlag{"Annotation", {"--annotation", "io.mydocker.seccomp=x"}, "annotation"},
                      BadFlag{"LabelFile", {"--label-file", "/absent"}, "label-file"}),
    [](const auto& each) { return each.param.name; });

} // namespace
} // namespace mydocker::test
