// What people write: sizes and durations, which mean the same in flags, files and every driver; and the
// nearest of some words to a mistyped one. Pure.
#pragma once

#include "mydocker/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mydocker::notation {

// Bytes: "4096", "512k", "10m", "1.5g", "2GiB", "1tb"; all suffixes are powers of 1024, in either case.
// Errors: invalid, for anything before or behind, no digits, a fraction without a suffix, too much.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

// The shortest notation of a size that parse_size reads as exactly the same: "64g", "1000".
[[nodiscard]] std::string format_size(std::uint64_t bytes);

// "90s", "1m30s", "1.5h", "250ms", "2d", "0"; units ns us ms s m h d. Errors: invalid.
[[nodiscard]] Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// The candidate that was probably meant by a mistyped word; nothing when none is near enough.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      std::span<const std::string_view> candidates);

} // namespace mydocker::notation
