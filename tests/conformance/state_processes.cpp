// The processes of state_fixture.hpp: children that work, children that are killed at a chosen place.
#include "conformance/state_fixture.hpp"

#include "mydocker/support/files.hpp"

#include <csignal>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::conformance {
namespace {

[[noreturn]] void work_and_exit(const std::function<bool()>& work) {
    // Should the test die, nothing of it stays behind.
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool succeeded = false;
    try {
        succeeded = work();
    } catch (...) {
        succeeded = false;
    }
    ::_exit(succeeded ? 0 : 1);
}

} // namespace

pid_t start_process(const std::function<bool()>& work) {
    const pid_t pid = ::fork();
    if (pid == 0) work_and_exit(work);
    EXPECT_GT(pid, 0);
    return pid;
}

bool finish_process(pid_t pid) {
    const UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd wait{.fd = ended.get(), .events = POLLIN, .revents = 0};
    if (ended && ::poll(&wait, 1, 60'000) == 0) {
        ADD_FAILURE() << "a process did not come to an end";
        ::kill(pid, SIGKILL);
    }
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void kill_process(pid_t pid) {
    ::kill(pid, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
}

Ended run_until_call(const std::function<bool()>& work, unsigned stop) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(2);
        ::raise(SIGSTOP);
        work_and_exit(work);
    }
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) return Ended::cannot_trace;
    ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_EXITKILL);
    for (unsigned stops = 0; stops < stop; ++stops) {
        if (::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr) != 0) break;
        if (::waitpid(pid, &status, 0) != pid) break;
        if (!WIFSTOPPED(status)) {
            EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the work itself failed";
            return Ended::finished;
        }
    }
    kill_process(pid);
    return Ended::killed;
}

} // namespace mydocker::conformance
