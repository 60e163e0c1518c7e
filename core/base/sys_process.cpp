// System calls on processes and what they may do. Nothing is decided here.
#include "base/sys.hpp"

#include "base/sys_result.hpp"

#include <array>
#include <csignal>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mydocker::sys {

using detail::done;
using detail::failed;
using detail::owned;

Status unshare(int flags) {
    return done(::unshare(flags), "unshare namespaces");
}

Status setns(int fd, int type) {
    return done(::setns(fd, type), "join a namespace");
}

Status sethostname(const std::string& name) {
    return done(::sethostname(name.data(), name.size()), "set host name '", name, "'");
}

Status setdomainname(const std::string& name) {
    return done(::setdomainname(name.data(), name.size()), "set domain name '", name, "'");
}

Result<pid_t> setsid() {
    const pid_t session = ::setsid();
    if (session < 0) return failed("make a session");
    return session;
}

Status set_controlling_terminal(int terminal) {
    return done(::ioctl(terminal, TIOCSCTTY, 0), "make a terminal the controlling one");
}

Status set_window_size(int terminal, const winsize& size) {
    return done(::ioctl(terminal, TIOCSWINSZ, &size), "set a terminal's size");
}

Result<UniqueFd> open_pty_peer(int master) {
    const int unlocked = 0;
    if (::ioctl(master, TIOCSPTLCK, &unlocked) != 0) return failed("unlock a terminal");
    return owned(::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "open a terminal");
}

// The library's wrappers would walk threads; the raw calls change this one, and there is one.
Status setresuid(uid_t real, uid_t effective, uid_t saved) {
    return done(::syscall(SYS_setresuid, real, effective, saved), "set the user id");
}

Status setresgid(gid_t real, gid_t effective, gid_t saved) {
    return done(::syscall(SYS_setresgid, real, effective, saved), "set the group id");
}

Status setgroups(std::span<const gid_t> groups) {
    return done(::syscall(SYS_setgroups, groups.size(), groups.data()), "set the supplementary groups");
}

Status setrlimit(int resource, const rlimit64& limit) {
    return done(::syscall(SYS_prlimit64, 0, resource, &limit, nullptr), "set a resource limit");
}

Result<rlimit64> getrlimit(int resource) {
    rlimit64 limit{};
    if (::syscall(SYS_prlimit64, 0, resource, nullptr, &limit) != 0) return failed("read a resource limit");
    return limit;
}

Status prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return done(::prctl(option, a, b, c, d), "prctl");
}

namespace {

constexpr unsigned kCapabilityWords = _LINUX_CAPABILITY_U32S_3;
constexpr __user_cap_header_struct kCapabilityHeader{_LINUX_CAPABILITY_VERSION_3, 0};

std::uint64_t joined(std::uint32_t low, std::uint32_t high) {
    return low | static_cast<std::uint64_t>(high) << 32U;
}

} // namespace

Result<CapabilitySets> capget() {
    __user_cap_header_struct header = kCapabilityHeader;
    std::array<__user_cap_data_struct, kCapabilityWords> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return failed("read the capabilities");
    return CapabilitySets{joined(data[0].effective, data[1].effective),
                          joined(data[0].permitted, data[1].permitted),
                          joined(data[0].inheritable, data[1].inheritable)};
}

Status capset(const CapabilitySets& sets) {
    __user_cap_header_struct header = kCapabilityHeader;
    std::array<__user_cap_data_struct, kCapabilityWords> data{};
    for (unsigned word = 0; word < kCapabilityWords; ++word) {
        const unsigned shift = 32U * word;
        data[word].effective = static_cast<std::uint32_t>(sets.effective >> shift);
        data[word].permitted = static_cast<std::uint32_t>(sets.permitted >> shift);
        data[word].inheritable = static_cast<std::uint32_t>(sets.inheritable >> shift);
    }
    return done(::syscall(SYS_capset, &header, data.data()), "set the capabilities");
}

namespace {

// seccomp(2), SECCOMP_SET_MODE_FILTER; -1 with errno, 0, or with the flag for it a descriptor.
Result<long> set_filter(std::span<const sock_filter> program, unsigned flags) {
    if (program.size() > BPF_MAXINSNS)
        return fail(Code::invalid, "a system call filter of " + std::to_string(program.size()) +
                                       " instructions is too long");
    const sock_fprog filter{static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};
    const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    if (result < 0) return fail_errno(errno, "load the system call filter");
    return result;
}

} // namespace

Status seccomp_load(std::span<const sock_filter> program, unsigned flags) {
    auto set = set_filter(program, flags);
    return set ? Status{} : Status(fail(set));
}

Result<UniqueFd> seccomp_listen(std::span<const sock_filter> program) {
    auto listener = set_filter(program, SECCOMP_FILTER_FLAG_NEW_LISTENER); // close-on-exec by itself
    if (!listener) return fail(listener);
    return UniqueFd(static_cast<int>(*listener));
}

Result<seccomp_notif> seccomp_receive(int listener) {
    seccomp_notif call{}; // The kernel takes it only zeroed.
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
        return fail_errno(errno, "receive a system call's notification");
    return call;
}

bool seccomp_is_pending(int listener, std::uint64_t id) {
    return ::ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

Status seccomp_continue(int listener, std::uint64_t id) {
    seccomp_notif_resp answer{};
    answer.id = id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    return done(::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer), "answer a system call's notification");
}

Status join_session_keyring() {
    return done(::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr), "make a session keyring");
}

Status umask(mode_t mask) {
    (void)::umask(mask); // The old one is of no use to a new process.
    return {};
}

Error execve(const std::string& path, char* const argv[], char* const envp[]) {
    (void)::execve(path.c_str(), argv, envp);
    const int error = errno;
    return Error{code_from_errno(error), error, "execute '" + path + "'"};
}

Result<UniqueFd> pidfd_open(pid_t pid) {
    return owned(::syscall(SYS_pidfd_open, pid, 0), "open process ", std::to_string(pid));
}

Status pidfd_send_signal(int pidfd, int signal) {
    return done(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0), "send signal ",
                std::to_string(signal));
}

Status kill(pid_t pid, int signal) {
    return done(::kill(pid, signal), "send signal ", std::to_string(signal), " to process ",
                std::to_string(pid));
}

} // namespace mydocker::sys
