// What a container gets when nobody asked for anything else: constants only. Who may have more is decided
// in spec_builder. Sources: capabilities(7); OCI runtime-spec, config-linux.md.
#pragma once

#include "mydocker/cgroup_backend.hpp"
#include "runtime/spec.hpp"

#include <map>
#include <string>
#include <vector>

namespace mydocker::engine {

// Enough to install and run services as root of the container; no device nodes, raw sockets, audit.
[[nodiscard]] std::vector<std::string> default_capabilities();

// The default ones with `add` and without `drop`, by docker's rules: ALL among the added ones is `all`, less
// those dropped by name; ALL among the dropped ones leaves what is added by name.
[[nodiscard]] std::vector<std::string> granted_capabilities(const std::vector<std::string>& add,
                                                            const std::vector<std::string>& drop,
                                                            const std::vector<std::string>& all);

// What the kernel says about the host as a whole, or lets root change for everybody.
[[nodiscard]] std::vector<std::string> masked_paths();
[[nodiscard]] std::vector<std::string> readonly_paths();

// /proc, /dev and below, /sys and the place of the cgroup mount, which the cgroup backend fills.
[[nodiscard]] std::vector<runtime::SpecMount> default_mounts();

// Where programs expect to write even if the root filesystem is read-only.
[[nodiscard]] std::vector<runtime::SpecMount> scratch_mounts();

// Deny all, then the devices that every program expects.
[[nodiscard]] std::vector<DeviceRule> default_device_rules();

// Not required: where the engine may not raise a limit, the allowed one has to do.
[[nodiscard]] std::vector<runtime::RlimitSpec> default_rlimits();

// For a network namespace of its own: `ping` without CAP_NET_RAW.
[[nodiscard]] std::map<std::string, std::string> network_sysctls();

} // namespace mydocker::engine
