// Names of signals, as users write them.
#pragma once

#include "mydocker/result.hpp"

#include <string>
#include <string_view>

namespace mydocker::engine {

// "TERM", "SIGTERM", "term", "15", "RTMIN+3". Errors: invalid. Source: signal(7).
[[nodiscard]] Result<int> parse_signal(std::string_view text);

// "SIGTERM".
[[nodiscard]] std::string signal_name(int signal);

} // namespace mydocker::engine
