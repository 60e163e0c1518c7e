// What fuse-overlayfs is told of a writable layer over a chain. Pure: it touches neither the disk nor a
// process.
#pragma once

#include "mydocker/storage_driver.hpp"

#include <string>

namespace mydocker::fuse_overlayfs {

// Below rw/ID.
inline constexpr const char* kUpper = "upper";
inline constexpr const char* kWork = "work";
// What fuse-overlayfs makes for itself in there.
inline constexpr const char* kInnerWork = "work/work";

// The option is one word of its command line, of which the kernel takes 131,071 bytes (MAX_ARG_STRLEN). A
// layer takes up to 13 + 128 + 5 bytes and a colon: 500 × 147 = 73,500.
inline constexpr std::uint32_t kMaxLayers = 500;

// The words for -o. Names are relative to rw/ID, so that nothing in the path of the data directory can be
// taken for a separator. The first word is for those who read the list of processes.
// Errors: none; there is a layer below, and at most kMaxLayers.
[[nodiscard]] std::string describe_options(const RwId& id, LayerChain below, Lifetime lifetime,
                                           Access access);

} // namespace mydocker::fuse_overlayfs
