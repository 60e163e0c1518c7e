// Where the cgroup hierarchies of this host are: /proc/self/mountinfo, read once by each instance.
// Not for mounting anything.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cgroup {

enum class Version : std::uint32_t { v1 = 1, v2 = 2 };

// One line of mountinfo that is about a cgroup filesystem.
struct CgroupMount {
    Version version = Version::v1;
    std::string point;                    // where it is mounted
    std::string device;                   // "major:minor" of its superblock
    std::vector<std::string> controllers; // v1: those of the hierarchy; none in a named hierarchy
    bool read_only = false;
    std::vector<std::string> options{}; // v2: those of the whole tree. Source: cgroup-v2.rst, "Mounting"

    bool operator==(const CgroupMount&) const = default;
};

// The cgroup mounts, in the order of mounting; lines that are damaged or of other filesystems are
// passed over. Source: proc_pid_mountinfo(5).
[[nodiscard]] std::vector<CgroupMount> parse_mountinfo(std::string_view text);

// Reads and parses /proc/self/mountinfo.
[[nodiscard]] Result<std::vector<CgroupMount>> cgroup_mounts();

// Whether the error says that a hierarchy is not there or not ours to use; others say nothing of this host,
// and a second try may succeed.
[[nodiscard]] bool is_out_of_reach(const Error& error);

// What a probe answers that met the error: unsupported for what is out of reach.
[[nodiscard]] Error probe_error(Error error);

// Opens the directory of a mount. Errors: not_found, when another mount hides it.
[[nodiscard]] Result<UniqueFd> open_mount(const CgroupMount& mount);

} // namespace mydocker::cgroup
