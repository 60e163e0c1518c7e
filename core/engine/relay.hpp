// The command line's side of a container in the foreground: standard streams to and from the monitor,
// signals, window size; and at the end the exit report with the baton.
#pragma once

#include "engine/baton.hpp"
#include "engine/session.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <optional>
#include <termios.h>

namespace mydocker::engine {

// The operator's terminal in raw mode; as it was before when this ends, however it ends.
class RawTerminal {
  public:
    [[nodiscard]] static Result<RawTerminal> enter(int fd);
    RawTerminal(RawTerminal&& other) noexcept;
    RawTerminal& operator=(RawTerminal&&) = delete;
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    ~RawTerminal();

  private:
    RawTerminal(int fd, const termios& before) : fd_(fd), before_(before) {}

    int fd_ = -1;
    termios before_{};
};

struct RelaySetup {
    int session = -1;
    bool interactive = false; // standard input goes to the container
    bool terminal = false;    // standard input is a terminal, to be put into raw mode
};

// What the monitor's last packet said. Nothing: it went without a word.
struct RelayEnd {
    std::optional<ExitReport> report;
    std::optional<Baton> baton;
};

// The signals that a foreground command line passes on. Blocked from here on, so that none is lost between
// the start and the relay.
[[nodiscard]] Result<UniqueFd> hold_signals();

// The window size of the operator's terminal; nothing when there is none.
[[nodiscard]] std::optional<WindowSize> window_size(int fd);

// Serves until the container has ended.
[[nodiscard]] Result<RelayEnd> relay(const RelaySetup& setup, int signals);

} // namespace mydocker::engine
