// System calls on files, processes and descriptors; those on mounts are in sys_mount.cpp. Nothing is
// decided here.
#include "base/sys.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <net/if.h>

namespace mydocker::sys {
namespace {

// The error of the call before it, errno captured first; the pieces make the text.
template <class... Pieces>
[[nodiscard]] std::unexpected<Error> failed(const Pieces&... pieces) {
    const int error = errno;
    std::string text;
    (text.append(pieces), ...);
    return fail_errno(error, std::move(text));
}

// Calls again while a signal interrupts.
template <class Call>
[[nodiscard]] auto retry(Call call) {
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR) return result;
    }
}

template <class... Pieces>
[[nodiscard]] Status done(long result, const Pieces&... pieces) {
    if (result >= 0) return {};
    return failed(pieces...);
}

template <class... Pieces>
[[nodiscard]] Result<UniqueFd> owned(long result, const Pieces&... pieces) {
    if (result >= 0) return UniqueFd(static_cast<int>(result));
    return failed(pieces...);
}

} // namespace

// --- files ---------------------------------------------------------------------------------------

Result<UniqueFd> openat(int directory, const std::string& path, int flags, mode_t mode) {
    return owned(retry([&] { return ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode); }), "open '",
                 path, "'");
}

Result<UniqueFd> openat2(int directory, const std::string& path, std::uint64_t flags, std::uint64_t resolve,
                         mode_t mode) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve;
    // EAGAIN: a rename or mount somewhere raced with a ".."; the manual says to try again.
    constexpr int kTries = 1000;
    long fd = -1;
    for (int tries = 0; tries < kTries; ++tries) {
        fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    return owned(fd, "open '", path, "'");
}

Status mkdirat(int directory, const std::string& path, mode_t mode) {
    return done(::mkdirat(directory, path.c_str(), mode), "make directory '", path, "'");
}

Status mknodat(int directory, const std::string& path, mode_t mode, dev_t device) {
    return done(::mknodat(directory, path.c_str(), mode, device), "make device node '", path, "'");
}

Status symlinkat(const std::string& target, int directory, const std::string& path) {
    return done(::symlinkat(target.c_str(), directory, path.c_str()), "make symbolic link '", path, "'");
}

Status unlinkat(int directory, const std::string& path, int flags) {
    return done(::unlinkat(directory, path.c_str(), flags), "remove '", path, "'");
}

Status renameat(int old_directory, const std::string& old_path, int directory, const std::string& path) {
    return done(::renameat(old_directory, old_path.c_str(), directory, path.c_str()), "rename '", old_path,
                "' to '", path, "'");
}

Status fchmod(int fd, mode_t mode) {
    return done(::fchmod(fd, mode), "change mode");
}

Status fchmodat(int directory, const std::string& path, mode_t mode) {
    return done(::fchmodat(directory, path.c_str(), mode, 0), "change mode of '", path, "'");
}

Status fchown(int fd, uid_t uid, gid_t gid) {
    return done(::fchown(fd, uid, gid), "change owner");
}

Status fchownat(int directory, const std::string& path, uid_t uid, gid_t gid, int flags) {
    return done(::fchownat(directory, path.c_str(), uid, gid, flags), "change owner of '", path, "'");
}

Result<struct stat> fstat(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return failed("stat a descriptor");
    return status;
}

Result<struct stat> fstatat(int directory, const std::string& path, int flags) {
    struct stat status{};
    if (::fstatat(directory, path.c_str(), &status, flags) != 0) return failed("stat '", path, "'");
    return status;
}

Result<std::string> readlinkat(int directory, const std::string& path) {
    std::array<char, 4096> buffer;
    const ssize_t count = ::readlinkat(directory, path.c_str(), buffer.data(), buffer.size());
    if (count < 0) return failed("read link '", path, "'");
    return std::string(buffer.data(), static_cast<std::size_t>(count));
}

Result<std::vector<std::string>> list_names(int directory) {
    std::vector<std::string> names;
    alignas(dirent64) std::array<char, 8192> buffer;
    for (;;) {
        const ssize_t count = ::getdents64(directory, buffer.data(), buffer.size());
        if (count < 0) return failed("read a directory");
        if (count == 0) return names;
        for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
            const std::string_view name(entry->d_name);
            if (name != "." && name != "..") names.emplace_back(name);
            at += entry->d_reclen;
        }
    }
}

Status chdir(const std::string& path) {
    return done(::chdir(path.c_str()), "change to directory '", path, "'");
}

Status fchdir(int fd) {
    return done(::fchdir(fd), "change to a directory");
}

Result<std::string> getcwd() {
    std::array<char, 4096> buffer;
    // Not the library's: that one replaces what the kernel says of a directory outside the root.
    const long count = ::syscall(SYS_getcwd, buffer.data(), buffer.size());
    if (count < 0) return failed("find the working directory");
    return std::string(buffer.data());
}

Result<std::size_t> read(int fd, std::span<char> buffer) {
    const ssize_t count = retry([&] { return ::read(fd, buffer.data(), buffer.size()); });
    if (count < 0) return failed("read");
    return static_cast<std::size_t>(count);
}

Result<std::size_t> pread(int fd, std::span<char> buffer, off_t offset) {
    const ssize_t count = retry([&] { return ::pread(fd, buffer.data(), buffer.size(), offset); });
    if (count < 0) return failed("read");
    return static_cast<std::size_t>(count);
}

Result<std::size_t> write(int fd, std::string_view bytes) {
    const ssize_t count = retry([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (count < 0) return failed("write");
    return static_cast<std::size_t>(count);
}

Status write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        auto count = write(fd, bytes);
        if (!count) return fail(count);
        bytes.remove_prefix(*count);
    }
    return {};
}

Result<UniqueFd> dup(int fd) {
    return owned(::fcntl(fd, F_DUPFD_CLOEXEC, 3), "duplicate a descriptor");
}

Status dup2(int fd, int target) {
    if (fd == target) return set_inheritable(fd);
    return done(retry([&] { return ::dup2(fd, target); }), "duplicate a descriptor");
}

Status set_inheritable(int fd) {
    return done(::fcntl(fd, F_SETFD, 0), "make a descriptor inheritable");
}

Status set_nonblocking(int fd, bool on) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return failed("read a descriptor's flags");
    const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted == flags) return {};
    return done(::fcntl(fd, F_SETFL, wanted), "set a descriptor's flags");
}

Status close_range(unsigned first, unsigned last, unsigned flags) {
    return done(::close_range(first, last, static_cast<int>(flags)), "close descriptors");
}

Result<UniqueFd> memfd_create(const std::string& name, unsigned flags) {
    return owned(::memfd_create(name.c_str(), flags | MFD_CLOEXEC), "make memory file '", name, "'");
}

Status seal(int fd, int seals) {
    return done(::fcntl(fd, F_ADD_SEALS, seals), "seal a memory file");
}

Result<Pipe> pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return failed("make a pipe");
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// --- processes -----------------------------------------------------------------------------------

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

Status seccomp_load(std::span<const sock_filter> program, unsigned flags) {
    if (program.size() > BPF_MAXINSNS)
        return fail(Code::invalid, "a system call filter of " + std::to_string(program.size()) +
                                       " instructions is too long");
    const sock_fprog filter{static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};
    return done(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter),
                "load the system call filter");
}

Status join_session_keyring() {
    return done(::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr), "make a session keyring");
}

Status umask(mode_t mask) {
    (void)::umask(mask); // The old one is of no use to a new process.
    return {};
}

Error execveat(int fd, const std::string& path, char* const argv[], char* const envp[], int flags) {
    (void)::syscall(SYS_execveat, fd, path.c_str(), argv, envp, flags);
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

// --- descriptors that wait -----------------------------------------------------------------------

Result<int> poll(std::span<pollfd> fds, int timeout_ms) {
    const int ready = ::poll(fds.data(), fds.size(), timeout_ms);
    if (ready < 0 && errno == EINTR) return 0;
    if (ready < 0) return failed("wait for descriptors");
    return ready;
}

Result<UniqueFd> signalfd(std::span<const int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals)
        sigaddset(&set, signal);
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return failed("block signals");
    return owned(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "open a signal descriptor");
}

Result<SocketPair> socketpair(int type) {
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return failed("make a socket pair");
    return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

namespace {

// Sockets have no *at calls: the name goes through the directory's descriptor, which also makes room
// for any directory path (sun_path holds 107 bytes).
Result<sockaddr_un> unix_address(int directory, const std::string& name) {
    const std::string path =
        directory == AT_FDCWD ? name : "/proc/self/fd/" + std::to_string(directory) + "/" + name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail(Code::invalid, "the socket name '" + name + "' is too long");
    std::copy(path.begin(), path.end(), address.sun_path);
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

} // namespace

Result<UniqueFd> unix_listen(int directory, const std::string& name) {
    auto address = unix_address(directory, name);
    if (!address) return fail(address);
    auto socket = owned(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "make a socket");
    if (!socket) return socket;
    if (::bind(socket->get(), generic(*address), sizeof *address) != 0)
        return failed("bind socket '", name, "'");
    constexpr int kBacklog = 16;
    if (::listen(socket->get(), kBacklog) != 0) return failed("listen on socket '", name, "'");
    return socket;
}

Result<UniqueFd> unix_connect(int directory, const std::string& name) {
    auto address = unix_address(directory, name);
    if (!address) return fail(address);
    auto socket = owned(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "make a socket");
    if (!socket) return socket;
    const int connected = retry([&] { return ::connect(socket->get(), generic(*address), sizeof *address); });
    if (connected != 0) return failed("connect to socket '", name, "'");
    return socket;
}

Result<UniqueFd> accept(int socket) {
    return owned(retry([&] { return ::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC); }),
                 "accept a connection");
}

namespace {
constexpr std::size_t kMaxPassedFds = 253; // SCM_MAX_FD
} // namespace

Status send_with_fds(int socket, std::string_view bytes, std::span<const int> fds) {
    if (fds.size() > kMaxPassedFds)
        return fail(Code::invalid, "send " + std::to_string(fds.size()) + " descriptors at once");
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxPassedFds)> control;
    if (!fds.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    const ssize_t count = retry([&] { return ::sendmsg(socket, &message, MSG_NOSIGNAL); });
    if (count < 0) return failed("send a message");
    if (static_cast<std::size_t>(count) != bytes.size())
        return fail(Code::io, "send a message: only a part of it was taken");
    return {};
}

Result<Received> receive_with_fds(int socket, std::size_t limit) {
    Received received;
    received.bytes.resize(limit);
    iovec part{received.bytes.data(), limit};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxPassedFds)> control;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = retry([&] { return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC); });
    if (count < 0) return failed("receive a message");
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < fds; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            received.fds.emplace_back(fd);
        }
    }
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return fail(Code::invalid, "receive a message: it is longer than expected");
    received.bytes.resize(static_cast<std::size_t>(count));
    return received;
}

// --- locks ---------------------------------------------------------------------------------------

namespace {

flock whole_file() {
    flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

} // namespace

Result<bool> try_lock(int fd) {
    flock lock = whole_file();
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    return failed("lock a file");
}

Status wait_lock(int fd) {
    flock lock = whole_file();
    return done(retry([&] { return ::fcntl(fd, F_OFD_SETLKW, &lock); }), "lock a file");
}

// --- misc ----------------------------------------------------------------------------------------

Status random_bytes(std::span<unsigned char> buffer) {
    while (!buffer.empty()) {
        const ssize_t count = retry([&] { return ::getrandom(buffer.data(), buffer.size(), 0); });
        if (count < 0) return failed("draw random bytes");
        buffer = buffer.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

namespace {

std::int64_t clock_ns(clockid_t clock) {
    timespec now{};
    (void)::clock_gettime(clock, &now); // These clocks always exist.
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

} // namespace

std::int64_t realtime_ns() {
    return clock_ns(CLOCK_REALTIME);
}

std::int64_t monotonic_ns() {
    return clock_ns(CLOCK_MONOTONIC);
}

Status interface_up(const std::string& name) {
    ifreq request{};
    if (name.size() >= sizeof request.ifr_name)
        return fail(Code::invalid, "the interface name '" + name + "' is too long");
    std::copy(name.begin(), name.end(), request.ifr_name);
    auto socket = owned(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "make a socket");
    if (!socket && socket.error().sys_errno == EAFNOSUPPORT) // A kernel without IPv4.
        socket = owned(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "make a socket");
    if (!socket) return fail(socket);
    if (::ioctl(socket->get(), SIOCGIFFLAGS, &request) != 0)
        return failed("read the flags of interface '", name, "'");
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    return done(::ioctl(socket->get(), SIOCSIFFLAGS, &request), "set up interface '", name, "'");
}

} // namespace mydocker::sys
