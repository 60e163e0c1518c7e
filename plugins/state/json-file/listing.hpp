// The walk over all records: order, damage, names that two records claim.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"

#include "record_files.hpp"

namespace mydocker::json_state {

// Visits every record in the order of reservation, then, by id, those that cannot be read. Records that
// share a name come as Code::conflict, each by its id; load() still gives them. A record that was
// removed meanwhile is left out. Errors: the visitor's own; what kept the directory from being read.
[[nodiscard]] Status list_records(const RecordFiles& files, const RecordVisitor& visit);

} // namespace mydocker::json_state
