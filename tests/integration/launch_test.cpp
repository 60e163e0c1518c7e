// Real containers, started by Launch alone from a spec made by hand: what they see and what they cannot do.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "support/launch_fixture.hpp"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

using runtime::NamespaceKind;

TEST_F(LaunchContainer, PassesArgumentsByteByByte) {
    spec_.process.args = {
        "sh",     "-c",  R"(for a; do printf '[%s]' "$a"; done)", "x", "a b", "", "c'd", "*", "$HOME",
        "l1\nl2", "\xff"};

    EXPECT_EQ(text_of(launch(spec_)), "[a b][][c'd][*][$HOME][l1\nl2][\xff]");
}

TEST_F(LaunchContainer, GivesTheExitCode) {
    EXPECT_EQ(sh("exit 7").exit_code, 7);
    EXPECT_EQ(sh("exit 255").exit_code, 255);
    EXPECT_EQ(sh("sh -c 'kill -9 $$'; exit $?").exit_code, 137);
}

TEST_F(LaunchContainer, IsPidOneInNamespacesOfItsOwn) {
    EXPECT_EQ(out_of("echo $$; hostname"), "1\ntiny\n");
    for (const char* space : {"mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
        const auto host = sys::readlinkat(AT_FDCWD, std::string("/proc/self/ns/") + space);
        const std::string inside = out_of(std::string("readlink /proc/self/ns/") + space);
        EXPECT_NE(inside, *host + "\n") << space;
        EXPECT_TRUE(inside.starts_with(std::string(space) + ":[")) << inside;
    }
}

TEST_F(LaunchContainer, SeesItsOwnRootOnly) {
    EXPECT_EQ(out_of("ls / | sort | tr '\\n' ' '"), "bin dev etc proc sys tmp ");
    EXPECT_EQ(out_of("ls /proc | grep -c '^[0-9]'").find_first_not_of("1234\n"), std::string::npos);
    EXPECT_EQ(out_of("pwd; cd ..; pwd"), "/\n/\n");
}

TEST_F(LaunchContainer, HasTheMountsOfItsSpecAndNoOthers) {
    const std::string mounts = out_of("cat /proc/self/mountinfo");

    for (const char* type : {" - proc ", " - devpts ", " - mqueue ", " - sysfs "})
        EXPECT_NE(mounts.find(type), std::string::npos) << type << "\n" << mounts;
    EXPECT_EQ(mounts.find("shared:"), std::string::npos) << mounts;
    EXPECT_EQ(mounts.find("master:"), std::string::npos) << mounts;
    EXPECT_EQ(mounts.find("/dev/vda /"), std::string::npos);
}

TEST_F(LaunchContainer, HasTheStandardDevices) {
    const std::string stat = out_of("cd /dev; stat -c '%n %t:%T %a' null zero full random urandom tty");

    EXPECT_EQ(stat,
              "null 1:3 666\nzero 1:5 666\nfull 1:7 666\nrandom 1:8 666\nurandom 1:9 666\ntty 5:0 666\n");
    EXPECT_EQ(out_of("for i in fd stdin ptmx; do readlink /dev/$i; done; echo >/dev/null && head -c1 "
                     "/dev/zero | wc -c"),
              "/proc/self/fd\n/proc/self/fd/0\npts/ptmx\n1\n");
    EXPECT_EQ(out_of("stat -c %a /dev/shm; touch /dev/shm/x && echo ok"), "1777\nok\n");
}

TEST_F(LaunchContainer, HasALoopbackThatIsUp) {
    EXPECT_NE(out_of("ip a").find("<LOOPBACK,UP"), std::string::npos);
}

TEST_F(LaunchContainer, InheritsNoDescriptors) {
    std::vector<UniqueFd> leaked;
    for (int i = 0; i < 50; ++i)
        leaked.emplace_back(::open("/etc", O_RDONLY | O_DIRECTORY)); // Inheritable on purpose.

    EXPECT_EQ(out_of("for i in $(ls /proc/$$/fd); do readlink /proc/$$/fd/$i; done | grep -c /"), "1\n");
    EXPECT_EQ(out_of("i=3; while [ $i -lt 300 ]; do [ -e /proc/1/fd/$i ] && [ $i != 10 ] && echo $i; "
                     "i=$((i+1)); done"),
              "");
}

TEST_F(LaunchContainer, HasTheConfinementOfItsSpec) {
    const std::string status = out_of("cat /proc/1/status");

    for (const char* line :
         {"CapInh:\t0000000000000000", "CapPrm:\t00000000800405fb", "CapEff:\t00000000800405fb",
          "CapBnd:\t00000000800405fb", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"})
        EXPECT_NE(status.find(line), std::string::npos) << line << "\n" << status;
}

TEST_F(LaunchContainer, CannotReadWhatIsHiddenNorWriteWhatIsReadOnly) {
    EXPECT_EQ(out_of("cat /proc/kcore /proc/keys /proc/timer_list /proc/interrupts 2>/dev/null | wc -c"),
              "0\n");
    EXPECT_EQ(out_of("ls /proc/acpi /sys/firmware 2>/dev/null | grep -vc ':$' | tr -d '\\n'").substr(0, 1),
              "1");
    EXPECT_NE(sh("echo x > /proc/sys/kernel/core_pattern").exit_code, 0);
    EXPECT_NE(sh("echo h > /proc/sysrq-trigger").exit_code, 0);
    EXPECT_NE(sh("mkdir /sys/fs/x").exit_code, 0);
    EXPECT_NE(sh("touch /proc/acpi/x").exit_code, 0);
}

TEST_F(LaunchContainer, CanHaveAReadOnlyRoot) {
    spec_.root_readonly = true;

    EXPECT_NE(sh("touch /tmp/x").exit_code, 0);
    EXPECT_EQ(sh("touch /dev/shm/x").exit_code, 0);
}

TEST_F(LaunchContainer, SetsSysctlsOfItsNamespaces) {
    const std::string before = slurp("/proc/sys/net/ipv4/ip_forward");
    spec_.sysctl = {{"net.ipv4.ip_forward", before == "1\n" ? "0" : "1"}, {"kernel.msgmax", "4321"}};

    EXPECT_EQ(out_of("cat /proc/sys/kernel/msgmax"), "4321\n");
    EXPECT_NE(out_of("cat /proc/sys/net/ipv4/ip_forward"), before);
    EXPECT_EQ(slurp("/proc/sys/net/ipv4/ip_forward"), before);
}

TEST_F(LaunchContainer, AppliesLimitsAndUmask) {
    spec_.process.rlimits = {{"RLIMIT_NOFILE", 100, 200, true},
                             {"RLIMIT_MEMLOCK", std::uint64_t{1} << 60U, ~std::uint64_t{0}, false}};
    spec_.process.user.umask = 027;

    EXPECT_EQ(out_of("ulimit -Sn; ulimit -Hn; umask"), "100\n200\n0027\n");
    spec_.process.oom_score_adj = 321;
    EXPECT_EQ(out_of("cat /proc/self/oom_score_adj"), "321\n");
}

TEST_F(LaunchContainer, HasATerminalOfItsOwn) {
    spec_.process.terminal = true;
    spec_.process.console_size = runtime::ConsoleSize{33, 77};

    EXPECT_EQ(
        out_of(
            "tty; stty size; stat -c %t:%T /dev/console; echo here > /dev/tty; ls /dev/pts | tr '\\n' ' '"),
        "/dev/pts/0\r\n33 77\r\n88:0\r\nhere\r\n0 ptmx ");
}

TEST_F(LaunchContainer, HasATerminalAsAUser) {
    spec_.process.terminal = true;
    spec_.process.user.name = "web";

    EXPECT_EQ(out_of("tty; echo x > $(tty); stat -c %u /dev/pts/0"), "/dev/pts/0\r\nx\r\n33\r\n");
}

TEST_F(LaunchContainer, RunsInAUserNamespace) {
    if (auto why = missing(Need::user_namespaces)) GTEST_SKIP() << *why;
    ::chown(root_->path().c_str(), 100000, 100000);
    spec_.namespaces.push_back({NamespaceKind::user, ""});
    spec_.uid_mappings = {{0, 100000, 65536}};
    spec_.gid_mappings = {{0, 100000, 65536}};

    EXPECT_EQ(out_of("id -u; cat /proc/self/uid_map | tr -s ' '"), "0\n 0 100000 65536\n");
    EXPECT_EQ(out_of("stat -c %t:%T /dev/null /dev/zero; echo > /dev/null && cat /proc/keys | wc -c"),
              "1:3\n1:5\n0\n");
    EXPECT_NE(out_of("grep CapEff /proc/self/status").find("00000000800405fb"), std::string::npos);
    spec_.process.terminal = true;
    EXPECT_EQ(out_of("tty"), "/dev/pts/0\r\n");
}

TEST_F(LaunchContainer, JoinsANamespace) {
    auto made = process::spawn({.executable_fd = -1,
                                .executable = "/bin/sleep",
                                .argv = {"sleep", "100"},
                                .environment = {},
                                .fds = {},
                                .clone_flags = CLONE_NEWNET | CLONE_NEWPID});
    ASSERT_TRUE(made);
    const std::string proc = "/proc/" + std::to_string(made->pid) + "/ns/";
    auto net = sys::openat(AT_FDCWD, proc + "net", O_RDONLY);
    auto pid = sys::openat(AT_FDCWD, proc + "pid", O_RDONLY);
    const auto name = sys::readlinkat(AT_FDCWD, proc + "net");
    spec_.namespaces[1].path = "pid";
    spec_.namespaces[2].path = "net";
    LaunchOptions options;
    options.change_input = [&](runtime::LaunchInput& input) {
        input.joined = {{NamespaceKind::network, net->get()}, {NamespaceKind::pid, pid->get()}};
    };

    EXPECT_EQ(out_of("readlink /proc/self/ns/net; echo $$", options), *name + "\n2\n");
    options.change_input = {};
    EXPECT_NE(text_of(sh("true", options)).find("not those of the plan"), std::string::npos);

    (void)sys::pidfd_send_signal(made->pidfd.get(), SIGKILL);
    (void)process::reap(made->pidfd.get());
}

} // namespace
} // namespace mydocker::test
