// Recovery: the next ordinary command that meets what a killed process left brings it to rest. A free
// baton is the proof that the owner is gone; nothing is guessed.
#include "engine/finish.hpp"
#include "engine/hold.hpp"
#include "engine/lifecycle.hpp"

#include <fcntl.h>

namespace mydocker::engine {
namespace {

bool is_at_rest(const ContainerRecord& record) {
    return record.transition == Transition::none;
}

// Drivers and stores may have been killed in the middle of a deletion, too.
void sweep(Engine& engine, const std::string& storage_name) {
    if (storage_name.empty()) return;
    if (auto driver = engine.storage(storage_name))
        (void)(*driver)->sweep(); // What stays is swept next time.
}

} // namespace

Status await_rest(Engine& engine, const ContainerId& id, std::optional<std::chrono::milliseconds> limit) {
    auto baton = Baton::wait(engine.roots(), id, limit);
    if (!baton && baton.error().code == Code::timeout) return {};
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

Result<bool> recover(Engine& engine, const ContainerId& id) {
    auto baton = Baton::take(engine.roots(), id);
    if (!baton && baton.error().code == Code::busy) return false;
    if (!baton) return fail(baton);
    auto container = engine.load(id);
    const std::string storage = container ? container->record.drivers.storage : std::string();
    if (container && is_at_rest(container->record)) {
        if (auto done = baton->finish(engine.roots(), id); !done) return fail(done);
        return false;
    }
    engine.diagnostics().info("recovering container " + paths::short_id(id) + ": its owner is gone");
    if (auto done = finish_with_baton(engine, id, std::move(*baton)); !done)
        return fail(done, "recover container '" + paths::short_id(id) + "'");
    sweep(engine, storage);
    return true;
}

Result<std::size_t> recover_all(Engine& engine) {
    auto directory = files::open(engine.roots().run_root, O_RDONLY | O_DIRECTORY);
    if (!directory && directory.error().sys_errno == ENOENT) return 0;
    if (!directory) return fail(directory);
    auto entries = files::list_directory(directory->get(), engine.roots().run_root);
    if (!entries) return fail(entries);
    std::size_t recovered = 0;
    for (const files::DirectoryEntry& entry : *entries) {
        if (!paths::is_id(entry.name)) continue;
        const ContainerId id(entry.name);
        if (auto thawed = thaw_abandoned(engine, id); !thawed)
            engine.diagnostics().warning(describe(thawed.error()));
        if (Baton::is_held(engine.roots(), id)) continue;
        auto done = recover(engine, id);
        // One container that cannot be brought to rest must not hide the others.
        if (!done) engine.diagnostics().warning(describe(done.error()));
        if (done && *done) ++recovered;
    }
    return recovered;
}

std::unexpected<Error> in_other_hands(const ContainerRecord& record) {
    const std::string what = "container '" + record.name.str() + "' is ";
    if (record.is_restarting())
        return fail(Code::conflict, what + "waiting to be restarted; stop it first, or try again later");
    return fail(Code::conflict, what + "being started or removed; try again");
}

Result<Loaded> find_settled(Engine& engine, std::string_view name_or_prefix) {
    auto container = engine.find(name_or_prefix);
    if (!container || is_at_rest(container->record)) return container;
    if (auto thawed = thaw_abandoned(engine, container->record.id); !thawed)
        engine.diagnostics().warning(describe(thawed.error()));
    if (Baton::is_held(engine.roots(), container->record.id)) return container;
    auto done = recover(engine, container->record.id);
    if (!done) return fail(done);
    return engine.find(name_or_prefix);
}

} // namespace mydocker::engine
