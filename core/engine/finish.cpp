// The end of a run: crash-only, so a normal exit takes the path that recovery takes.
#include "engine/finish.hpp"

#include "base/sys.hpp"
#include "engine/exits.hpp"
#include "engine/lifecycle.hpp"
#include "engine/rebuild.hpp"
#include "engine/restart.hpp"
#include "engine/spec_builder.hpp"
#include "engine/start_mark.hpp"
#include "engine/steps.hpp"

#include <fmt/format.h>

namespace mydocker::engine {
namespace {

// Whether the kernel killed something in the container for want of memory. Asked only where a limit was
// set: elsewhere it says nothing about this container.
bool ran_out_of_memory(Engine& engine, const ContainerRecord& record) {
    if (!record.memory_limit) return false;
    auto cgroup = engine.cgroup_of(record);
    if (!cgroup) return false;
    auto stats = cgroup->backend->stats(cgroup->locator);
    return stats && stats->oom_kills > 0;
}

void note_end(Engine& engine, ContainerRecord& record, const std::optional<ExitReport>& report) {
    record.state = State::exited;
    record.oom_killed = ran_out_of_memory(engine, record);
    record.log_dropped = report ? static_cast<std::int64_t>(report->log_dropped) : 0;
    record.exit_code = report ? report->status.shell_code() : 137;
    record.finished_ns = report ? report->finished_ns : sys::realtime_ns();
    if (!report && record.reason.empty()) record.reason = "monitor lost";
    if (record.oom_killed) engine.note(record, "oom");
    engine.note(record, "die", {{"exitCode", std::to_string(record.exit_code)}});
}

// Releases everything and forgets the container; the exit code is remembered for an hour.
Status remove_all(Engine& engine, Loaded& container) {
    const ContainerRecord& record = container.record;
    if (record.has_run() && record.state == State::exited) {
        if (auto kept = remember_exit(engine.roots(), {record.id, record.name, record.exit_code}); !kept)
            return kept;
    }
    Context context{.engine = engine, .container = container};
    if (auto released = release(context, Life::run); !released) return released;
    if (auto released = release(context, Life::container); !released) return released;
    auto store = engine.state();
    if (!store) return fail(store);
    if (auto removed = (*store)->remove(record.id, kAnyRevision); !removed) return removed;
    engine.note(record, "destroy");
    return {};
}

// Releases what belongs to the run; the container is at rest, or waits to be restarted.
Status come_to_rest(Engine& engine, Loaded& container, Transition then = Transition::none) {
    Context context{.engine = engine, .container = container};
    if (auto released = release(context, Life::run); !released) return released;
    container.record.process = {};
    container.record.transition = then;
    // The wait ends with the boot of the host.
    if (then == Transition::restarting) {
        auto boot = process::boot_id();
        if (!boot) return fail(boot);
        container.record.process.boot_id = std::move(*boot);
    }
    return engine.save_over(container);
}

// No record: nothing was made yet, all has gone, or somebody deleted the record of a container that ran.
// What says that its cgroup is ours is the run directory, which therefore goes last.
Status finish_unrecorded(Engine& engine, const ContainerId& id, Baton baton) {
    if (is_of_another_store(engine, id)) return {}; // Which sees to it by its own records.
    auto selected = engine.selected_cgroup();
    if (!selected && selected.error().code != Code::unsupported) return fail(selected);
    if (selected) {
        auto locator = selected->backend->locate(CgroupName(fmt::format("{}/{}", kCgroupParent, id.str())));
        if (!locator) return fail(locator);
        if (auto removed = selected->backend->remove(*locator); !removed) return removed;
    }
    return baton.finish(engine.roots(), id);
}

Status wait_for_restart(Engine& engine, Loaded& container, Baton baton) {
    if (auto done = come_to_rest(engine, container, Transition::restarting); !done) return done;
    return spawn_restarter(engine, container.record.id, std::move(baton));
}

// The end of a run that the policy does not follow.
Status finish_for_good(Engine& engine, Loaded& container, Baton baton) {
    Result<bool> kept = true;
    if (container.record.remove_after) kept = is_marked_kept(engine, container.record.id);
    if (!kept) return fail(kept);
    const Status done = !*kept ? remove_all(engine, container) : come_to_rest(engine, container);
    if (!done) return done; // The run directory stays: whoever comes next goes on from here.
    return baton.finish(engine.roots(), container.record.id);
}

} // namespace

// Of a lock file that is not there, or new, the container is at rest or its run directory was deleted: then
// it must be taken to run.
Result<bool> was_let_go(Engine& engine, const ContainerId& id) {
    auto lock = sys::openat(AT_FDCWD, paths::baton(engine.roots(), id), O_RDONLY | O_NOFOLLOW);
    if (!lock && lock.error().code == Code::not_found) return true;
    if (!lock) return fail(lock);
    auto mark = read_start_mark(lock->get());
    if (!mark) return fail(mark);
    return *mark != StartMark::starting;
}

Status check_let_go(Engine& engine, const ContainerRecord& record) {
    auto gone = was_let_go(engine, record.id);
    if (!gone) return fail(gone);
    if (*gone) return {};
    return fail(Code::conflict, "container '" + record.name.str() + "' is still being started");
}

Status finish(Engine& engine, Loaded& container, const std::optional<ExitReport>& report, Baton baton) {
    ContainerRecord& record = container.record;
    note_end(engine, record, report);
    if (record.restart.policy.kind == RestartPolicy::Kind::no)
        return finish_for_good(engine, container, std::move(baton));
    auto stopped = is_marked_stopped(engine, record.id);
    if (!stopped) return fail(stopped);
    record.restart.stopped_by_user = *stopped;
    record.restart.begun = false;
    if (!plan_restart(record)) return finish_for_good(engine, container, std::move(baton));
    return wait_for_restart(engine, container, std::move(baton));
}

Status give_restart_up(Engine& engine, Loaded& container, Baton baton) {
    RestartState& restart = container.record.restart;
    auto stopped = is_marked_stopped(engine, container.record.id);
    if (!stopped) return fail(stopped);
    restart.stopped_by_user = restart.stopped_by_user || *stopped;
    restart.begun = false;
    return finish_for_good(engine, container, std::move(baton));
}

Status try_restart_again(Engine& engine, Loaded& container, Baton baton) {
    ContainerRecord& record = container.record;
    auto stopped = is_marked_stopped(engine, record.id);
    if (!stopped) return fail(stopped);
    record.restart.stopped_by_user = *stopped;
    record.state = State::exited;
    record.finished_ns = sys::realtime_ns(); // The next wait begins now.
    if (!plan_next_try(record)) return finish_for_good(engine, container, std::move(baton));
    return wait_for_restart(engine, container, std::move(baton));
}

Status discard(Engine& engine, Loaded& container, Baton baton) {
    if (auto done = remove_all(engine, container); !done) return done;
    return baton.finish(engine.roots(), container.record.id);
}

Status abandon_start(Engine& engine, Loaded& container, Baton baton) {
    ContainerRecord& record = container.record;
    if (record.born_by_run) return discard(engine, container, std::move(baton));
    record.state = record.finished_ns != 0 ? State::exited : State::created;
    record.started_ns = record.finished_ns != 0 ? record.started_ns : 0;
    if (auto done = come_to_rest(engine, container); !done) return done;
    return baton.finish(engine.roots(), container.record.id);
}

Result<std::optional<ExitReport>> exit_note(Engine& engine, const ContainerId& id) {
    auto note = files::read_file(paths::run_directory(engine.roots(), id) + "/exit", 4096);
    if (!note && note.error().sys_errno == ENOENT) return std::nullopt;
    if (!note) return fail(note);
    auto report = decode_exit(*note);
    if (!report) return std::nullopt; // Half written: the monitor was killed over it.
    return *report;
}

Status finish_after_monitor(Engine& engine, const ContainerId& id) {
    return finish_with_baton(engine, id, Baton::adopt(UniqueFd(kBatonFd)));
}

namespace {

Result<bool> is_of_this_boot(const ContainerRecord& record) {
    auto boot = process::boot_id();
    if (!boot) return fail(boot);
    return record.process.boot_id == *boot;
}

// A start by the policy is tried again; any other is undone.
Status interrupted_start(Engine& engine, Loaded& container, Baton baton) {
    ContainerRecord& record = container.record;
    auto stopped = is_marked_stopped(engine, record.id);
    if (!stopped) return fail(stopped);
    if (!record.restart.begun || *stopped) return abandon_start(engine, container, std::move(baton));
    auto fresh = is_of_this_boot(record); // That of the wait before it, until the record names its process.
    if (!fresh) return fail(fresh);
    record.state = State::exited;
    if (!*fresh) return give_restart_up(engine, container, std::move(baton));
    return wait_for_restart(engine, container, std::move(baton));
}

Status interrupted_wait(Engine& engine, Loaded& container, Baton baton) {
    auto fresh = is_of_this_boot(container.record);
    if (!fresh) return fail(fresh);
    auto stopped = is_marked_stopped(engine, container.record.id);
    if (!stopped) return fail(stopped);
    if (!*fresh || *stopped) return give_restart_up(engine, container, std::move(baton));
    return wait_for_restart(engine, container, std::move(baton));
}

// What runs again after a boot of the host, is not decided by whoever looks first (`system boot`).
Status end_with_host(Engine& engine, Loaded& container, Baton baton) {
    container.record.reason = "the host was restarted";
    container.record.restart.begun = false;
    note_end(engine, container.record, std::nullopt);
    return finish_for_good(engine, container, std::move(baton));
}

// Its run directory is gone, and the owner's lock with it: deleted by hand, or the record came back from a
// backup. That it ran must be assumed, so nothing of it is discarded.
Status finish_without_directory(Engine& engine, Loaded& container, Baton baton) {
    auto alive = process::is_alive(container.record.process);
    if (!alive) return fail(alive);
    // Its monitor lives as long, and will see to its end.
    if (*alive) return baton.finish(engine.roots(), container.record.id);
    return finish(engine, container, std::nullopt, std::move(baton));
}

} // namespace

Status finish_with_baton(Engine& engine, const ContainerId& id, Baton baton) {
    auto container = engine.load(id);
    if (!container && container.error().code == Code::not_found)
        return finish_unrecorded(engine, id, std::move(baton));
    if (!container) return fail(container);
    const ContainerRecord& record = container->record;
    switch (record.transition) {
    case Transition::none:
        return baton.finish(engine.roots(), id);
    case Transition::creating:
    case Transition::removing:
        return discard(engine, *container, std::move(baton));
    case Transition::starting:
        return interrupted_start(engine, *container, std::move(baton));
    case Transition::restarting:
        return interrupted_wait(engine, *container, std::move(baton));
    case Transition::active:
        break;
    }
    auto fresh = is_of_this_boot(record);
    if (!fresh) return fail(fresh);
    if (!*fresh) return end_with_host(engine, *container, std::move(baton));
    auto mark = read_start_mark(baton.fd());
    if (!mark) return fail(mark);
    if (*mark == StartMark::none) return finish_without_directory(engine, *container, std::move(baton));
    if (*mark == StartMark::starting) return interrupted_start(engine, *container, std::move(baton));
    auto report = exit_note(engine, id);
    if (!report) return fail(report);
    return finish(engine, *container, *report, std::move(baton));
}

} // namespace mydocker::engine
