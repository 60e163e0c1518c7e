// A record as a row of the database, and the sum by which damage shows that SQLite cannot see.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"

#include "database.hpp"

#include <cstdint>
#include <string_view>

namespace mydocker::sqlite_state {

struct Row {
    std::int64_t sequence = 0; // the order of reservation
    StoredRecord record;
};

// In the order in which read_row wants them.
inline constexpr std::string_view kColumns = "sequence, id, name, revision, sum, document";

// The row that the statement is at. Errors: corrupt; the id is read even then, by id_of.
[[nodiscard]] Result<Row> read_row(const Statement& statement);
// Also of a row of which only the sequence and the id are asked for. Empty: what is there is no id.
[[nodiscard]] ContainerId id_of(const Statement& statement);
[[nodiscard]] std::int64_t sequence_of(const Statement& statement);

// The error of a row whose id is none.
[[nodiscard]] std::unexpected<Error> no_id(std::int64_t sequence);

// Of all other columns.
[[nodiscard]] std::int64_t sum_of(std::int64_t sequence, const ContainerId& id, const ContainerName& name,
                                  Revision revision, std::string_view document);

} // namespace mydocker::sqlite_state
