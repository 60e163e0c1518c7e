// The use cases of a container's life. Each takes the baton where it acquires or releases, and meets the
// record of a killed process by recovering it first.
#pragma once

#include "engine/baton.hpp"
#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "engine/request.hpp"
#include "engine/session.hpp"
#include "mydocker/result.hpp"

#include <chrono>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mydocker::engine {

// Why `run` or `start` did not get to the end of the command, and the exit code for it: 125 the engine,
// 126 the command cannot be invoked, 127 it is not found.
struct RunError {
    Error error;
    int exit_code = 125;
};

// How a container in the foreground ended.
struct RunOutcome {
    ContainerRecord record;
    bool waited = false; // foreground: exit_code, oom_killed and reason are final
    Parting parting = Parting::none;
    int signal = 0;                      // with Parting::signal
    std::uint64_t missed = 0;            // bytes of output that were not shown, because our reader was slow
    std::optional<Error> unwritten = {}; // why output is missing: a full disk behind standard output, say
};
using RunResult = std::expected<RunOutcome, RunError>;

// --- run.cpp
[[nodiscard]] Result<ContainerRecord> create(Engine& engine, const CreateRequest& request);
// Detached: returns once the command runs. Foreground: relays and returns with its end.
[[nodiscard]] RunResult run(Engine& engine, const CreateRequest& request, Attach attach,
                            const Attachment& how = {});
[[nodiscard]] RunResult start(Engine& engine, const ContainerId& id, Attach attach,
                              const Attachment& how = {});

// A start by the restart policy, in the background, by whoever holds the baton. On failure the container is
// at rest, and its record says why.
[[nodiscard]] RunResult start_again(Engine& engine, Loaded container, Baton baton);

// --- attach.cpp
// Joins the output, input and terminal of a running container until it ends or the two part.
[[nodiscard]] RunResult attach(Engine& engine, std::string_view name_or_prefix, const Attachment& how);

// --- exec.cpp
// How a further process of a container ended, or, detached, began.
struct ExecOutcome {
    std::string container;        // its name
    int exit_code = 0;            // 128 + n by signal n
    bool container_ended = false; // and the process with it
    Parting parting = Parting::none;
};
using ExecResult = std::expected<ExecOutcome, RunError>;
// Runs a further process in a running container: same namespaces, cgroup and confinement as its first.
// Detached: returns once the command runs. Foreground: relays and returns with its end.
[[nodiscard]] ExecResult exec(Engine& engine, std::string_view name_or_prefix, const ExecRequest& request,
                              Attach attach, const Attachment& how = {});

// What a command in the background wrote, standard output and error as they came, and how it ended.
struct CaptureLimits {
    std::chrono::nanoseconds timeout{}; // then it is killed
    std::size_t most = 4096;            // bytes kept of its output
};
struct Captured {
    int exit_code = 0;
    bool timed_out = false;
    std::string output;
};
[[nodiscard]] std::expected<Captured, RunError> exec_captured(Engine& engine, std::string_view name_or_prefix,
                                                              const ExecRequest& request,
                                                              const CaptureLimits& limits);

// --- finish.cpp
// The end of a run, by whoever holds the baton: the record says exited, the run's steps are released,
// everything with --rm. `report`: absent when the container's end was not seen.
[[nodiscard]] Status finish(Engine& engine, Loaded& container, const std::optional<ExitReport>& report,
                            Baton baton);
// The same for the process that a monitor became; the baton is its descriptor kBatonFd.
[[nodiscard]] Status finish_after_monitor(Engine& engine, const ContainerId& id);

// --- recover.cpp
// Brings one container to rest if the process that held its baton is gone. Returns whether there was
// something to do.
[[nodiscard]] Result<bool> recover(Engine& engine, const ContainerId& id);
// Brings all that is left in the run directory to rest: cheap when nothing is.
[[nodiscard]] Result<std::size_t> recover_all(Engine& engine);
// The record as it is now, recovered first if need be. Errors: not_found, conflict.
[[nodiscard]] Result<Loaded> find_settled(Engine& engine, std::string_view name_or_prefix);
// Conflict, and why, for a container at rest whose baton another process has.
[[nodiscard]] std::unexpected<Error> in_other_hands(const ContainerRecord& record);

// --- stop.cpp
[[nodiscard]] Status stop(Engine& engine, const ContainerId& id, const StopRequest& request);
// The same where it is to be started again at once: with --rm it stays. Crash: then it is there, at rest.
[[nodiscard]] Status stop_to_restart(Engine& engine, const ContainerRecord& record,
                                     const StopRequest& request);
[[nodiscard]] Status kill(Engine& engine, const ContainerId& id, int signal);
// Waits for the end of the run; the exit code. One that waits to be restarted is waited for through its next
// run. Containers removed within the last hour are remembered.
[[nodiscard]] Result<int> wait(Engine& engine, std::string_view name_or_prefix);

// --- pause.cpp
// Stops every process of a running container where it is, and lets them go on again. A container that is
// paused can be stopped, killed and removed. Errors: conflict: it does not run, is paused already, is not.
// Crash: the next command that meets it makes its processes what its record says.
[[nodiscard]] Status pause(Engine& engine, const ContainerId& id);
[[nodiscard]] Status unpause(Engine& engine, const ContainerId& id);

// --- update.cpp
struct UpdateRequest {
    std::optional<Resources> limits;
    std::optional<RestartPolicy> restart; // counts from the next end on
};
// Other limits, of the fields that are present: set, read back, kept for the next start. On failure the
// limits are as before, or the error says what is not. Crash: they may hold for this run alone.
// Errors: invalid; conflict: it is just being started or removed, or is to have a policy and --rm; as
// CgroupBackend::update.
[[nodiscard]] Status update(Engine& engine, const ContainerId& id, const UpdateRequest& asked);

// --- rename.cpp
// Errors: conflict: another container has the name, or this one is just being started or removed; invalid.
[[nodiscard]] Status rename(Engine& engine, const ContainerId& id, std::string_view name);

// --- remove.cpp
enum class Force { no, yes };
// What becomes of the container's anonymous volumes.
enum class Volumes { keep, remove };
[[nodiscard]] Status remove(Engine& engine, const ContainerId& id, Force force,
                            Volumes volumes = Volumes::keep);
// Takes a record away that cannot be read, and nothing else: what belongs to it is not known. Succeeds where
// it is sound by now. Errors: busy, when an owner lives.
[[nodiscard]] Status remove_damaged(Engine& engine, std::string_view name_or_prefix);

// --- query.cpp
// What is known of a container at this moment.
struct Summary {
    ContainerId id;
    Result<ContainerRecord> record; // an error: the record is damaged, in words
};
[[nodiscard]] Result<std::vector<Summary>> list(Engine& engine);

} // namespace mydocker::engine
