#include "address.hpp"

#include "log/datagram/local_socket.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <optional>
#include <sys/socket.h>

namespace mydocker::syslog {
namespace {

constexpr std::string_view kLocal = "unix://";
constexpr std::string_view kUdp = "udp://";
constexpr std::string_view kUdpPort = "514"; // RFC 5426, section 3.3
constexpr int kSocketFlags = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

[[nodiscard]] std::unexpected<Error> bad_address(std::string_view text) {
    return fail(Code::invalid, "use syslog address '" + std::string(text) +
                                   "'; it must be the absolute path of a socket, or udp://HOST[:PORT]");
}

[[nodiscard]] bool is_port(std::string_view text) {
    return !text.empty() && text.size() <= 5 &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
}

[[nodiscard]] Result<Address> parse_udp(std::string_view text) {
    std::string_view rest = text.substr(kUdp.size());
    Address address{.text = std::string(text), .path = {}, .host = {}, .port = std::string(kUdpPort)};
    if (rest.starts_with('[')) { // An IPv6 address has colons of its own.
        const auto end = rest.find(']');
        if (end == std::string_view::npos) return bad_address(text);
        address.host = rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
    } else {
        address.host = rest.substr(0, rest.find(':'));
        rest.remove_prefix(address.host.size());
    }
    if (address.host.empty()) return bad_address(text);
    if (rest.empty()) return address;
    if (!rest.starts_with(':') || !is_port(rest.substr(1))) return bad_address(text);
    address.port = rest.substr(1);
    return address;
}

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// Where a name was found.
struct Endpoint {
    sockaddr_storage name{};
    socklen_t size = 0;
};

[[nodiscard]] Result<UniqueFd> connect_endpoint(const Endpoint& endpoint, const std::string& attempt) {
    UniqueFd fd(::socket(endpoint.name.ss_family, kSocketFlags, 0));
    if (!fd) return fail_errno(errno, attempt);
    const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&endpoint.name));
    if (::connect(fd.get(), generic, endpoint.size) != 0) return fail_errno(errno, attempt);
    return fd;
}

// Looks the host up, and remembers which of its addresses it was.
[[nodiscard]] Result<UniqueFd> connect_host(const Address& address, std::optional<Endpoint>& known) {
    const std::string attempt = "connect to " + describe_server(address);
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
    if (code != 0) return fail(Code::not_found, attempt + ": " + ::gai_strerror(code));
    const std::unique_ptr<addrinfo, FreeAddresses> list(found);
    Result<UniqueFd> fd = fail(Code::not_found, attempt);
    for (const addrinfo* each = list.get(); each != nullptr; each = each->ai_next) {
        Endpoint endpoint;
        endpoint.size = each->ai_addrlen;
        std::memcpy(&endpoint.name, each->ai_addr, each->ai_addrlen);
        fd = connect_endpoint(endpoint, attempt);
        if (!fd) continue;
        known = endpoint;
        return fd;
    }
    return fd;
}

} // namespace

Result<Address> parse_address(std::string_view text) {
    if (text.starts_with(kUdp)) return parse_udp(text);
    std::string_view path = text;
    if (path.starts_with(kLocal)) path.remove_prefix(kLocal.size());
    if (!path.starts_with('/')) return bad_address(text);
    return Address{.text = std::string(text), .path = std::string(path), .host = {}, .port = {}};
}

std::function<Result<UniqueFd>()> make_connector(const Address& address) {
    if (address.is_local())
        return [address] { return datagram::connect_local(address.path, describe_server(address)); };
    return [address, known = std::optional<Endpoint>()]() mutable {
        if (known) return connect_endpoint(*known, "connect to " + describe_server(address));
        return connect_host(address, known);
    };
}

std::string describe_server(const Address& address) {
    return "syslog server '" + address.text + "'";
}

} // namespace mydocker::syslog
