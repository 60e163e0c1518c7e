// Finding records in the database. A change that depends on the answer needs a transaction.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"

#include "database.hpp"
#include "row.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace mydocker::sqlite_state {

// The id of the record for which an SQL clause on ?1 holds. Errors: corrupt, also when that is no id.
[[nodiscard]] Result<std::optional<ContainerId>> find_id(Database& database, std::string_view where,
                                                         std::string_view value);

// Of an id, a name or the beginning of an id, in this order. Errors: not_found; conflict when several ids
// begin so, the text naming them.
[[nodiscard]] Result<ContainerId> find_named(Database& database, std::string_view text);

// Whether both indexes know as many records: one that was lost in one of them shows. Leaves the table alone,
// unless they know none, so that damage there does not matter.
[[nodiscard]] Result<bool> are_indexes_whole(Database& database);

// Errors: not_found, corrupt.
[[nodiscard]] Result<Row> find_row(Database& database, const ContainerId& id);
[[nodiscard]] Result<Row> find_row(Database& database, std::int64_t sequence);

// Larger than all that are there.
[[nodiscard]] Result<std::int64_t> next_sequence(Database& database);

} // namespace mydocker::sqlite_state
