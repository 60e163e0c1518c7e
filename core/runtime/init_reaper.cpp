// Process 1 that stays: it passes signals on to the command, reaps what others leave, and ends with the
// command's exit code. The calls here concern this process alone and are made straight.
// Source: pid_namespaces(7); tini, src/tini.c (what becomes of the terminal).
#include "runtime/init_stages.hpp"

#include "base/sys.hpp"

#include <cerrno>
#include <csignal>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::runtime::init {
namespace {

// All. Blocked, and asked for one by one: so they are not dropped, as the kernel drops what process 1 has no
// handler for. A fault of the reaper's own ends it nevertheless: such a signal the kernel forces.
sigset_t awaited_signals() {
    sigset_t set;
    sigfillset(&set);
    return set;
}

[[noreturn]] void end_with(int status) {
    ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

[[noreturn]] void reap(pid_t command, const sigset_t& awaited) {
    for (;;) {
        const int signal = ::sigwaitinfo(&awaited, nullptr);
        if (signal > 0 && signal != SIGCHLD) (void)::kill(command, signal); // Its end may be on the way.
        int status = 0;
        for (pid_t child = 0; (child = ::waitpid(-1, &status, WNOHANG)) > 0;)
            if (child == command) end_with(status);
    }
}

// A process group of its own, in the foreground of the terminal if there is one: what is typed there reaches
// the command, and not us besides. SIGTTOU, which taking the foreground raises, is blocked still.
void take_foreground() {
    (void)::setpgid(0, 0);
    (void)::tcsetpgrp(STDIN_FILENO, ::getpid()); // Without a terminal there is no foreground.
}

void close_known(const Init& init) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, init.channel})
        (void)::close(fd);
}

} // namespace

Status split_off(Init& init) {
    if (!init.plan.reaper) return {};
    const sigset_t awaited = awaited_signals();
    sigset_t before;
    if (::sigprocmask(SIG_BLOCK, &awaited, &before) != 0) return fail_errno(errno, "block signals");
    // Nobody in the container looks into process 1, or traces it, at any time. The child's exec takes it back
    // for the child. A filter may deny the call: then process 1 is as open as any other process of its
    // user's.
    (void)sys::prctl(PR_SET_DUMPABLE, 0);
    const pid_t child = ::fork();
    if (child < 0) return fail_errno(errno, "make a process for it");
    if (child > 0) {
        // The channel among them, whose end tells that the command runs; and the streams, whose other end is
        // to see when the command closes them.
        if (!sys::close_range(0, ~0U, 0)) close_known(init); // A filter may be older than this call.
        reap(child, awaited);
    }
    take_foreground();
    if (::sigprocmask(SIG_SETMASK, &before, nullptr) != 0) return fail_errno(errno, "unblock signals");
    return {};
}

} // namespace mydocker::runtime::init
