// The log driver "journald": each record an entry of systemd's journal, with what it is of in fields of its
// own (entry.hpp). How entries wait for journald: log/datagram/outbox.hpp. What journald limits or throws
// away (RateLimitBurst, SystemMaxUse) is its own business; so is removal, for a journal has none.
#pragma once

#include "log/datagram/outbox.hpp"

#include "mydocker/log_sink.hpp"

#include <array>
#include <memory>
#include <string>

namespace mydocker::journal {

inline constexpr std::array<OptionSpec, 3> kOptions{{
    {"socket", OptionType::string, "/run/systemd/journal/socket", "where journald takes entries"},
    {"directory", OptionType::string, "", "of the journal to read back from; empty: the host's"},
    {"buffer", OptionType::size, "1m", "what waits while journald takes none; more is dropped, and told"},
}};

class Journald final : public LogSink {
  public:
    // Errors: invalid, naming the option.
    [[nodiscard]] static Result<std::unique_ptr<LogSink>> open(const Host& host);

    // Errors: unsupported when there is no such socket.
    [[nodiscard]] Result<LogTraits> probe() override;
    [[nodiscard]] Result<std::unique_ptr<Stream>> open(const StreamInfo& info) override;
    [[nodiscard]] Status write(Stream& stream, std::span<const LogRecord> records) override;
    [[nodiscard]] Status flush(Stream& stream) override;
    [[nodiscard]] Status close(std::unique_ptr<Stream> stream) override;
    [[nodiscard]] Result<LogPage> read(const StreamInfo& info, const LogQuery& query, const LogCursor& from,
                                       const LogVisitor& visit) override;
    [[nodiscard]] Status remove(const StreamInfo& info) override;

  private:
    Journald(std::string socket, std::string directory, std::size_t buffer)
        : socket_(std::move(socket)),
          directory_(std::move(directory)),
          buffer_(buffer) {}

    [[nodiscard]] std::string server() const { return "journald at '" + socket_ + "'"; }

    std::string socket_;
    std::string directory_;
    std::size_t buffer_;
};

} // namespace mydocker::journal
