#include "stream.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace mydocker::syslog {
namespace {

constexpr std::size_t kShortOrigin = 12;
constexpr std::chrono::milliseconds kPatience{1000}; // of close
constexpr std::chrono::milliseconds kSlowServer{100};
constexpr std::size_t kAnnouncement = 512; // room for one

[[nodiscard]] std::string host_name() {
    std::array<char, HOST_NAME_MAX + 1> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') return "-";
    return name.data();
}

} // namespace

Result<std::unique_ptr<SyslogStream>> SyslogStream::open(const StreamInfo& info, const Settings& settings) {
    auto socket = connect_to(settings.address);
    if (!socket) return fail(socket);
    Origin origin{.form = settings.form,
                  .facility = settings.facility,
                  .host = host_name(),
                  .tag = make_tag(settings.tag, info, settings.form),
                  .id = info.id.substr(0, kShortOrigin)};
    if (origin.id.empty()) origin.id = "-";
    return std::unique_ptr<SyslogStream>(new SyslogStream(settings, std::move(origin), std::move(*socket)));
}

Status SyslogStream::write(std::span<const LogRecord> records) {
    flush();
    const std::uint64_t before = lost_;
    for (const LogRecord& record : records) {
        last_time_ns_ = record.time_ns;
        visit_messages(origin_, record, settings_.max_message,
                       [this](std::string message) { add(std::move(message)); });
    }
    if (lost_ == before) return {};
    return fail(Code::no_space, "keep " + std::to_string(settings_.buffer) + " bytes for syslog server '" +
                                    settings_.address.text + "', which takes none; what is more is dropped");
}

void SyslogStream::add(std::string message) {
    const bool is_first = waiting_.empty() && dropped_ == 0;
    if (is_first && send(message) == Sent::taken) return;
    enqueue(std::move(message));
}

void SyslogStream::drop() {
    ++dropped_;
    ++lost_;
}

bool SyslogStream::has_room(std::size_t size) const {
    const std::size_t told = dropped_ > 0 ? kAnnouncement : 0;
    return waiting_bytes_ + size + told <= settings_.buffer;
}

// Waits for a server that is slower than the container, which is slowed down so; but a tenth of a second at
// most, and only once for a server that takes nothing at all.
bool SyslogStream::make_room(std::size_t size) {
    const auto deadline = std::chrono::steady_clock::now() + kSlowServer;
    while (!has_room(size)) {
        if (is_stalled_ || !socket_) return false;
        is_stalled_ = !wait_until_writable(deadline);
        if (drain() == Sent::away) return false;
    }
    return true;
}

void SyslogStream::enqueue(std::string message) {
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
bool SyslogStream::wait_until_writable(std::chrono::steady_clock::time_point deadline) const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd writable{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    return ::poll(&writable, 1, static_cast<int>(left.count())) != 0; // After an error it is tried again.
}

std::string SyslogStream::announcement() const {
    const std::string text =
        "mydocker: " + std::to_string(dropped_) + " messages were dropped here, while the server took none";
    const LogRecord record{
        .time_ns = last_time_ns_, .source = LogSource::diagnostic, .partial = false, .bytes = text};
    return make_header(origin_, record) + text;
}

bool SyslogStream::reconnect() {
    auto socket = connect_to(settings_.address);
    socket_ = socket ? std::move(*socket) : UniqueFd();
    return socket.has_value();
}

SyslogStream::Sent SyslogStream::send(std::string_view message) {
    if (!socket_ && !reconnect()) return Sent::away;
    constexpr int kAttempts =
        2; // An error may be of an earlier datagram, or of a server that was started anew.
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
        if (settings_.address.is_local() && !reconnect()) return Sent::away;
    }
    return Sent::away;
}

SyslogStream::Sent SyslogStream::drain() {
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

void SyslogStream::flush() {
    (void)drain(); // What is not taken waits.
}

Status SyslogStream::close() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        const Sent sent = drain();
        if (sent == Sent::taken) return {};
        if (sent == Sent::away || !wait_until_writable(deadline)) break;
    }
    return fail(Code::timeout, "hand the last " + std::to_string(waiting_.size()) +
                                   " messages to syslog server '" + settings_.address.text + "'");
}

} // namespace mydocker::syslog
