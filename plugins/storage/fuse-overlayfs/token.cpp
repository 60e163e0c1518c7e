#include "token.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::fuse_overlayfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Nobody writes into it, so there is only the end to be read, or nothing yet. Source: pipe(7), fifo(7).
[[nodiscard]] Result<bool> is_free(int pipe) {
    std::array<char, 16> nothing{};
    for (;;) {
        const ssize_t size = ::read(pipe, nothing.data(), nothing.size());
        if (size >= 0) return size == 0;
        if (errno == EAGAIN) return false;
        if (errno != EINTR) return fail_errno(errno, "read '" + std::string(kToken) + "'");
    }
}

} // namespace

Status make_token(int rw) {
    if (::mkfifoat(rw, kToken, 0600) == 0) return {};
    return fail_errno(errno, "make pipe '" + std::string(kToken) + "'");
}

Result<UniqueFd> open_token(int rw) {
    // For both, as the kernel lets nobody open it for writing alone that nobody reads.
    return files::open_at(rw, kToken, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
}

Result<UniqueFd> watch_token(int rw) {
    return files::open_at(rw, kToken, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

Status await_end(int watch, milliseconds limit, const Host& host) {
    const auto deadline = steady_clock::now() + limit;
    for (;;) {
        const auto free = is_free(watch);
        if (!free) return fail(free);
        if (*free) return {};
        const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
        if (left <= milliseconds::zero())
            return fail(Code::busy,
                        "a fuse-overlayfs process still serves it: its mount is kept somewhere, in "
                        "the mount namespace of another process perhaps");
        pollfd hangup{.fd = watch, .events = POLLIN, .revents = 0};
        if (::poll(&hangup, 1, static_cast<int>(left.count())) < 0 && host.cancelled())
            return fail(Code::cancelled, "wait for the fuse-overlayfs process that serves it");
    }
}

} // namespace mydocker::fuse_overlayfs
