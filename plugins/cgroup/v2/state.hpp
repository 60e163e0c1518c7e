// What runs in a cgroup of v2: counters, freezing, killing, and the events that tell of them.
#pragma once

#include "hierarchy.hpp"

namespace mydocker::cgroup_v2 {

// What the controllers that are enabled count. Errors: not_found.
[[nodiscard]] Result<CgroupStats> read_stats(const Place& place);

// An inotify descriptor on memory.events. Errors: not_found; unsupported, without a memory controller;
// no_space, when this user has fs.inotify.max_user_instances of them.
// Source: cgroup-v2.rst, "memory.events".
[[nodiscard]] Result<UniqueFd> open_oom_event(const Place& place);

// Waits until a key of cgroup.events has the value. A cgroup that is gone counts as neither populated
// nor frozen. Errors: timeout.
[[nodiscard]] Status wait_event(const Place& place, std::string_view key, std::uint64_t value,
                                cgroup::Deadline deadline);

// Returns when every process is frozen. Errors: timeout (the cgroup is thawed again), not_found.
[[nodiscard]] Status freeze(const Place& place, cgroup::Deadline deadline);
[[nodiscard]] Status thaw(const Place& place);

// Signals every process; SIGKILL: returns when none is left. Errors: timeout. Absent: succeeds.
[[nodiscard]] Status kill_all(const Place& place, int signal);

} // namespace mydocker::cgroup_v2
