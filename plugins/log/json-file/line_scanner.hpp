// Finds the lines of a file, forwards and backwards, in bounded memory, whatever the file holds.
#pragma once

#include "mydocker/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mydocker::json_file {

// One line; the text borrows from the scanner until its next call.
struct Line {
    std::string_view text; // without '\n'
    std::uint64_t begin = 0;
    std::uint64_t end = 0; // behind the '\n'
    bool ended = true;     // false: the file ends before a '\n' came
    bool too_long = false; // longer than kMaxLine; text is empty
};

// Lines in order, from an offset on.
class LineScanner {
  public:
    LineScanner(int fd, std::uint64_t offset) : fd_(fd), offset_(offset) {}

    // The next line; nothing at the end of the file.
    [[nodiscard]] Result<std::optional<Line>> next();

    // Where the line that next() will return begins.
    [[nodiscard]] std::uint64_t offset() const { return offset_; }

  private:
    [[nodiscard]] Result<bool> fill();
    [[nodiscard]] Result<std::optional<Line>> skip_long_line();

    int fd_;
    std::uint64_t offset_; // of buffer_[begin_]
    std::string buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

// Whole lines from `end` (behind a '\n', or anywhere: then what follows the last '\n' is not returned)
// back to the beginning.
class ReverseLineScanner {
  public:
    ReverseLineScanner(int fd, std::uint64_t end) : fd_(fd), front_(end) {}

    // The line before; nothing at the beginning of the file.
    [[nodiscard]] Result<std::optional<Line>> previous();

  private:
    [[nodiscard]] Result<bool> fill();

    int fd_;
    std::uint64_t front_;   // file offset of buffer_[0]
    std::string buffer_;    // buffer_[0, end_) is not yet returned
    std::size_t end_ = 0;   // behind the '\n' of the line to return next, once found_
    std::size_t step_ = 0;  // size of the block to read next
    bool found_ = false;    // buffer_[end_ - 1] is a '\n'
    bool too_long_ = false; // what was in the buffer of this line has been dropped
    std::uint64_t line_end_ = 0;
};

} // namespace mydocker::json_file
