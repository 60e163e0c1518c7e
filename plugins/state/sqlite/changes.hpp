// The changes of records, each one transaction. The arguments are valid ids, names and documents. An index
// that lacks a record is made anew by the change that notices it.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"

#include "database.hpp"

#include <string_view>

namespace mydocker::sqlite_state {

// As the methods of StateStore, in this database.
[[nodiscard]] Result<Revision> reserve_row(Database& database, const ContainerId& id,
                                           const ContainerName& name, std::string_view document);
[[nodiscard]] Result<Revision> save_row(Database& database, const ContainerId& id, std::string_view document,
                                        Revision expected);
[[nodiscard]] Result<Revision> rename_row(Database& database, const ContainerId& id,
                                          const ContainerName& name);
[[nodiscard]] Status remove_row(Database& database, const ContainerId& id, Revision expected);

} // namespace mydocker::sqlite_state
