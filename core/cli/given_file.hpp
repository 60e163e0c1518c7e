// Small files that the user names: env-files, label files, seccomp profiles.
#pragma once

#include "mydocker/result.hpp"

#include <cstddef>
#include <string>

namespace mydocker::cli {

// All of it, of 1 MiB at most. Errors: invalid, for a pipe with a name, too, which may never have a writer;
// but as the shell gives it (/dev/stdin, /dev/fd/63) it is read to its end.
[[nodiscard]] Result<std::string> read_given_file(const std::string& path);

} // namespace mydocker::cli
