// Where a syslog server is, and the way there: a datagram socket that never waits.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace mydocker::syslog {

// "/dev/log", "unix:///dev/log", "udp://loghost", "udp://[fe80::1]:1514"
struct Address {
    std::string text; // as it was given
    std::string path; // of a local socket; empty: UDP
    std::string host;
    std::string port;

    [[nodiscard]] bool is_local() const { return !path.empty(); }
};

// Errors: invalid.
[[nodiscard]] Result<Address> parse_address(std::string_view text);

// What makes connected sockets. A host's name is looked up for the first, which may take as long as the
// resolver's patience, and never again. Errors: what connect(2) says; not_found when there is no such host.
[[nodiscard]] std::function<Result<UniqueFd>()> make_connector(const Address& address);

// "syslog server '/dev/log'"
[[nodiscard]] std::string describe_server(const Address& address);

} // namespace mydocker::syslog
