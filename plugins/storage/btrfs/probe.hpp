// Whether the data directory can hold subvolumes.
#pragma once

#include "mydocker/result.hpp"

#include <string>

namespace mydocker::btrfs {

// Whether `data_dir`, which need not exist, lies or will lie on btrfs. Only looks.
// Errors: unsupported, with the filesystem that it is on and what to do.
[[nodiscard]] Status probe_filesystem(const std::string& data_dir);

} // namespace mydocker::btrfs
