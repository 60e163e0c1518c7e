#include "changes.hpp"

#include "lookup.hpp"
#include "row.hpp"

#include "state/common/rules.hpp"

#include <cstdint>
#include <string>
#include <type_traits>

namespace mydocker::sqlite_state {
namespace {

enum class Indexes { as_they_are, made_anew };

template <class Work>
[[nodiscard]] std::invoke_result_t<const Work&> attempt_change(Database& database, Indexes indexes,
                                                               const Work& work) {
    auto transaction = Transaction::begin(database);
    if (!transaction) return fail(transaction);
    if (indexes == Indexes::made_anew) {
        if (auto made = database.execute("REINDEX"); !made) return fail(made);
    }
    auto result = work();
    if (!result) return result;
    if (auto done = transaction->commit(); !done) return fail(done);
    return result;
}

// Does `work` in a transaction, undone where it fails. The damage that it meets may be one of an index, which
// can be made anew from its table, so then it is done once more on such. The first error says what is
// damaged.
template <class Work>
[[nodiscard]] std::invoke_result_t<const Work&> change(Database& database, const Work& work) {
    auto first = attempt_change(database, Indexes::as_they_are, work);
    if (first || first.error().code != Code::corrupt) return first;
    auto second = attempt_change(database, Indexes::made_anew, work);
    return !second && second.error().code == Code::corrupt ? first : second;
}

// Steps a change of one row. What goes by an index that has lost the row changes none, and SQLite says
// nothing.
[[nodiscard]] Status change_row(Database& database, Statement& statement) {
    if (auto done = statement.step(); !done) return fail(done);
    if (database.changed_rows() == 1) return {};
    return fail(Code::corrupt, "change state store '" + database.path() + "', whose indexes are damaged");
}

// A name that is not in a damaged index may be taken all the same.
[[nodiscard]] Status check_free(Database& database, const ContainerName& name) {
    auto whole = are_indexes_whole(database);
    if (!whole) return fail(whole);
    if (!*whole)
        return fail(Code::corrupt, "look for name '" + name.str() + "' in state store '" + database.path() +
                                       "', whose indexes are damaged");
    auto owner = find_id(database, "WHERE name = ?1", name.str());
    if (!owner) return fail(owner);
    if (*owner) return state::name_taken(name, **owner);
    return {};
}

[[nodiscard]] Result<Revision> replace(Database& database, const Row& row) {
    const StoredRecord& record = row.record;
    auto statement = database.prepare("UPDATE record SET name = ?2, revision = ?3, sum = ?4, document = ?5 "
                                      "WHERE sequence = ?1");
    if (!statement) return fail(statement);
    statement->integer(1, row.sequence)
        .text(2, record.name.str())
        .integer(3, static_cast<std::int64_t>(record.revision))
        .integer(4, sum_of(row.sequence, record.id, record.name, record.revision, record.document))
        .blob(5, record.document);
    if (auto done = change_row(database, *statement); !done) return fail(done);
    return record.revision;
}

[[nodiscard]] Result<Revision> insert(Database& database, const Row& row) {
    const StoredRecord& record = row.record;
    auto statement = database.prepare("INSERT INTO record (sequence, id, name, revision, sum, document) "
                                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    if (!statement) return fail(statement);
    statement->integer(1, row.sequence)
        .text(2, record.id.str())
        .text(3, record.name.str())
        .integer(4, static_cast<std::int64_t>(record.revision))
        .integer(5, sum_of(row.sequence, record.id, record.name, record.revision, record.document))
        .blob(6, record.document);
    if (auto done = change_row(database, *statement); !done) return fail(done);
    return record.revision;
}

[[nodiscard]] Status remove_found(Database& database, const ContainerId& id, Revision expected) {
    const auto row = find_row(database, id);
    if (!row && row.error().code == Code::not_found) return {};
    // Damage must not make a container immortal.
    const bool is_removable = row || (row.error().code == Code::corrupt && expected == kAnyRevision);
    if (!is_removable) return fail(row);
    if (row && !state::is_expected(row->record.revision, expected))
        return state::changed(id, row->record.revision, expected);
    auto statement = database.prepare("DELETE FROM record WHERE id = ?1");
    if (!statement) return fail(statement);
    return change_row(database, statement->text(1, id.str()));
}

} // namespace

Result<Revision> reserve_row(Database& database, const ContainerId& id, const ContainerName& name,
                             std::string_view document) {
    return change(database, [&]() -> Result<Revision> {
        if (auto is_free = check_free(database, name); !is_free) return fail(is_free);
        auto taken = find_id(database, "WHERE id = ?1", id.str());
        if (!taken) return fail(taken);
        if (*taken) return fail(Code::exists, "container " + state::short_id(id) + ": the id is taken");
        auto sequence = next_sequence(database);
        if (!sequence) return fail(sequence);
        return insert(database,
                      {.sequence = *sequence,
                       .record = {.id = id, .name = name, .revision = 1, .document = std::string(document)}});
    });
}

Result<Revision> save_row(Database& database, const ContainerId& id, std::string_view document,
                          Revision expected) {
    return change(database, [&]() -> Result<Revision> {
        auto row = find_row(database, id);
        if (!row) return fail(row);
        StoredRecord& record = row->record;
        if (!state::is_expected(record.revision, expected))
            return state::changed(id, record.revision, expected);
        ++record.revision;
        record.document = document;
        return replace(database, *row);
    });
}

Result<Revision> rename_row(Database& database, const ContainerId& id, const ContainerName& name) {
    return change(database, [&]() -> Result<Revision> {
        auto row = find_row(database, id);
        if (!row) return fail(row);
        StoredRecord& record = row->record;
        if (record.name == name) return record.revision;
        if (auto is_free = check_free(database, name); !is_free) return fail(is_free);
        ++record.revision;
        record.name = name;
        return replace(database, *row);
    });
}

Status remove_row(Database& database, const ContainerId& id, Revision expected) {
    return change(database, [&] { return remove_found(database, id, expected); });
}

} // namespace mydocker::sqlite_state
