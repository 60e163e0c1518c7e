// Packets between command line and monitor.
#include "engine/session.hpp"

#include "base/codec.hpp"
#include "base/sys.hpp"

#include <cerrno>
#include <utility>

namespace mydocker::engine {
namespace {

template <class T>
Result<T> checked(const codec::Reader& reader, T value, std::string_view what) {
    if (!reader.complete()) return fail(Code::corrupt, "message '" + std::string(what) + "' is malformed");
    return value;
}

} // namespace

std::string encode(const SpawnedReport& report) {
    codec::Writer writer;
    writer.put(report.process.pid);
    writer.put(report.process.start_time);
    writer.put(report.process.boot_id);
    return writer.take();
}

Result<SpawnedReport> decode_spawned(std::string_view payload) {
    codec::Reader reader(payload);
    SpawnedReport report;
    reader.get(report.process.pid);
    reader.get(report.process.start_time);
    reader.get(report.process.boot_id);
    return checked(reader, std::move(report), "spawned");
}

std::string encode(const FailedReport& report) {
    codec::Writer writer;
    writer.put(report.error.code);
    writer.put(report.error.sys_errno);
    writer.put(std::string_view(report.error.text).substr(0, kMaxPayload / 2)); // A packet holds no more.
    writer.put(report.exit_code);
    return writer.take();
}

Result<FailedReport> decode_failed(std::string_view payload) {
    codec::Reader reader(payload);
    FailedReport report;
    reader.get(report.error.code);
    reader.get(report.error.sys_errno);
    reader.get(report.error.text);
    reader.get(report.exit_code);
    return checked(reader, std::move(report), "failed");
}

std::string encode(const ExitReport& report) {
    codec::Writer writer;
    writer.put(report.status.code);
    writer.put(report.status.signal);
    writer.put(static_cast<std::uint8_t>(report.status.core_dumped));
    writer.put(report.finished_ns);
    writer.put(report.log_dropped);
    return writer.take();
}

Result<ExitReport> decode_exit(std::string_view payload) {
    codec::Reader reader(payload);
    ExitReport report;
    std::uint8_t core_dumped = 0;
    reader.get(report.status.code);
    reader.get(report.status.signal);
    reader.get(core_dumped);
    reader.get(report.finished_ns);
    reader.get(report.log_dropped);
    report.status.core_dumped = core_dumped != 0;
    return checked(reader, report, "exited");
}

std::string encode(const WindowSize& size) {
    codec::Writer writer;
    writer.put(size.rows);
    writer.put(size.columns);
    return writer.take();
}

Result<WindowSize> decode_window(std::string_view payload) {
    codec::Reader reader(payload);
    WindowSize size;
    reader.get(size.rows);
    reader.get(size.columns);
    return checked(reader, size, "resize");
}

std::string encode(const AttachWishes& wishes) {
    codec::Writer writer;
    writer.put(static_cast<std::uint8_t>(wishes.output));
    writer.put(static_cast<std::uint8_t>(wishes.input));
    return writer.take();
}

Result<AttachWishes> decode_attach(std::string_view payload) {
    codec::Reader reader(payload);
    std::uint8_t output = 0;
    std::uint8_t input = 0;
    reader.get(output);
    reader.get(input);
    return checked(reader, AttachWishes{output != 0, input != 0}, "attach");
}

std::string encode_missed(std::uint64_t bytes) {
    codec::Writer writer;
    writer.put(bytes);
    return writer.take();
}

Result<std::uint64_t> decode_missed(std::string_view payload) {
    codec::Reader reader(payload);
    std::uint64_t bytes = 0;
    reader.get(bytes);
    return checked(reader, bytes, "missed");
}

Status send(int socket, MessageKind kind, std::string_view payload, std::span<const int> fds) {
    std::string packet(1, static_cast<char>(kind));
    packet.append(payload);
    // What the kernel has no memory for just now is said again: lost, the other end would wait for it for
    // ever.
    constexpr int kMostTries = 1000;
    Status sent;
    for (int tries = 0; tries < kMostTries; ++tries) {
        sent = sys::send_with_fds(socket, packet, fds);
        if (sent || (sent.error().sys_errno != ENOMEM && sent.error().sys_errno != ENOBUFS)) break;
    }
    return sent;
}

bool can_be_tried_again(const Error& error) {
    return error.code == Code::busy || error.sys_errno == ENOMEM || error.sys_errno == ENOBUFS;
}

Result<Message> receive(int socket) {
    auto received = sys::receive_with_fds(socket, kMaxPacket);
    // Said once when the other end left something unread; what it said itself comes after.
    while (!received && received.error().sys_errno == ECONNRESET)
        received = sys::receive_with_fds(socket, kMaxPacket);
    if (!received) return fail(received);
    if (received->bytes.empty()) return fail(Code::not_found, "the other end has gone");
    Message message;
    message.kind = static_cast<MessageKind>(received->bytes.front());
    message.payload = received->bytes.substr(1);
    message.fds = std::move(received->fds);
    return message;
}

} // namespace mydocker::engine
