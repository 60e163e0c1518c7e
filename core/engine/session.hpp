// What a command line and the monitor of a container say to each other, over one SOCK_SEQPACKET socket:
// a message is a packet, so there is no framing to get wrong.
//
//   command line (the starter)                    monitor
//     |  ------ begin {namespaces, streams} ------> |   it begins init, which waits
//     |  ------ plan {plan, BATON, cgroup} -------> |   (closing before it: the monitor and init just end)
//     |  <------------ spawned {process} ---------- |   init has begun; the record names the process
//     |  --------------------- go ----------------> |   (closing instead abandons the start)
//     |  <----------- started | failed ------------ |   once init stood ready and was let go
//     |  <--------- output, error_output ---------- |   foreground only, from here on
//     |  ---- input, input_end, resize, signal ---> |   one input packet at a time: the next one
//     |  <------------- input_taken --------------- |   only after this, so nothing queues before a signal
//     |  ------------- output_closed -------------> |   nobody reads that stream any more: the container
//     |                                             |   is to notice, as on a closed pipe
//     |  <-------- exited {status} + BATON -------- |   the last packet
//
// A starter that does not wait for the end closes the socket after `started`. Closing it later leaves the
// container running. Descriptors travel by SCM_RIGHTS: the baton with `plan`, `exited` and `failed`.
//
//   command line (a guest)                        monitor, listening on <run directory>/attach.sock
//     |  ------------ attach {wishes} ------------> |   connected; root alone is let in
//     |  <----- output, error_output, missed ------ |   as above, from here on; `missed`: so many bytes were
//     |  ---- input, input_end, resize, signal ---> |   not sent, because the guest was slow
//     |  <------------- input_taken --------------- |
//     |  <------------ exited {status} ------------ |   the last packet; the baton goes its own way
//     |                                             |
//     |  ------------ keep {terminal} ------------> |   instead of `attach`: what comes out of it is thrown
//     |                                             |   away, for a command of `exec` that was left alone
//
// Used by the monitor: no JSON, no iostream.
#pragma once

#include "base/process.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

inline constexpr std::size_t kMaxPayload = 32768;
inline constexpr std::size_t kMaxPacket = kMaxPayload + 1;
// In the run directory: where the monitor listens for guests.
inline constexpr const char* kAttachSocket = "attach.sock";

enum class MessageKind : std::uint8_t {
    spawned = 1,
    go = 2,
    started = 3,
    failed = 4,
    output = 5,
    error_output = 6,
    input = 7,
    input_end = 8,
    resize = 9,
    signal = 10,
    exited = 11,
    input_taken = 12,
    output_closed = 13,
    plan = 14,
    attach = 15,
    missed = 16,
    keep = 17,
    begin = 18,
};

struct Message {
    MessageKind kind = MessageKind::failed;
    std::string payload;
    std::vector<UniqueFd> fds;
};

// What `spawned` carries.
struct SpawnedReport {
    process::ProcessId process;
};

// What `failed` carries: init's or the monitor's own words, and the exit code of `run`.
struct FailedReport {
    Error error;
    int exit_code = 125;
};

// What `exited` carries, and what the monitor leaves in <run directory>/exit before it lets go, so that
// the code is known even if the receiver is killed.
struct ExitReport {
    process::ExitStatus status;
    std::int64_t finished_ns = 0;
    std::uint64_t log_dropped = 0; // records the sink refused
};

// What `attach` carries.
struct AttachWishes {
    bool output = true;
    bool input = false;
};

struct WindowSize {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
};

[[nodiscard]] std::string encode(const SpawnedReport& report);
[[nodiscard]] std::string encode(const FailedReport& report);
[[nodiscard]] std::string encode(const ExitReport& report);
[[nodiscard]] std::string encode(const AttachWishes& wishes);
[[nodiscard]] std::string encode(const WindowSize& size);
[[nodiscard]] std::string encode_missed(std::uint64_t bytes);
[[nodiscard]] Result<SpawnedReport> decode_spawned(std::string_view payload);
[[nodiscard]] Result<FailedReport> decode_failed(std::string_view payload);
[[nodiscard]] Result<ExitReport> decode_exit(std::string_view payload);
[[nodiscard]] Result<AttachWishes> decode_attach(std::string_view payload);
[[nodiscard]] Result<WindowSize> decode_window(std::string_view payload);
[[nodiscard]] Result<std::uint64_t> decode_missed(std::string_view payload);

// Errors: busy when the socket is non-blocking and full; io (EPIPE) when the other end is gone; no_space when
// the kernel had no memory for it a thousand times.
[[nodiscard]] Status send(int socket, MessageKind kind, std::string_view payload = {},
                          std::span<const int> fds = {});
// Errors: not_found when the other end is gone; busy when the socket is non-blocking and empty.
[[nodiscard]] Result<Message> receive(int socket);

// Whether what stopped them passes: a socket that is full or empty, or a kernel short of memory for a
// message. To drop a client for it would lose what the container has written.
[[nodiscard]] bool can_be_tried_again(const Error& error);

} // namespace mydocker::engine
