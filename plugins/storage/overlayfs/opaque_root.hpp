// A layer whose root directory is opaque hides every layer below it. The kernel merges the roots of all
// layers whatever their attributes say, so the driver says the same in a way that the kernel heeds.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "storage/common/layer_store.hpp"

namespace mydocker::overlayfs {

// Set to "y" on a directory that hides what the layers below have under its name.
inline constexpr const char* kOpaque = "trusted.overlay.opaque";

[[nodiscard]] bool is_opaque_root(int tree);

// Puts a whiteout at each name that a layer below has in its root and this one has not, and makes opaque
// each directory of this one's root; then the root itself need not be. Again: succeeds.
[[nodiscard]] Status hide_below(int tree, LayerChain below, storage::LayerStore& store);

} // namespace mydocker::overlayfs
