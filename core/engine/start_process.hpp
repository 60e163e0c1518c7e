// The process step: mydocker-monitor is started with everything the container needs, and the container
// runs once its record says so.
#pragma once

#include "engine/steps.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/result.hpp"

namespace mydocker::engine {

// Acquires the process step. The order is what makes it safe: init stands ready → the record names the
// process → go. Errors: why the command did not run, context.failure filled with it; the baton is back
// with the caller in any case.
[[nodiscard]] Status start_process(Context& context);

// What a log sink is told of a container.
[[nodiscard]] StreamInfo stream_info(const Engine& engine, const ContainerRecord& record);

// SIGKILL, then waits until the process is gone.
[[nodiscard]] Status kill_and_wait(int pidfd);

} // namespace mydocker::engine
