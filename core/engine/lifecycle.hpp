// The use cases of a container's life. Each takes the baton where it acquires or releases, and meets the
// record of a killed process by recovering it first.
#pragma once

#include "engine/baton.hpp"
#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "engine/request.hpp"
#include "engine/session.hpp"
#include "mydocker/result.hpp"

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
};
using RunResult = std::expected<RunOutcome, RunError>;

// --- run.cpp
[[nodiscard]] Result<ContainerRecord> create(Engine& engine, const CreateRequest& request);
// Detached: returns once the command runs. Foreground: relays and returns with its end.
[[nodiscard]] RunResult run(Engine& engine, const CreateRequest& request, Attach attach);
[[nodiscard]] RunResult start(Engine& engine, const ContainerId& id, Attach attach);

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

// --- stop.cpp
[[nodiscard]] Status stop(Engine& engine, const ContainerId& id, const StopRequest& request);
[[nodiscard]] Status kill(Engine& engine, const ContainerId& id, int signal);
// Waits for the end; the exit code. Containers removed within the last hour are remembered.
[[nodiscard]] Result<int> wait(Engine& engine, std::string_view name_or_prefix);

// --- remove.cpp
enum class Force { no, yes };
[[nodiscard]] Status remove(Engine& engine, const ContainerId& id, Force force);

// --- query.cpp
// What is known of a container at this moment.
struct Summary {
    ContainerId id;
    Result<ContainerRecord> record; // an error: the record is damaged, in words
};
[[nodiscard]] Result<std::vector<Summary>> list(Engine& engine);
[[nodiscard]] Status logs(Engine& engine, const ContainerId& id, const LogsRequest& request,
                          const std::function<Status(const LogRecord&)>& visit);

} // namespace mydocker::engine
