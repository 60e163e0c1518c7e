// Why a command could not be executed, looked at from inside the container's root, in words. Runs as the
// user and under the container's system call filter: opens, reads and stats only.
#pragma once

#include "mydocker/result.hpp"

#include <cstddef>
#include <string>

namespace mydocker::runtime::init {

// What is wrong is the user's own, and said without our stage. As the shells have it.
inline constexpr int kCannotBeInvoked = 126;
inline constexpr int kNotFound = 127;

struct Diagnosis {
    Error error;
    int exit_code = kCannotBeInvoked; // kNotFound when something is not there
};

// `error`: what execve(2) said of `path`. `command_bytes`: size of arguments and environment.
[[nodiscard]] Diagnosis diagnose(const std::string& path, int error, std::size_t command_bytes);

} // namespace mydocker::runtime::init
