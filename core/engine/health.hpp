// One check of a container's health: `mydocker __health ID`, started by the container's monitor.
#pragma once

#include "engine/engine.hpp"
#include "engine/health_record.hpp"
#include "mydocker/result.hpp"

#include <optional>

namespace mydocker::engine {

// Runs the check in the container and adds the result to its record, if that still is of the same run. A
// paused container is not checked. Returns how the container is then; nothing: it does not run.
[[nodiscard]] Result<std::optional<Health>> check_health(Engine& engine, const ContainerId& id);

} // namespace mydocker::engine
