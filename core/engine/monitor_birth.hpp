// What the monitor makes before it has its plan: the container's streams, and its init, which makes the
// namespaces while the command line makes the rest. Nobody depends on it yet: it all dies with the monitor.
// Used by the monitor: no JSON, no iostream.
#pragma once

#include "base/process.hpp"
#include "base/trace.hpp"
#include "engine/monitor_plan.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"
#include "runtime/launch.hpp"

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace mydocker::engine {

struct Newborn {
    BirthPlan plan;
    std::vector<UniqueFd> joined;           // one for each of plan.joined
    UniqueFd input;                         // the monitor's end of the standard input, if there is to be one
    std::array<UniqueFd, 2> outputs;        // its ends of the output and the errors; none with a terminal
    std::array<UniqueFd, 3> inner;          // the container's ends until it has started
    std::unique_ptr<trace::Recorder> trace; // absent: nobody wants to know
    std::optional<runtime::Launch> launch;  // absent: it waits for the plan
    process::ProcessId process;             // with it
};

// `joined`: what came with the plan. Errors: whatever could not be made, named.
[[nodiscard]] Result<Newborn> bear(BirthPlan plan, std::vector<UniqueFd> joined);

// The plan has come: begins init if that had to wait for it, and hands the plan to it.
// `cgroup`: MonitorPlan's cgroup_fds. Errors: as bear().
[[nodiscard]] Status hand_plan(Newborn& newborn, const runtime::LaunchPlan& plan, bool cgroup_by_directory,
                               std::span<const UniqueFd> cgroup);

} // namespace mydocker::engine
