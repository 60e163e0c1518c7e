// What a writable copy changes: the copy against the layer that it was made from.
#pragma once

#include "mydocker/storage_driver.hpp"

#include <ctime>
#include <string>

namespace mydocker::vfs {

struct ChangeSource {
    int base = -1;                // the layer's tree, open; -1: the copy began empty
    const std::string& base_path; // absolute, for messages
    int copy = -1;                // the writable copy, open
    const std::string& copy_path; // absolute
    timespec made{};              // when the copy was complete
};

// As StorageDriver::changes says. The root directory itself is not reported. A file is read only when its
// metadata is the copied one and yet its inode was changed after `made`.
[[nodiscard]] Status walk_changes(const ChangeSource& source, const ChangeVisitor& visit);

} // namespace mydocker::vfs
