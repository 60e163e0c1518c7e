// Reads a container's entries back from the journal. A cursor is the journal's own.
#pragma once

#include "mydocker/log_sink.hpp"

#include <string>

namespace mydocker::journal {

// As LogSink::read. directory: of the journal's files; "": where the host has them.
[[nodiscard]] Result<LogPage> read_page(const std::string& directory, const StreamInfo& info,
                                        const LogQuery& query, const LogCursor& from,
                                        const LogVisitor& visit);

// Has journald write down what it was sent, for a second at most; `socket`: its native one. Without it the
// last lines may be missing, which is no error.
void synchronize(const std::string& socket);

} // namespace mydocker::journal
