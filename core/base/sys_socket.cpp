// System calls on sockets, network interfaces and descriptors that wait. Nothing is decided here.
#include "base/sys.hpp"

#include "base/sys_result.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <unistd.h>

namespace mydocker::sys {

using detail::done;
using detail::failed;
using detail::owned;
using detail::retry;

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
    // Before it has a name: the file is made with this mode.
    if (::fchmod(socket->get(), 0600) != 0) return failed("close socket '", name, "' to others");
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

Result<uid_t> peer_uid(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return failed("ask who connected");
    return peer.uid;
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
