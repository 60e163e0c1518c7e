#include "engine/rebuild.hpp"

#include "engine/baton.hpp"
#include "engine/finish.hpp"
#include "engine/steps.hpp"

#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::engine {
namespace {

constexpr int kTriesOfAName = 8;

// Records that cannot be read, and bundles without one. What a store lists without an id is no container's.
Result<std::vector<ContainerId>> lost_records(Engine& engine) {
    auto store = engine.state();
    if (!store) return fail(store);
    std::vector<ContainerId> lost;
    auto walked = (*store)->list([&](const ListedRecord& listed) -> Status {
        if (!paths::is_id(listed.id.str())) return {};
        auto record =
            listed.record ? parse_record(*listed.record) : Result<ContainerRecord>(fail(listed.record));
        if (!record && record.error().code == Code::corrupt) lost.push_back(listed.id);
        return {};
    });
    if (!walked) return fail(walked);
    const std::string bundles = paths::containers(engine.roots());
    auto directory = files::open(bundles, O_RDONLY | O_DIRECTORY);
    if (!directory) return fail(directory);
    auto entries = files::list_directory(directory->get(), bundles);
    if (!entries) return fail(entries);
    for (const files::DirectoryEntry& entry : *entries) {
        if (!paths::is_id(entry.name)) continue;
        const ContainerId id(entry.name);
        auto stored = (*store)->load(id);
        if (stored || stored.error().code != Code::not_found || is_of_another_store(engine, id)) continue;
        lost.push_back(id);
    }
    return lost;
}

std::optional<std::string> note_of(const runtime::ContainerSpec& spec, std::string_view key) {
    const auto note = spec.annotations.find(std::string(key));
    if (note == spec.annotations.end()) return std::nullopt;
    return note->second;
}

// By a look alone: to ask for its mounts may begin something.
bool has_layer(StorageDriver& driver, const ContainerId& id) {
    bool found = false;
    const auto walked = driver.list([&](const StorageObject& object) -> Status {
        found = found || (object.kind == StorageObjectKind::rw && object.id == id.str());
        return {};
    });
    return walked && found;
}

// The record as the bundle has it, of a container whose writable layer is there; else nothing is proved.
std::optional<ContainerRecord> proved_record(Engine& engine, const ContainerId& id) {
    auto spec = read_spec(engine, id);
    if (!spec) return {};
    const auto note = note_of(*spec, kBirthNote);
    if (!note || note_of(*spec, kStoreNote) != engine.selected_state()) return {};
    auto record = parse_record(std::string_view(*note));
    if (!record || record->id != id) return {};
    auto driver = engine.storage(record->drivers.storage);
    if (!driver || !has_layer(**driver, id)) return {};
    return std::move(*record);
}

// Of a directory; 0 when it cannot be read.
std::size_t count_entries(const std::string& path) {
    auto directory = files::open(path, O_RDONLY | O_DIRECTORY);
    if (!directory) return 0;
    auto entries = files::list_directory(directory->get(), path);
    return entries ? entries->size() : 0;
}

// Its processes may have outlived its monitor, where they share a pid namespace. How it ended is known if the
// monitor left a note; that it ran, if there is a log.
Status put_to_rest(Engine& engine, ContainerRecord& record) {
    auto report = exit_note(engine, record.id);
    if (!report) return fail(report);
    if (auto cgroup = engine.cgroup_of(record))
        (void)cgroup->backend->kill(cgroup->locator, SIGKILL); // Whom it misses, the removal finds.
    record.process = {};
    Loaded loaded{record, {}};
    Context context{.engine = engine, .container = loaded};
    if (auto released = release(context, Life::run); !released) return released;
    const bool has_run = *report || count_entries(paths::logs(engine.roots(), record.id)) > 0;
    record.state = has_run ? State::exited : State::created;
    record.started_ns = has_run ? record.created_ns : 0;
    record.finished_ns = *report ? (*report)->finished_ns : record.started_ns;
    record.exit_code = *report ? (*report)->status.shell_code() : has_run ? 137 : 0;
    record.transition = Transition::none;
    record.born_by_run = false;
    record.restart = {.policy = record.restart.policy,
                      .stopped_by_user = true}; // Nobody starts it but a user.
    record.reason = "its record was lost, and rebuilt from its configuration";
    return {};
}

// Whether there is a record to keep still: somebody else may have rebuilt it before we had the baton.
Result<bool> is_lost_still(Engine& engine, const ContainerId& id) {
    auto now = engine.load(id);
    if (now) return false;
    if (now.error().code == Code::not_found || now.error().code == Code::corrupt) return true;
    return fail(now);
}

Status keep(Engine& engine, ContainerRecord& record) {
    auto store = engine.state();
    if (!store) return fail(store);
    // Killed between the two, the bundle is there still, and is found by the next call.
    if (auto gone = (*store)->remove(record.id, kAnyRevision); !gone) return gone;
    for (int i = 0;; ++i) {
        auto reserved = (*store)->reserve(record.id, record.name, to_document(record));
        if (reserved) return {};
        if (reserved.error().code != Code::exists || i == kTriesOfAName) return fail(reserved);
        auto name = paths::make_name();
        if (!name) return fail(name);
        record.name = *name;
    }
}

Status rebuild(Engine& engine, const ContainerId& id, const ActionVisitor& told) {
    auto baton = Baton::take(engine.roots(), id);
    // Somebody is at it: its monitor, or whoever removes it.
    if (!baton) return baton.error().code == Code::busy ? Status{} : Status(fail(baton));
    auto lost = is_lost_still(engine, id);
    if (!lost) return fail(lost);
    auto record = *lost ? proved_record(engine, id) : std::nullopt;
    if (record) {
        if (auto done = put_to_rest(engine, *record); !done) return done;
        if (auto kept = keep(engine, *record); !kept) return kept;
        told(fmt::format("container {}: record rebuilt from its configuration, as '{}'", paths::short_id(id),
                         record->name.str()));
    }
    // What its run directory says of it besides the lock, its cgroup first of all, is for whoever can do more
    // with it.
    if (!record && *lost && count_entries(paths::run_directory(engine.roots(), id)) > 1) {
        baton->let_go();
        return {};
    }
    return baton->finish(engine.roots(), id);
}

} // namespace

Status rebuild_records(Engine& engine, const ActionVisitor& told) {
    auto lost = lost_records(engine);
    if (!lost) return fail(lost);
    for (const ContainerId& id : *lost)
        if (auto done = rebuild(engine, id, told); !done)
            told(fmt::format("container {}: {}", paths::short_id(id), describe(done.error())));
    return {};
}

bool is_of_another_store(Engine& engine, const ContainerId& id) {
    auto spec = read_spec(engine, id);
    if (!spec) return false;
    const auto store = note_of(*spec, kStoreNote);
    return store && *store != engine.selected_state();
}

} // namespace mydocker::engine
