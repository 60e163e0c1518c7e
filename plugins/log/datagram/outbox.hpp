// Messages on their way to a server that takes datagrams, and that may be slow, away, or back again. Not for
// what is in a message.
//
//   add() ──▶ waiting, in order, at most `buffer` bytes ──▶ the server's socket
//                └─ no room: dropped, counted, and told the server in the place of what is missing
//
// A server that is away is not waited for, one that takes nothing a tenth of a second, once; close() waits
// for a second at most.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace mydocker::datagram {

// How a server is reached, and spoken to.
struct Way {
    std::string server; // "syslog server '/dev/log'"
    std::function<Result<UniqueFd>()> connect;
    bool is_local = true; // an error of the socket means that the server went away
    std::function<std::string(const std::string& text)> make_notice; // a message of ours
    std::size_t buffer = 0;                                          // bytes that may wait
};

class Outbox {
  public:
    // Errors: that of connecting.
    [[nodiscard]] static Result<Outbox> open(Way way);

    void add(std::string message);

    // Hands over what the server takes now.
    void flush();

    // How many were lost, ever.
    [[nodiscard]] std::uint64_t lost() const { return lost_; }
    // What to say when they became more.
    [[nodiscard]] Error loss() const;

    // Errors: timeout, naming how many messages were left.
    [[nodiscard]] Status close();

  private:
    enum class Sent { taken, full, away };

    Outbox(Way way, UniqueFd socket) : way_(std::move(way)), socket_(std::move(socket)) {}

    void enqueue(std::string message);
    void drop();
    [[nodiscard]] bool has_room(std::size_t size) const;
    [[nodiscard]] bool make_room(std::size_t size);
    [[nodiscard]] bool wait_until_writable(std::chrono::steady_clock::time_point deadline) const;
    [[nodiscard]] std::string announcement() const;
    [[nodiscard]] Sent send(std::string_view message);
    [[nodiscard]] Sent drain();
    [[nodiscard]] bool reconnect();

    Way way_;
    UniqueFd socket_; // none: the server is away
    std::deque<std::string> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t dropped_ = 0; // since the server was told last
    std::uint64_t lost_ = 0;    // in all
    bool is_stalled_ = false;   // the server took nothing for as long as we wait for it
};

} // namespace mydocker::datagram
