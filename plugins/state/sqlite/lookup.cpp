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

} // namespace

Result<std::optional<ContainerId>> find_id(Database& database, std::string_view condition,
                                           std::string_view value) {
    auto statement = database.prepare("SELECT id FROM record WHERE " + std::string(condition));
    if (!statement) return fail(statement);
    auto row = statement->text(1, value).step();
    if (!row) return refused(database, row.error());
    if (!*row) return std::nullopt;
    return ContainerId(statement->text(0));
}

Result<ContainerId> find_prefix(Database& database, std::string_view prefix) {
    // The digit behind 'f' would be 'g'.
    constexpr std::string_view kRange = "FROM record WHERE id >= ?1 AND id < ?1 || 'g'";
    auto statement = database.prepare("SELECT id " + std::string(kRange) + " ORDER BY id LIMIT " +
                                      std::to_string(state::kNamedIds));
    if (!statement) return fail(statement);
    statement->text(1, prefix);
    std::vector<ContainerId> fitting;
    for (;;) {
        auto row = statement->step();
        if (!row) return refused(database, row.error());
        if (!*row) break;
        if (statement->text(0).starts_with(prefix)) fitting.emplace_back(statement->text(0));
    }
    if (fitting.empty()) return state::no_such(prefix);
    if (fitting.size() == 1) return std::move(fitting.front());
    auto counter = database.prepare("SELECT count(*) " + std::string(kRange));
    if (!counter) return fail(counter);
    counter->text(1, prefix);
    auto count = one_number(database, std::move(*counter));
    if (!count) return fail(count);
    return state::ambiguous(prefix, fitting, static_cast<std::size_t>(*count));
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

Result<std::int64_t> next_sequence(Database& database) {
    auto statement = database.prepare("SELECT coalesce(max(sequence), 0) + 1 FROM record");
    if (!statement) return fail(statement);
    return one_number(database, std::move(*statement));
}

} // namespace mydocker::sqlite_state
