// faultline: runs a command line under ptrace(2), follows the processes it starts, and at a chosen system
// call of a chosen one kills it or makes the call fail. The programs themselves are the shipped ones:
// nothing in them knows of it, and static ones are covered too. Source: ptrace(2).
//
// A process is told apart by the program it executed; one that a victim has just made and that has not
// executed anything yet counts as a part of its maker. What the user's command does in the container is
// not followed. At the end every process is dead or released; what the command line left running runs on.
#pragma once

#include "support/call_failure.hpp"
#include "support/support.hpp"
#include "support/system_call.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace mydocker::test {

enum class Victim {
    command_line, // mydocker
    monitor,      // mydocker-monitor
    init,         // mydocker-init, until it executes the user's command
    finisher,     // mydocker, when a monitor has become it
};

// "mydocker", "mydocker-monitor", …
[[nodiscard]] std::string_view to_string(Victim victim);

struct Fault {
    enum class Kind {
        none,  // count
        kill,  // SIGKILL at the call's entry: the call is not made
        error, // the call is not made and fails with `error`, or as `choose` says
    };
    Kind kind = Kind::none;
    Victim victim = Victim::command_line;
    std::size_t at = 0; // the victim's n-th call, from 1; 0: the first one that `matches`
    std::function<bool(const SystemCall&)> matches = {};
    int error = 0;
    // error: how that call fails; nothing: it cannot, and the next one is asked about.
    std::function<std::optional<CallFailure>(const SystemCall&)> choose = {};
    bool lasting = false; // error: this call, and from then on each one that `matches` (absent: each)
};

struct TraceRequest {
    std::vector<std::string> words;
    std::string input = {};
    bool terminal = false; // a pty is its controlling terminal and its standard streams
    Fault fault = {};
    // Processes that run already and are to be followed, too.
    std::vector<std::pair<pid_t, Victim>> running = {};
    bool keep_calls = false; // Kind::none: all calls are kept in words
    std::chrono::milliseconds limit = std::chrono::seconds(20);
};

struct Trace {
    Outcome outcome;
    bool hung = false; // over the limit: the command line was killed
    std::map<Victim, std::size_t> counts;
    std::string struck; // "killed mydocker before rename('/a', '/b')"; empty: it did not come so far
    std::vector<std::pair<Victim, std::string>> calls;
};

// After a kill all others are released at once, so that the next command meets them in the midst of
// their work; otherwise they are followed until they have come to rest.
// Throws std::runtime_error where tracing is not possible. Threads: the calling one only, which must have
// no other children.
[[nodiscard]] Trace trace(const TraceRequest& request);

} // namespace mydocker::test
