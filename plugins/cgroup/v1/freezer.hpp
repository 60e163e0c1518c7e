// Freezing, thawing and killing with the v1 freezer.
#pragma once

#include "hierarchies.hpp"

namespace mydocker::cgroup_v1 {

// Returns when every process is frozen. Errors: timeout (the cgroup is thawed again), not_found.
[[nodiscard]] Status freeze(const Place& place, cgroup::Deadline deadline);
[[nodiscard]] Status thaw(const Place& place);

// Signals every process; SIGKILL: returns when none is left, and leaves the cgroup thawed.
// Errors: timeout. Absent: succeeds.
[[nodiscard]] Status kill_all(const Hierarchies& hierarchies, const std::string& name, int signal);

} // namespace mydocker::cgroup_v1
