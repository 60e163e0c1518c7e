// The walk over all records.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"

#include "database.hpp"

#include <functional>

namespace mydocker::sqlite_state {

// The store's database as it is now; a visitor may have changed it.
using CurrentDatabase = std::function<Result<Database*>()>;

// Visits every record in the order of reservation; none for not_found. Where the table is damaged, what the
// index of ids still knows is visited one by one, what cannot be read as its error.
// Errors: the visitor's own; corrupt when the index is damaged, too.
[[nodiscard]] Status list_records(const CurrentDatabase& current, const RecordVisitor& visit);

} // namespace mydocker::sqlite_state
