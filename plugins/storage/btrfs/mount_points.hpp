// What is mounted in a tree, as the kernel lists it. For removals that the kernel does not refuse on account
// of it.
#pragma once

#include "mydocker/result.hpp"

#include <optional>
#include <string>

namespace mydocker::btrfs {

// A place in the tree below the open directory, itself included, on which something is mounted in the mount
// namespace of the calling thread: "/mnt/here", or "" for the directory itself; nothing when there is none.
// Source: proc_pid_mountinfo(5), field 5.
[[nodiscard]] Result<std::optional<std::string>> find_mount_below(int directory);

} // namespace mydocker::btrfs
