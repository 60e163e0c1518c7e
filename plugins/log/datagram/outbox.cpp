#include "outbox.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

namespace mydocker::datagram {
namespace {

constexpr std::chrono::milliseconds kPatience{1000}; // of close
constexpr std::chrono::milliseconds kSlowServer{100};
constexpr std::chrono::milliseconds kPause{2};
constexpr std::size_t kAnnouncement = 512; // room for one

} // namespace

Result<Outbox> Outbox::open(Way way) {
    auto socket = way.connect();
    if (!socket) return fail(socket);
    return Outbox(std::move(way), std::move(*socket));
}

void Outbox::begin_batch() {
    (void)drain(); // What is not taken waits.
    deadline_.reset();
    lost_before_ = lost_;
}

Status Outbox::end_batch() const {
    if (lost_ == lost_before_) return {};
    return fail(Code::no_space, "keep " + std::to_string(way_.buffer) + " bytes for " + way_.server +
                                    ", which takes none; what is more is dropped");
}

void Outbox::add(std::string message) {
    if (is_idle() && send(message) == Sent::taken) return;
    while (!has_room(message.size())) {
        if (!wait_for_server()) return drop();
        if (drain() == Sent::taken && send(message) == Sent::taken) return;
    }
    enqueue(std::move(message));
}

void Outbox::enqueue(std::string message) {
    const auto put = [this](std::string text) {
        waiting_bytes_ += text.size();
        waiting_.push_back(std::move(text));
    };
    if (dropped_ > 0) put(announcement());
    dropped_ = 0;
    put(std::move(message));
}

void Outbox::drop() {
    ++dropped_;
    ++lost_;
}

bool Outbox::has_room(std::size_t size) const {
    const std::size_t told = dropped_ > 0 ? kAnnouncement : 0;
    return waiting_bytes_ + size + told <= way_.buffer;
}

// Slows the container down to what the server takes; but who calls has others to serve.
bool Outbox::wait_for_server() {
    if (is_stalled_ || last_ != Sent::full) return false;
    if (!deadline_) deadline_ = std::chrono::steady_clock::now() + kSlowServer;
    is_stalled_ = !wait_until(*deadline_);
    return !is_stalled_;
}

// Until the server may take something. Returns whether there was time for it.
bool Outbox::wait_until(Time deadline) {
    using std::chrono::milliseconds;
    auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left <= milliseconds::zero()) return false;
    pollfd writable{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    // A socket can be writable and take nothing: the device's queue is full (ENOBUFS), or others were
    // quicker. Nothing tells when that ends, and trying without a pause would use up the processor.
    const bool in_vain = std::exchange(was_writable_, false);
    if (in_vain) left = std::min(left, kPause);
    const int ready = ::poll(&writable, in_vain ? 0 : 1, static_cast<int>(left.count()));
    was_writable_ = !in_vain && ready > 0;
    return in_vain || ready != 0; // After an error it is tried again.
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
    last_ = try_to_send(message);
    if (last_ != Sent::taken) return last_;
    was_writable_ = false;
    if (waiting_bytes_ <= way_.buffer / 2) is_stalled_ = false;
    return last_;
}

Outbox::Sent Outbox::try_to_send(std::string_view message) {
    if (!socket_ && !reconnect()) return Sent::away;
    // The first error of UDP may be of an earlier datagram. A further one may be of an address that this host
    // has no more, which a socket keeps for its life.
    const int patient = way_.is_local ? 0 : 1;
    constexpr int kAttempts = 2;
    for (int attempt = 0; attempt < kAttempts + patient;) {
        if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return Sent::taken;
        const int error = errno;
        if (error == EINTR) continue;
        if (error == EAGAIN || error == ENOBUFS || error == ENOMEM) return Sent::full;
        if (error == EMSGSIZE) { // It never will be taken; others shall.
            drop();
            return Sent::taken;
        }
        if (attempt++ >= patient && !reconnect()) return Sent::away;
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

Status Outbox::flush() {
    if (drain() == Sent::taken) return {};
    return fail(Code::busy, "hand " + std::to_string(waiting_.size()) + " messages to " + way_.server);
}

Status Outbox::close() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        const Sent sent = drain();
        if (sent == Sent::taken) return {};
        if (sent == Sent::away || !wait_until(deadline)) break;
    }
    return fail(Code::timeout,
                "hand the last " + std::to_string(waiting_.size()) + " messages to " + way_.server);
}

} // namespace mydocker::datagram
