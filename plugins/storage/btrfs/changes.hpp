// What a writable snapshot changes: the snapshot against the layer that it was made of.
#pragma once

#include "mydocker/storage_driver.hpp"

#include <ctime>
#include <string>

namespace mydocker::btrfs {

struct ChangeSource {
    int base = -1;                    // the layer's tree, open; -1: the snapshot began empty
    int snapshot = -1;                // the writable one, open
    const std::string& snapshot_path; // absolute
    timespec made{};                  // when the snapshot was complete
};

// As StorageDriver::changes says. The root directory itself is not reported. What was not touched since the
// snapshot is known by its inode, at the price of two stat(2) for each entry; only what was touched is
// compared.
[[nodiscard]] Status walk_changes(const ChangeSource& source, const ChangeVisitor& visit);

// What was touched since the snapshot takes up, whole files each; the rest is the layer's.
[[nodiscard]] Result<Usage> measure_changes(const ChangeSource& source);

} // namespace mydocker::btrfs
