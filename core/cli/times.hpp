// Points in time as users write them.
#pragma once

#include "mydocker/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mydocker::cli {

// RFC 3339 ("2026-01-31T12:00:00.5Z", "…+01:00"; without a zone: local time; a date alone), seconds since
// 1970 ("1767225600", with a fraction), or an age before `now_ns` ("10m", "1h30m").
// Returns nanoseconds since 1970 UTC; of what lies before it or after 2262, the nearest. Errors: invalid,
// naming flag and text.
[[nodiscard]] Result<std::int64_t> parse_time(std::string_view flag, const std::string& text,
                                              std::int64_t now_ns);

} // namespace mydocker::cli
