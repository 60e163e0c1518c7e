// The end of a run: crash-only, so a normal exit takes the path that recovery takes.
#include "engine/finish.hpp"

#include "base/sys.hpp"
#include "engine/exits.hpp"
#include "engine/lifecycle.hpp"
#include "engine/steps.hpp"

namespace mydocker::engine {
namespace {

// Whether the kernel killed something in the container for want of memory. Asked only where a limit was
// set: elsewhere it says nothing about this container.
bool ran_out_of_memory(Engine& engine, const ContainerRecord& record) {
    const auto locator = record.intents.find("cgroup");
    if (!record.memory_limit || locator == record.intents.end()) return false;
    auto backend = engine.cgroup(record.drivers.cgroup);
    if (!backend) return false;
    auto stats = (*backend)->stats(Locator(locator->second));
    return stats && stats->oom_kills > 0;
}

void note_end(Engine& engine, ContainerRecord& record, const std::optional<ExitReport>& report) {
    record.state = State::exited;
    record.oom_killed = ran_out_of_memory(engine, record);
    record.exit_code = report ? report->status.shell_code() : 137;
    record.finished_ns = report ? report->finished_ns : sys::realtime_ns();
    if (!report && record.reason.empty()) record.reason = "monitor lost";
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
    return (*store)->remove(record.id, kAnyRevision);
}

// Releases what belongs to the run; the container is at rest.
Status come_to_rest(Engine& engine, Loaded& container) {
    Context context{.engine = engine, .container = container};
    if (auto released = release(context, Life::run); !released) return released;
    container.record.process = {};
    container.record.transition = Transition::none;
    return engine.save(container);
}

// Whether the container was told to run its command: the monitor's mark.
bool was_let_go(Engine& engine, const ContainerId& id) {
    return sys::fstatat(AT_FDCWD, paths::run_directory(engine.roots(), id) + "/go", AT_SYMLINK_NOFOLLOW)
        .has_value();
}

} // namespace

Status finish(Engine& engine, Loaded& container, const std::optional<ExitReport>& report, Baton baton) {
    note_end(engine, container.record, report);
    const Status done =
        container.record.remove_after ? remove_all(engine, container) : come_to_rest(engine, container);
    if (!done) return done; // The run directory stays: whoever comes next goes on from here.
    return baton.finish(engine.roots(), container.record.id);
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

Status finish_with_baton(Engine& engine, const ContainerId& id, Baton baton) {
    auto container = engine.load(id);
    if (!container && container.error().code == Code::not_found) return baton.finish(engine.roots(), id);
    if (!container) return fail(container);
    ContainerRecord& record = container->record;
    switch (record.transition) {
    case Transition::none:
        return baton.finish(engine.roots(), id);
    case Transition::creating:
    case Transition::removing:
        return discard(engine, *container, std::move(baton));
    case Transition::starting:
        return abandon_start(engine, *container, std::move(baton));
    case Transition::active:
        break;
    }
    const bool same_boot = record.process.boot_id == process::boot_id().value_or("");
    if (same_boot && !was_let_go(engine, id)) return abandon_start(engine, *container, std::move(baton));
    if (!same_boot) record.reason = "the host was restarted";
    auto report = exit_note(engine, id);
    if (!report) return fail(report);
    return finish(engine, *container, *report, std::move(baton));
}

} // namespace mydocker::engine
