// Names of signals, as users write them.
#pragma once

#include "mydocker/result.hpp"

#include <string>
#include <string_view>

namespace mydocker::signals {

// "TERM", "SIGTERM", "term", "15", "RTMIN+3". Errors: invalid. Source: signal(7).
[[nodiscard]] Result<int> parse(std::string_view text);

// "SIGTERM".
[[nodiscard]] std::string name_of(int signal);

} // namespace mydocker::signals
