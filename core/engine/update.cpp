// update: other limits for a container. One that runs has them at once; for one that does not, they are
// tried with a cgroup that is taken away again. config.json has them for the next start.
#include "engine/finish.hpp"
#include "engine/lifecycle.hpp"
#include "engine/limits.hpp"
#include "engine/restart.hpp"
#include "engine/steps.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <fcntl.h>

namespace mydocker::engine {
namespace {

std::string config_path(const Engine& engine, const ContainerId& id) {
    return paths::bundle(engine.roots(), id) + "/config.json";
}

Status write_config(const Engine& engine, const ContainerId& id, const runtime::ContainerSpec& spec) {
    return files::write_atomically(config_path(engine, id), runtime::to_config_json(spec), 0600,
                                   files::Sync::data);
}

// One `update` of a container at a time.
Result<UniqueFd> lock_updates(const Engine& engine, const ContainerId& id) {
    auto fd = sys::openat(AT_FDCWD, paths::run_directory(engine.roots(), id) + "/update",
                          O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!fd) return fd;
    if (auto locked = sys::wait_lock(fd->get()); !locked) return fail(locked);
    return fd;
}

// The memory limit stands in the record, too, for words about running out of it.
Status note_memory(Engine& engine, const ContainerId& id, const Resources& now) {
    auto noted = engine.amend(id, [&](ContainerRecord& record) -> Status {
        record.memory_limit.reset();
        if (now.memory && *now.memory > 0) record.memory_limit = now.memory;
        return {};
    });
    return noted ? Status{} : Status(fail(noted));
}

Result<Resources> to_set(Engine& engine, const ContainerRecord& record, const Resources& old,
                         const Resources& asked) {
    auto cgroup = engine.cgroup_choice(record.drivers.cgroup);
    if (!cgroup) return fail(cgroup);
    const bool swap =
        std::ranges::find(cgroup->traits.controllers, "swap") != cgroup->traits.controllers.end();
    return settle_limits(old, asked, swap ? SwapLimit::possible : SwapLimit::impossible);
}

Status keep(Engine& engine, const ContainerId& id, runtime::ContainerSpec spec, const Resources& set) {
    spec.resources = merge_limits(spec.resources, set);
    if (auto written = write_config(engine, id, spec); !written) return written;
    return note_memory(engine, id, spec.resources);
}

Status update_running(Engine& engine, const ContainerRecord& record, const runtime::ContainerSpec& spec,
                      const Resources& set) {
    auto cgroup = engine.cgroup_of(record);
    if (!cgroup) return fail(cgroup);
    Status done = cgroup->backend->update(cgroup->locator, set);
    if (done) done = keep(engine, record.id, spec, set);
    if (done) return done;
    Error error = done.error();
    if (auto undone = cgroup->backend->update(cgroup->locator, undo_limits(spec.resources, set)); !undone)
        error.text += "; and while undoing it: " + describe(undone.error());
    if (auto undone = write_config(engine, record.id, spec); !undone)
        error.text += "; and while undoing it: " + describe(undone.error());
    return std::unexpected<Error>(std::move(error));
}

// Whether this host can give it these limits: a cgroup with them, for an instant. As a start that is given
// up, so that recovery knows it.
Status try_limits(Engine& engine, const ContainerRecord& record, const Resources& limits) {
    auto cgroup = engine.cgroup_of(record);
    if (!cgroup) return fail(cgroup);
    const auto set_transition = [&](Transition transition) {
        return engine.amend(record.id, [&](ContainerRecord& now) -> Status {
            now.transition = transition;
            now.born_by_run = false; // Given up, it stays.
            return {};
        });
    };
    if (auto begun = set_transition(Transition::starting); !begun) return fail(begun);
    Status tried = cgroup->backend->create(cgroup->locator, limits);
    const Status removed = cgroup->backend->remove(cgroup->locator);
    if (tried && !removed) tried = removed;
    auto ended = set_transition(Transition::none);
    return tried && !ended ? Status(fail(ended)) : tried;
}

Status update_at_rest(Engine& engine, const ContainerRecord& record, const runtime::ContainerSpec& spec,
                      const Resources& set) {
    if (auto fit = try_limits(engine, record, merge_limits(spec.resources, set)); !fit) return fit;
    auto kept = keep(engine, record.id, spec, set);
    if (kept) return kept;
    if (auto undone = write_config(engine, record.id, spec); !undone)
        return fail(Code::io, describe(kept.error()) + "; and while undoing it: " + describe(undone.error()));
    return kept;
}

Status change_limits(Engine& engine, const ContainerRecord& record, const Resources& asked) {
    auto spec = read_spec(engine, record.id);
    if (!spec) return fail(spec);
    auto set = to_set(engine, record, spec->resources, asked);
    if (!set) return fail(set);
    if (const auto doubt = doubtful_limit(asked)) engine.diagnostics().warning(*doubt);
    return record.is_live() ? update_running(engine, record, *spec, *set)
                            : update_at_rest(engine, record, *spec, *set);
}

Status update_limits(Engine& engine, const ContainerId& id, const Resources& asked) {
    std::optional<Baton> baton;
    auto container = engine.load(id);
    if (!container) return fail(container);
    const std::string what = "container '" + container->record.name.str() + "'";
    if (!container->record.is_live()) {
        auto taken = Baton::take(engine.roots(), id);
        if (!taken && taken.error().code == Code::busy) return in_other_hands(container->record);
        if (!taken) return fail(taken);
        baton.emplace(std::move(*taken));
    }
    auto lock = lock_updates(engine, id);
    if (!lock && lock.error().code == Code::not_found) return fail(Code::conflict, what + " has just ended");
    Status done = lock ? Status{} : Status(fail(lock));
    if (done) container = engine.load(id); // As it is now that nobody else changes it.
    if (done && !container) done = fail(container);
    if (done && container->record.is_live() == baton.has_value())
        done = fail(Code::conflict, what + " has just been started or ended; try again");
    if (done) done = change_limits(engine, container->record, asked);
    if (!baton) return done;
    auto finished = baton->finish(engine.roots(), id);
    return done ? finished : done;
}

// Whoever brings the container to rest reads the record then; it may be at work with it just now.
Status update_restart(Engine& engine, const ContainerId& id, const RestartPolicy& policy) {
    auto amended = engine.amend(id, [&](ContainerRecord& record) -> Status {
        record.restart.policy = policy;
        return {};
    });
    if (!amended) return fail(amended);
    // One that waits for its next run is not to have it any more.
    const bool ends = policy.kind == RestartPolicy::Kind::no && amended->record.is_restarting();
    return ends ? mark_stopped(engine, id) : Status{};
}

Status check_restart(Engine& engine, const ContainerId& id) {
    auto container = engine.load(id);
    if (!container) return fail(container);
    if (!container->record.remove_after) return {};
    return fail(Code::conflict, "container '" + container->record.name.str() +
                                    "' was made with --rm: it can have no restart policy");
}

} // namespace

Status update(Engine& engine, const ContainerId& id, const UpdateRequest& asked) {
    const bool has_policy = asked.restart && asked.restart->kind != RestartPolicy::Kind::no;
    if (has_policy)
        if (auto fit = check_restart(engine, id); !fit) return fit;
    if (asked.limits)
        if (auto done = update_limits(engine, id, *asked.limits); !done) return done;
    if (asked.restart)
        if (auto done = update_restart(engine, id, *asked.restart); !done) return done;
    if (auto now = engine.load(id)) engine.note(now->record, "update");
    return {};
}

} // namespace mydocker::engine
