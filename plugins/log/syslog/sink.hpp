// The log driver "syslog": each record a message to a syslog server, by a local socket or UDP. It cannot read
// back: what becomes of a message is the server's business. Not on Boost.Log, whose backend waits for a full
// socket, reaches a local server only through syslog(3), and knows no RFC 5424.
#pragma once

#include "stream.hpp"

#include <array>

namespace mydocker::syslog {

inline constexpr std::array<OptionSpec, 6> kOptions{{
    {"address", OptionType::string, "/dev/log", "the server: a socket's path, or udp://HOST[:PORT]"},
    {"facility", OptionType::string, "daemon", "what the messages are of, by syslog(3)'s name"},
    {"tag", OptionType::string, "{name}", "who they are of: {id} {full_id} {name} {image}"},
    {"format", OptionType::string, "auto",
     "\"rfc5424\", \"rfc3164\", or \"auto\": the first by UDP, the second, as syslog(3), to a socket"},
    {"max_message", OptionType::size, "8k", "what the server takes; a longer line is sent in pieces"},
    {"buffer", OptionType::size, "1m", "what waits while the server takes none; more is dropped, and told"},
}};

class Syslog final : public LogSink {
  public:
    // Errors: invalid, naming the option.
    [[nodiscard]] static Result<std::unique_ptr<LogSink>> open(const Host& host);

    // Errors: unsupported when there is no such local socket.
    [[nodiscard]] Result<LogTraits> probe() override;
    [[nodiscard]] Result<std::unique_ptr<Stream>> open(const StreamInfo& info) override;
    [[nodiscard]] Status write(Stream& stream, std::span<const LogRecord> records) override;
    [[nodiscard]] Status flush(Stream& stream) override;
    [[nodiscard]] Status close(std::unique_ptr<Stream> stream) override;
    [[nodiscard]] Result<LogPage> read(const StreamInfo& info, const LogQuery& query, const LogCursor& from,
                                       const LogVisitor& visit) override;
    [[nodiscard]] Status remove(const StreamInfo& info) override;

  private:
    explicit Syslog(Settings settings) : settings_(std::move(settings)) {}

    Settings settings_;
};

} // namespace mydocker::syslog
