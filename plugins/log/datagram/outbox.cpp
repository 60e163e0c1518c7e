#include "outbox.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

namespace mydocker::datagram {
namespace {

constexpr std::chrono::milliseconds kPatience{1000}; // of close
constexpr std::chrono::milliseconds kSlowServer{100};
constexpr std::size_t kAnnouncement = 512; // room for one

} // namespace

Result<Outbox> Outbox::open(Way way) {
    auto socket = way.connect();
    if (!socket) return fail(socket);
    return Outbox(std::move(way), std::move(*socket));
}

Error Outbox::loss() const {
    return {.code = Code::no_space,
            .text = "keep " + std::to_string(way_.buffer) + " bytes for " + way_.server +
                    ", which takes none; what is more is dropped"};
}

void Outbox::add(std::string message) {
    const bool is_first = waiting_.empty() && dropped_ == 0;
    if (is_first && send(message) == Sent::taken) return;
    enqueue(std::move(message));
}

void Outbox::drop() {
    ++dropped_;
    ++lost_;
}

bool Outbox::has_room(std::size_t size) const {
    const std::size_t told = dropped_ > 0 ? kAnnouncement : 0;
    return waiting_bytes_ + size + told <= way_.buffer;
}

// Waits for a server that is slower than the container, which is slowed down so; but a tenth of a second at
// most, and only once for a server that takes nothing at all.
bool Outbox::make_room(std::size_t size) {
    const auto deadline = std::chrono::steady_clock::now() + kSlowServer;
    while (!has_room(size)) {
        if (is_stalled_ || !socket_) return false;
        is_stalled_ = !wait_until_writable(deadline);
        if (drain() == Sent::away) return false;
    }
    return true;
}

void Outbox::enqueue(std::string message) {
    if (!has_room(message.size()) && !make_room(message.size())) return drop();
    const auto put = [this](std::string text) {
        waiting_bytes_ += text.size();
        waiting_.push_back(std::move(text));
    };
    if (dropped_ > 0) put(announcement());
    dropped_ = 0;
    put(std::move(message));
}

// Whether there was time for it.
bool Outbox::wait_until_writable(std::chrono::steady_clock::time_point deadline) const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd writable{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    return ::poll(&writable, 1, static_cast<int>(left.count())) != 0; // After an error it is tried again.
}

std::string Outbox::announcement() const {
    return way_.make_notice("mydocker: " + std::to_string(dropped_) +
                            " messages were dropped here, while the server took none");
}

bool Outbox::reconnect() {
    auto socket = way_.connect();
    socket_ = socket ? std::move(*socket) : UniqueFd();
    return socket.has_value();
}

Outbox::Sent Outbox::send(std::string_view message) {
    if (!socket_ && !reconnect()) return Sent::away;
    // An error may be of an earlier datagram, or of a server that was started anew.
    constexpr int kAttempts = 2;
    for (int attempt = 0; attempt < kAttempts;) {
        if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
            is_stalled_ = false;
            return Sent::taken;
        }
        const int error = errno;
        if (error == EINTR) continue;
        if (error == EAGAIN || error == ENOBUFS || error == ENOMEM) return Sent::full;
        if (error == EMSGSIZE) { // It never will be taken; others shall.
            drop();
            return Sent::taken;
        }
        ++attempt;
        if (way_.is_local && !reconnect()) return Sent::away;
    }
    return Sent::away;
}

Outbox::Sent Outbox::drain() {
    while (!waiting_.empty()) {
        const Sent sent = send(waiting_.front());
        if (sent != Sent::taken) return sent;
        waiting_bytes_ -= waiting_.front().size();
        waiting_.pop_front();
    }
    if (dropped_ == 0) return Sent::taken;
    const std::uint64_t told = dropped_;
    const Sent sent = send(announcement());
    if (sent == Sent::taken) dropped_ -= told;
    return sent;
}

void Outbox::flush() {
    (void)drain(); // What is not taken waits.
}

Status Outbox::close() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        const Sent sent = drain();
        if (sent == Sent::taken) return {};
        if (sent == Sent::away || !wait_until_writable(deadline)) break;
    }
    return fail(Code::timeout,
                "hand the last " + std::to_string(waiting_.size()) + " messages to " + way_.server);
}

} // namespace mydocker::datagram
