// A container's first process that sends itself SIGKILL dies of it, as it would anywhere else. The kernel
// drops that signal: it comes from inside the process's own pid namespace (pid_namespaces(7)). So init loads
// a filter that asks about such calls (seccomp.hpp), and the container's parent, whose signal counts,
// answers.
#pragma once

#include "mydocker/result.hpp"

#include <sys/types.h>

namespace mydocker::runtime {

// Answers one call that the listener is readable for: from `first` itself it is carried out by `pidfd`, from
// anybody else it is left to the kernel. Errors: what the kernel says; ENOENT when the caller is gone.
[[nodiscard]] Status answer_self_kill(int listener, pid_t first, int pidfd);

} // namespace mydocker::runtime
