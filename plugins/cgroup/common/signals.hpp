// Signals to all processes of a cgroup, and waiting for processes to end, by pidfd: a number that the
// kernel gives to another process meanwhile is never signalled.
#pragma once

#include "tree.hpp"

#include <vector>

namespace mydocker::cgroup {

// Sends the signal to every process of the cgroup that is not in `done`, which it extends (ascending).
// Returns how many were signalled. Processes that end meanwhile are passed over.
[[nodiscard]] Result<std::size_t> signal_members(const Place& place, int signal, std::vector<pid_t>& done);

// Signals until a look finds no process that has not had the signal: those forked meanwhile too.
[[nodiscard]] Status signal_all(const Place& place, int signal, Deadline deadline);

// Waits until the first processes of the list (some dozens) have ended, or the deadline.
void wait_for_exit(const std::vector<pid_t>& pids, Deadline deadline);

// Waits for something that the kernel has no event for: starts at 50 µs, doubles to 13 ms.
void back_off(int round, Deadline deadline);

} // namespace mydocker::cgroup
