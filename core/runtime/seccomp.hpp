// The default system call filter of a container, as a BPF program. The policy is seccomp_table.cpp; its
// numbers were looked up at build time, so that a program for any set of capabilities is made in some
// microseconds: nothing is cached, and nothing is linked. Source: seccomp(2).
#pragma once

#include <cstdint>
#include <linux/filter.h>
#include <vector>

namespace mydocker::runtime {

struct SeccompRequest {
    std::uint64_t capabilities = 0; // the bounding set, by capability number
};

// What the program does:
//   a call of the table        allowed, EPERM, or by its arguments (seccomp_table.hpp)
//   any other number           ENOSYS: a newer call, and the program falls back
//   another architecture       the process is killed
// On x86-64 that covers x86-64, x32 and i386; on aarch64, aarch64 and arm.
[[nodiscard]] std::vector<sock_filter> default_program(const SeccompRequest& request);

// Tells its listener of a call that may be the first process's SIGKILL to itself (launch_watch.hpp): kill,
// tkill or tgkill of process 1 with that signal, in the machine's own ABI. Allows everything else.
[[nodiscard]] std::vector<sock_filter> self_kill_program();

} // namespace mydocker::runtime
