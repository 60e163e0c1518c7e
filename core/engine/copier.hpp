// Turns what a container writes into log records and hands them to its log sink. Pipes, terminals and
// waiting are the monitor's; depends on the SDK alone, so that the monitor can have it.
//
//   bytes of one read ──split at '\n'──▶ records that borrow from it ──batches──▶ LogSink::write
//                  └─ the unfinished rest, at most 16 KiB, is kept for the next read of that source
//
// A line longer than 16 KiB becomes pieces (LogRecord::partial), as docker's; none is cut inside a UTF-8
// character. A line that has not ended at the end of the output is a piece without a last one.
#pragma once

#include "mydocker/log_sink.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

// No record is longer.
inline constexpr std::size_t kMaxRecord = std::size_t{16} << 10U;

struct CopierCounters {
    std::uint64_t records = 0; // taken by the sink
    std::uint64_t bytes = 0;   // of them, ends of lines not counted
    std::uint64_t dropped = 0; // in batches that the sink did not take whole
    std::uint64_t dropped_bytes = 0;
    std::uint64_t failures = 0; // such batches
};

// Threads: one at a time.
class Copier {
  public:
    using Report = std::function<void(const Error&)>;

    // `report` hears the sink's first error, and no other. Sink and stream must outlive the copier.
    Copier(LogSink& sink, LogSink::Stream& stream, Report report = {});

    // Takes what one read gave, all of it, whatever the sink says: output must drain. Returns when the
    // sink has it, so a slow sink slows the container. now_ns: the records' time.
    void feed(LogSource source, std::string_view bytes, std::int64_t now_ns);

    // The source has ended: hands on a line that never will. Again: does nothing.
    void finish(LogSource source);

    // Has the sink let go of what it buffers; for when nothing more comes for now.
    void flush();
    // Whether something was written since the last flush that left nothing.
    [[nodiscard]] bool owes_flush() const { return owes_flush_; }
    // The sink was closed and did not hand everything on: what it had taken since the last flush that left
    // nothing counts as dropped, though some of it may have arrived.
    void give_up_unflushed();

    [[nodiscard]] const CopierCounters& counters() const { return counters_; }

  private:
    struct Unfinished {
        std::string text; // of a line, at most kMaxRecord bytes
        std::int64_t time_ns = 0;
    };

    [[nodiscard]] Unfinished& unfinished(LogSource source);
    [[nodiscard]] std::string_view complete(Unfinished& line, LogRecord record, std::string_view bytes);
    void add(LogRecord record, std::string_view bytes, bool partial);
    void deliver();
    void note(const Error& error);

    LogSink& sink_;
    LogSink::Stream& stream_;
    Report report_;
    std::array<Unfinished, 3> unfinished_; // by source
    std::vector<LogRecord> batch_;         // borrows from what is being fed and from unfinished_
    CopierCounters counters_;
    CopierCounters flushed_; // those of the last flush that left nothing
    bool owes_flush_ = false;
    bool reported_ = false;
};

// How much of the first kMaxRecord bytes of a longer text makes a piece. Pure.
[[nodiscard]] std::size_t piece_length(std::string_view text);

} // namespace mydocker::engine
