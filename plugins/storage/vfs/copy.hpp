// Copies a directory tree with all that a layer can hold: sparse and cloned file contents, names that
// share an inode, owners, modes, times, extended attributes, links, devices, pipes, sockets.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <string>

namespace mydocker::vfs {

// One side of a copy: an open directory and its path for messages.
struct Place {
    int directory = -1;
    const std::string& path;
};

// Fills the empty directory `to` with what is in `from`, and gives it the same attributes. Neither may
// change meanwhile. Errors: cancelled; on any error `to` holds a part.
[[nodiscard]] Status copy_tree(const Place& from, const Place& to, const Host& host);

} // namespace mydocker::vfs
