// Reads one container's log back, page by page, while it may be written and rotated.
#pragma once

#include "mydocker/log_sink.hpp"

#include <string>

namespace mydocker::json_file {

// As LogSink::read. `since` and `until` are looked at first, then `tail` counts the lines that are left,
// from the end: the page begins right behind the end of the line before the first one counted. So where
// pieces of a long line lie between lines of the other source, its beginning may be missing.
[[nodiscard]] Result<LogPage> read_page(const std::string& directory, const LogQuery& query,
                                        const LogCursor& from, const LogVisitor& visit);

} // namespace mydocker::json_file
