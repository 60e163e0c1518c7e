// `top`: the host's ps(1) and what it says of some processes. Never a program of the container's.
#pragma once

#include "mydocker/result.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace mydocker::cli {

// Runs ps with these words and returns the heading and the lines about `pids`. Errors: not_found: there is
// none; invalid, with its own words: it does not take them, or shows no column PID.
[[nodiscard]] Result<std::string> host_ps(const std::vector<std::string>& words,
                                          const std::vector<pid_t>& pids);

// The heading and the lines about `pids` of what ps printed. Pure. Errors: invalid: there is no column PID.
[[nodiscard]] Result<std::string> select_lines(std::string_view listing, const std::vector<pid_t>& pids);

} // namespace mydocker::cli
