// Counters of the v1 controllers, and the event of a kill for want of memory.
#pragma once

#include "hierarchies.hpp"

namespace mydocker::cgroup_v1 {

// What the controllers that are there count. Errors: not_found.
[[nodiscard]] Result<CgroupStats> read_stats(const Hierarchies& hierarchies, const std::string& name);

// An eventfd that the memory controller signals. It fires just before the kill, and once more when the
// cgroup is removed. Errors: not_found; unsupported, without a memory controller.
// Source: cgroup-v1/memory.rst, section 10.
[[nodiscard]] Result<UniqueFd> open_oom_event(const Hierarchies& hierarchies, const std::string& name);

} // namespace mydocker::cgroup_v1
