// What the parent (mydocker-monitor) and mydocker-init say to each other during a start. Between programs
// of one build only.
//
//   parent                                               mydocker-init (PID 1)
//     │  clone3 into namespaces and cgroup, execveat
//     │  3: orders, a memory file   4: channel           │
//     │  5…: cgroup joins, joined namespaces, or the     │
//     │  process whose namespaces are joined             │
//     ├───────────────────────────────────────────────▶ │ reads its orders
//     │  (user namespace: writes the id maps)            │ (user namespace: waits for `prepared`)
//     │                                                  │ joins; makes the rest of its namespaces
//     │  plan{the plan, a memory file, + cgroup joins}:  │
//     │  where the orders came before it was known       │
//     ├───────────────────────────────────────────────▶ │
//     │  makes the detached mounts                       │ makes the mounts that show its namespaces
//     │  prepared + the mounts' descriptors              │
//     ├───────────────────────────────────────────────▶ │ attaches, pivots, hides, names
//     │                     ready (+ terminal's master)  │
//     │ ◀─────────────────────────────────────────────── ┤
//     │  hooks; the record names the process             │ waits
//     │  go                                              │
//     ├───────────────────────────────────────────────▶ │ looks up the user, gives up privilege
//     │                             executing{listener}  │
//     │ ◀─────────────────────────────────────────────── ┤ loads the filter, execve
//     │                       end of the channel: started│
//     │ ◀─────────────────────────────────────────────── ┤ (close-on-exec)
//     │
//     │  instead, at any time:  failed{stage, code, errno, exit code, text}, then the end
//     │ ◀─────────────────────────────────────────────── ┤
//
// The end without `executing` before it: init died. The end seen by init: the parent died; it exits.
// The channel is a SOCK_SEQPACKET pair: one message, one packet.
#pragma once

#include "base/codec.hpp"
#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <algorithm>
#include <cstdint>
#include <sched.h>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::runtime {

// Why the container's process could not be started, as init found it.
struct InitFailure {
    std::string stage;   // "attach the mounts", "execve"
    Error error;         // complete sentence in text
    int exit_code = 125; // 125 engine, 126 cannot be invoked, 127 not found
};

namespace protocol {

inline constexpr int kOrdersFd = 3;
inline constexpr int kChannelFd = 4;
inline constexpr int kFirstExtraFd = 5;

// The namespaces that init makes itself, once it is root of its user namespace, while the parent makes the
// mounts: a network namespace takes the kernel longer than all the others together.
inline constexpr std::uint64_t kMadeByInit = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

inline constexpr std::size_t kMessageLimit = 8192;  // to init
inline constexpr std::size_t kReportLimit = 32768;  // from init: half of it may be what it noted (trace.hpp)
inline constexpr std::size_t kMountsAMessage = 250; // SCM_RIGHTS passes 253

enum class MessageKind : std::uint32_t {
    prepared = 1,
    ready = 2,
    go = 3,
    executing = 4,
    failed = 5,
    plan = 6,
};

// The orders: what the extra descriptors are, then the plan.
struct Orders {
    std::uint32_t cgroup_joins = 0;
    std::vector<std::uint32_t> joined; // NamespaceKind of each
    std::uint32_t target = 0;          // 1: a pidfd, whose process's namespaces are joined at once
    std::uint32_t plan_follows = 0;    // 1: `plan` holds no more than the namespaces
    std::string plan;                  // LaunchPlan, encoded
};

[[nodiscard]] inline std::string encode(const Orders& orders) {
    codec::Writer writer;
    writer.put(orders.cgroup_joins);
    writer.put(static_cast<std::uint32_t>(orders.joined.size()));
    for (const std::uint32_t kind : orders.joined)
        writer.put(kind);
    writer.put(orders.target);
    writer.put(orders.plan_follows);
    writer.put(orders.plan);
    return writer.take();
}

[[nodiscard]] inline Result<Orders> decode_orders(std::string_view bytes) {
    codec::Reader reader(bytes);
    Orders orders;
    std::uint32_t joined = 0;
    reader.get(orders.cgroup_joins);
    reader.get(joined);
    bool sane = true;
    for (std::uint32_t i = 0; i < joined && reader.ok(); ++i) {
        reader.get(orders.joined.emplace_back());
        sane = sane && orders.joined.back() <= static_cast<std::uint32_t>(NamespaceKind::time);
    }
    reader.get(orders.target);
    reader.get(orders.plan_follows);
    reader.get(orders.plan);
    if (!sane || orders.target > 1 || orders.plan_follows > 1 || !reader.complete())
        return fail(Code::corrupt, "the orders to mydocker-init are malformed");
    return orders;
}

// A packet: the kind, then what belongs to it. `prepared`: a byte for each mount of rootfs and mounts, 1
// when its descriptor comes along, 0 when init makes it. Beyond kMountsAMessage descriptors the rest
// follows in further `prepared` packets without bytes.
[[nodiscard]] inline std::string encode(MessageKind kind, std::string_view payload = {}) {
    codec::Writer writer;
    writer.put(kind);
    std::string bytes = writer.take();
    return bytes.append(payload);
}

struct Message {
    MessageKind kind = MessageKind::failed;
    std::string_view payload; // into the packet
};

[[nodiscard]] inline Result<Message> decode_message(std::string_view packet) {
    Message message;
    codec::Reader reader(packet.substr(0, sizeof message.kind));
    reader.get(message.kind);
    if (!reader.complete() || message.kind < MessageKind::prepared || message.kind > MessageKind::plan)
        return fail(Code::corrupt, "a message of a container's start is malformed");
    message.payload = packet.substr(sizeof message.kind);
    return message;
}

[[nodiscard]] inline std::string encode(const InitFailure& failure) {
    constexpr std::size_t kLongestText = 4096;
    codec::Writer writer;
    writer.put(static_cast<std::uint32_t>(failure.error.code));
    writer.put(static_cast<std::int32_t>(failure.error.sys_errno));
    writer.put(static_cast<std::int32_t>(failure.exit_code));
    writer.put(std::string_view(failure.stage).substr(0, kLongestText / 4));
    writer.put(std::string_view(failure.error.text).substr(0, kLongestText));
    return encode(MessageKind::failed, writer.take());
}

[[nodiscard]] inline Result<InitFailure> decode_failure(std::string_view payload) {
    codec::Reader reader(payload);
    InitFailure failure;
    std::uint32_t code = 0;
    std::int32_t sys_errno = 0;
    std::int32_t exit_code = 0;
    reader.get(code);
    reader.get(sys_errno);
    reader.get(exit_code);
    reader.get(failure.stage);
    reader.get(failure.error.text);
    if (!reader.complete() || code > static_cast<std::uint32_t>(Code::internal))
        return fail(Code::corrupt, "the report of a failed start is malformed");
    failure.error.code = static_cast<Code>(code);
    failure.error.sys_errno = std::max(sys_errno, 0);
    failure.exit_code = exit_code;
    return failure;
}

} // namespace protocol
} // namespace mydocker::runtime
