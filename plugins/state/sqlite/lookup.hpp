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

// The id of the record for which an SQL condition on ?1 holds.
[[nodiscard]] Result<std::optional<ContainerId>> find_id(Database& database, std::string_view condition,
                                                         std::string_view value);

// Errors: not_found; conflict when several ids begin so, the text naming them.
[[nodiscard]] Result<ContainerId> find_prefix(Database& database, std::string_view prefix);

// Errors: not_found, corrupt.
[[nodiscard]] Result<Row> find_row(Database& database, const ContainerId& id);

// Larger than all that are there.
[[nodiscard]] Result<std::int64_t> next_sequence(Database& database);

} // namespace mydocker::sqlite_state
