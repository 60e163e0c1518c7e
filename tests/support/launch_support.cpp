// See the header.
#include "support/launch_support.hpp"

#include "base/process.hpp"
#include "base/sys.hpp"
#include "mydocker/support/files.hpp"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MYDOCKER_TEST_STAGE
#define MYDOCKER_TEST_STAGE "stage"
#endif
#ifndef MYDOCKER_INIT_PATH
#define MYDOCKER_INIT_PATH MYDOCKER_TEST_STAGE "/libexec/mydocker/mydocker-init"
#endif

namespace mydocker::test {
namespace {

using runtime::InitMessage;
using runtime::NamespaceKind;

constexpr const char* kNames[] = {
    "sh",   "true",  "false", "cat",   "echo",   "ls",       "id",    "mount",    "stat", "tty",  "env",
    "pwd",  "sleep", "grep",  "mkdir", "touch",  "hostname", "stty",  "readlink", "head", "test", "printf",
    "kill", "ip",    "dd",    "wc",    "sysctl", "cut",      "chmod", "sort",     "tr",   "mknod"};

void link_busybox(const std::string& root) {
    (void)files::make_directories(root + "/bin", 0755);
    const auto bytes = files::read_file("/usr/bin/busybox");
    if (!bytes) std::abort();
    (void)files::write_atomically(root + "/bin/busybox", *bytes, 0755);
    for (const char* name : kNames)
        (void)::symlink("busybox", (root + "/bin/" + name).c_str());
}

std::string read_rest(int fd) {
    std::string text;
    std::array<char, 4096> buffer;
    for (;;) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count <= 0) return text; // A terminal whose user is gone says EIO.
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

runtime::SpecMount mount_of(const char* type, const char* target, std::vector<std::string> options) {
    return {target, type, type, std::move(options)};
}

// From GO to the end of the process.
void follow(runtime::Launch& launch, int output, Launched& result) {
    if (auto gone = launch.go(); !gone) {
        result.begun = fail(gone);
        return;
    }
    auto message = launch.receive();
    if (!message) {
        result.begun = fail(message);
        return;
    }
    if (message->kind == InitMessage::Kind::failed) {
        result.failure = std::move(message->failure);
        return;
    }
    result.started = true;
    const process::Child child = launch.release();
    result.out = read_rest(output);
    const auto status = process::reap(child.pidfd.get());
    if (status) result.exit_code = status->shell_code();
}

} // namespace

std::string init_path() {
    const char* path = std::getenv("MYDOCKER_INIT");
    return path != nullptr ? path : MYDOCKER_INIT_PATH;
}

TinyRoot::TinyRoot() {
    ::chmod(path().c_str(), 0755);
    link_busybox(path());
    for (const char* name : {"dev", "proc", "sys", "tmp", "etc"})
        (void)files::make_directories(directory_ / name, 0755);
    write("etc/passwd",
          "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/sh\n10:x:77:77::/:/bin/sh\n");
    write("etc/group", "root:x:0:\nwww:x:34:\nextra:x:50:web,other\nmore:x:51:web\n");
}

void TinyRoot::write(const std::string& name, const std::string& bytes, mode_t mode) {
    const std::string path = directory_ / name;
    (void)files::make_directories(path.substr(0, path.rfind('/')), 0755);
    (void)files::write_atomically(path, bytes, mode);
}

runtime::ContainerSpec default_spec(const TinyRoot& root) {
    runtime::ContainerSpec spec;
    Mount mount;
    mount.type = "bind";
    mount.source = root.path();
    mount.target = "/";
    spec.rootfs = {mount};
    for (const NamespaceKind kind : {NamespaceKind::mount, NamespaceKind::pid, NamespaceKind::network,
                                     NamespaceKind::ipc, NamespaceKind::uts, NamespaceKind::cgroup})
        spec.namespaces.push_back({kind, ""});
    spec.mounts = {
        mount_of("proc", "/proc", {"nosuid", "noexec", "nodev"}),
        mount_of("tmpfs", "/dev", {"nosuid", "strictatime", "mode=755", "size=64m"}),
        mount_of("devpts", "/dev/pts",
                 {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
        mount_of("tmpfs", "/dev/shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=64m"}),
        mount_of("mqueue", "/dev/mqueue", {"nosuid", "noexec", "nodev"}),
        mount_of("sysfs", "/sys", {"nosuid", "noexec", "nodev", "ro"}),
    };
    spec.masked_paths = {"/proc/acpi",          "/proc/asound",
                         "/proc/kcore",         "/proc/keys",
                         "/proc/latency_stats", "/proc/timer_list",
                         "/proc/timer_stats",   "/proc/sched_debug",
                         "/proc/scsi",          "/proc/interrupts",
                         "/sys/firmware",       "/sys/devices/virtual/powercap",
                         "/sys/fs/selinux",     "/sys/devices/system/cpu/cpu*/thermal_throttle"};
    spec.readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    spec.hostname = "tiny";
    const std::vector<std::string> capabilities = {
        "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FSETID",  "CAP_FOWNER",           "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP",      "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
        "CAP_KILL"};
    spec.process.capabilities.bounding = capabilities;
    spec.process.capabilities.effective = capabilities;
    spec.process.capabilities.permitted = capabilities;
    spec.process.env = {"PATH=/usr/bin:/bin"};
    spec.process.args = {"true"};
    return spec;
}

Launched launch(const runtime::ContainerSpec& spec, const LaunchOptions& options) {
    Launched result;
    auto plan = runtime::make_plan(spec, options.seccomp, options.cgroup_mounts);
    if (!plan) {
        result.begun = fail(plan);
        return result;
    }
    if (options.change_plan) options.change_plan(*plan);
    return launch(*plan, options);
}

Launched launch(const runtime::LaunchPlan& plan, const LaunchOptions& options) {
    Launched result;
    auto output = sys::pipe();
    auto null = sys::openat(AT_FDCWD, "/dev/null", O_RDONLY);
    runtime::LaunchInput input;
    input.init_path = init_path();
    input.standard[0] = null->get();
    input.standard[1] = output->write.get();
    input.standard[2] = output->write.get();
    if (options.change_input) options.change_input(input);
    auto begun = runtime::Launch::begin(plan, input);
    if (!begun) {
        result.begun = fail(begun);
        return result;
    }
    output->write.reset();
    if (auto made = begun->make_mounts(plan); !made) {
        result.begun = fail(made);
        return result;
    }
    auto message = begun->receive();
    if (!message) {
        result.begun = fail(message);
        return result;
    }
    if (message->kind == InitMessage::Kind::failed) {
        result.failure = std::move(message->failure);
        return result;
    }
    if (options.before_go) options.before_go(*begun);
    follow(*begun, message->terminal ? message->terminal.get() : output->read.get(), result);
    return result;
}

} // namespace mydocker::test
