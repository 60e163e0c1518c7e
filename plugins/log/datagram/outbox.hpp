// Messages on their way to a server that takes datagrams, and that may be slow, away, or back again. Not for
// what is in a message.
//
//   add() ──▶ waiting, in order, at most `buffer` bytes ──▶ the server's socket
//                └─ no room: dropped, counted, and told the server in the place of what is missing
//
// A server that is away is not waited for. One that is slow is, a tenth of a second for a batch at most; when
// that was in vain, not again before half of the buffer is free. close() waits for a second at most.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mydocker::datagram {

// How a server is reached, and spoken to.
struct Way {
    std::string server;                        // "syslog server '/dev/log'"
    std::function<Result<UniqueFd>()> connect; // also anew, and must be quick then
    bool is_local = true; // the first error of a socket means that the server went away, not the second
    std::function<std::string(const std::string& text)> make_notice; // a message of ours
    std::size_t buffer = 0;                                          // bytes that may wait
};

class Outbox {
  public:
    // Errors: that of connecting.
    [[nodiscard]] static Result<Outbox> open(Way way);

    // Before what one write of the sink adds: hands over what waits.
    void begin_batch();
    void add(std::string message);
    // After it. Errors: no_space when something was dropped meanwhile.
    [[nodiscard]] Status end_batch() const;

    // Hands over what the server takes now. Errors: busy while something waits.
    [[nodiscard]] Status flush();

    // Errors: timeout, naming how many messages were left.
    [[nodiscard]] Status close();

  private:
    enum class Sent { taken, full, away };

    Outbox(Way way, UniqueFd socket) : way_(std::move(way)), socket_(std::move(socket)) {}

    using Time = std::chrono::steady_clock::time_point;

    void enqueue(std::string message);
    void drop();
    [[nodiscard]] bool is_idle() const { return waiting_.empty() && dropped_ == 0; }
    [[nodiscard]] bool has_room(std::size_t size) const;
    [[nodiscard]] bool wait_for_server();
    [[nodiscard]] bool wait_until(Time deadline);
    [[nodiscard]] std::string announcement() const;
    [[nodiscard]] Sent send(std::string_view message);
    [[nodiscard]] Sent try_to_send(std::string_view message);
    [[nodiscard]] Sent drain();
    [[nodiscard]] bool reconnect();

    Way way_;
    UniqueFd socket_; // none: the server is away
    std::deque<std::string> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t dropped_ = 0;     // since the server was told last
    std::uint64_t lost_ = 0;        // in all
    std::uint64_t lost_before_ = 0; // the batch
    std::optional<Time> deadline_;  // of the batch's waiting; none: it has not waited
    Sent last_ = Sent::taken;       // what became of the last that was sent
    bool is_stalled_ = false;       // waiting was in vain
    bool was_writable_ = false;     // said the socket, and nothing was taken since
};

} // namespace mydocker::datagram
