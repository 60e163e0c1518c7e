// Mount → a detached mount held by a descriptor; places for mounts inside a root. Used on both sides of a
// start: the monitor makes mounts of what lies on the host, init makes those that show its namespaces and
// attaches all of them.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <linux/openat2.h>
#include <optional>
#include <string>

namespace mydocker::runtime {

// Makes a mount that is in no namespace until it is attached, and is gone with its descriptor.
// Nothing: this mount needs mount(2) (names relative to a directory, remounts, an option longer than
// fsconfig(2) takes, a kernel without the call); make_in_place does that.
// Errors: what the kernel says, in its own words where it has any.
// Source: fsopen(2), open_tree(2), mount_setattr(2); Documentation/filesystems/mount_api.rst.
[[nodiscard]] Result<std::optional<UniqueFd>> make_detached(const Mount& mount);

// Makes it with mount(2) somewhere in the caller's own mount namespace, which must be private and about
// to be left, and returns a detached copy. Changes the working directory. A remount that fails leaves the
// mount to the end of the namespace.
// Errors: as above; invalid when the options do not fit into the 4,095 bytes that mount(2) takes.
[[nodiscard]] Result<UniqueFd> make_in_place(const Mount& mount);

// What a place for a mount is made as when it is not there.
enum class TargetKind : std::uint32_t { directory, file };
// Whether symbolic links on the way are followed, inside the root.
enum class Links : std::uint32_t { follow, refuse };

// How openat2(2) is to look up a path below a root, out of which nothing leads.
[[nodiscard]] constexpr std::uint64_t resolve_in_root(Links links) {
    return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (links == Links::refuse ? RESOLVE_NO_SYMLINKS : 0);
}

// Opens (O_PATH) what `path` names below the directory `root`, which is what ".." and absolute links
// cannot leave; makes it, and directories above it, when absent. Errors: invalid when a link is in the
// way and may not be; denied; not_found below a link that leads nowhere.
[[nodiscard]] Result<UniqueFd> open_target(int root, const std::string& path, TargetKind kind, Links links);

// Attaches a detached mount over an open directory or file. `path`: for messages.
[[nodiscard]] Status attach(int mount, int target, const std::string& path);

// Makes a whole attached or detached mount read-only; mounts below it are left as they are.
[[nodiscard]] Status set_read_only(int mount);

} // namespace mydocker::runtime
