// Device rules for cgroup v2, which has no files for them: a BPF program asked at every open and mknod
// of a device node. Source: cgroup-v2.rst, "Device controller"; bpf(2).
#pragma once

#include "mydocker/cgroup_backend.hpp"

#include <linux/bpf.h>
#include <vector>

namespace mydocker::cgroup_v2 {

// The program that gives 1 (allowed) or 0 for a bpf_cgroup_dev_ctx: for each access bit that is asked
// for, the last rule that matches the device decides; what no rule matches is denied. Pure.
[[nodiscard]] std::vector<bpf_insn> assemble_filter(const std::vector<DeviceRule>& rules);

// Whether this kernel can filter; `cgroup`: the directory of any.
[[nodiscard]] bool can_filter(int cgroup);

// Makes the program of the rules the cgroup's own filter, in place of those that are there; at no time
// is a device let through that both forbid. Those of the cgroups above stay in force.
// Errors: unsupported, on a kernel without CONFIG_CGROUP_BPF; denied.
[[nodiscard]] Status set_filter(int cgroup, const std::vector<DeviceRule>& rules);

} // namespace mydocker::cgroup_v2
