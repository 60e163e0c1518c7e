// Subvolumes of btrfs, by the ioctls of <linux/btrfs.h>: made, copied as snapshots, and removed whole,
// together with those that a container has made inside. It does not know what they are for.
#pragma once

#include "mydocker/result.hpp"

#include <string>

namespace mydocker::btrfs {

// Whether the open directory is the root of a subvolume. False for the empty directory that a snapshot has in
// the place of a subvolume nested in its source.
[[nodiscard]] bool is_subvolume(int directory);

// Makes an empty subvolume, with the mode that the umask leaves. Errors: exists.
[[nodiscard]] Status create_subvolume(int directory, const std::string& name);

// Makes a writable snapshot of the subvolume whose root is `source`, open: the same tree with the same inode
// numbers, of which no block is copied. What is nested in it is left out. Returns once it is on disk.
// Errors: exists; invalid, when `source` is no subvolume.
[[nodiscard]] Status create_snapshot(int source, int directory, const std::string& name);

// Removes what is at `path` below `directory`: a file, a tree, a subvolume, or a directory with a subvolume
// in its "diff". A subvolume goes at once, however much is in it, and the kernel frees its blocks later; also
// one that a container has made read-only. Absent: succeeds. Again: another process may be at the same.
// Errors: busy, naming the place, when something is mounted in a subvolume; then that is whole.
[[nodiscard]] Status remove_tree(int directory, const std::string& path);

} // namespace mydocker::btrfs
