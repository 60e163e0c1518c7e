// Restart policies.
#include "engine/restart.hpp"

#include "base/process.hpp"
#include "base/sys.hpp"
#include "engine/finish.hpp"
#include "engine/lifecycle.hpp"
#include "engine/monitor_plan.hpp"
#include "engine/start_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kFirstDelay = 100ms;
constexpr std::chrono::milliseconds kLongestDelay = 1min;
constexpr std::chrono::nanoseconds kGoodRun = 10s;

std::string stop_mark(const Engine& engine, const ContainerId& id) {
    return paths::run_directory(engine.roots(), id) + "/stop";
}

std::string keep_mark(const Engine& engine, const ContainerId& id) {
    return paths::run_directory(engine.roots(), id) + "/keep";
}

// Nothing when the container has no run directory: then it has no owner.
Status leave_mark(const std::string& path) {
    auto mark = sys::openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
    if (!mark && mark.error().sys_errno == ENOENT) return {};
    if (!mark) return fail(mark);
    return {};
}

Result<bool> is_there(const std::string& mark) {
    auto found = sys::fstatat(AT_FDCWD, mark, AT_SYMLINK_NOFOLLOW);
    if (!found && found.error().code != Code::not_found) return fail(found);
    return found.has_value();
}

// Until it is due, by a clock that may have been set: never longer than the whole delay.
std::chrono::milliseconds left_of(const ContainerRecord& record) {
    const auto since = std::chrono::nanoseconds(sys::realtime_ns() - record.finished_ns);
    const std::chrono::milliseconds delay(record.restart.delay_ms);
    return std::clamp(delay - std::chrono::duration_cast<std::chrono::milliseconds>(since), 0ms, delay);
}

// By its policy and how it ended.
bool asks_for_restart(const ContainerRecord& record) {
    const RestartState& restart = record.restart;
    if (restart.stopped_by_user) return false;
    switch (restart.policy.kind) {
    case RestartPolicy::Kind::no:
        return false;
    case RestartPolicy::Kind::on_failure:
        return record.exit_code != 0 && (restart.policy.most == 0 || restart.count < restart.policy.most);
    case RestartPolicy::Kind::always:
    case RestartPolicy::Kind::unless_stopped:
        return true;
    }
    return false;
}

void count_restart(RestartState& restart, bool good) {
    restart.delay_ms = good || restart.delay_ms == 0 ? kFirstDelay.count()
                                                     : std::min(restart.delay_ms * 2, kLongestDelay.count());
    ++restart.count;
}

// Waits until the container is due; false: a user has stopped it meanwhile. The watch stands before the first
// look, so that no mark is missed. There are only so many watches (inotify(7), max_user_instances): who gets
// none looks again and again.
Result<bool> wait_until_due(const Engine& engine, const ContainerRecord& record) {
    const UniqueFd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    const std::string directory = paths::run_directory(engine.roots(), record.id);
    const bool watches =
        events && ::inotify_add_watch(events.get(), directory.c_str(), IN_CREATE | IN_MOVED_TO) >= 0;
    if (!watches && errno != EMFILE && errno != ENOSPC && errno != ENOMEM)
        return fail_errno(errno, "watch '" + directory + "'");
    constexpr std::int64_t kWithoutWatch_ms = 200;
    const std::int64_t due_ns = sys::monotonic_ns() + std::chrono::nanoseconds(left_of(record)).count();
    for (;;) {
        auto stopped = is_marked_stopped(engine, record.id);
        if (!stopped) return fail(stopped);
        if (*stopped) return false;
        const std::int64_t left_ns = due_ns - sys::monotonic_ns();
        if (left_ns <= 0) return true;
        std::array<pollfd, 1> fds{pollfd{watches ? events.get() : -1, POLLIN, 0}};
        const std::int64_t left_ms = left_ns / 1'000'000 + 1;
        auto ready =
            sys::poll(fds, static_cast<int>(watches ? left_ms : std::min(left_ms, kWithoutWatch_ms)));
        if (!ready) return fail(ready);
        std::array<char, 4096> buffer;
        if (*ready > 0) (void)sys::read(events.get(), buffer); // What it was, the next look says.
    }
}

} // namespace

Result<RestartPolicy> parse_restart_policy(std::string_view text) {
    using Kind = RestartPolicy::Kind;
    const auto colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    RestartPolicy policy;
    if (name == "on-failure") {
        policy.kind = Kind::on_failure;
    } else if (name == "always") {
        policy.kind = Kind::always;
    } else if (name == "unless-stopped") {
        policy.kind = Kind::unless_stopped;
    } else if (!name.empty() && name != "no") {
        return fail(Code::invalid, "restart: '" + std::string(text) +
                                       "' is unknown; there are: no, on-failure[:N], always, unless-stopped");
    }
    if (colon == std::string_view::npos) return policy;
    if (policy.kind != Kind::on_failure)
        return fail(Code::invalid, "restart: a number of restarts goes with on-failure alone, not with '" +
                                       std::string(name) + "'");
    const std::string_view number = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), policy.most);
    if (error != std::errc() || end != number.data() + number.size() || policy.most < 0)
        return fail(Code::invalid, "restart: '" + std::string(number) + "' is no number of restarts");
    return policy;
}

bool plan_restart(ContainerRecord& record) {
    if (!asks_for_restart(record)) return false;
    const bool good = std::chrono::nanoseconds(record.finished_ns - record.started_ns) >= kGoodRun;
    count_restart(record.restart, good);
    return true;
}

bool plan_next_try(ContainerRecord& record) {
    if (!asks_for_restart(record)) return false;
    count_restart(record.restart, false);
    return true;
}

bool may_pass(const Error& error) {
    switch (error.sys_errno) {
    case EAGAIN:
    case EBUSY:
    case EINTR:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return true;
    default:
        break;
    }
    switch (error.code) {
    case Code::conflict: // The container whose namespaces it joins may run again.
    case Code::busy:
    case Code::no_space:
    case Code::io:
    case Code::timeout:
    case Code::cancelled:
    case Code::internal: // A monitor or init that was killed has no other word.
        return true;
    default:
        return false;
    }
}

bool starts_at_boot(const ContainerRecord& record) {
    if (!record.has_run() || record.is_live() || record.transition != Transition::none) return false;
    return record.restart.policy.kind == RestartPolicy::Kind::always ||
           (record.restart.policy.kind == RestartPolicy::Kind::unless_stopped &&
            !record.restart.stopped_by_user);
}

Status mark_stopped(const Engine& engine, const ContainerId& id) {
    return leave_mark(stop_mark(engine, id));
}

Result<bool> is_marked_stopped(const Engine& engine, const ContainerId& id) {
    return is_there(stop_mark(engine, id));
}

Status mark_kept(const Engine& engine, const ContainerId& id) {
    return leave_mark(keep_mark(engine, id));
}

void unmark_kept(const Engine& engine, const ContainerId& id) {
    (void)::unlink(keep_mark(engine, id).c_str()); // It may be gone with its directory.
}

Result<bool> is_marked_kept(const Engine& engine, const ContainerId& id) {
    return is_there(keep_mark(engine, id));
}

Status spawn_restarter(Engine& engine, const ContainerId& id, Baton baton) {
    process::SpawnRequest request;
    request.executable = engine.installation().program;
    request.argv = own_command(engine, "__restart", id);
    request.fds.assign(kBatonFd + 1, -1);
    request.fds[kBatonFd] = baton.fd();
    request.new_session = true;
    if (auto child = process::spawn(request); !child) return fail(child, "restart container");
    baton.let_go();
    return {};
}

Status restart_when_due(Engine& engine, const ContainerId& id) {
    Baton baton = Baton::adopt(UniqueFd(kBatonFd));
    auto container = engine.load(id);
    if (!container) return fail(container);
    if (container->record.transition != Transition::restarting) return baton.finish(engine.roots(), id);
    auto due = wait_until_due(engine, container->record);
    if (!due) return fail(due);
    // It may have been renamed, or its policy changed.
    container = engine.load(id);
    if (!container) return fail(container);
    if (!*due || container->record.restart.policy.kind == RestartPolicy::Kind::no)
        return give_restart_up(engine, *container, std::move(baton));
    auto started = start_again(engine, std::move(*container), std::move(baton));
    if (!started) return std::unexpected<Error>(started.error().error);
    return {};
}

Result<std::vector<std::string>> start_after_boot(Engine& engine) {
    auto containers = list(engine);
    if (!containers) return fail(containers);
    std::vector<std::string> names;
    for (const Summary& each : *containers) {
        if (!each.record || !starts_at_boot(*each.record)) continue;
        const std::string name = each.record->name.str();
        auto started = start(engine, each.id, Attach::detached);
        if (started)
            names.push_back(name);
        else
            engine.diagnostics().warning("container '" + name + "': " + describe(started.error().error));
    }
    return names;
}

} // namespace mydocker::engine
