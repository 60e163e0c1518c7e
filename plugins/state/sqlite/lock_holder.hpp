// Who is in the way of a change, for the message that says so. Not for deciding anything: it is the past by
// then.
#pragma once

#include <string>

namespace mydocker::sqlite_state {

// The process that has the lock for changes in SQLite's shared index: "pid 1234 (mydocker rm a, stopped)";
// empty: none that can be seen.
[[nodiscard]] std::string lock_holder(const std::string& index_path);

} // namespace mydocker::sqlite_state
