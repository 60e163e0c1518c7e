// The table of calls, and reading of their arguments.
#include "support/system_call.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/syscall.h>
#include <sys/uio.h>

namespace mydocker::test {
namespace {

// What each argument is, in order: p path, d directory descriptor of the path behind it, f descriptor,
// s text, . nothing worth showing.
struct Signature {
    std::uint64_t number;
    std::string_view name;
    std::string_view arguments;
};

constexpr Signature kCalls[] = {
    {SYS_accept4, "accept4", "f"},
    {SYS_bind, "bind", "f"},
    {SYS_bpf, "bpf", ""},
    {SYS_brk, "brk", ""},
    {SYS_capget, "capget", ""},
    {SYS_capset, "capset", ""},
    {SYS_chdir, "chdir", "p"},
    {SYS_chroot, "chroot", "p"},
    {SYS_clock_gettime, "clock_gettime", ""},
    {SYS_clock_nanosleep, "clock_nanosleep", ""},
    {SYS_clone, "clone", ""},
    {SYS_clone3, "clone3", ""},
    {SYS_close, "close", "f"},
    {SYS_close_range, "close_range", ""},
    {SYS_connect, "connect", "f"},
    {SYS_copy_file_range, "copy_file_range", "f.f"},
    {SYS_dup, "dup", "f"},
    {SYS_dup3, "dup3", "f"},
    {SYS_execve, "execve", "p"},
    {SYS_execveat, "execveat", "dp"},
    {SYS_exit, "exit", ""},
    {SYS_exit_group, "exit_group", ""},
    {SYS_faccessat, "faccessat", "dp"},
    {SYS_faccessat2, "faccessat2", "dp"},
    {SYS_fadvise64, "fadvise64", "f"},
    {SYS_fallocate, "fallocate", "f"},
    {SYS_fchdir, "fchdir", "f"},
    {SYS_fchmod, "fchmod", "f"},
    {SYS_fchmodat, "fchmodat", "dp"},
    {SYS_fchown, "fchown", "f"},
    {SYS_fchownat, "fchownat", "dp"},
    {SYS_fcntl, "fcntl", "f"},
    {SYS_fdatasync, "fdatasync", "f"},
    {SYS_fgetxattr, "fgetxattr", "f"},
    {SYS_flistxattr, "flistxattr", "f"},
    {SYS_flock, "flock", "f"},
    {SYS_fremovexattr, "fremovexattr", "f"},
    {SYS_fsconfig, "fsconfig", "f.s"},
    {SYS_fsetxattr, "fsetxattr", "f"},
    {SYS_fsmount, "fsmount", "f"},
    {SYS_fsopen, "fsopen", "s"},
    {SYS_fstat, "fstat", "f"},
    {SYS_fstatfs, "fstatfs", "f"},
    {SYS_fsync, "fsync", "f"},
    {SYS_ftruncate, "ftruncate", "f"},
    {SYS_futex, "futex", ""},
    {SYS_getcwd, "getcwd", ""},
    {SYS_getdents64, "getdents64", "f"},
    {SYS_getegid, "getegid", ""},
    {SYS_geteuid, "geteuid", ""},
    {SYS_getgid, "getgid", ""},
    {SYS_getpid, "getpid", ""},
    {SYS_getrandom, "getrandom", ""},
    {SYS_getsockopt, "getsockopt", "f"},
    {SYS_gettid, "gettid", ""},
    {SYS_getuid, "getuid", ""},
    {SYS_getxattr, "getxattr", "p"},
    {SYS_inotify_add_watch, "inotify_add_watch", "fp"},
    {SYS_inotify_init1, "inotify_init1", ""},
    {SYS_ioctl, "ioctl", "f"},
    {SYS_keyctl, "keyctl", ""},
    {SYS_kill, "kill", ""},
    {SYS_lgetxattr, "lgetxattr", "p"},
    {SYS_linkat, "linkat", "dpdp"},
    {SYS_listen, "listen", "f"},
    {SYS_listxattr, "listxattr", "p"},
    {SYS_llistxattr, "llistxattr", "p"},
    {SYS_lremovexattr, "lremovexattr", "p"},
    {SYS_lseek, "lseek", "f"},
    {SYS_lsetxattr, "lsetxattr", "p"},
    {SYS_madvise, "madvise", ""},
    {SYS_memfd_create, "memfd_create", "s"},
    {SYS_mkdirat, "mkdirat", "dp"},
    {SYS_mknodat, "mknodat", "dp"},
    {SYS_mmap, "mmap", "....f"},
    {SYS_mount, "mount", "sps"},
    {SYS_mount_setattr, "mount_setattr", "dp"},
    {SYS_move_mount, "move_mount", "dpdp"},
    {SYS_mprotect, "mprotect", ""},
    {SYS_mremap, "mremap", ""},
    {SYS_munmap, "munmap", ""},
    {SYS_newfstatat, "newfstatat", "dp"},
    {SYS_open_tree, "open_tree", "dp"},
    {SYS_openat, "openat", "dp"},
    {SYS_openat2, "openat2", "dp"},
    {SYS_pidfd_open, "pidfd_open", ""},
    {SYS_pidfd_send_signal, "pidfd_send_signal", ""},
    {SYS_pipe2, "pipe2", ""},
    {SYS_pivot_root, "pivot_root", "pp"},
    {SYS_ppoll, "ppoll", ""},
    {SYS_prctl, "prctl", ""},
    {SYS_pread64, "pread64", "f"},
    {SYS_prlimit64, "prlimit64", ""},
    {SYS_pwrite64, "pwrite64", "f"},
    {SYS_read, "read", "f"},
    {SYS_readlinkat, "readlinkat", "dp"},
    {SYS_readv, "readv", "f"},
    {SYS_recvfrom, "recvfrom", "f"},
    {SYS_recvmsg, "recvmsg", "f"},
    {SYS_removexattr, "removexattr", "p"},
    {SYS_renameat, "renameat", "dpdp"},
    {SYS_renameat2, "renameat2", "dpdp"},
    {SYS_restart_syscall, "restart_syscall", ""},
    {SYS_rseq, "rseq", ""},
    {SYS_rt_sigaction, "rt_sigaction", ""},
    {SYS_rt_sigprocmask, "rt_sigprocmask", ""},
    {SYS_rt_sigreturn, "rt_sigreturn", ""},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait", ""},
    {SYS_sched_getaffinity, "sched_getaffinity", ""},
    {SYS_seccomp, "seccomp", ""},
    {SYS_sendfile, "sendfile", "ff"},
    {SYS_sendmsg, "sendmsg", "f"},
    {SYS_sendto, "sendto", "f"},
    {SYS_set_robust_list, "set_robust_list", ""},
    {SYS_set_tid_address, "set_tid_address", ""},
    {SYS_setdomainname, "setdomainname", "s"},
    {SYS_setgid, "setgid", ""},
    {SYS_setgroups, "setgroups", ""},
    {SYS_sethostname, "sethostname", "s"},
    {SYS_setns, "setns", "f"},
    {SYS_setresgid, "setresgid", ""},
    {SYS_setresuid, "setresuid", ""},
    {SYS_setsid, "setsid", ""},
    {SYS_setsockopt, "setsockopt", "f"},
    {SYS_setuid, "setuid", ""},
    {SYS_setxattr, "setxattr", "p"},
    {SYS_sigaltstack, "sigaltstack", ""},
    {SYS_signalfd4, "signalfd4", "f"},
    {SYS_socket, "socket", ""},
    {SYS_socketpair, "socketpair", ""},
    {SYS_statfs, "statfs", "p"},
    {SYS_statx, "statx", "dp"},
    {SYS_symlinkat, "symlinkat", "sdp"},
    {SYS_syncfs, "syncfs", "f"},
    {SYS_sysinfo, "sysinfo", ""},
    {SYS_tgkill, "tgkill", ""},
    {SYS_umask, "umask", ""},
    {SYS_umount2, "umount2", "p"},
    {SYS_uname, "uname", ""},
    {SYS_unlinkat, "unlinkat", "dp"},
    {SYS_unshare, "unshare", ""},
    {SYS_utimensat, "utimensat", "dp"},
    {SYS_wait4, "wait4", ""},
    {SYS_waitid, "waitid", ""},
    {SYS_write, "write", "f"},
    {SYS_writev, "writev", "f"},
#ifdef SYS_open // The calls that newer machines do without.
    {SYS_access, "access", "p"},
    {SYS_arch_prctl, "arch_prctl", ""},
    {SYS_chmod, "chmod", "p"},
    {SYS_chown, "chown", "p"},
    {SYS_dup2, "dup2", "f"},
    {SYS_lchown, "lchown", "p"},
    {SYS_link, "link", "pp"},
    {SYS_lstat, "lstat", "p"},
    {SYS_mkdir, "mkdir", "p"},
    {SYS_mknod, "mknod", "p"},
    {SYS_open, "open", "p"},
    {SYS_poll, "poll", ""},
    {SYS_readlink, "readlink", "p"},
    {SYS_rename, "rename", "pp"},
    {SYS_rmdir, "rmdir", "p"},
    {SYS_stat, "stat", "p"},
    {SYS_symlink, "symlink", "sp"},
    {SYS_unlink, "unlink", "p"},
#endif
};

constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kPage = 4096;

// A string of the process; page by page, since what lies behind it need not be mapped.
std::string read_text(pid_t pid, std::uint64_t address) {
    std::string text;
    while (address != 0 && text.size() < kLongestText) {
        std::array<char, kPage> buffer;
        const std::size_t size = kPage - address % kPage;
        const iovec here{buffer.data(), size};
        // The address is the other process's; the kernel alone follows it.
        iovec there{};
        std::memcpy(static_cast<void*>(&there.iov_base), &address, sizeof address);
        there.iov_len = size;
        const ssize_t count = ::process_vm_readv(pid, &here, 1, &there, 1, 0);
        if (count <= 0) break;
        const std::string_view piece(buffer.data(), static_cast<std::size_t>(count));
        const auto end = piece.find('\0');
        text.append(piece.substr(0, end));
        if (end != std::string_view::npos) break;
        address += static_cast<std::uint64_t>(count);
    }
    return text;
}

std::string link_text(const std::string& path) {
    std::error_code error;
    return std::filesystem::read_symlink(path, error).string();
}

// The kernel takes 32 bits of it, whatever the rest of the register holds.
int descriptor(std::uint64_t argument) {
    return static_cast<int>(static_cast<std::uint32_t>(argument));
}

std::string descriptor_path(pid_t pid, std::uint64_t argument) {
    return link_text("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(descriptor(argument)));
}

std::string path_behind(const std::string& directory, const std::string& path) {
    if (path.empty()) return directory;
    return path.starts_with("/") || directory.empty() ? path : directory + "/" + path;
}

void add_argument(SystemCall& call, const std::string& text) {
    if (!call.text.ends_with("(")) call.text += ", ";
    call.text += "'" + text + "'";
}

void add_path(SystemCall& call, std::string path) {
    add_argument(call, path);
    call.paths.push_back(std::move(path));
}

} // namespace

bool SystemCall::touches(const std::string& ending) const {
    return std::ranges::any_of(paths, [&](const std::string& path) { return path.ends_with(ending); });
}

SystemCall describe_call(pid_t pid, std::uint64_t number, const std::array<std::uint64_t, 6>& arguments) {
    SystemCall call;
    call.number = number;
    call.arguments = arguments;
    const auto* known = std::ranges::find(kCalls, number, &Signature::number);
    call.name =
        known != std::end(kCalls) ? std::string(known->name) : "system call " + std::to_string(number);
    call.text = call.name + "(";
    const std::string_view kinds = known != std::end(kCalls) ? known->arguments : std::string_view();
    std::string directory;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        const std::uint64_t argument = arguments.at(i);
        if (kinds[i] == 'd')
            directory = descriptor(argument) == AT_FDCWD ? std::string() : descriptor_path(pid, argument);
        if (kinds[i] == 'p') add_path(call, path_behind(directory, read_text(pid, argument)));
        if (kinds[i] == 's') add_argument(call, read_text(pid, argument));
        if (kinds[i] == 'f')
            if (const std::string path = descriptor_path(pid, argument); !path.empty()) add_path(call, path);
    }
    call.text += ")";
    return call;
}

} // namespace mydocker::test
