// Looking up a user in the container's own /etc/passwd and /etc/group: hostile files, read in bounded
// memory and time; numbers strictly. Not the host's users, and no name service.
#pragma once

#include "mydocker/result.hpp"
#include "runtime/init.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::runtime::init {

struct PasswdEntry {
    std::string name;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string home;
};

struct GroupEntry {
    std::string_view name;
    std::uint32_t gid = 0;
    std::string_view members; // separated by commas
};

// Nothing: the line is no entry (a comment, damage). Source: passwd(5), group(5).
[[nodiscard]] std::optional<PasswdEntry> parse_passwd_line(std::string_view line);
[[nodiscard]] std::optional<GroupEntry> parse_group_line(std::string_view line);

// Reads both files below `root`. Errors: not_found for a user or group that is not there; invalid for a
// file that is no regular one or is longer than 8 MiB.
[[nodiscard]] Result<Identity> look_up(int root, const PlannedUser& user);

} // namespace mydocker::runtime::init
