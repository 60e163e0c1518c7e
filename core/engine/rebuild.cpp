#include "engine/rebuild.hpp"

#include "engine/baton.hpp"
#include "engine/steps.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::engine {
namespace {

constexpr int kTriesOfAName = 8;

struct Lost {
    ContainerId id;
    bool is_damaged = false; // else there is none
};

// Records that cannot be read, and bundles without one.
Result<std::vector<Lost>> lost_records(Engine& engine, Orphans orphans) {
    auto store = engine.state();
    if (!store) return fail(store);
    std::vector<Lost> lost;
    auto walked = (*store)->list([&](const ListedRecord& listed) -> Status {
        auto record =
            listed.record ? parse_record(*listed.record) : Result<ContainerRecord>(fail(listed.record));
        if (!record && record.error().code == Code::corrupt) lost.push_back({listed.id, true});
        return {};
    });
    if (!walked) return fail(walked);
    if (orphans == Orphans::remove) return lost;
    const std::string bundles = paths::containers(engine.roots());
    auto directory = files::open(bundles, O_RDONLY | O_DIRECTORY);
    if (!directory) return fail(directory);
    auto entries = files::list_directory(directory->get(), bundles);
    if (!entries) return fail(entries);
    for (const files::DirectoryEntry& entry : *entries) {
        if (!paths::is_id(entry.name)) continue;
        auto stored = (*store)->load(ContainerId(entry.name));
        if (!stored && stored.error().code == Code::not_found)
            lost.push_back({ContainerId(entry.name), false});
    }
    return lost;
}

// The record as the bundle has it, of a container whose writable layer is there; else nothing is proved.
std::optional<ContainerRecord> proved_record(Engine& engine, const ContainerId& id) {
    auto spec = read_spec(engine, id);
    if (!spec) return {};
    const auto note = spec->annotations.find(std::string(kBirthNote));
    if (note == spec->annotations.end()) return {};
    auto record = parse_record(std::string_view(note->second));
    if (!record || record->id != id) return {};
    auto driver = engine.storage(record->drivers.storage);
    if (!driver || !(*driver)->mounts(RwId(id.str()), Access::read_write)) return {};
    return std::move(*record);
}

// As it is after whatever it did last; nobody starts it but a user.
void put_to_rest(ContainerRecord& record) {
    record.state = State::created;
    record.transition = Transition::none;
    record.born_by_run = false;
    record.process = {};
    record.restart = {.policy = record.restart.policy, .stopped_by_user = true};
    record.reason = "its record was lost, and rebuilt from its configuration";
}

Status keep(Engine& engine, ContainerRecord& record, bool is_damaged) {
    auto store = engine.state();
    if (!store) return fail(store);
    // Killed between the two, the bundle is there still, and is found by the next call.
    if (is_damaged)
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

Status rebuild(Engine& engine, const Lost& lost, const ActionVisitor& told) {
    auto baton = Baton::take(engine.roots(), lost.id);
    // Somebody is at it: its monitor, or whoever removes it.
    if (!baton) return baton.error().code == Code::busy ? Status{} : Status(fail(baton));
    auto record = proved_record(engine, lost.id);
    if (record) {
        put_to_rest(*record);
        if (auto kept = keep(engine, *record, lost.is_damaged); !kept) return kept;
        told(fmt::format("container {}: record rebuilt from its configuration, as '{}'",
                         paths::short_id(lost.id), record->name.str()));
    }
    return baton->finish(engine.roots(), lost.id);
}

} // namespace

Status rebuild_records(Engine& engine, Orphans orphans, const ActionVisitor& told) {
    auto lost = lost_records(engine, orphans);
    if (!lost) return fail(lost);
    for (const Lost& each : *lost)
        if (auto done = rebuild(engine, each, told); !done)
            told(fmt::format("container {}: {}", paths::short_id(each.id), describe(done.error())));
    return {};
}

} // namespace mydocker::engine
