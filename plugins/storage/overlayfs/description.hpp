// The mount that a writable layer over a chain is, in either of overlayfs's two notations. Pure: it
// touches neither the disk nor the kernel.
#pragma once

#include "mydocker/storage_driver.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::overlayfs {

// How lower directories are handed to the kernel.
//   append  one option "lowerdir+=<absolute path>" a layer, top-most first (newer kernels; no limit on
//           their joint length, as they go through fsconfig(2) one by one)
//   list    one option "lowerdir=A:B:C" of names relative to rw/ID, for mount(2)
enum class Syntax : std::uint8_t { append, list };

inline constexpr const char* kUpper = "upper";
inline constexpr const char* kWork = "work";
inline constexpr const char* kLinks = "l";

// The kernel stacks at most 500 lower directories (OVL_MAX_STACK); a read-only view needs one of them
// for the upper directory.
inline constexpr std::uint32_t kMaxLayers = 499;

// Where things are: `data_dir` and `rw` absolute, `rw` is …/rw/ID.
struct Stack {
    const std::string& data_dir;
    const std::string& rw;
    const std::vector<LayerId>& below; // base first
    Lifetime lifetime = Lifetime::kept;
};

// Whether every option of Syntax::append stays within what fsconfig(2) takes and means the same there and
// in the kernel's own parser, which reads backslashes in upperdir and workdir as escapes.
[[nodiscard]] bool fits_append(std::string_view data_dir);

// Whether Syntax::list needs the short links rw/ID/l/N → layer N, counted from the top.
[[nodiscard]] bool needs_links(LayerChain below);
[[nodiscard]] std::string link_name(std::size_t from_top);   // "l/12", below rw/ID
[[nodiscard]] std::string link_target(const LayerId& layer); // as seen from rw/ID/l

// Errors: none; the chain is at most kMaxLayers long.
[[nodiscard]] Mount describe_mount(const Stack& stack, Access access, Syntax syntax);

} // namespace mydocker::overlayfs
