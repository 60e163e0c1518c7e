// One answer to a call of the filter that seccomp.cpp makes. Source: seccomp_unotify(2).
#include "runtime/launch_watch.hpp"

#include "base/sys.hpp"

#include <csignal>
#include <fcntl.h>
#include <string>

namespace mydocker::runtime {
namespace {

// The caller is named by thread, as this process's pid namespace has it.
bool is_thread_of(pid_t process, std::uint32_t thread) {
    const std::string task = "/proc/" + std::to_string(process) + "/task/" + std::to_string(thread);
    return sys::fstatat(AT_FDCWD, task, 0).has_value();
}

} // namespace

Status answer_self_kill(int listener, pid_t first, int pidfd) {
    auto call = sys::seccomp_receive(listener);
    if (!call) return fail(call);
    // Only while the call is pending is the number the caller's and nobody else's.
    const bool itself = is_thread_of(first, call->pid) && sys::seccomp_is_pending(listener, call->id);
    if (itself && sys::pidfd_send_signal(pidfd, SIGKILL)) return {};
    return sys::seccomp_continue(listener, call->id);
}

} // namespace mydocker::runtime
