// stop, kill, wait: signals to exactly the process meant, and waiting for events.
#include "base/process.hpp"
#include "base/signals.hpp"
#include "base/sys.hpp"
#include "engine/exits.hpp"
#include "engine/finish.hpp"
#include "engine/lifecycle.hpp"
#include "engine/restart.hpp"
#include "engine/start_process.hpp"

#include <array>
#include <chrono>
#include <csignal>

namespace mydocker::engine {
namespace {

using namespace std::chrono_literals;

// Whether the process ended within the time; absent: waits for ever.
Result<bool> wait_end(int pidfd, std::optional<std::chrono::milliseconds> limit) {
    const std::int64_t deadline = limit ? sys::monotonic_ns() + std::chrono::nanoseconds(*limit).count() : 0;
    std::array<pollfd, 1> fds{pollfd{pidfd, POLLIN, 0}};
    for (;;) {
        const std::int64_t left_ns = limit ? deadline - sys::monotonic_ns() : -1;
        if (limit && left_ns <= 0) return false;
        const int timeout =
            limit ? static_cast<int>(std::min<std::int64_t>(left_ns / 1'000'000 + 1, 1'000'000)) : -1;
        auto ready = sys::poll(fds, timeout);
        if (!ready) return fail(ready);
        if (*ready > 0) return true;
    }
}

// A paused container goes on; one that somebody else unpaused, or that is gone, does anyway.
Status resume(Engine& engine, const ContainerRecord& record) {
    if (record.state != State::paused) return {};
    auto done = unpause(engine, record.id);
    if (!done && (done.error().code == Code::conflict || done.error().code == Code::not_found)) return {};
    return done;
}

Status kill_everything(Engine& engine, const ContainerRecord& record, int pidfd) {
    if (auto cgroup = engine.cgroup_of(record))
        (void)cgroup->backend->kill(cgroup->locator, SIGKILL); // What it misses dies with the first.
    // Its pid namespace dies with it; and while it is being born it may not be in its cgroup yet.
    return kill_and_wait(pidfd);
}

} // namespace

namespace {

// An image may name a signal that there is not: as docker, the usual one then.
int own_stop_signal(const ContainerRecord& record) {
    return signals::parse(record.stop_signal).value_or(SIGTERM);
}

Status stop_process(Engine& engine, const ContainerRecord& record, const StopRequest& request) {
    const ContainerId& id = record.id;
    auto pidfd = process::open_pidfd(record.process);
    if (!pidfd && pidfd.error().code != Code::not_found) return fail(pidfd);
    if (!pidfd) return await_rest(engine, id, kSettleLimit);
    auto signal = request.signal.empty() ? own_stop_signal(record) : signals::parse(request.signal);
    if (!signal) return fail(signal);
    auto gone = was_let_go(engine, id);
    if (!gone) return fail(gone);
    if (!*gone) { // Nothing of the user's runs yet that could hear a signal.
        if (auto killed = kill_everything(engine, record, pidfd->get()); !killed) return killed;
        return await_rest(engine, id, kSettleLimit);
    }
    const auto timeout = request.timeout.value_or(std::chrono::seconds(record.stop_timeout_s));
    if (auto sent = sys::pidfd_send_signal(pidfd->get(), *signal); !sent && sent.error().sys_errno != ESRCH)
        return fail(sent, "send " + signals::name_of(*signal));
    engine.note(record, "kill", {{"signal", std::to_string(*signal)}});
    // The signal is the first thing that it meets.
    if (auto resumed = resume(engine, record); !resumed) return resumed;
    auto ended = timeout.count() < 0 ? wait_end(pidfd->get(), {}) : wait_end(pidfd->get(), timeout);
    if (!ended) return fail(ended);
    if (!*ended)
        if (auto killed = kill_everything(engine, record, pidfd->get()); !killed) return killed;
    if (auto settled = await_rest(engine, id, kSettleLimit); !settled) return settled;
    engine.note(record, "stop");
    return {};
}

// One round: by the mark the container is not started again, but it may have been just before.
Status stop_once(Engine& engine, const ContainerRecord& record, const StopRequest& request) {
    if (record.restart.policy.kind == RestartPolicy::Kind::no) return stop_process(engine, record, request);
    if (auto marked = mark_stopped(engine, record.id); !marked) return marked;
    if (record.is_restarting()) return await_rest(engine, record.id, 500ms);
    return stop_process(engine, record, request);
}

// Signals by which a user means the container to stay ended. Source: moby, daemon/kill.go.
bool ends_for_good(const ContainerRecord& record, int signal) {
    return signal == SIGKILL || own_stop_signal(record) == signal;
}

} // namespace

Status stop(Engine& engine, const ContainerId& id, const StopRequest& request) {
    constexpr int kRounds = 20;
    for (int round = 0; round < kRounds; ++round) {
        auto container = engine.load(id);
        if (!container && container.error().code == Code::not_found && round > 0) return {};
        if (!container) return fail(container);
        const ContainerRecord& record = container->record;
        // Stopping what is stopped is no error.
        if (!record.is_live() && !record.is_restarting()) return {};
        auto stopped = stop_once(engine, record, request);
        if (!stopped || record.restart.policy.kind == RestartPolicy::Kind::no) return stopped;
        // Its process is over, and by the mark its owner, who has been waited for, will not run it again.
        auto now = engine.load(id);
        if (now && record.is_live() && now->record.is_live() && now->record.process == record.process)
            return {};
    }
    return fail(Code::timeout, "container '" + paths::short_id(id) + "' is still in another process's hands");
}

Status stop_to_restart(Engine& engine, const ContainerRecord& record, const StopRequest& request) {
    if (record.remove_after)
        if (auto marked = mark_kept(engine, record.id); !marked) return marked;
    auto stopped = stop(engine, record.id, request);
    if (!stopped && record.remove_after) unmark_kept(engine, record.id);
    return stopped;
}

Status kill(Engine& engine, const ContainerId& id, int signal) {
    auto container = engine.load(id);
    if (!container) return fail(container);
    const ContainerRecord& record = container->record;
    if (record.is_restarting() && ends_for_good(record, signal)) return stop(engine, id, {});
    if (record.is_restarting())
        return fail(Code::conflict, "container '" + record.name.str() + "' is waiting to be restarted");
    auto pidfd = record.is_live() ? process::open_pidfd(record.process) : Result<UniqueFd>(UniqueFd());
    if (!pidfd && pidfd.error().code != Code::not_found) return fail(pidfd);
    // Its process is over and its owner has not said so yet: by a policy it would run again.
    const bool is_between_runs = record.is_live() && record.restart.policy.kind != RestartPolicy::Kind::no;
    if (!pidfd && is_between_runs && ends_for_good(record, signal)) return stop(engine, id, {});
    if (!pidfd || !*pidfd)
        return fail(Code::conflict, "container '" + record.name.str() + "' is not running");
    if (record.restart.policy.kind != RestartPolicy::Kind::no && ends_for_good(record, signal))
        if (auto marked = mark_stopped(engine, id); !marked) return marked;
    if (signal == SIGKILL) {
        engine.note(record, "kill", {{"signal", std::to_string(signal)}});
        if (auto killed = kill_everything(engine, record, pidfd->get()); !killed) return killed;
        return await_rest(engine, id, kSettleLimit);
    }
    if (auto ready = check_let_go(engine, record); !ready) return ready;
    auto sent = sys::pidfd_send_signal(pidfd->get(), signal);
    if (!sent && sent.error().sys_errno == ESRCH)
        return fail(Code::conflict, "container '" + record.name.str() + "' is not running");
    if (!sent) return sent;
    engine.note(record, "kill", {{"signal", std::to_string(signal)}});
    return {};
}

namespace {

// The end of this run, which may not be the end of the container.
Status await_end_of_run(Engine& engine, const ContainerRecord& record) {
    if (record.restart.policy.kind == RestartPolicy::Kind::no) return await_rest(engine, record.id, {});
    for (;;) {
        if (auto settled = await_rest(engine, record.id, 100ms); !settled) return settled;
        auto now = engine.load(record.id);
        if (!now || !now->record.is_live() || now->record.process != record.process) return {};
    }
}

// The container when it runs again, or will not, or has done so by now: a run may be shorter than a look. Its
// baton goes from hand to hand until then, so there is no event but that its owners died.
Result<Loaded> await_next_run(Engine& engine, Loaded container) {
    const std::int64_t count = container.record.restart.count;
    while (container.record.is_restarting() && container.record.restart.count == count) {
        if (auto settled = await_rest(engine, container.record.id, 100ms); !settled) return fail(settled);
        auto now = engine.load(container.record.id);
        if (!now) return fail(now);
        container = std::move(*now);
    }
    return container;
}

} // namespace

Result<int> wait(Engine& engine, std::string_view name_or_prefix) {
    auto container = find_settled(engine, name_or_prefix);
    if (!container && container.error().code == Code::not_found) {
        auto known = recall_exit(engine.roots(), name_or_prefix);
        if (known && *known) return (*known)->exit_code;
        return fail(container);
    }
    if (!container) return fail(container);
    const ContainerId id = container->record.id;
    container = await_next_run(engine, std::move(*container));
    if (container && container->record.is_live()) {
        auto pidfd = process::open_pidfd(container->record.process);
        if (!pidfd && pidfd.error().code != Code::not_found) return fail(pidfd);
        if (pidfd)
            if (auto ended = wait_end(pidfd->get(), {}); !ended) return fail(ended);
        if (auto settled = await_end_of_run(engine, container->record); !settled) return fail(settled);
    }
    auto now = engine.load(id);
    if (now) return now->record.exit_code;
    if (now.error().code != Code::not_found) return fail(now);
    auto known = recall_exit(engine.roots(), id.str());
    if (known && *known) return (*known)->exit_code;
    return fail(now);
}

} // namespace mydocker::engine
