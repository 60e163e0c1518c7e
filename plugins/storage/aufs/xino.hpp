// Where aufs keeps its tables of inode numbers. Left to itself, it puts them into the first writable branch,
// which many filesystems do not allow, and where they would be a part of the container's disk usage.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"

#include <string>

namespace mydocker::aufs {

inline constexpr const char* kSharedMemory = "/dev/shm";

// Errors: invalid, when the option is no absolute path or has a comma, which separates mount options.
[[nodiscard]] Status check_xino_dir(const std::string& wanted);

// `wanted`, if not empty; else the run directory, if that is there, on a tmpfs and can be written in an
// option; else kSharedMemory.
[[nodiscard]] std::string xino_directory(const std::string& wanted, const std::string& run_dir);

// A name that no other mount makes at the same moment: the kernel makes the file, which must not be there,
// and unlinks it at once.
[[nodiscard]] std::string xino_path(const std::string& directory, const RwId& id, Access access);

} // namespace mydocker::aufs
