// The command lines that a monitor serves: the one that started the container, if it stays, and those that
// attached since. What each is owed, and what becomes of one that does not take it. No JSON, no iostream.
//
// The starter's reader slows the container down, as a pipe's would: `mydocker run … | less` loses nothing,
// however long somebody looks. Whoever attaches is a guest. While a guest does not read, the container waits
// for it at most kPatience; then the guest misses output until it reads again, and is told how much. The log
// has everything in any case.
#pragma once

#include "engine/session.hpp"
#include "mydocker/support/files.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::engine {

inline constexpr std::chrono::seconds kPatience{5};

struct Client {
    UniqueFd socket; // non-blocking; empty: it has gone
    bool starter = false;
    bool sees_output = false;
    bool feeds_input = false;
    bool input_given = false; // a piece that the container has not taken yet

    // What it is owed, in this order.
    std::vector<Message> output;
    std::uint64_t missed = 0; // bytes that it did not get
    bool input_taken = false;
    bool end = false;

    std::int64_t since_ns = 0; // it has been owed something without a break; 0: it is owed nothing

    [[nodiscard]] bool is_owed() const { return !output.empty() || missed != 0 || input_taken || end; }
    [[nodiscard]] bool is_missing() const { return missed != 0 && output.empty(); }
};

class Clients {
  public:
    static constexpr std::size_t kMost = 32;

    [[nodiscard]] bool has_room() const { return clients_.size() < kMost; }
    void add(Client client) { clients_.push_back(std::move(client)); }
    [[nodiscard]] std::vector<Client>& all() { return clients_; }
    // -1: it does not wait, or has gone.
    [[nodiscard]] int starter() const;

    void send_output(MessageKind kind, std::string_view bytes);
    // The last of the input that clients gave has been taken.
    void send_input_taken();
    // The container has ended: to all but the starter, who gets more than a word.
    void send_end(const ExitReport& report);

    // Sends what is owed as far as the socket takes it.
    void flush(Client& client);
    // No further output may be read before somebody has taken the last.
    [[nodiscard]] bool holds_output() const;
    [[nodiscard]] bool is_owed() const;
    // Until give_up() has something to do; -1: never.
    [[nodiscard]] int timeout_ms(std::int64_t now_ns) const;
    // Waits no longer for guests who are over their time.
    void give_up(std::int64_t now_ns);
    // Forgets those who have gone. Returns whether one of them fed the container's input.
    bool forget_gone();

  private:
    std::vector<Client> clients_;
    std::string report_; // of the end, encoded; empty: it runs
};

} // namespace mydocker::engine
