// The table of failures. Sources: the ERRORS of each call's manual page, and its code where that is silent.
#include "support/call_failure.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <string_view>

namespace mydocker::test {
namespace {

// Sets of errors.
constexpr unsigned kNone = 0;
constexpr unsigned kMemory = 1;     // ENOMEM
constexpr unsigned kMedium = 2;     // EIO
constexpr unsigned kSpace = 4;      // ENOSPC
constexpr unsigned kFiles = 8;      // EMFILE
constexpr unsigned kSignal = 16;    // EINTR
constexpr unsigned kProcesses = 32; // EAGAIN
constexpr unsigned kLocks = 64;     // ENOLCK

constexpr struct {
    unsigned bit;
    int error;
} kErrors[] = {{kMemory, ENOMEM}, {kMedium, EIO},       {kSpace, ENOSPC}, {kFiles, EMFILE},
               {kSignal, EINTR},  {kProcesses, EAGAIN}, {kLocks, ENOLCK}};

constexpr unsigned kLook = kMemory | kMedium;          // at what a path leads to
constexpr unsigned kMake = kMemory | kMedium | kSpace; // an entry of a directory
constexpr unsigned kDescriptor = kMemory | kFiles;     // a new one

struct Row {
    std::string_view name;
    unsigned errors;
};

constexpr Row kRows[] = {
    // Files.
    {"access", kLook},
    {"faccessat", kLook},
    {"faccessat2", kLook},
    {"stat", kLook},
    {"lstat", kLook},
    {"fstat", kMemory},
    {"newfstatat", kLook},
    {"statx", kLook},
    {"statfs", kLook | kSignal},
    {"fstatfs", kLook | kSignal},
    {"readlink", kLook},
    {"readlinkat", kLook},
    {"getdents64", kLook},
    {"getcwd", kMemory},
    {"chdir", kLook},
    {"fchdir", kLook},
    {"chroot", kLook},
    {"mkdir", kMake},
    {"mkdirat", kMake},
    {"mknod", kMake},
    {"mknodat", kMake},
    {"link", kMake},
    {"linkat", kMake},
    {"symlink", kMake},
    {"symlinkat", kMake},
    {"rename", kMake},
    {"renameat", kMake},
    {"renameat2", kMake},
    {"unlink", kLook},
    {"unlinkat", kLook},
    {"rmdir", kLook},
    {"chmod", kLook},
    {"fchmod", kMedium},
    {"fchmodat", kLook},
    {"chown", kLook},
    {"lchown", kLook},
    {"fchown", kMedium},
    {"fchownat", kLook},
    {"utimensat", kLook},
    {"setxattr", kMake},
    {"lsetxattr", kMake},
    {"fsetxattr", kMake},
    {"getxattr", kLook},
    {"lgetxattr", kLook},
    {"fgetxattr", kLook},
    {"listxattr", kLook},
    {"llistxattr", kLook},
    {"flistxattr", kLook},
    {"removexattr", kLook},
    {"lremovexattr", kLook},
    {"fremovexattr", kLook},
    {"fsync", kMedium | kSpace | kSignal},
    {"fdatasync", kMedium | kSpace | kSignal},
    {"syncfs", kMedium | kSpace},
    {"fallocate", kMedium | kSpace | kSignal},
    {"ftruncate", kMedium | kSignal},
    {"lseek", kNone},
    {"fadvise64", kNone},
    {"copy_file_range", kMake},
    {"sendfile", kLook},
    {"flock", kSignal | kLocks},
    {"ioctl", kMedium},
    {"umask", kNone},
    // Descriptors that wait.
    {"poll", kSignal | kMemory},
    {"ppoll", kSignal | kMemory},
    {"dup", kFiles},
    {"dup2", kSignal},
    {"dup3", kSignal},
    {"close_range", kMemory},
    {"pipe2", kDescriptor},
    {"memfd_create", kDescriptor},
    {"signalfd4", kDescriptor},
    {"inotify_init1", kDescriptor},
    {"inotify_add_watch", kMemory | kSpace},
    // Sockets.
    {"socket", kDescriptor},
    {"socketpair", kDescriptor},
    {"accept4", kDescriptor | kSignal},
    {"bind", kMake},
    {"listen", kNone},
    {"connect", kMemory | kSignal},
    {"sendmsg", kMemory | kSignal},
    {"sendto", kMemory | kSignal},
    {"recvmsg", kMemory | kSignal},
    {"recvfrom", kMemory | kSignal},
    {"getsockopt", kNone},
    {"setsockopt", kMemory},
    // Mounts and namespaces.
    {"mount", kMemory | kSpace},
    {"umount2", kMemory},
    {"mount_setattr", kMemory},
    {"move_mount", kMemory | kSpace},
    {"open_tree", kDescriptor | kSpace},
    {"fsopen", kDescriptor},
    {"fsconfig", kMemory},
    {"fsmount", kDescriptor},
    {"pivot_root", kLook},
    {"setns", kMemory},
    {"unshare", kMemory | kSpace},
    {"sethostname", kNone},
    {"setdomainname", kNone},
    {"bpf", kMemory},
    // Processes.
    {"clone", kMemory | kProcesses},
    {"clone3", kMemory | kProcesses},
    {"execve", kLook},
    {"execveat", kLook},
    {"wait4", kSignal},
    {"waitid", kSignal},
    {"pidfd_open", kDescriptor},
    {"pidfd_send_signal", kNone},
    {"kill", kNone},
    {"tgkill", kNone},
    {"prctl", kNone},
    {"arch_prctl", kNone},
    {"seccomp", kMemory},
    {"keyctl", kMemory},
    {"capget", kNone},
    {"capset", kNone},
    {"setuid", kMemory | kProcesses},
    {"setgid", kMemory},
    {"setresuid", kMemory | kProcesses},
    {"setresgid", kMemory},
    {"setgroups", kMemory},
    {"setsid", kNone},
    {"prlimit64", kNone},
    {"sched_getaffinity", kNone},
    {"getpid", kNone},
    {"gettid", kNone},
    {"getuid", kNone},
    {"geteuid", kNone},
    {"getgid", kNone},
    {"getegid", kNone},
    {"getrandom", kNone}, // so few bytes come at once
    {"uname", kNone},
    {"sysinfo", kNone},
    {"exit", kNone},
    {"exit_group", kNone},
    {"restart_syscall", kNone},
    // Memory. A futex that fails otherwise than by its word ends the program: glibc has it so.
    {"mmap", kMemory},
    {"mremap", kMemory},
    {"mprotect", kMemory},
    {"munmap", kMemory},
    {"madvise", kMemory},
    {"futex", kNone},
    {"set_robust_list", kNone},
    {"set_tid_address", kNone},
    {"rseq", kNone},
    // Signals and time.
    {"rt_sigaction", kNone},
    {"rt_sigprocmask", kNone},
    {"rt_sigreturn", kNone},
    {"rt_sigtimedwait", kSignal},
    {"sigaltstack", kNone},
    {"clock_gettime", kNone},
    {"clock_nanosleep", kSignal},
};

std::vector<CallFailure> errors_in(unsigned set) {
    std::vector<CallFailure> failures;
    for (const auto& [bit, error] : kErrors)
        if ((set & bit) != 0) failures.push_back({.error = error});
    return failures;
}

enum class Medium { file, memory_file, kernel, stream, packets, other };

// What the first descriptor of a call leads to.
Medium medium_of(const SystemCall& call) {
    const std::string_view path = call.paths.empty() ? std::string_view() : call.paths.front();
    if (path.starts_with("/memfd:")) return Medium::memory_file;
    if (path.starts_with("/proc/") || path.starts_with("/sys/")) return Medium::kernel;
    if (path.starts_with("/dev/") || path.starts_with("pipe:")) return Medium::stream;
    if (path.starts_with("socket:")) return Medium::packets; // ours all are
    return path.starts_with("/") ? Medium::file : Medium::other;
}

std::vector<CallFailure> read_failures(const SystemCall& call) {
    switch (medium_of(call)) {
    case Medium::file:
    case Medium::memory_file: // swapped out, and the disk is broken
        return errors_in(kMedium);
    case Medium::kernel:
        return errors_in(kLook);
    case Medium::stream:
    case Medium::packets:
        return errors_in(kSignal);
    case Medium::other:
        break;
    }
    return {};
}

// A half of what was asked for.
CallFailure shortened(const SystemCall& call, std::size_t length) {
    return {
        .manner = CallFailure::Manner::altered, .argument = length, .value = call.arguments.at(length) / 2};
}

// A pipe takes so much at once, or nothing.
constexpr std::uint64_t kAtOnce = 4096;

std::vector<CallFailure> write_failures(const SystemCall& call) {
    constexpr std::size_t kLength = 2;
    const std::uint64_t length = call.name == "writev" ? 0 : call.arguments.at(kLength);
    const Medium medium = medium_of(call);
    std::vector<CallFailure> failures;
    if (medium == Medium::file) failures = errors_in(kMedium | kSpace);
    if (medium == Medium::memory_file) failures = errors_in(kMemory | kSpace);
    if (medium == Medium::kernel) failures = errors_in(kLook);
    if (medium == Medium::stream || medium == Medium::packets) failures = errors_in(kSignal);
    const bool divides = medium == Medium::file || medium == Medium::memory_file ||
                         (medium == Medium::stream && length > kAtOnce);
    if (divides && length > 1) failures.push_back(shortened(call, kLength));
    return failures;
}

std::vector<CallFailure> open_failures(const SystemCall& call) {
    // openat2 has its flags in memory; those who make files with it are met by openat's, too.
    const std::size_t flags = call.name == "open" ? 1 : 2;
    const bool makes = call.name != "openat2" && (call.arguments.at(flags) & O_CREAT) != 0;
    return errors_in(kLook | kFiles | kSignal | (makes ? kSpace : kNone));
}

std::vector<CallFailure> control_failures(const SystemCall& call) {
    switch (call.arguments[1]) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return errors_in(kFiles);
    case F_SETLK:
    case F_OFD_SETLK:
        return errors_in(kLocks);
    case F_SETLKW:
    case F_OFD_SETLKW:
        return errors_in(kLocks | kSignal);
    default:
        return {};
    }
}

} // namespace

std::string to_string(const CallFailure& failure) {
    if (failure.error != 0) return std::string("with ") + ::strerrorname_np(failure.error);
    return "by argument " + std::to_string(failure.argument) + " made " + std::to_string(failure.value);
}

std::vector<CallFailure> failures_of(const SystemCall& call) {
    if (call.name == "read" || call.name == "pread64" || call.name == "readv") return read_failures(call);
    if (call.name == "write" || call.name == "pwrite64" || call.name == "writev") return write_failures(call);
    if (call.name == "open" || call.name == "openat" || call.name == "openat2") return open_failures(call);
    if (call.name == "fcntl") return control_failures(call);
    // The descriptor is gone in any case. Source: close(2).
    if (call.name == "close" && medium_of(call) == Medium::file)
        return {{.manner = CallFailure::Manner::made, .error = EIO}};
    if (call.name == "close") return {};
    // It says no by the old end, which is what it answers to 0.
    if (call.name == "brk" && call.arguments[0] == 0) return {};
    if (call.name == "brk") return {{.manner = CallFailure::Manner::altered, .argument = 0, .value = 0}};

    const auto* row = std::ranges::find(kRows, call.name, &Row::name);
    if (row == std::end(kRows)) throw std::runtime_error("call_failure: how can '" + call.name + "' fail?");
    auto failures = errors_in(row->errors);
    if (call.name == "copy_file_range" && call.arguments[4] > 1) failures.push_back(shortened(call, 4));
    if (call.name == "sendfile" && call.arguments[3] > 1) failures.push_back(shortened(call, 3));
    return failures;
}

} // namespace mydocker::test
