// Paths of archive entries: bytes that strangers chose. Made harmless before anything is done with
// them, and harmless to look at in messages.
#pragma once

#include "mydocker/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace mydocker::image {

inline constexpr std::size_t kMaxPathBytes = 4095;     // PATH_MAX without its NUL
inline constexpr std::size_t kMaxComponentBytes = 255; // NAME_MAX

// The path relative to the root of the layer, without "." and empty components, ".." resolved by
// words alone; empty: the root itself. Errors: invalid when it leaves the root, holds a NUL byte or
// is too long; the text is the rest of a sentence that begins with the entry ("leaves the image").
[[nodiscard]] Result<std::string> normalise_entry_path(std::string_view path);

// The bytes in single quotes, fit for a terminal: control and non-ASCII bytes as \xNN, and the middle
// left out when long.
[[nodiscard]] std::string shown(std::string_view bytes);

// "a/b/c" → {"a/b", "c"}.
struct PathParts {
    std::string_view parent;
    std::string_view name;
};
[[nodiscard]] PathParts split_path(std::string_view path);

} // namespace mydocker::image
