// Processes: identity that survives pid reuse, clone3 and vfork-exec, reaping. Nothing here forks a
// process that goes on running our code in a copy: children exec at once.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace mydocker::process {

// Who a process is. A pid alone is reused; with the start time (clock ticks since boot, field 22 of
// /proc/PID/stat) and the boot id it is not.
struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start_time = 0;
    std::string boot_id;

    bool operator==(const ProcessId&) const = default;
};

// Errors: not_found when there is no such process.
[[nodiscard]] Result<ProcessId> identify(pid_t pid);
[[nodiscard]] Result<std::string> boot_id();

// Whether exactly this process exists and has not exited (a zombie has). Errors: it could not be asked, which
// nobody may take for its end.
[[nodiscard]] Result<bool> is_alive(const ProcessId& process);

// A pidfd of exactly this process. Errors: not_found when it is gone or another one has its pid; those of
// is_alive().
[[nodiscard]] Result<UniqueFd> open_pidfd(const ProcessId& process);

// How a child ended, as waitid(2) tells it.
struct ExitStatus {
    int code = 0;   // exit code, if not signalled
    int signal = 0; // the signal that ended it, or 0
    bool core_dumped = false;

    // 128 + signal, or the code: what a shell shows.
    [[nodiscard]] int shell_code() const { return signal != 0 ? 128 + signal : code; }
};

// Waits for and reaps a child. Errors: not_found (ECHILD).
[[nodiscard]] Result<ExitStatus> reap(int pidfd);
// The same without waiting; nothing: still running.
[[nodiscard]] Result<std::optional<ExitStatus>> try_reap(int pidfd);

struct Child {
    pid_t pid = 0;
    UniqueFd pidfd;
};

// What to start and with which descriptors: `fds[i]` becomes descriptor i of the child (-1: closed;
// 0–2: /dev/null), all others are closed. Signals are reset to default and unblocked.
struct SpawnRequest {
    int executable_fd = -1; // execveat(2) with AT_EMPTY_PATH when ≥ 0, else:
    std::string executable; // absolute path
    std::vector<std::string> argv;
    std::vector<std::string> environment; // exactly this
    std::vector<int> fds;
    std::uint64_t clone_flags = 0; // CLONE_NEW…
    int cgroup_fd = -1;            // CLONE_INTO_CGROUP when ≥ 0
    bool new_session = false;      // setsid()
    int parent_death_signal = 0;   // PR_SET_PDEATHSIG when not 0
    // With CLONE_NEWUSER: keeps the capabilities of the new namespace across the exec (as ambient ones),
    // which an id that is not mapped yet would lose.
    bool keep_capabilities = false;
};

// Starts a program by a clone3 that shares memory until the exec, as vfork does: the cost does not grow
// with the caller's size. A failed exec is an error here (the child is reaped). Source: clone(2).
[[nodiscard]] Result<Child> spawn(const SpawnRequest& request);

} // namespace mydocker::process
