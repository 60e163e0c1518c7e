// pause, unpause: the record says what is meant, the note (hold.hpp) that it is just being made so.
//
//   pause     note written, locked | frozen       | record "paused"  | note emptied
//   unpause   note written, locked | record "running" | thawed       | note emptied
//
// Killed at any line: the next command finds the note unlocked and not empty, and makes the processes what
// the record says.
#include "base/process.hpp"
#include "engine/finish.hpp"
#include "engine/hold.hpp"
#include "engine/lifecycle.hpp"

namespace mydocker::engine {
namespace {

std::unexpected<Error> wrong_state(const ContainerRecord& record, std::string_view why) {
    return fail(Code::conflict, "container '" + record.name.str() + "' is " + std::string(why));
}

// Whether it can be paused, or, `from` being paused, unpaused.
Status check_state(Engine& engine, const ContainerRecord& record, State from) {
    if (!record.is_live()) return wrong_state(record, "not running");
    if (record.state != from)
        return wrong_state(record, from == State::running ? "already paused" : "not paused");
    // Before that its processes are still ours, and somebody waits for them.
    return check_let_go(engine, record);
}

Result<Loaded> change_state(Engine& engine, const ContainerId& id, State from, State to) {
    return engine.amend(id, [&](ContainerRecord& record) -> Status {
        if (auto fit = check_state(engine, record, from); !fit) return fit;
        record.state = to;
        return {};
    });
}

Result<UniqueFd> claim_note(Engine& engine, const ContainerRecord& record) {
    auto note = write_note(engine, record.id);
    if (!note && note.error().code == Code::not_found) return wrong_state(record, "not running");
    return note;
}

Status freeze_processes(Engine& engine, const ContainerRecord& record) {
    auto cgroup = engine.cgroup_of(record);
    if (!cgroup) return fail(cgroup);
    auto frozen = cgroup->backend->freeze(cgroup->locator);
    if (frozen) return {};
    // Its cgroup goes with it.
    if (auto alive = process::is_alive(record.process); alive && !*alive)
        return wrong_state(record, "not running");
    return fail(frozen, "freeze container '" + record.name.str() + "'");
}

} // namespace

Status pause(Engine& engine, const ContainerId& id) {
    auto container = engine.load(id);
    if (!container) return fail(container);
    if (auto fit = check_state(engine, container->record, State::running); !fit) return fit;
    auto note = claim_note(engine, container->record);
    if (!note) return fail(note);
    Status done = freeze_processes(engine, container->record);
    if (done)
        if (auto changed = change_state(engine, id, State::running, State::paused); !changed)
            done = fail(changed);
    auto settled = settle_note(engine, id, note->get());
    if (done) engine.note(container->record, "pause");
    return done ? settled : done;
}

Status unpause(Engine& engine, const ContainerId& id) {
    auto container = engine.load(id);
    if (!container) return fail(container);
    if (auto fit = check_state(engine, container->record, State::paused); !fit) return fit;
    auto note = claim_note(engine, container->record);
    if (!note) return fail(note);
    auto changed = change_state(engine, id, State::paused, State::running);
    auto settled = settle_note(engine, id, note->get());
    if (changed) engine.note(container->record, "unpause");
    return changed ? settled : Status(fail(changed));
}

} // namespace mydocker::engine
