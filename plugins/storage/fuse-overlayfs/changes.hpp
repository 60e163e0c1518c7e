// What a writable layer changes: its upper directory against the layers below, by the marks that
// fuse-overlayfs makes and reads. Only what the upper directory holds is looked at.
//
//   a name is gone         character device 0:0 of that name, or a file ".wh.NAME" beside it
//   a directory is opaque  ".wh..wh..opq" in it, or one of three extended attributes set to "y"
//   a name is private      it begins with ".wh.": nobody can make or see such a one through the mount
#pragma once

#include "mydocker/storage_driver.hpp"

#include <string>
#include <vector>

namespace mydocker::fuse_overlayfs {

struct ChangeSource {
    int root = -1;                     // data_dir, open
    int upper = -1;                    // rw/ID/upper, open
    const std::string& data_dir;       // absolute
    const std::string& upper_path;     // absolute
    const std::vector<LayerId>& below; // base first
};

// As StorageDriver::changes says. The root directory itself is not reported.
[[nodiscard]] Status walk_changes(const ChangeSource& source, const ChangeVisitor& visit);

} // namespace mydocker::fuse_overlayfs
