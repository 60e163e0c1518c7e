// One container's way to a syslog server, which may be slow, away, or back again.
//
//   write() ──messages──▶ waiting, in order, at most `buffer` bytes ──▶ the server's socket
//                └─ no room: dropped, counted, and told the server in the place of what is missing
//
// A server that is away is not waited for, one that takes nothing a tenth of a second, once; close() waits
// for a second at most.
#pragma once

#include "mydocker/log_sink.hpp"

#include "address.hpp"
#include "message.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace mydocker::syslog {

struct Settings {
    Address address;
    std::uint32_t facility = 0;
    Form form = Form::rfc5424;
    std::string tag;
    std::size_t max_message = 0; // bytes
    std::size_t buffer = 0;      // bytes that may wait
};

class SyslogStream final : public LogSink::Stream {
  public:
    // Errors: that of connecting: a server that is away already is an error of `run`.
    [[nodiscard]] static Result<std::unique_ptr<SyslogStream>> open(const StreamInfo& info,
                                                                    const Settings& settings);

    // Errors: no_space when something of this batch was dropped.
    [[nodiscard]] Status write(std::span<const LogRecord> records);

    // Hands over what the server takes now.
    void flush();

    // Errors: timeout, naming how many messages were left.
    [[nodiscard]] Status close();

  private:
    enum class Sent { taken, full, away };

    SyslogStream(const Settings& settings, Origin origin, UniqueFd socket)
        : settings_(settings),
          origin_(std::move(origin)),
          socket_(std::move(socket)) {}

    void add(std::string message);
    void enqueue(std::string message);
    void drop();
    [[nodiscard]] bool has_room(std::size_t size) const;
    [[nodiscard]] bool make_room(std::size_t size);
    [[nodiscard]] bool wait_until_writable(std::chrono::steady_clock::time_point deadline) const;
    [[nodiscard]] std::string announcement() const;
    [[nodiscard]] Sent send(std::string_view message);
    [[nodiscard]] Sent drain();
    [[nodiscard]] bool reconnect();

    Settings settings_;
    Origin origin_;
    UniqueFd socket_; // none: the server is away
    std::deque<std::string> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t dropped_ = 0; // since the server was told last
    std::uint64_t lost_ = 0;    // in all
    bool is_stalled_ = false;   // the server took nothing for as long as we wait for it
    std::int64_t last_time_ns_ = 0;
};

} // namespace mydocker::syslog
