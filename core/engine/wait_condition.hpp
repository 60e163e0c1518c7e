// What `wait --condition` waits for: docker's words (API, /containers/{id}/wait) and podman's.
#pragma once

#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace mydocker::engine {

enum class WaitCondition : std::uint32_t {
    not_running, // it does not run, or the run that was has ended
    next_exit,   // a run ends from now on
    removed,
    created, // and was never started
    running,
    paused,
    exited, // as not_running, but it has run
    removing,
    healthy,
    unhealthy,
};

// Errors: invalid, with the words there are.
[[nodiscard]] Result<WaitCondition> parse_wait_condition(std::string_view word);

// Whether it tells of the end of a run: then that run's exit code is known.
[[nodiscard]] bool is_of_exit(WaitCondition condition);

// `first`: the record when waiting began. Pure; `removed` has no record to be met by.
[[nodiscard]] bool is_met(WaitCondition condition, const ContainerRecord& first, const ContainerRecord& now);

// Waits until one of the conditions is met; the exit code of the run that ended, or -1 where none is asked
// for, as podman. `first`: what find_settled() said of the name when waiting began. Containers removed within
// the last hour are remembered. Errors: not_found: it is gone, and no condition can be met any more.
[[nodiscard]] Result<int> wait_for(Engine& engine, std::string_view name, const Result<Loaded>& first,
                                   std::span<const WaitCondition> conditions);

} // namespace mydocker::engine
