// What is said of commands that do not start; and the container's system call filter.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "support/launch_fixture.hpp"

#include <cstddef>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

// mkdirat says EPERM, all else is allowed.
std::vector<sock_filter> no_mkdir() {
    return {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_mkdirat},
#ifdef SYS_mkdir
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_mkdir},
#else
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_mkdirat},
#endif
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
}

TEST_F(LaunchContainer, LoadsTheFilter) {
    LaunchOptions options;
    options.seccomp = no_mkdir();

    EXPECT_EQ(out_of("grep '^Seccomp:' /proc/self/status; mkdir /tmp/x 2>/dev/null || echo no", options),
              "Seccomp:\t2\nno\n");
    spec_.process.no_new_privileges = false;
    spec_.process.user.name = "web";
    EXPECT_EQ(out_of("grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status", options),
              "NoNewPrivs:\t0\nSeccomp:\t2\n");
}

struct BadLaunch {
    const char* name;
    std::vector<std::string> args;
    int exit_code;
    const char* words; // in the message
};

TEST_F(LaunchContainer, SaysWhyACommandDoesNotStart) {
    root_->write("x.sh", "#!/bin/bash\r\necho\r\n", 0755);
    root_->write("missing.sh", "#!/bin/python3 -u\n", 0755);
    root_->write("dir.sh", "#!/etc\n", 0755);
    root_->write("plain.sh", "#!/etc/passwd\n", 0755);
    root_->write("none.sh", "#!\n", 0755);
    root_->write("text", "echo hello\n", 0755);
    root_->write("empty", "", 0755);
    root_->write("closed/x", "#!/bin/sh\n", 0755);
    ::chmod((*root_ / "closed").c_str(), 0700);
    std::string elf = slurp("/usr/bin/busybox").substr(0, 60);
    root_->write("short-elf", elf, 0755);
    elf = slurp("/usr/bin/busybox").substr(0, 100);
    root_->write("cut-elf", elf, 0755);
    elf = slurp("/usr/bin/busybox").substr(0, 4096);
    elf[18] = static_cast<char>(183); // EM_AARCH64
    root_->write("arm", elf, 0755);
    root_->write("dynamic", slurp("/bin/ls"), 0755);
    (void)!::symlink("/nowhere", (*root_ / "dangling").c_str());
    const BadLaunch kCases[] = {
        {"not in PATH", {"foo"}, 127, "'foo' is not found in PATH=/usr/bin:/bin"},
        {"path missing", {"/no/such"}, 127, "'/no/such' does not exist"},
        {"empty name", {""}, 127, "name is empty"},
        {"below a file", {"/etc/passwd/x"}, 127, "not a directory"},
        {"dangling link", {"/dangling"}, 127, "link to '/nowhere'"},
        {"directory", {"/etc"}, 126, "'/etc' is a directory"},
        {"no x bit", {"/etc/passwd"}, 126, "not executable (mode 0644)"},
        {"windows", {"/x.sh"}, 126, "'/x.sh': its first line asks for '/bin/bash^M': Windows line ends"},
        {"interpreter missing", {"/missing.sh"}, 127, "asks for '/bin/python3', which does not exist"},
        {"interpreter a directory", {"/dir.sh"}, 126, "asks for '/etc', which is a directory"},
        {"interpreter not executable",
         {"/plain.sh"},
         126,
         "'/etc/passwd', which is not executable (mode 0644)"},
        {"no interpreter", {"/none.sh"}, 126, "names no interpreter"},
        {"text", {"/text"}, 126, "no \"#!\" line: Exec format error"},
        {"empty", {"/empty"}, 126, "empty file"},
        {"truncated header", {"/short-elf"}, 126, "damaged program"},
        {"truncated", {"/cut-elf"}, 126, "damaged program"},
        {"other machine", {"/arm"}, 126, "is for arm64; this machine is amd64"},
        {"loader missing",
         {"/dynamic"},
         127,
         "needs the loader '/lib64/ld-linux-x86-64.so.2', which is not in the image"},
    };
    for (const BadLaunch& one : kCases) {
        spec_.process.args = one.args;
        const Launched result = launch(spec_);
        ASSERT_FALSE(result.started) << one.name;
        EXPECT_EQ(result.failure.stage, "execve") << one.name;
        EXPECT_EQ(result.failure.exit_code, one.exit_code) << one.name << ": " << text_of(result);
        EXPECT_NE(describe(result.failure.error).find(one.words), std::string::npos)
            << one.name << ": " << describe(result.failure.error);
    }
}

TEST_F(LaunchContainer, SaysWhyACommandMayNotStart) {
    root_->write("closed/x", "#!/bin/sh\n", 0755);
    ::chmod((*root_ / "closed").c_str(), 0700);
    root_->write("others", "#!/bin/sh\n", 0744);
    spec_.process.user.name = "web";

    spec_.process.args = {"/closed/x"};
    EXPECT_EQ(text_of(launch(spec_)), "'/closed/x': no search permission on '/closed'");
    spec_.process.args = {"/others"};
    EXPECT_EQ(text_of(launch(spec_)), "'/others' is not executable for this user (mode 0744)");
}

TEST_F(LaunchContainer, SaysThatACommandIsTooLongOrBusy) {
    spec_.process.args = {"true", std::string(200'000, 'x')};
    Launched result = launch(spec_);
    EXPECT_EQ(result.failure.exit_code, 126);
    EXPECT_NE(text_of(result).find("Argument list too long (E2BIG)"), std::string::npos) << text_of(result);

    root_->write("busy", slurp("/usr/bin/busybox"), 0755);
    auto writer = sys::openat(AT_FDCWD, *root_ / "busy", O_WRONLY);
    spec_.process.args = {"/busy"};
    result = launch(spec_);
    EXPECT_EQ(result.failure.exit_code, 126);
    EXPECT_NE(text_of(result).find("open for writing"), std::string::npos) << text_of(result);
}

TEST_F(LaunchContainer, ReportsUnderTheFilterToo) {
    LaunchOptions options;
    options.seccomp = no_mkdir();
    spec_.process.args = {"/no/such"};

    EXPECT_EQ(launch(spec_, options).failure.exit_code, 127);
}

} // namespace
} // namespace mydocker::test
