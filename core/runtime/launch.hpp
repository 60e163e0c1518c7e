// The parent's side of a container's start: detached mounts, clone3 into new namespaces, the dance with
// mydocker-init. Used by mydocker-monitor: no JSON, no toml++, no iostream. The dance is drawn in
// protocol.hpp.
#pragma once

#include "base/process.hpp"
#include "base/trace.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"
#include "runtime/plan.hpp"
#include "runtime/protocol.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mydocker::runtime {

// A descriptor of an existing namespace to join instead of making one.
struct JoinedNamespace {
    NamespaceKind kind = NamespaceKind::network;
    int fd = -1;
};

// All descriptors are the caller's and stay open.
struct LaunchInput {
    std::string init_path;         // mydocker-init; executed so that it cannot be written to
    int cgroup_directory = -1;     // for CLONE_INTO_CGROUP, or:
    std::vector<int> cgroup_joins; // init writes "0" to each
    std::vector<JoinedNamespace> joined;
    // A pidfd: all of the plan's `join` are this process's, entered in one call; `joined` is empty then.
    int target = -1;
    int standard[3] = {-1, -1, -1}; // the process's 0, 1, 2; unused with a terminal
    // The plan is that of namespace_plan(): init makes them, and waits for hand_plan().
    bool plan_follows = false;
    trace::Recorder* trace = nullptr; // gets what parent and init do; outlives the launch
};

// What comes up from init.
struct InitMessage {
    enum class Kind { ready, started, failed } kind = Kind::failed;
    UniqueFd terminal;   // with `ready` and a terminal asked for: the pty's master
    InitFailure failure; // with `failed`
};

// One container's birth. Destroying it before `started` kills and reaps init.
class Launch {
  public:
    // Starts init, which then waits for make_mounts(). Errors: whatever could not be made, named.
    [[nodiscard]] static Result<Launch> begin(const LaunchPlan& plan, const LaunchInput& input);

    Launch(Launch&&) noexcept;
    Launch& operator=(Launch&&) noexcept;
    Launch(const Launch&) = delete;
    Launch& operator=(const Launch&) = delete;
    ~Launch();

    [[nodiscard]] pid_t pid() const;
    [[nodiscard]] int pidfd() const;
    [[nodiscard]] int channel() const; // readable when receive() would not wait

    // With plan_follows, once, before make_mounts(). `cgroup_joins`: as in LaunchInput.
    [[nodiscard]] Status hand_plan(const LaunchPlan& plan, std::span<const int> cgroup_joins);

    // Makes the mounts and hands them to init, which goes on to the point where only giving up privilege
    // and execve are left, and says `ready`. Once. Errors: the mount that could not be made, named.
    [[nodiscard]] Status make_mounts(const LaunchPlan& plan);

    // The next message: ready, then after go() started or failed; failed at any time. `wait`: called before
    // each read that may wait; its error is receive()'s.
    using Wait = std::function<Status()>;
    [[nodiscard]] Result<InitMessage> receive(const Wait& wait = {});

    // Lets init go on to the user's command.
    [[nodiscard]] Status go();

    // Once started: the listener for answer_self_kill(), if the plan has one and the kernel gave it.
    [[nodiscard]] UniqueFd take_watch();

    // Hands the process over to the caller, once started or given up.
    [[nodiscard]] process::Child release();

  private:
    Launch() = default;
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace mydocker::runtime
