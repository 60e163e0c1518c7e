// Names that mean something to aufs in a branch. Source: aufs(5), "Whiteout"; aufs's own design documents.
//
//   .wh.NAME        no layer below has NAME any more
//   .wh..wh..opq    the directory hides all that the layers below have in it
//   .wh..wh.…       aufs's own, in the root of the writable branch: .wh..wh.aufs, which whiteouts are links
//                   to, .wh..wh.orph/ and .wh..wh.plnk/; and what it is just removing, anywhere
#pragma once

#include <cstddef>
#include <string_view>

namespace mydocker::aufs {

inline constexpr std::string_view kWhiteout = ".wh.";
inline constexpr std::string_view kOwn = ".wh..wh.";
inline constexpr const char* kOpaque = ".wh..wh..opq";
inline constexpr const char* kBase = ".wh..wh.aufs";
inline constexpr const char* kOrphans = ".wh..wh.orph";
inline constexpr const char* kPseudoLinks = ".wh..wh.plnk";

// 255 bytes, less two prefixes, a dot and four digits: aufs renames what it removes to .wh..wh.NAME.XXXX.
inline constexpr std::size_t kLongestName = 242;

// Markers of opaque directories among them.
[[nodiscard]] constexpr bool is_own(std::string_view name) {
    return name.starts_with(kOwn);
}

// What a whiteout hides; empty, when the name is none.
[[nodiscard]] constexpr std::string_view hidden_by(std::string_view name) {
    if (!name.starts_with(kWhiteout) || is_own(name)) return {};
    return name.substr(kWhiteout.size());
}

} // namespace mydocker::aufs
