// Restart policies: what a user asks for, whether and when a container that has ended is started again, and
// who does it. No daemon: whoever brings the container to rest starts `mydocker __restart ID`, hands it the
// baton, and that process waits and starts it.
//
//   the end of a run (finish.cpp)                mydocker __restart ID                stop, kill, rm -f
//     |  record: exited, "restarting"                |                                     |
//     |  ---- starts, with BATON ------------------> |  waits until it is due              |
//     |                                              |  <------ <run directory>/stop ----- |  the mark: the
//     |                                              |  at rest, baton free                |  user wants no
//     more |                                              |  else: walks the run's steps, gives BATON to the
//     monitor
//   killed in between: the baton is free, the record says "restarting": the next ordinary command starts
//   another such process. The mark counts for a running container, too: what a user stopped stays stopped.
#pragma once

#include "engine/baton.hpp"
#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

// "no", "on-failure", "on-failure:3", "always", "unless-stopped"; empty: no. Errors: invalid, in docker's
// words.
[[nodiscard]] Result<RestartPolicy> parse_restart_policy(std::string_view text);

// Whether a container that has ended as its record says is to run again by its policy; if so, the record has
// the next count and delay. Pure. The delay begins with 100 ms, doubles up to a minute, and begins anew after
// a run of 10 s. Source: moby, restartmanager/restartmanager.go.
[[nodiscard]] bool plan_restart(ContainerRecord& record);

// The same where the restart itself failed: it counts, and the delay grows, however long the last run was.
[[nodiscard]] bool plan_next_try(ContainerRecord& record);

// Whether a start that failed for this may succeed later: want of memory, room or processes, a process that
// was killed over it, a joined container that does not run. Then a restart by the policy is tried again,
// which moby does not do (daemon/monitor.go); what is missing, damaged or refused ends the policy, as there.
// Pure.
[[nodiscard]] bool may_pass(const Error& error);

// Whether it is to run after a boot of the host: "always", and "unless-stopped" if no user has stopped it.
[[nodiscard]] bool starts_at_boot(const ContainerRecord& record);

// Leaves the mark that a user wants the container stopped, for its owner. Nothing when it has none.
[[nodiscard]] Status mark_stopped(const Engine& engine, const ContainerId& id);
[[nodiscard]] Result<bool> is_marked_stopped(const Engine& engine, const ContainerId& id);

// Leaves the mark that the end of this run is not that of a container made with --rm, for its owner.
[[nodiscard]] Status mark_kept(const Engine& engine, const ContainerId& id);
void unmark_kept(const Engine& engine, const ContainerId& id);
[[nodiscard]] Result<bool> is_marked_kept(const Engine& engine, const ContainerId& id);

// Starts the process that restarts the container when it is due, and gives it the baton.
[[nodiscard]] Status spawn_restarter(Engine& engine, const ContainerId& id, Baton baton);

// That process. The baton is its descriptor kBatonFd.
[[nodiscard]] Status restart_when_due(Engine& engine, const ContainerId& id);

// Starts what is to run after a boot. Returns the names of those started; what could not be is warned of.
[[nodiscard]] Result<std::vector<std::string>> start_after_boot(Engine& engine);

} // namespace mydocker::engine
