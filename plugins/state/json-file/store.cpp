#include "store.hpp"

#include "mydocker/export_state_store.hpp"

#include "listing.hpp"

#include <string>
#include <utility>
#include <vector>

namespace mydocker::json_state {

Result<std::unique_ptr<StateStore>> JsonFileStore::open(Host host) {
    return std::make_unique<JsonFileStore>(std::move(host));
}

JsonFileStore::JsonFileStore(Host host)
    : host_(std::move(host)),
      patience_(host_.options().duration("lock_timeout")),
      files_(host_.data_dir(), host_.options().boolean("sync") ? files::Sync::data : files::Sync::none),
      names_(files_) {}

Result<StateTraits> JsonFileStore::probe() {
    return StateTraits{.durable = files_.sync() == files::Sync::data};
}

Result<StoreLock::Guard> JsonFileStore::enter(Missing missing) {
    if (auto opened = files_.open(missing); !opened) return fail(opened);
    return lock_.acquire(files_, host_, patience_);
}

Result<Revision> JsonFileStore::reserve(const ContainerId& id, const ContainerName& name,
                                        std::string_view document) {
    if (auto fit = check_id(id); !fit) return fail(fit);
    if (auto fit = check_name(name); !fit) return fail(fit);
    if (auto fit = check_document(document); !fit) return fail(fit);
    auto revision = reserve_locked(id, name, document);
    if (revision || revision.error().code != Code::conflict) return revision;
    // The whole store was removed since this instance opened it: once more, from the beginning.
    lock_.close();
    files_.close();
    return reserve_locked(id, name, document);
}

Result<Revision> JsonFileStore::reserve_locked(const ContainerId& id, const ContainerName& name,
                                               std::string_view document) {
    const auto lock = enter(Missing::create);
    if (!lock) return fail(lock);
    const auto sequence = next_sequence();
    if (!sequence) return fail(sequence);
    // The name first: if this process dies before the record is there, the name belongs to no record
    // and is taken over by whoever wants it.
    if (auto claimed = names_.claim(name, id); !claimed) return fail(claimed);
    auto revision =
        write(Record{.id = id, .name = name, .revision = 1, .sequence = *sequence, .document = {}}, document,
              Placement::create);
    if (!revision) (void)names_.release(name, id); // The first error counts; the entry would be stale.
    return revision;
}

Result<std::uint64_t> JsonFileStore::next_sequence() {
    auto count = lock_.count();
    if (!count) return fail(count);
    if (*count == 0) { // A new store, or records that were restored without their lock.
        count = files_.highest_sequence();
        if (!count) return fail(count);
    }
    if (auto counted = lock_.set_count(*count + 1, files_.sync()); !counted) return fail(counted);
    return *count + 1;
}

Result<StoredRecord> JsonFileStore::load(const ContainerId& id) {
    if (auto fit = check_id(id); !fit) return fail(fit);
    if (auto opened = files_.open(Missing::report); !opened) {
        if (opened.error().code == Code::not_found) return no_such(short_id(id));
        return fail(opened);
    }
    auto record = files_.read(id);
    if (!record) return fail(record);
    return StoredRecord{.id = std::move(record->id),
                        .name = std::move(record->name),
                        .revision = record->revision,
                        .document = std::move(record->document)};
}

Result<ContainerId> JsonFileStore::resolve(std::string_view name_or_prefix) {
    if (!is_name(name_or_prefix)) return no_such(name_or_prefix); // An id has the form of a name, too.
    if (auto opened = files_.open(Missing::report); !opened) {
        if (opened.error().code == Code::not_found) return no_such(name_or_prefix);
        return fail(opened);
    }
    if (is_id(name_or_prefix)) {
        ContainerId id(name_or_prefix);
        if (files_.identity(id)) return id;
    }
    const ContainerName name(name_or_prefix);
    auto owner = names_.owner(name);
    if (!owner) return fail(owner);
    if (*owner) return std::move(**owner);
    auto by_prefix = resolve_prefix(name_or_prefix);
    if (by_prefix || by_prefix.error().code != Code::not_found) return by_prefix;
    return resolve_unindexed(name);
}

Result<ContainerId> JsonFileStore::resolve_prefix(std::string_view prefix) const {
    auto entries = files_.entries();
    if (!entries) return fail(entries);
    std::vector<ContainerId> fitting;
    for (const files::DirectoryEntry& entry : *entries)
        if (is_id(entry.name) && entry.name.starts_with(prefix)) fitting.emplace_back(entry.name);
    if (fitting.empty()) return no_such(prefix);
    if (fitting.size() == 1) return std::move(fitting.front());
    return state::ambiguous(prefix, fitting, fitting.size());
}

// The records decide, so a name that the index lost is still found; only a miss pays for it.
Result<ContainerId> JsonFileStore::resolve_unindexed(const ContainerName& name) const {
    std::optional<ContainerId> found;
    auto walked = files_.for_each_readable([&](const Record& record) -> Status {
        if (record.name == name) found = record.id;
        return {};
    });
    if (!walked) return fail(walked);
    if (!found) return no_such(name.str());
    return std::move(*found);
}

Result<Record> JsonFileStore::current(const ContainerId& id) const {
    if (written_ && written_->record.id == id) {
        const auto identity = files_.identity(id);
        if (!identity) return fail(identity);
        if (*identity == written_->file.identity) return written_->record;
    }
    return files_.read(id);
}

Result<Revision> JsonFileStore::write(Record record, std::string_view document, Placement placement) {
    auto file = files_.write(record, document, placement);
    if (!file) return fail(file);
    const Revision revision = record.revision;
    record.document = {};
    written_ = Written{.record = std::move(record), .file = std::move(*file)};
    return revision;
}

Result<Revision> JsonFileStore::save(const ContainerId& id, std::string_view document, Revision expected) {
    if (auto fit = check_id(id); !fit) return fail(fit);
    if (auto fit = check_document(document); !fit) return fail(fit);
    const auto lock = enter(Missing::report);
    if (!lock && lock.error().code == Code::not_found) return no_such(short_id(id));
    if (!lock) return fail(lock);
    auto record = current(id);
    if (!record) return fail(record);
    if (!is_expected(record->revision, expected)) return changed(id, record->revision, expected);
    ++record->revision;
    return write(std::move(*record), document, Placement::replace);
}

Result<Revision> JsonFileStore::rename(const ContainerId& id, const ContainerName& name) {
    if (auto fit = check_id(id); !fit) return fail(fit);
    if (auto fit = check_name(name); !fit) return fail(fit);
    const auto lock = enter(Missing::report);
    if (!lock && lock.error().code == Code::not_found) return no_such(short_id(id));
    if (!lock) return fail(lock);
    auto record = files_.read(id);
    if (!record) return fail(record);
    if (record->name == name) return record->revision;
    // Until the record says so the new name is a stale entry, and from then on the old one is.
    if (auto claimed = names_.claim(name, id); !claimed) return fail(claimed);
    const ContainerName old = std::exchange(record->name, name);
    const std::string document = std::move(record->document);
    ++record->revision;
    auto revision = write(std::move(*record), document, Placement::replace);
    (void)names_.release(revision ? old : name, id); // A stale entry hurts nobody.
    return revision;
}

Status JsonFileStore::remove(const ContainerId& id, Revision expected) {
    if (auto fit = check_id(id); !fit) return fit;
    const auto lock = enter(Missing::report);
    if (!lock && lock.error().code == Code::not_found) return {};
    if (!lock) return fail(lock);
    const auto record = current(id);
    if (!record) {
        if (record.error().code == Code::not_found) return {};
        // Damage must not make a container immortal; a newer version's record is not damaged.
        const bool removable = record.error().code == Code::corrupt && expected == kAnyRevision;
        if (!removable) return fail(record);
        return files_.remove(id);
    }
    if (!is_expected(record->revision, expected)) return changed(id, record->revision, expected);
    if (auto removed = files_.remove(id); !removed) return removed;
    (void)names_.release(record->name, id); // A stale entry hurts nobody.
    return {};
}

Status JsonFileStore::list(const RecordVisitor& visit) {
    if (auto opened = files_.open(Missing::report); !opened) {
        if (opened.error().code == Code::not_found) return {};
        return opened;
    }
    return list_records(files_, visit);
}

} // namespace mydocker::json_state

MYDOCKER_EXPORT_STATE_STORE(mydocker::json_state::JsonFileStore, "json-file", "1.0.0",
                            "one JSON-headed file a container, atomic, without a daemon",
                            mydocker::json_state::kOptions);
