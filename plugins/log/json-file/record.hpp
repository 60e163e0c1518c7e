// One record as one line of a json-file log, and back. Pure: no file is touched here.
//
// The line is docker's: {"log":"text\n","stream":"stdout","time":"2006-01-02T15:04:05.000000000Z"}
// A record that is only a piece of a line (LogRecord::partial) lacks the "\n" at the end of "log".
// Fields of our own, which readers of docker's format pass over:
//   "file"    number of the file, in its first line only: tells rotated files apart (log_files.hpp)
//   "bytes"   the record's exact bytes in base64, only when they are not valid UTF-8, which JSON
//             cannot hold; "log" then has U+FFFD in place of what is not valid
//   "partial" "true", only when a piece of a line itself ends in '\n', so that "log" cannot tell
// Source: docker's json-file driver; RFC 8259; RFC 3339; RFC 3629; RFC 4648.
#pragma once

#include "mydocker/log_sink.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mydocker::json_file {

// A record longer than this is kept as several pieces of one line.
inline constexpr std::size_t kMaxPiece = 1U << 20U;
// No line that an Encoder makes of such a piece is longer; a longer one in a file is damage.
inline constexpr std::size_t kMaxLine = 8U << 20U;

// Turns records into lines. Remembers the last time stamps in words, since a batch shares its own.
class Encoder {
  public:
    // Appends the line, '\n' included. file_number: 0 for any but the first line of a file.
    void append(std::string& out, const LogRecord& record, std::uint64_t file_number);

  private:
    struct Ending {
        std::int64_t time_ns = 0;
        std::string text;
    };

    [[nodiscard]] const std::string& ending(const LogRecord& record);

    std::array<Ending, 3> endings_; // by source
};

// Turns lines into records. What it returns borrows from the line and from the decoder, until the next
// call.
class Decoder {
  public:
    // `line` is without its '\n'. Returns nothing when it is not a whole, valid line of the format.
    [[nodiscard]] std::optional<LogRecord> decode(std::string_view line);

  private:
    [[nodiscard]] std::optional<std::int64_t> time_of(std::string_view text);

    std::string text_;
    std::string bytes_;
    std::string time_text_; // the last one parsed
    std::int64_t time_ns_ = 0;
};

// The "file" field that a line begins with; the line may be cut off behind it.
[[nodiscard]] std::optional<std::uint64_t> file_number_of(std::string_view line);

// "2006-01-02T15:04:05.000000000Z", always nine digits.
[[nodiscard]] std::string time_to_text(std::int64_t time_ns);
// Any RFC 3339 time that fits: zero to nine digits of fraction (more are dropped), any zone offset.
[[nodiscard]] std::optional<std::int64_t> parse_time(std::string_view text);

} // namespace mydocker::json_file
