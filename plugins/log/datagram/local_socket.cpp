#include "local_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <sys/un.h>

namespace mydocker::datagram {

Result<UniqueFd> connect_local(const std::string& path, const std::string& server) {
    const std::string attempt = "connect to " + server;
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.size() >= sizeof name.sun_path) return fail_errno(ENAMETOOLONG, attempt);
    std::ranges::copy(path, name.sun_path);
    UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return fail_errno(errno, attempt);
    const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&name));
    if (::connect(fd.get(), generic, sizeof name) != 0) return fail_errno(errno, attempt);
    return fd;
}

} // namespace mydocker::datagram
