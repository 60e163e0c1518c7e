// Process 1 that stays: it passes signals on to the command, reaps what others leave, and ends with the
// command's exit code. The calls here concern this process alone and are made straight.
// Source: pid_namespaces(7); tini, src/tini.c (what becomes of the terminal).
#include "runtime/init_stages.hpp"

#include "base/sys.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::runtime::init {
namespace {

constexpr std::size_t kSignalSetSize = 8; // of the kernel's, in bytes

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

// Straight into the kernel: each of the library's functions would keep 64 KiB of it in memory
// (give_back_code).
[[noreturn]] void reap(pid_t command, const sigset_t& awaited) {
    for (;;) {
        const long signal = ::syscall(SYS_rt_sigtimedwait, &awaited, nullptr, nullptr, kSignalSetSize);
        if (signal > 0 && signal != SIGCHLD)
            (void)::syscall(SYS_kill, command, signal); // Its end may be on the way.
        int status = 0;
        for (long child = 0; (child = ::syscall(SYS_wait4, -1, &status, WNOHANG, nullptr)) > 0;)
            if (child == command) end_with(status);
    }
}

// What was needed to make the container is needed no more, and what is, comes back by itself: a process 1
// weighs a third. The program is linked to fixed addresses. Source: madvise(2), getauxval(3), elf(5).
void give_back_code() {
    const auto* header =
        reinterpret_cast<const ElfW(Phdr)*>(::getauxval(AT_PHDR)); // NOLINT(performance-no-int-to-ptr)
    if (header == nullptr) return;
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (unsigned long i = 0; i < ::getauxval(AT_PHNUM); ++i) {
        if (header[i].p_type != PT_LOAD || (header[i].p_flags & PF_W) != 0) continue;
        const std::uintptr_t begin = header[i].p_vaddr / page * page;
        auto* start = reinterpret_cast<void*>(begin); // NOLINT(performance-no-int-to-ptr)
        (void)::madvise(start, header[i].p_vaddr + header[i].p_memsz - begin, MADV_DONTNEED);
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
        give_back_code();
        reap(child, awaited);
    }
    take_foreground();
    if (::sigprocmask(SIG_SETMASK, &before, nullptr) != 0) return fail_errno(errno, "unblock signals");
    return {};
}

} // namespace mydocker::runtime::init
