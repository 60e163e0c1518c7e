// Writes Resources to the control files of cgroup v2.
#pragma once

#include "hierarchy.hpp"

namespace mydocker::cgroup_v2 {

// Checks what depends on the host and touches nothing: controllers, processors, memory nodes.
// Errors: invalid, unsupported.
[[nodiscard]] Status check_limits(const Hierarchy& hierarchy, const Resources& resources);

// Sets the fields that are present; their controllers are enabled. The memory+swap limit less the
// memory limit, given or in force, becomes the swap limit, which a later change of the memory limit
// alone leaves as it is. A memory limit below what is in use makes the kernel reclaim and then kill, where
// v1 refuses it. Errors: those of set_limit; the text tells what was set before.
[[nodiscard]] Status set_limits(const Hierarchy& hierarchy, const std::string& name,
                                const Resources& resources);

// What cpu.max is to read, "quota period", from what it reads now.
[[nodiscard]] std::string cpu_max(std::string_view now, const Resources& resources);

// The line for io.max that sets one key ("rbps") of a device; a rate of 0 lifts the limit.
[[nodiscard]] std::string io_max(const DeviceRate& rate, std::string_view key);

} // namespace mydocker::cgroup_v2
