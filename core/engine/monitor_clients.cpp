// What each client of a monitor is owed.
#include "engine/monitor_clients.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <utility>

namespace mydocker::engine {
namespace {

// Whether it was sent; a client that is gone is let go, and not sent to again.
bool sent_to(Client& client, MessageKind kind, std::string_view payload) {
    auto sent = send(client.socket.get(), kind, payload);
    if (!sent && !can_be_tried_again(sent.error())) client.socket.reset();
    return sent.has_value();
}

std::int64_t patience_ends(const Client& client) {
    return client.since_ns + std::chrono::nanoseconds(kPatience).count();
}

// Guests alone are given up, and only those whose being slow is in somebody's way.
bool is_waited_for(const Client& client, bool ended) {
    return client.socket && !client.starter && client.since_ns != 0 && (!client.output.empty() || ended);
}

} // namespace

int Clients::starter() const {
    const auto found = std::ranges::find(clients_, true, &Client::starter);
    return found == clients_.end() ? -1 : found->socket.get();
}

void Clients::send_output(MessageKind kind, std::string_view bytes) {
    for (Client& client : clients_) {
        if (!client.socket || !client.sees_output) continue;
        if (client.is_missing()) {
            client.missed += bytes.size();
            continue;
        }
        const bool sent = client.output.empty() && sent_to(client, kind, bytes);
        if (sent || !client.socket) continue;
        client.output.push_back(Message{kind, std::string(bytes), {}});
        if (client.since_ns == 0) client.since_ns = sys::monotonic_ns();
    }
}

void Clients::send_input_taken() {
    for (Client& client : clients_) {
        if (!std::exchange(client.input_given, false)) continue;
        client.input_taken = true;
        flush(client);
    }
}

void Clients::send_end(const ExitReport& report) {
    report_ = encode(report);
    for (Client& client : clients_) {
        if (!client.socket || client.starter) continue;
        client.end = true;
        if (client.since_ns == 0) client.since_ns = sys::monotonic_ns();
        flush(client);
    }
}

void Clients::flush(Client& client) {
    while (client.socket && !client.output.empty()) {
        if (!sent_to(client, client.output.front().kind, client.output.front().payload)) return;
        client.output.erase(client.output.begin());
        client.since_ns = sys::monotonic_ns();
    }
    if (client.socket && client.missed != 0) {
        if (!sent_to(client, MessageKind::missed, encode_missed(client.missed))) return;
        client.missed = 0;
    }
    if (client.socket && client.input_taken) {
        if (!sent_to(client, MessageKind::input_taken, {})) return;
        client.input_taken = false;
    }
    if (client.socket && client.end) {
        if (!sent_to(client, MessageKind::exited, report_)) return;
        client.end = false;
    }
    client.since_ns = 0;
}

bool Clients::holds_output() const {
    return std::ranges::any_of(clients_,
                               [](const Client& client) { return client.socket && !client.output.empty(); });
}

bool Clients::is_owed() const {
    return std::ranges::any_of(clients_,
                               [](const Client& client) { return client.socket && client.is_owed(); });
}

int Clients::timeout_ms(std::int64_t now_ns) const {
    std::int64_t left_ns = -1;
    for (const Client& client : clients_) {
        if (!is_waited_for(client, !report_.empty())) continue;
        const std::int64_t left = std::max<std::int64_t>(patience_ends(client) - now_ns, 0);
        left_ns = left_ns < 0 ? left : std::min(left_ns, left);
    }
    return left_ns < 0 ? -1 : static_cast<int>(left_ns / 1'000'000 + 1);
}

void Clients::give_up(std::int64_t now_ns) {
    for (Client& client : clients_) {
        if (!is_waited_for(client, !report_.empty()) || patience_ends(client) > now_ns) continue;
        if (!report_.empty()) {
            client.socket.reset();
            continue;
        }
        for (const Message& message : std::exchange(client.output, {}))
            client.missed += message.payload.size();
    }
}

bool Clients::forget_gone() {
    const bool fed = std::ranges::any_of(
        clients_, [](const Client& client) { return !client.socket && client.feeds_input; });
    std::erase_if(clients_, [](const Client& client) { return !client.socket; });
    return fed;
}

} // namespace mydocker::engine
