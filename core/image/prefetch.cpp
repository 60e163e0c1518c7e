#include "image/prefetch.hpp"

#include <csignal>
#include <pthread.h>
#include <system_error>

namespace mydocker::image {

PrefetchSource::~PrefetchSource() {
    if (!thread_.joinable()) return;
    stop_ = true;
    free_.release();
    thread_.join();
}

// Signals stay with the thread that had them: the new one inherits a mask of all.
bool PrefetchSource::start() {
    sigset_t all;
    sigset_t old;
    ::sigfillset(&all);
    if (::pthread_sigmask(SIG_SETMASK, &all, &old) != 0) return false;
    try {
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
        // No thread to be had (EAGAIN), ignored: next() reads `inner_` itself.
    }
    (void)::pthread_sigmask(SIG_SETMASK, &old, nullptr); // A mask that was valid cannot fail.
    return thread_.joinable();
}

void PrefetchSource::work() {
    for (std::size_t at = 0;; at = (at + 1) % kSlots) {
        free_.acquire();
        if (stop_) return;
        Slot& slot = slots_[at];
        auto chunk = inner_.next();
        slot.status = chunk ? Status{} : fail(chunk);
        if (chunk) {
            slot.bytes.assign(chunk->begin(), chunk->end());
        } else {
            slot.bytes.clear();
        }
        const bool last = slot.bytes.empty();
        filled_.release();
        if (last) return;
    }
}

Result<std::string_view> PrefetchSource::next() {
    if (!started_) {
        started_ = true;
        (void)start(); // What it returns is what joinable() says below.
    }
    if (!thread_.joinable()) return inner_.next();
    if (ended_) return std::string_view();
    if (holding_) free_.release();
    filled_.acquire();
    const Slot& slot = slots_[at_];
    at_ = (at_ + 1) % kSlots;
    holding_ = true;
    ended_ = slot.bytes.empty();
    if (!slot.status) return fail(slot.status);
    return std::string_view(slot.bytes.data(), slot.bytes.size());
}

} // namespace mydocker::image
