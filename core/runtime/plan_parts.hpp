// The parts that make_plan is put together from. Not for others. Pure.
#pragma once

#include "mydocker/result.hpp"
#include "runtime/plan.hpp"
#include "runtime/spec.hpp"

#include <span>
#include <string>
#include <string_view>

namespace mydocker::runtime {

// What a mount from the outside may depend on.
struct MountContext {
    bool user_namespace = false;
    std::span<const IdMapping> gid_mappings;
};

// One mount of config.json. Errors: invalid or unsupported, naming destination and option.
[[nodiscard]] Result<PlannedMount> plan_mount(const SpecMount& spec, const MountContext& context);

// A mount that a driver describes, as it is; `target` is checked.
[[nodiscard]] Result<PlannedMount> plan_driver_mount(const Mount& mount, MountMaker maker);

// Sets late_read_only where others are attached below.
void defer_read_only(std::vector<PlannedMount>& mounts);

// Puts an absolute path in its shortest form, by its words alone: no "//", "." or "..".
[[nodiscard]] std::string lexical_path(std::string_view path);

// Errors: invalid: relative, empty, too long, or with a NUL byte.
[[nodiscard]] Status check_path(std::string_view path, std::string_view what);
[[nodiscard]] Status check_no_nul(std::string_view text, std::string_view what);

[[nodiscard]] Result<PlannedUser> plan_user(const UserSpec& spec);
// By number. Source: capabilities(7).
[[nodiscard]] std::span<const std::string_view> capability_names();
[[nodiscard]] Result<PlannedCapabilities> plan_capabilities(const CapabilitiesSpec& spec);
[[nodiscard]] Result<std::vector<PlannedRlimit>> plan_rlimits(std::span<const RlimitSpec> specs);
// `own`: CLONE_NEW… of the namespaces made anew.
[[nodiscard]] Result<std::vector<PlannedSysctl>>
plan_sysctls(const std::map<std::string, std::string>& sysctls, std::uint64_t own);

} // namespace mydocker::runtime
