// Walks a directory tree that a container may be changing at the same time: nothing is followed, nothing is
// opened but directories, and the walk never leaves the tree it began in. Not for reading what it meets.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <functional>
#include <string>
#include <sys/stat.h>

namespace mydocker::image {

// One thing met; the references live as long as the visit.
struct Met {
    int fd = -1;               // open with O_PATH
    const std::string& path;   // below the start, "etc/passwd"; never empty
    const struct stat& status; // of the thing itself
};
using MetVisitor = std::function<Status(const Met&)>;

// Visits all that is below the open directory `start`, itself left out: parents before children, siblings in
// byte order. What vanishes on the way is left out; what is mounted in the tree belongs to it.
// Errors: the visitor's own; conflict when a directory was moved while it was read; invalid for a path of
// more than 4095 bytes.
[[nodiscard]] Status walk_tree(int start, const MetVisitor& visit);

} // namespace mydocker::image
