// The log driver "json-file": docker's line format, rotation by size. See record.hpp for a line and
// log_files.hpp for the files.
#pragma once

#include "writer.hpp"

#include "mydocker/log_sink.hpp"

#include <array>
#include <memory>

namespace mydocker::json_file {

inline constexpr std::array<OptionSpec, 2> kOptions{{
    {"max_size", OptionType::size, "10m", "size at which a file is rotated; 0: never"},
    {"max_files", OptionType::integer, "3", "files kept for a container, the one being written included"},
}};

class JsonFile final : public LogSink {
  public:
    // Errors: invalid, naming the option.
    [[nodiscard]] static Result<std::unique_ptr<LogSink>> open(const Host& host);

    [[nodiscard]] Result<LogTraits> probe() override;
    [[nodiscard]] Result<std::unique_ptr<Stream>> open(const StreamInfo& info) override;
    [[nodiscard]] Status write(Stream& stream, std::span<const LogRecord> records) override;
    [[nodiscard]] Status flush(Stream& stream) override;
    [[nodiscard]] Status close(std::unique_ptr<Stream> stream) override;
    [[nodiscard]] Result<LogPage> read(const StreamInfo& info, const LogQuery& query, const LogCursor& from,
                                       const LogVisitor& visit) override;
    [[nodiscard]] Status remove(const StreamInfo& info) override;

  private:
    explicit JsonFile(const Limits& limits) : limits_(limits) {}

    Limits limits_;
};

} // namespace mydocker::json_file
