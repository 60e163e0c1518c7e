// A container's life as one list of steps. Start walks it forward; failure, exit, rm and recovery walk it
// back. Each step names its effect first (plan: pure), then makes it (acquire), and can undo it from the
// record alone (release: idempotent; a half-made effect is released like a whole one).
//
//   step      life        effect                                       named by
//   storage   container   writable layer over the image's layers       RwId = container id
//   bundle    container   <root>/containers/<id>/                      container id
//   log       container   what the sink keeps of the container         log directory
//   cgroup    run         cgroup with its limits                       Locator
//   process   run         monitor, init, the container itself          pid, start time, boot id
#pragma once

#include "engine/baton.hpp"
#include "engine/engine.hpp"
#include "engine/monitor_plan.hpp"
#include "engine/record.hpp"
#include "engine/request.hpp"
#include "engine/session.hpp"
#include "mydocker/cgroup_backend.hpp"
#include "runtime/spec.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::engine {

// How long a step's effect lasts.
enum class Life { container, run };

// What a walk forward has at hand; a walk back needs the record alone.
struct Birth {
    runtime::ContainerSpec spec;
    std::vector<LayerId> chain;
    Lifetime lifetime = Lifetime::kept;
    std::vector<std::pair<std::string, std::string>> etc_files; // name below the bundle's etc/, content
};

// The start of a process, as far as it has come.
struct Running {
    UniqueFd session; // to the monitor
};

struct Context {
    Engine& engine;
    Loaded& container;
    Birth* birth = nullptr; // walking forward
    Baton* baton = nullptr; // handed to the monitor by the process step
    Attach attach = Attach::detached;
    Running* running = nullptr;      // filled by the process step
    FailedReport* failure = nullptr; // filled by the process step when the container did not start
};

struct Step {
    std::string_view name;
    Life life = Life::container;
    Status (*plan)(Context&) = nullptr; // pure: writes record.intents[name]
    Status (*acquire)(Context&) = nullptr;
    Status (*release)(Context&) = nullptr; // reads record only
};

[[nodiscard]] std::span<const Step> steps();

// Plans every step of the lives given; pure.
[[nodiscard]] Status plan_steps(Context& context);

// Acquires the steps of one life, in order. On failure those of this call are released again, and what
// that met is attached to the error.
[[nodiscard]] Status acquire(Context& context, Life life);

// Releases the steps of one life, last first. Goes on after a failure; the first one is returned.
[[nodiscard]] Status release(Context& context, Life life);

} // namespace mydocker::engine
