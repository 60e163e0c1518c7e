// Writes Resources to the control files of the v1 controllers.
#pragma once

#include "hierarchies.hpp"

namespace mydocker::cgroup_v1 {

// There is one only where the kernel counts swap. Source: cgroup-v1/memory.rst, "2.4 swap extension".
inline constexpr const char* kMemorySwapFile = "memory.memsw.limit_in_bytes";

// Gives a new cgroup, and its parents, the processors and memory nodes of the level above where it has
// none yet: without them no process can join it. What `resources` sets for the cgroup itself is left
// to set_limits. Source: cpuset(7), "cpuset.cpus".
[[nodiscard]] Status inherit_cpuset(const Hierarchies& hierarchies, const std::string& name,
                                    const Resources& resources);

// Checks what depends on the host and touches nothing: controllers, processors, memory nodes, whether
// v1 can express the device rules. Errors: invalid, unsupported.
[[nodiscard]] Status check_limits(const Hierarchies& hierarchies, const Resources& resources);

// Sets the fields that are present. Errors: those of set_limit; the text tells what was set before.
[[nodiscard]] Status set_limits(const Hierarchies& hierarchies, const std::string& name,
                                const Resources& resources);

} // namespace mydocker::cgroup_v1
