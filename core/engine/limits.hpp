// Limits of a container as they change: what `update` makes of the old ones and those asked for. Pure.
#pragma once

#include "mydocker/cgroup_backend.hpp"
#include "mydocker/result.hpp"

#include <optional>
#include <string>

namespace mydocker::engine {

enum class SwapLimit : bool { impossible, possible }; // on this host

// What has to be set to get from the old limits to those asked for: these, and the limit of swap that goes
// with the one of memory. Errors: invalid: they contradict the old ones.
[[nodiscard]] Result<Resources> settle_limits(const Resources& old, Resources asked, SwapLimit swap);

// The old limits with those that are set in their place.
[[nodiscard]] Resources merge_limits(Resources old, const Resources& set);

// What undoes `set`: the old value of each field in it, or the kernel's default where there was none. A
// cpuset that was not limited has no such value, and stays.
[[nodiscard]] Resources undo_limits(const Resources& old, const Resources& set);

// What of the limits asked for is allowed but hardly meant, in words; absent: nothing.
[[nodiscard]] std::optional<std::string> doubtful_limit(const Resources& asked);

// In words, those that are set: "memory 67108864, pids 2048".
[[nodiscard]] std::string limits_text(const Resources& limits);

} // namespace mydocker::engine
