// A process in words, for the message about a lock that it holds.
#pragma once

#include <string>

namespace mydocker::state {

// Its command line and state as they may be printed: "mydocker rm a, stopped".
[[nodiscard]] std::string describe_process(const std::string& pid);

} // namespace mydocker::state
