// Waiting for what the init of a further process says, which does not come while the container is paused.
#pragma once

#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"
#include "runtime/launch.hpp"

namespace mydocker::engine {

// Returns when receive() would not wait. Where the container was paused before, the process is given up: it
// ends without having executed the command, at the latest when it is thawed, and nobody waits for that.
// Errors: conflict: so it was.
[[nodiscard]] Status await_word(Engine& engine, const ContainerRecord& record, runtime::Launch& launch);

} // namespace mydocker::engine
