// Where a copy comes from and where it goes: docker's rules for cp, on either side of the container's wall.
// Inside, every path is resolved by the kernel with the container's root as the root; nothing is looked up
// twice by a name that could have changed.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <string>
#include <sys/stat.h>

namespace mydocker::engine {

// One side: paths of the host, or of a container.
class Side {
  public:
    [[nodiscard]] static Side host() { return Side(UniqueFd()); }
    [[nodiscard]] static Side container(UniqueFd root) { return Side(std::move(root)); }

    // Opens what the path names; `flags` with O_PATH.
    [[nodiscard]] Result<UniqueFd> open(const std::string& path, int flags) const;

  private:
    explicit Side(UniqueFd root) : root_(std::move(root)) {}

    UniqueFd root_; // of the container; none: the host
};

struct CopySource {
    UniqueFd fd; // O_PATH
    struct stat status{};
    std::string name;      // the last part of the path as given
    bool contents = false; // "DIR/.": what is in it, not itself

    [[nodiscard]] bool is_directory() const { return S_ISDIR(status.st_mode); }
};

enum class LastLink { keep, follow };

// Errors: not_found; invalid for "FILE/" and "FILE/.".
[[nodiscard]] Result<CopySource> find_source(const Side& side, const std::string& path, LastLink link);

struct CopyTarget {
    UniqueFd directory; // what the copy goes into
    std::string name;   // and under which name; empty: the contents alone
};

//   target                        source is a file        source is DIR           source is DIR/.
//   a directory                   into it                 into it                 contents into it
//   something else                takes its place         refused                 refused
//   absent, its parent is there   takes that name         takes that name         takes that name
//   absent, written with a slash  refused                 takes that name         takes that name
// Source: docker-cp(1), "Description".
[[nodiscard]] Result<CopyTarget> find_target(const Side& side, const std::string& path,
                                             const CopySource& source);
// The directory that a stream is unpacked into. Errors: not_found; invalid when it is none.
[[nodiscard]] Result<UniqueFd> find_directory(const Side& side, const std::string& path);

} // namespace mydocker::engine
