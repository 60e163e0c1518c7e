// The log driver "none": keeps nothing. For containers whose output nobody reads, or that write to a volume.
#pragma once

#include "mydocker/log_sink.hpp"

#include <array>
#include <memory>

namespace mydocker::no_log {

inline constexpr std::array<OptionSpec, 0> kOptions{};

class None final : public LogSink {
  public:
    [[nodiscard]] static Result<std::unique_ptr<LogSink>> open(const Host& host);

    [[nodiscard]] Result<LogTraits> probe() override;
    [[nodiscard]] Result<std::unique_ptr<Stream>> open(const StreamInfo& info) override;
    [[nodiscard]] Status write(Stream& stream, std::span<const LogRecord> records) override;
    [[nodiscard]] Status flush(Stream& stream) override;
    [[nodiscard]] Status close(std::unique_ptr<Stream> stream) override;
    [[nodiscard]] Result<LogPage> read(const StreamInfo& info, const LogQuery& query, const LogCursor& from,
                                       const LogVisitor& visit) override;
    [[nodiscard]] Status remove(const StreamInfo& info) override;
};

} // namespace mydocker::no_log
