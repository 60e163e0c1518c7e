// The log driver "text-file": plain lines by a template, on Boost.Log. It cannot read back: a line does
// not say for certain where a record began. See text_stream.hpp for the files.
#pragma once

#include "text_stream.hpp"

#include <array>

namespace mydocker::text_file {

inline constexpr std::array<OptionSpec, 3> kOptions{{
    {"max_size", OptionType::size, "10m", "size from which a file is rotated; 0: never"},
    {"max_files", OptionType::integer, "3", "files kept, the one being written included; at least 2"},
    {"template", OptionType::string, "{time} {stream} {message}",
     "a line: {time} {stream} {level} {id} {full_id} {name} {image} {message}"},
}};

class TextFile final : public LogSink {
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
    TextFile(LineTemplate line, const Limits& limits) : line_(std::move(line)), limits_(limits) {}

    LineTemplate line_;
    Limits limits_;
};

} // namespace mydocker::text_file
