// rename: the name is the state store's; nothing else of a container bears it.
#include "engine/lifecycle.hpp"

namespace mydocker::engine {
namespace {

Status give_name(StateStore& store, const ContainerId& id, const ContainerName& name) {
    auto renamed = store.rename(id, name);
    if (renamed) return {};
    if (renamed.error().code != Code::exists) return fail(renamed);
    return fail(Code::conflict, renamed.error().text);
}

// The holder of the name may be what a killed process left.
Status give_freed_name(Engine& engine, const ContainerId& id, const ContainerName& name) {
    auto store = engine.state();
    if (!store) return fail(store);
    auto done = give_name(**store, id, name);
    if (done || done.error().code != Code::conflict) return done;
    if (recover_all(engine).value_or(0) == 0) return done;
    return give_name(**store, id, name);
}

Status rename_container(Engine& engine, const ContainerId& id, std::string_view name) {
    auto wanted = paths::parse_name(name);
    if (!wanted) return fail(wanted);
    auto container = engine.load(id);
    if (!container) return fail(container);
    if (container->record.name == *wanted)
        return fail(Code::conflict, "container '" + wanted->str() + "' has this name already");
    // Whoever starts or removes it counts on its record; the monitor of one that runs, and whoever waits to
    // restart it, do not.
    if (container->record.transition == Transition::active || container->record.is_restarting())
        return give_freed_name(engine, id, *wanted);
    auto baton = Baton::take(engine.roots(), id);
    if (!baton && baton.error().code == Code::busy) return in_other_hands(container->record);
    if (!baton) return fail(baton);
    auto done = give_freed_name(engine, id, *wanted);
    auto finished = baton->finish(engine.roots(), id);
    return done ? finished : done;
}

} // namespace

Status rename(Engine& engine, const ContainerId& id, std::string_view name) {
    auto before = engine.load(id);
    if (auto done = rename_container(engine, id, name); !done) return done;
    auto now = engine.load(id);
    if (before && now) engine.note(now->record, "rename", {{"oldName", before->record.name.str()}});
    return {};
}

} // namespace mydocker::engine
