// Whether aufs works on this kernel and on the filesystem of the data directory.
#pragma once

#include "mydocker/result.hpp"

#include <string>

namespace mydocker::aufs {

// Whether the kernel knows aufs (loading its module, if there is one) and lets us mount it.
// Errors: unsupported, with the reason.
[[nodiscard]] Status probe_kernel();

// Whether a filesystem of this kind can hold a writable branch. `type`: as statfs(2) says.
[[nodiscard]] const char* refused_filesystem(long type);

// Whether the filesystem of `data_dir`, which need not exist, is none that aufs refuses. Changes nothing.
// Errors: unsupported, naming it.
[[nodiscard]] Status probe_filesystem(const std::string& data_dir);

} // namespace mydocker::aufs
