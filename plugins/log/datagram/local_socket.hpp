// The way to a server on this host: a datagram socket that never waits.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <string>

namespace mydocker::datagram {

// Connected to the socket at a path. `server`: who that is, for the message. Errors: what connect(2) says.
[[nodiscard]] Result<UniqueFd> connect_local(const std::string& path, const std::string& server);

} // namespace mydocker::datagram
