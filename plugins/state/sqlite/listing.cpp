#include "listing.hpp"

#include "lookup.hpp"
#include "row.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::sqlite_state {
namespace {

// Documents of so many bytes are read at a time. No statement is open while a visitor is called: a slow one
// would keep the -wal file from being written back, and it may use the store itself.
constexpr std::size_t kPageBytes = 4U << 20U;

struct Page {
    std::vector<ListedRecord> records;
    std::int64_t last = 0; // sequence
    bool is_end = true;
    std::optional<Error> error; // what ended it early
};

// The record, or its damage.
[[nodiscard]] ListedRecord listed(const Statement& statement) {
    auto row = read_row(statement);
    if (!row) return {.id = id_of(statement), .record = std::unexpected<Error>(row.error())};
    ContainerId id = row->record.id;
    return {.id = std::move(id), .record = std::move(row->record)};
}

[[nodiscard]] Page read_page(Database& database, std::int64_t after) {
    Page page{.records = {}, .last = after, .is_end = true, .error = {}};
    auto statement = database.prepare("SELECT " + std::string(kColumns) +
                                      " FROM record WHERE sequence > ?1 ORDER BY sequence");
    if (!statement) {
        page.error = statement.error();
        return page;
    }
    statement->integer(1, after);
    for (std::size_t bytes = 0; bytes < kPageBytes;) {
        auto row = statement->step();
        if (!row) page.error = database.explained(row.error());
        if (!row || !*row) return page;
        page.last = sequence_of(*statement);
        page.records.push_back(listed(*statement));
        if (page.records.back().record) bytes += page.records.back().record->document.size();
    }
    page.is_end = false;
    return page;
}

// What the index of ids knows of a record.
struct Indexed {
    std::int64_t sequence = 0;
    ContainerId id; // empty: what is there is none
};

// Those behind `after`, in order.
[[nodiscard]] Result<std::vector<Indexed>> indexed_ids(Database& database, std::int64_t after) {
    auto statement = database.prepare("SELECT sequence, id FROM record INDEXED BY record_by_id "
                                      "WHERE sequence > ?1 AND id >= '' ORDER BY sequence");
    if (!statement) return fail(statement);
    statement->integer(1, after);
    std::vector<Indexed> ids;
    for (;;) {
        auto row = statement->step();
        if (!row) return fail(row);
        if (!*row) return ids;
        ids.push_back({.sequence = sequence_of(*statement), .id = id_of(*statement)});
    }
}

// The record, or its damage under the id by which the index knows it.
[[nodiscard]] ListedRecord listed(const Indexed& indexed, Result<Row> row) {
    if (row) return {.id = row->record.id, .record = std::move(row->record)};
    if (indexed.id.empty()) return {.id = {}, .record = no_id(indexed.sequence)};
    return {.id = indexed.id, .record = fail(row)};
}

[[nodiscard]] Status list_one_by_one(const CurrentDatabase& current, std::int64_t after,
                                     const RecordVisitor& visit) {
    auto database = current();
    if (!database) return fail(database);
    auto ids = indexed_ids(**database, after);
    if (!ids) return fail(ids);
    for (const Indexed& indexed : *ids) {
        database = current();
        if (!database) return fail(database);
        auto row = find_row(**database, indexed.sequence);
        if (!row && row.error().code == Code::not_found) continue; // Removed since.
        if (auto visited = visit(listed(indexed, std::move(row))); !visited) return visited;
    }
    return {};
}

} // namespace

Status list_records(const CurrentDatabase& current, const RecordVisitor& visit) {
    std::int64_t after = std::numeric_limits<std::int64_t>::min();
    for (;;) {
        auto database = current();
        if (!database && database.error().code == Code::not_found) return {};
        if (!database) return fail(database);
        const Page page = read_page(**database, after);
        for (const ListedRecord& item : page.records)
            if (auto visited = visit(item); !visited) return visited;
        if (page.error && page.error->code == Code::corrupt)
            return list_one_by_one(current, page.last, visit);
        if (page.error) return std::unexpected<Error>(*page.error);
        if (page.is_end) return {};
        after = page.last;
    }
}

} // namespace mydocker::sqlite_state
