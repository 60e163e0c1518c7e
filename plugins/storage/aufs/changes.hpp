// What a writable layer of aufs changes: its writable branch against the layers below. Only what the branch
// holds is looked at; aufs's own names in it are no changes.
#pragma once

#include "mydocker/storage_driver.hpp"

#include <string>
#include <vector>

namespace mydocker::aufs {

struct ChangeSource {
    int root = -1;                     // data_dir, open
    int upper = -1;                    // rw/ID/upper, open
    const std::string& data_dir;       // absolute
    const std::string& upper_path;     // absolute
    const std::vector<LayerId>& below; // base first
};

// As StorageDriver::changes says. The root directory itself is not reported.
[[nodiscard]] Status walk_changes(const ChangeSource& source, const ChangeVisitor& visit);

} // namespace mydocker::aufs
