// Reads: ps. What it shows is true now: a record whose owner is gone is recovered first.
#include "base/process.hpp"
#include "engine/lifecycle.hpp"

namespace mydocker::engine {
namespace {

bool needs_recovery(Engine& engine, const ContainerRecord& record) {
    return record.transition != Transition::none && !Baton::is_held(engine.roots(), record.id);
}

// One listed record as it is now; nothing when it turned out to be gone.
std::optional<Summary> settle(Engine& engine, const ListedRecord& listed) {
    if (!listed.record) return Summary{listed.id, fail(listed.record)};
    auto record = parse_record(*listed.record);
    if (!record) return Summary{listed.id, fail(record, "record damaged")};
    if (record->id != listed.id)
        return Summary{listed.id,
                       fail(Code::corrupt, "record damaged: it is the record of another container")};
    if (!needs_recovery(engine, *record)) return Summary{listed.id, std::move(*record)};
    auto done = recover(engine, listed.id);
    if (!done) engine.diagnostics().warning(describe(done.error()));
    auto now = engine.load(listed.id);
    if (!now && now.error().code == Code::not_found) return std::nullopt;
    if (!now) return Summary{listed.id, fail(now)};
    return Summary{listed.id, std::move(now->record)};
}

} // namespace

Result<std::vector<Summary>> list(Engine& engine) {
    auto store = engine.state();
    if (!store) return fail(store);
    std::vector<ListedRecord> records;
    auto walked = (*store)->list([&](const ListedRecord& record) -> Status {
        records.push_back(record);
        return {};
    });
    if (!walked) return fail(walked);
    std::vector<Summary> summaries;
    summaries.reserve(records.size());
    for (const ListedRecord& record : records)
        if (auto summary = settle(engine, record)) summaries.push_back(std::move(*summary));
    // What was killed before it had a record is in the run directory only.
    if (auto swept = recover_all(engine); !swept) engine.diagnostics().warning(describe(swept.error()));
    return summaries;
}

} // namespace mydocker::engine
