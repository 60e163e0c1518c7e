// How far a container's start has come, as one byte of the lock file that is its baton: whoever holds the
// baton reads it by the descriptor, whatever became of the path. A lock file that was made anew says nothing:
// what it stood for was deleted by hand, or the record came back from a backup.
//
//   (empty) ──► 's' a start is under way ──► 'g' its command was let run ──► 's' with the next start
#pragma once

#include "mydocker/result.hpp"

#include <cerrno>
#include <unistd.h>

namespace mydocker::engine {

enum class StartMark : char { none = 0, starting = 's', let_go = 'g' };

// The one byte is there from the start on: `let_go` needs no room on a full disk.
[[nodiscard]] inline Status set_start_mark(int lock, StartMark mark) {
    const char byte = static_cast<char>(mark);
    if (::pwrite(lock, &byte, 1, 0) == 1) return {};
    return fail_errno(errno, mark == StartMark::starting ? "note that a start is under way"
                                                         : "note that the command was let run");
}

[[nodiscard]] inline Result<StartMark> read_start_mark(int lock) {
    char byte = 0;
    if (::pread(lock, &byte, 1, 0) < 0) return fail_errno(errno, "read how far the start has come");
    return byte == 's' ? StartMark::starting : byte == 'g' ? StartMark::let_go : StartMark::none;
}

} // namespace mydocker::engine
