// What an unpacked layer needs before it is a branch. Whiteouts and opaque directories have the form already
// that OCI archives have them in, which is aufs's; what differs is put right here.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "storage/common/layer_store.hpp"

#include <string>

namespace mydocker::aufs {

// A layer whose root is opaque hides every layer below it, but aufs merges the roots of all branches. Puts
// whiteouts and opaque directories into the root that say the same, and takes the marker away. `path` is
// of `tree`, for messages. Again: succeeds.
// Errors: unsupported, naming it, when the tree has a name in it that aufs does not show.
[[nodiscard]] Status make_branch(int tree, const std::string& path, LayerChain below,
                                 storage::LayerStore& store);

} // namespace mydocker::aufs
