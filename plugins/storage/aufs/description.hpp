// The mount that a writable layer over a chain is, in aufs's words. Pure: it touches neither the disk nor
// the kernel.
#pragma once

#include "mydocker/storage_driver.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mydocker::aufs {

inline constexpr const char* kUpper = "upper";

// aufs is built for 127 branches as a rule (AUFS_BRANCH_MAX_127); one of them is the writable one.
inline constexpr std::uint32_t kMaxLayers = 126;

// From 85 branches in one call of mount(2) on, aufs writes past its list of options, and the kernel crashes;
// more than 84 to append it refuses. Well below that.
inline constexpr std::size_t kMaxBranchesACall = 64;

// Where things are: `rw` is …/rw/ID, absolute; `xino` the absolute path of a file that mounting makes and
// unlinks (xino.hpp).
struct Stack {
    const std::string& rw;
    const std::string& xino;
    const std::vector<LayerId>& below; // base first
};

// Errors: none; the chain is at most kMaxLayers long.
//
//   mount(2)              br=upper=rw:<top layer>=ro+wh:…      what fits into one call
//   mount(2), MS_REMOUNT  append=<layer>=ro+wh,append=…        the layers below those, as often as it takes
//
// Names start from rw/ID: they are short, and no byte in the path of the data directory means anything.
[[nodiscard]] Mount describe_mount(const Stack& stack, Access access);

} // namespace mydocker::aufs
