// Ways a container comes to rest or goes, for whoever holds its baton. Every one can be taken up again by
// the next process if this one is killed in the middle.
#pragma once

#include "engine/baton.hpp"
#include "engine/engine.hpp"
#include "engine/session.hpp"

#include <optional>

namespace mydocker::engine {

// Releases everything; the container is forgotten, its exit code remembered for an hour.
[[nodiscard]] Status discard(Engine& engine, Loaded& container, Baton baton);

// Undoes a start that did not get to the command: a container born by `run` goes, others are as before.
[[nodiscard]] Status abandon_start(Engine& engine, Loaded& container, Baton baton);

// Brings the container to rest from wherever its last owner was killed.
[[nodiscard]] Status finish_with_baton(Engine& engine, const ContainerId& id, Baton baton);

// The monitor's note of how the container ended; nothing when it left none.
[[nodiscard]] Result<std::optional<ExitReport>> exit_note(Engine& engine, const ContainerId& id);

} // namespace mydocker::engine
