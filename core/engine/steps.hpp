// A container's life as one list of steps. Start walks it forward; failure, exit, rm and recovery walk it
// back. Each step names its effect first (plan: pure), then makes it (acquire), and can undo it from the
// record alone (release: idempotent; a half-made effect is released like a whole one).
//
//   step      life        effect                                       named by
//   storage   container   writable layer over the image's layers       RwId = container id
//   volumes   container   volumes made for it, filled from the image     their names
//   bundle    container   <root>/containers/<id>/                      container id
//   log       container   what the sink keeps of the container         log directory
//   cgroup    run         cgroup with its limits                       Locator
//   process   run         monitor, init, the container itself          pid, start time, boot id
#pragma once

#include "base/process.hpp"
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
    std::vector<MountRequest> mounts;
    std::vector<std::pair<std::string, std::string>> etc_files; // name in the bundle and in /etc, content
    bool new_spec = true;                                       // config.json is not written yet
};

// mydocker-monitor before it has its plan. It is started as soon as its log sink is known, loads it and
// begins init while the command line makes the rest. Destroyed before the plan was sent, it ends and is
// waited for; init holds nothing yet, and is killed by its end.
class MonitorProcess {
  public:
    [[nodiscard]] static Result<MonitorProcess> spawn(Engine& engine, const ContainerRecord& record);
    MonitorProcess(const MonitorProcess&) = delete;
    MonitorProcess& operator=(const MonitorProcess&) = delete;
    MonitorProcess(MonitorProcess&&) noexcept = default;
    MonitorProcess& operator=(MonitorProcess&&) = delete;
    ~MonitorProcess();

    [[nodiscard]] int session() const { return session_.get(); }
    // Once it has its plan, and with it the baton.
    [[nodiscard]] UniqueFd take_session();
    // Whatever it does. What it held is free, and what it began dies with it.
    void kill();

  private:
    MonitorProcess(process::Child child, UniqueFd session)
        : child_(std::move(child)),
          session_(std::move(session)) {}

    process::Child child_;
    UniqueFd session_;
};

// The start of a process, as far as it has come.
struct Running {
    std::optional<MonitorProcess> ahead; // from start_ahead() on
    UniqueFd session;                    // to the monitor that has its plan
};

struct Context {
    Engine& engine;
    Loaded& container;
    Birth* birth = nullptr; // walking forward
    Baton* baton = nullptr; // handed to the monitor by the process step
    Attach attach = Attach::detached;
    bool feeds = false;         // in the foreground: with standard input
    int interrupts = -1;        // readable: the start is to be given up (signalfd(2)); -1: nothing says so
    Running* running = nullptr; // filled by the process step
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

// Writes the bundle's config.json, if it is new, and rootfs.json: what the container was made of.
[[nodiscard]] Status write_specs(const Context& context);

// The spec that a container was made of. Errors: not_found, corrupt, naming the file.
[[nodiscard]] Result<runtime::ContainerSpec> read_spec(const Engine& engine, const ContainerId& id);

// Acquires the steps of one life, in order. On failure those of this call are released again, and what
// that met is attached to the error.
[[nodiscard]] Status acquire(Context& context, Life life);

// Releases the steps of one life, last first. Goes on after a failure; the first one is returned.
[[nodiscard]] Status release(Context& context, Life life);

} // namespace mydocker::engine
