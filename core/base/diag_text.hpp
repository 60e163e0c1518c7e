// Text made fit for a terminal: what hostile bytes could do is shown instead of done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mydocker::diag {

// `text` on one line: control characters, bytes that are not UTF-8 and marks that change the direction of
// writing become visible ("\n", "\x1b", "\u202e"). Longer than `limit` bytes: its middle is left out.
[[nodiscard]] std::string visible(std::string_view text, std::size_t limit);

// 2026-11-23T21:01:02.000000003Z: RFC 3339, UTC, nanoseconds. `time_ns` since 1970.
[[nodiscard]] std::string timestamp(std::int64_t time_ns);

} // namespace mydocker::diag
