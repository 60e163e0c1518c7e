// `system reset`: everything of this engine goes: containers, images, volumes, state. Only what lies below a
// root that carries our marker is touched, and nothing of another filesystem mounted there.
#pragma once

#include "engine/engine.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <vector>

namespace mydocker::engine {

// What a reset would take away, a line each: for whoever is to agree. Errors: denied for a root without our
// marker, that is a link, or that belongs to somebody else; busy when something is mounted below it.
[[nodiscard]] Result<std::vector<std::string>> reset_plan(Engine& engine);

// Kills and removes every container, then deletes what the roots hold, their markers excepted: whatever
// driver made it, whether that is still there or not. Commands that come meanwhile wait for it. Errors: as
// above, before anything is touched; conflict when a container cannot be brought to its end, or another
// command does not come to its own. Crash, Again: goes on where it was.
[[nodiscard]] Status reset(Engine& engine);

} // namespace mydocker::engine
