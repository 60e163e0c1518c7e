// stop, kill, wait: signals to exactly the process meant, and waiting for events.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "engine/exits.hpp"
#include "engine/lifecycle.hpp"
#include "engine/signals.hpp"
#include "engine/start_process.hpp"

#include <array>
#include <chrono>
#include <csignal>

namespace mydocker::engine {
namespace {

using namespace std::chrono_literals;

// How long the owner of a dead container may take to bring it to rest before we stop waiting for it.
constexpr auto kSettleLimit = 10s;

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

// The main process is gone, so its owner is bringing the container to rest: that is part of `stop`.
Status wait_settled(Engine& engine, const ContainerId& id, std::optional<std::chrono::milliseconds> limit) {
    auto baton = Baton::wait(engine.roots(), id, limit);
    if (!baton && baton.error().code == Code::timeout) return {}; // Its owner is slow: e.g. its reader is.
    if (!baton) return fail(baton);
    auto container = engine.load(id);
    if (container && container->record.transition != Transition::none) {
        // The owner was killed over it.
        baton->let_go();
        auto done = recover(engine, id);
        return done ? Status{} : Status(fail(done));
    }
    return baton->finish(engine.roots(), id);
}

Status kill_everything(Engine& engine, const ContainerRecord& record, int pidfd) {
    const auto locator = record.intents.find("cgroup");
    auto backend = engine.cgroup(record.drivers.cgroup);
    if (backend && locator != record.intents.end())
        if (auto killed = (*backend)->kill(Locator(locator->second), SIGKILL); killed) return {};
    return kill_and_wait(pidfd); // Its pid namespace dies with it.
}

} // namespace

Status stop(Engine& engine, const ContainerId& id, const StopRequest& request) {
    auto container = engine.load(id);
    if (!container) return fail(container);
    const ContainerRecord& record = container->record;
    if (!record.is_live()) return {}; // Stopping what is stopped is no error.
    auto pidfd = process::open_pidfd(record.process);
    if (!pidfd) return wait_settled(engine, id, kSettleLimit);

    auto signal = parse_signal(request.signal.empty() ? record.stop_signal : request.signal);
    if (!signal) return fail(signal);
    const auto timeout = request.timeout.value_or(std::chrono::seconds(record.stop_timeout_s));
    if (auto sent = sys::pidfd_send_signal(pidfd->get(), *signal); !sent && sent.error().sys_errno != ESRCH)
        return fail(sent, "send " + signal_name(*signal));
    auto ended = timeout.count() < 0 ? wait_end(pidfd->get(), {}) : wait_end(pidfd->get(), timeout);
    if (!ended) return fail(ended);
    if (!*ended)
        if (auto killed = kill_everything(engine, record, pidfd->get()); !killed) return killed;
    return wait_settled(engine, id, kSettleLimit);
}

Status kill(Engine& engine, const ContainerId& id, int signal) {
    auto container = engine.load(id);
    if (!container) return fail(container);
    const ContainerRecord& record = container->record;
    auto pidfd = record.is_live() ? process::open_pidfd(record.process) : Result<UniqueFd>(UniqueFd());
    if (!pidfd || !*pidfd)
        return fail(Code::conflict, "container '" + record.name.str() + "' is not running");
    if (signal == SIGKILL) {
        if (auto killed = kill_everything(engine, record, pidfd->get()); !killed) return killed;
        return wait_settled(engine, id, kSettleLimit);
    }
    return sys::pidfd_send_signal(pidfd->get(), signal);
}

Result<int> wait(Engine& engine, std::string_view name_or_prefix) {
    auto container = find_settled(engine, name_or_prefix);
    if (!container && container.error().code == Code::not_found) {
        auto known = recall_exit(engine.roots(), name_or_prefix);
        if (known && *known) return (*known)->exit_code;
        return fail(container);
    }
    if (!container) return fail(container);
    const ContainerId id = container->record.id;
    if (container->record.is_live()) {
        if (auto pidfd = process::open_pidfd(container->record.process))
            if (auto ended = wait_end(pidfd->get(), {}); !ended) return fail(ended);
        if (auto settled = wait_settled(engine, id, {}); !settled) return fail(settled);
    }
    auto now = engine.load(id);
    if (now) return now->record.exit_code;
    if (now.error().code != Code::not_found) return fail(now);
    auto known = recall_exit(engine.roots(), id.str());
    if (known && *known) return (*known)->exit_code;
    return fail(now);
}

} // namespace mydocker::engine
