// The face of a log sink: keeps the output of containers, and reads it back if it can. Splitting
// into records, partial lines, buffering and rates are the engine's; a sink gets whole records.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker {

enum class LogSource : std::uint32_t {
    out = 1,        // the container's standard output, or its terminal
    err = 2,        // its standard error
    diagnostic = 3, // a message of the engine itself, when the sink serves [diagnostics]
};

// One record: a line without its end, or a piece of a line too long for one record.
struct LogRecord {
    std::int64_t time_ns = 0; // since 1970-01-01 UTC
    LogSource source = LogSource::out;
    bool partial = false;   // more of the same line follows in the next record of this source
    std::string_view bytes; // any bytes; borrowed for the call
};

// Whose output a stream holds.
struct StreamInfo {
    std::string id;        // container id, 64 hex digits
    std::string name;      // container name
    std::string image;     // as the user named it
    std::string directory; // absolute: where files of this container's log belong; exists, 0700
    std::vector<std::pair<std::string, std::string>> labels;
};

struct LogTraits {
    bool readable = false;    // read() works
    bool diagnostics = false; // fit for [diagnostics] driver
};

struct LogQuery {
    std::optional<std::int64_t> since_ns; // inclusive
    std::optional<std::int64_t> until_ns; // inclusive
    std::optional<std::uint64_t> tail;    // only the last so many lines; first read only
};

// Where a reader is; opaque to the engine; empty: the beginning.
using LogCursor = Id<struct LogCursorTag>;

struct LogPage {
    LogCursor next;            // where to go on
    bool at_end = true;        // nothing more is there now
    std::uint64_t damaged = 0; // records skipped because they cannot be read
};

using LogVisitor = std::function<Status(const LogRecord&)>;

// Threads: one at a time for one instance; each process has instances of its own, so one may read
// while another writes.
class LogSink {
  public:
    // One container's output, open for writing.
    class Stream {
      public:
        Stream() = default;
        Stream(const Stream&) = delete;
        Stream& operator=(const Stream&) = delete;
        virtual ~Stream() = default;
    };

    LogSink() = default;
    LogSink(const LogSink&) = delete;
    LogSink& operator=(const LogSink&) = delete;
    virtual ~LogSink() = default;

    // Errors: unsupported, with the reason, when it cannot work here.
    [[nodiscard]] virtual Result<LogTraits> probe() = 0;

    // Opens for writing; continues what is there. Writability is found out here, not at the first
    // record. Errors: denied, no_space, io.
    [[nodiscard]] virtual Result<std::unique_ptr<Stream>> open(const StreamInfo& info) = 0;

    // Takes a batch, in order. On error none of the batch may be assumed kept or lost.
    [[nodiscard]] virtual Status write(Stream& stream, std::span<const LogRecord> records) = 0;

    // Hands what is buffered to the kernel or the remote end, without waiting for it. Errors: busy
    // while something waits that the remote end does not take yet; the engine asks again.
    [[nodiscard]] virtual Status flush(Stream& stream) = 0;

    // Flushes and ends; the stream is gone in any case. An error: not all could be handed on, and the
    // engine counts what was written since the last flush that succeeded as lost.
    [[nodiscard]] virtual Status close(std::unique_ptr<Stream> stream) = 0;

    // Reads on from a cursor, oldest first, at most some megabytes a call; to follow, ask again.
    // A damaged record is skipped and counted, never the end. Errors: unsupported when the sink
    // cannot read back. Absent: an empty page.
    [[nodiscard]] virtual Result<LogPage> read(const StreamInfo& info, const LogQuery& query,
                                               const LogCursor& from, const LogVisitor& visit) = 0;

    // Deletes what the sink keeps of this container. Absent: succeeds.
    [[nodiscard]] virtual Status remove(const StreamInfo& info) = 0;
};

} // namespace mydocker
