// The process step: mydocker-monitor is started with everything the container needs, and the container
// runs once its record says so.
#pragma once

#include "engine/steps.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <linux/filter.h>
#include <string>
#include <vector>

namespace mydocker::engine {

// Lets the monitor begin init, which makes its namespaces while the rest is made. Errors: conflict when a
// process whose namespaces are to be joined is gone, …
[[nodiscard]] Status begin_birth(Engine& engine, const ContainerRecord& record,
                                 const runtime::ContainerSpec& spec, const MonitorProcess& monitor);

// Acquires the process step. The order is what makes it safe: init has begun → the record names the
// process → go, which init waits for before it runs anything of the user's. Errors: why the command did
// not run, context.failure filled with it; the baton is back with the caller in any case.
[[nodiscard]] Status start_process(Context& context);

// The filter for what the container may do; none when it is unconfined.
[[nodiscard]] Result<std::vector<sock_filter>> seccomp_program(const runtime::ContainerSpec& spec);

// A command line of ours about one container, with the same configuration.
[[nodiscard]] std::vector<std::string> own_command(const Engine& engine, const char* verb,
                                                   const ContainerId& id);

// What a log sink is told of a container.
[[nodiscard]] StreamInfo stream_info(const Engine& engine, const ContainerRecord& record);

// SIGKILL, then waits until the process is gone.
[[nodiscard]] Status kill_and_wait(int pidfd);

} // namespace mydocker::engine
