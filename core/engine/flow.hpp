// Bytes on their way from one descriptor to another, in a poll(2) loop that never waits anywhere else.
#pragma once

#include "mydocker/support/files.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <utility>

namespace mydocker::engine {

// No more is read before what was read is written: a slow reader slows the writer, as a pipe would.
class Flow {
  public:
    // How much may be written at once. Where a whole one would wait for the reader (the caller's own
    // descriptor, which must stay as it is for others), a piece of PIPE_BUF does not, after poll(2) said so.
    static constexpr std::size_t kWhole = 65536;
    static constexpr std::size_t kPiece = 4096;

    Flow() = default; // one that has ended
    // `ours`: one of the two, or a copy of it, closed at the end of the flow.
    Flow(int from, int to, UniqueFd ours, std::size_t piece);

    // What to wait for; fd -1: the flow has ended.
    [[nodiscard]] pollfd wanted() const;
    [[nodiscard]] bool is_writing() const { return !pending_.empty(); }
    [[nodiscard]] bool has_ended() const { return from_ < 0; }
    // Why what was read could not be written, though its reader has not gone.
    [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
    // Reads or writes once, when poll(2) said that it can.
    void proceed();
    void end();

    // What is read passes through it; what it holds back it may be asked for later.
    using Filter = std::function<std::string(std::string_view)>;
    void set_filter(Filter filter) { filter_ = std::move(filter); }
    // Writes this besides, when nothing is being written.
    void push(std::string_view bytes) { pending_ += bytes; }

  private:
    void read_some();
    void write_some();

    int from_ = -1;
    int to_ = -1;
    UniqueFd ours_;
    std::size_t piece_ = kWhole;
    std::string pending_;
    std::optional<Error> failure_;
    Filter filter_;
};

} // namespace mydocker::engine
