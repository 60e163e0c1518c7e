// Who could have written a plugin file: only root (or, when we are not root, we ourselves) may. Not
// for other files.
#pragma once

#include "mydocker/result.hpp"

#include <string>

namespace mydocker::plugin {

// Checks a directory and all above it up to the root, through every symbolic link on the way: owned by
// root, not writable by group or others. A sticky directory (as /tmp) is allowed on the way, but not as
// the last. `path`: absolute.
// Errors: denied, naming the component; not_found, io.
[[nodiscard]] Status check_directory_ownership(const std::string& path);

// Checks the file alone. Errors: denied (also for a symbolic link); not_found, io.
[[nodiscard]] Status check_file_ownership(const std::string& path);

} // namespace mydocker::plugin
