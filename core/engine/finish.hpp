// Ways a container comes to rest or goes, for whoever holds its baton. Every one can be taken up again by
// the next process if this one is killed in the middle.
#pragma once

#include "engine/baton.hpp"
#include "engine/engine.hpp"
#include "engine/session.hpp"

#include <chrono>
#include <optional>

namespace mydocker::engine {

// Releases everything; the container is forgotten, its exit code remembered for an hour.
[[nodiscard]] Status discard(Engine& engine, Loaded& container, Baton baton);

// Undoes a start that did not get to the command: a container born by `run` goes, others are as before.
[[nodiscard]] Status abandon_start(Engine& engine, Loaded& container, Baton baton);

// A restart whose start failed: the policy counts it, and says whether there is another one.
[[nodiscard]] Status try_restart_again(Engine& engine, Loaded& container, Baton baton);

// A container that was to be restarted stays as it is.
[[nodiscard]] Status give_restart_up(Engine& engine, Loaded& container, Baton baton);

// Brings the container to rest from wherever its last owner was killed.
[[nodiscard]] Status finish_with_baton(Engine& engine, const ContainerId& id, Baton baton);

// How long the owner of a dead container may take to bring it to rest before we stop waiting for it.
inline constexpr std::chrono::seconds kSettleLimit{10};

// The main process is gone, so its owner is bringing the container to rest: waits for that, and does it if
// the owner was killed over it. An owner that is slow (its reader may be) is waited for no longer than
// `limit`.
[[nodiscard]] Status await_rest(Engine& engine, const ContainerId& id,
                                std::optional<std::chrono::milliseconds> limit);

// Whether the container was told to run its command: the monitor's mark. Before it, the process that the
// record names is mydocker-init, still on the host's side of some namespaces and perhaps of the cgroup.
[[nodiscard]] Result<bool> was_let_go(Engine& engine, const ContainerId& id);
// The same as an error: conflict. Until then its processes stand on the host's root filesystem.
[[nodiscard]] Status check_let_go(Engine& engine, const ContainerRecord& record);

// The monitor's note of how the container ended; nothing when it left none.
[[nodiscard]] Result<std::optional<ExitReport>> exit_note(Engine& engine, const ContainerId& id);

} // namespace mydocker::engine
