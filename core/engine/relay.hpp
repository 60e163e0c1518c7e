// The command line's side of a container in the foreground: standard streams to and from the monitor,
// signals, window size; and at the end the exit report with the baton.
#pragma once

#include "engine/baton.hpp"
#include "engine/request.hpp"
#include "engine/session.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <optional>
#include <termios.h>

namespace mydocker::engine {

// The operator's terminal in raw mode; as it was before when this ends, however it ends.
class RawTerminal {
  public:
    // Whose what is typed is: the other side's, byte by byte; or ours still, signals included, when only
    // output comes from there.
    enum class Typing { passed_on, ours };
    [[nodiscard]] static Result<RawTerminal> enter(int fd, Typing typing);
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
    bool terminal = false; // the container has one; ours, if standard input is one, is put into raw mode
    bool starter = true;   // else a guest
    Attachment how;        // `input` only if the container takes any
};

// What the monitor's last packet said. No report and no parting: it went without a word.
struct RelayEnd {
    std::optional<ExitReport> report;
    std::optional<Baton> baton;
    Parting parting = Parting::none;
    int signal = 0;           // with Parting::signal
    std::uint64_t missed = 0; // bytes of output that a guest was too slow for
    std::optional<Error> unwritten =
        {}; // why output could not be written here, though its reader has not gone
};

// The signals that a foreground command line passes on. Blocked from here on, so that none is lost between
// the start and the relay.
[[nodiscard]] Result<UniqueFd> hold_signals();

// The window size of the operator's terminal; nothing when there is none.
[[nodiscard]] std::optional<WindowSize> window_size(int fd);

// The descriptor that tells of those of the held signals that end a process, if one comes before the relay
// begins.
[[nodiscard]] Result<UniqueFd> watch_interrupts();

// Serves until the container has ended or the two part.
[[nodiscard]] Result<RelayEnd> relay(const RelaySetup& setup, int signals);

} // namespace mydocker::engine
