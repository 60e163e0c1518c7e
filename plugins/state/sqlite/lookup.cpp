#include "lookup.hpp"

#include "state/common/rules.hpp"

#include <string>
#include <utility>
#include <vector>

namespace mydocker::sqlite_state {
namespace {

// An error of reading may be that of waiting for a recovery.
[[nodiscard]] std::unexpected<Error> refused(const Database& database, const Error& error) {
    return std::unexpected<Error>(database.explained(error));
}

[[nodiscard]] Result<std::int64_t> one_number(Database& database, Statement statement) {
    auto row = statement.step();
    if (!row) return refused(database, row.error());
    return *row ? statement.integer(0) : 0;
}

[[nodiscard]] Result<ContainerId> find_prefix(Database& database, std::string_view prefix) {
    // The digit behind 'f' would be 'g'.
    auto statement =
        database.prepare("SELECT sequence, id FROM record WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id");
    if (!statement) return fail(statement);
    statement->text(1, prefix);
    std::vector<ContainerId> fitting; // the first ones
    std::size_t count = 0;
    for (;;) {
        auto row = statement->step();
        if (!row) return refused(database, row.error());
        if (!*row) break;
        ContainerId id = id_of(*statement); // Empty, it begins with nothing.
        if (!id.str().starts_with(prefix)) continue;
        ++count;
        if (fitting.size() < state::kNamedIds) fitting.push_back(std::move(id));
    }
    if (count == 0) return state::no_such(prefix);
    if (count == 1) return std::move(fitting.front());
    return state::ambiguous(prefix, fitting, count);
}

} // namespace

Result<std::optional<ContainerId>> find_id(Database& database, std::string_view where,
                                           std::string_view value) {
    auto statement = database.prepare("SELECT sequence, id FROM record " + std::string(where));
    if (!statement) return fail(statement);
    auto row = statement->text(1, value).step();
    if (!row) return refused(database, row.error());
    if (!*row) return std::nullopt;
    ContainerId id = id_of(*statement);
    if (id.empty()) return no_id(sequence_of(*statement));
    return id;
}

Result<ContainerId> find_named(Database& database, std::string_view text) {
    for (const char* where : {"WHERE id = ?1", "WHERE name = ?1"}) {
        auto found = find_id(database, where, text);
        if (!found) return fail(found);
        if (*found) return std::move(**found);
    }
    auto whole = are_indexes_whole(database);
    if (!whole) return fail(whole);
    // A name that an index has lost must not be taken for the beginning of another one's id.
    for (const char* where : {"NOT INDEXED WHERE id = ?1", "NOT INDEXED WHERE name = ?1"}) {
        if (*whole) break;
        auto found = find_id(database, where, text);
        if (!found) return fail(found);
        if (*found) return std::move(**found);
    }
    return find_prefix(database, text);
}

Result<bool> are_indexes_whole(Database& database) {
    // Without the conditions SQLite counts whichever index it likes best.
    auto statement =
        database.prepare("SELECT (SELECT count(*) FROM record INDEXED BY record_by_id WHERE id >= ''),"
                         " (SELECT count(*) FROM record INDEXED BY record_by_name WHERE name >= '')");
    if (!statement) return fail(statement);
    auto row = statement->step();
    if (!row) return refused(database, row.error());
    const std::int64_t ids = statement->integer(0);
    if (ids != statement->integer(1)) return false;
    if (ids != 0) return true;
    auto sequence = next_sequence(database);
    if (!sequence) return fail(sequence);
    return *sequence == 1;
}

Result<Row> find_row(Database& database, const ContainerId& id) {
    // What the index does not know is looked for in the table itself: a damaged index must not make a
    // container look as if it were gone. Only a miss pays for it.
    for (const char* how : {"", "NOT INDEXED "}) {
        auto statement =
            database.prepare("SELECT " + std::string(kColumns) + " FROM record " + how + "WHERE id = ?1");
        if (!statement) return fail(statement);
        auto found = statement->text(1, id.str()).step();
        if (!found) return refused(database, found.error());
        if (*found) return read_row(*statement);
    }
    return state::no_such(state::short_id(id));
}

Result<Row> find_row(Database& database, std::int64_t sequence) {
    auto statement = database.prepare("SELECT " + std::string(kColumns) + " FROM record WHERE sequence = ?1");
    if (!statement) return fail(statement);
    auto found = statement->integer(1, sequence).step();
    if (!found) return refused(database, found.error());
    if (!*found) return state::no_such("number " + std::to_string(sequence));
    return read_row(*statement);
}

Result<std::int64_t> next_sequence(Database& database) {
    auto statement = database.prepare("SELECT coalesce(max(sequence), 0) + 1 FROM record");
    if (!statement) return fail(statement);
    return one_number(database, std::move(*statement));
}

} // namespace mydocker::sqlite_state
