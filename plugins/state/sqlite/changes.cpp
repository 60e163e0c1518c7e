#include "changes.hpp"

#include "lookup.hpp"
#include "row.hpp"

#include "state/common/rules.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace mydocker::sqlite_state {
namespace {

// Whether a change succeeded; undone where it did not.
[[nodiscard]] Status commit_change(Transaction& transaction, Statement& change) {
    if (auto done = change.step(); !done) return fail(done);
    return transaction.commit();
}

[[nodiscard]] Result<Revision> replace(Database& database, Transaction& transaction, const Row& row) {
    const StoredRecord& record = row.record;
    auto change = database.prepare("UPDATE record SET name = ?2, revision = ?3, sum = ?4, document = ?5 "
                                   "WHERE sequence = ?1");
    if (!change) return fail(change);
    change->integer(1, row.sequence)
        .text(2, record.name.str())
        .integer(3, static_cast<std::int64_t>(record.revision))
        .integer(4, sum_of(row.sequence, record.id, record.name, record.revision, record.document))
        .blob(5, record.document);
    if (auto done = commit_change(transaction, *change); !done) return fail(done);
    return record.revision;
}

[[nodiscard]] Status insert(Database& database, Transaction& transaction, const Row& row) {
    const StoredRecord& record = row.record;
    auto change = database.prepare("INSERT INTO record (sequence, id, name, revision, sum, document) "
                                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    if (!change) return fail(change);
    change->integer(1, row.sequence)
        .text(2, record.id.str())
        .text(3, record.name.str())
        .integer(4, static_cast<std::int64_t>(record.revision))
        .integer(5, sum_of(row.sequence, record.id, record.name, record.revision, record.document))
        .blob(6, record.document);
    return commit_change(transaction, *change);
}

} // namespace

Result<Revision> reserve_row(Database& database, const ContainerId& id, const ContainerName& name,
                             std::string_view document) {
    auto transaction = Transaction::begin(database);
    if (!transaction) return fail(transaction);
    auto owner = find_id(database, "WHERE name = ?1", name.str());
    if (!owner) return fail(owner);
    if (*owner) return state::name_taken(name, **owner);
    auto taken = find_id(database, "WHERE id = ?1", id.str());
    if (!taken) return fail(taken);
    if (*taken) return fail(Code::exists, "container " + state::short_id(id) + ": the id is taken");
    auto sequence = next_sequence(database);
    if (!sequence) return fail(sequence);
    const Row row{.sequence = *sequence,
                  .record = {.id = id, .name = name, .revision = 1, .document = std::string(document)}};
    if (auto inserted = insert(database, *transaction, row); !inserted) return fail(inserted);
    return row.record.revision;
}

Result<Revision> save_row(Database& database, const ContainerId& id, std::string_view document,
                          Revision expected) {
    auto transaction = Transaction::begin(database);
    if (!transaction) return fail(transaction);
    auto row = find_row(database, id);
    if (!row) return fail(row);
    StoredRecord& record = row->record;
    if (!state::is_expected(record.revision, expected)) return state::changed(id, record.revision, expected);
    ++record.revision;
    record.document = document;
    return replace(database, *transaction, *row);
}

Result<Revision> rename_row(Database& database, const ContainerId& id, const ContainerName& name) {
    auto transaction = Transaction::begin(database);
    if (!transaction) return fail(transaction);
    auto row = find_row(database, id);
    if (!row) return fail(row);
    StoredRecord& record = row->record;
    if (record.name == name) return record.revision;
    auto owner = find_id(database, "WHERE name = ?1", name.str());
    if (!owner) return fail(owner);
    if (*owner) return state::name_taken(name, **owner);
    ++record.revision;
    record.name = name;
    return replace(database, *transaction, *row);
}

Status remove_row(Database& database, const ContainerId& id, Revision expected) {
    auto transaction = Transaction::begin(database);
    if (!transaction) return fail(transaction);
    const auto row = find_row(database, id);
    if (!row && row.error().code == Code::not_found) return {};
    // Damage must not make a container immortal.
    const bool is_removable = row || (row.error().code == Code::corrupt && expected == kAnyRevision);
    if (!is_removable) return fail(row);
    if (row && !state::is_expected(row->record.revision, expected))
        return state::changed(id, row->record.revision, expected);
    auto change = database.prepare("DELETE FROM record WHERE id = ?1");
    if (!change) return fail(change);
    change->text(1, id.str());
    return commit_change(*transaction, *change);
}

} // namespace mydocker::sqlite_state
