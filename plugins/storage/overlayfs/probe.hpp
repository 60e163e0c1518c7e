// Whether overlayfs works on this kernel and on the filesystem of the data directory.
#pragma once

#include "mydocker/result.hpp"

#include <string>

namespace mydocker::overlayfs {

// Whether the kernel takes lower directories one by one ("lowerdir+"). False where it cannot be asked.
[[nodiscard]] bool has_lowerdir_append();

// Whether the kernel knows overlayfs (loading its module, if there is one) and lets us mount it.
// Errors: unsupported, with the reason.
[[nodiscard]] Status probe_kernel();

// Whether the filesystem of `data_dir`, which need not exist, can hold upper directories: trusted
// extended attributes, file types in directory listings, whiteouts. What it tries in the directory is
// gone again at the end; what a kill leaves there ("probe/") the next call takes away.
// Errors: unsupported, with the reason; denied, no_space, …, when nothing can be made there.
[[nodiscard]] Status probe_filesystem(const std::string& data_dir);

} // namespace mydocker::overlayfs
