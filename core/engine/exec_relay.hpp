// The command line as the parent of a further process in the foreground: its streams, signals and window
// size, until it ends. Of a whole container that is the monitor's work and relay's.
#pragma once

#include "base/process.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <array>
#include <string>

namespace mydocker::engine {

// Our ends of the command's streams.
struct ExecStreams {
    UniqueFd terminal;               // the pty's master, or:
    UniqueFd input;                  // empty: standard input is not passed on
    std::array<UniqueFd, 2> outputs; // standard output, standard error
    bool interactive = false;        // with a terminal: standard input is passed on
    std::string detach_keys;         // with a terminal and standard input (detach_keys.hpp)
};

struct ExecEnd {
    process::ExitStatus status;
    UniqueFd left; // not empty: the keys parted us, the process runs on, and this is its terminal's master
};

// Serves until the detach keys are typed, or the process has ended what it wrote is written; reaps it at
// once, whoever reads slowly: a container cannot end before its processes are reaped. `signals`: of
// hold_signals().
[[nodiscard]] Result<ExecEnd> relay_exec(int pidfd, ExecStreams streams, int signals);

} // namespace mydocker::engine
