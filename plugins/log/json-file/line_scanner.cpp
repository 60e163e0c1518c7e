// Finds the lines of a file, forwards and backwards.
#include "line_scanner.hpp"

#include "record.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace mydocker::json_file {

namespace {

constexpr std::size_t kBlock = std::size_t{128} << 10U;

// Reads up to `count` bytes at `offset`; fewer only at the end of the file.
Result<std::size_t> read_at(int fd, char* to, std::size_t count, std::uint64_t offset) {
    std::size_t got = 0;
    while (got < count) {
        const ssize_t some = ::pread(fd, to + got, count - got, static_cast<off_t>(offset + got));
        if (some == 0) break;
        if (some > 0)
            got += static_cast<std::size_t>(some);
        else if (errno != EINTR)
            return fail_errno(errno, "read log at offset " + std::to_string(offset + got));
    }
    return got;
}

} // namespace

// Reads on behind what is buffered. False at the end of the file.
Result<bool> LineScanner::fill() {
    if (begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() - end_ < kBlock / 2) buffer_.resize(std::max(kBlock, buffer_.size() * 2));
    const auto got = read_at(fd_, buffer_.data() + end_, buffer_.size() - end_, offset_ + end_);
    if (!got) return fail(got);
    end_ += *got;
    return *got > 0;
}

Result<std::optional<Line>> LineScanner::next() {
    std::size_t searched = 0; // bytes behind begin_ that hold no '\n'
    for (;;) {
        const char* first = buffer_.data() + begin_;
        const std::size_t held = end_ - begin_;
        const void* newline =
            held > searched ? std::memchr(first + searched, '\n', held - searched) : nullptr;
        if (newline != nullptr) {
            const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - first);
            const Line line{.text = {first, length}, .begin = offset_, .end = offset_ + length + 1};
            begin_ += length + 1;
            offset_ += length + 1;
            return std::optional<Line>(line);
        }
        if (held > kMaxLine) return skip_long_line();
        searched = held;
        const auto more = fill();
        if (!more) return fail(more);
        if (*more) continue;
        if (held == 0) return std::optional<Line>();
        const Line line{
            .text = {buffer_.data() + begin_, held}, .begin = offset_, .end = offset_ + held, .ended = false};
        begin_ = end_;
        offset_ += held;
        return std::optional<Line>(line);
    }
}

// Drops what is buffered until a '\n' or the end of the file comes.
Result<std::optional<Line>> LineScanner::skip_long_line() {
    Line line{.text = {}, .begin = offset_, .ended = false, .too_long = true};
    bool more = true;
    while (more && !line.ended) {
        const char* first = buffer_.data() + begin_;
        const void* newline = end_ > begin_ ? std::memchr(first, '\n', end_ - begin_) : nullptr;
        line.ended = newline != nullptr;
        const std::size_t drop = line.ended
                                     ? static_cast<std::size_t>(static_cast<const char*>(newline) - first) + 1
                                     : end_ - begin_;
        begin_ += drop;
        offset_ += drop;
        if (line.ended) break;
        const auto filled = fill();
        if (!filled) return fail(filled);
        more = *filled;
    }
    line.end = offset_;
    return std::optional<Line>(line);
}

// Puts the block before the buffered bytes in front of them. False at the beginning of the file.
Result<bool> ReverseLineScanner::fill() {
    if (front_ == 0) return false;
    // At least as much as there is: a long line costs linear time.
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(kBlock, end_), front_));
    std::string block(count, '\0');
    const auto got = read_at(fd_, block.data(), count, front_ - count);
    if (!got) return fail(got);
    if (*got < count) { // Somebody cut the file off meanwhile.
        front_ = 0;
        end_ = 0;
        return false;
    }
    block.append(buffer_, 0, end_);
    buffer_.swap(block);
    end_ += count;
    front_ -= count;
    return true;
}

Result<std::optional<Line>> ReverseLineScanner::previous() {
    while (!found_) {
        const auto newline = std::string_view(buffer_).substr(0, end_).rfind('\n');
        if (newline != std::string_view::npos) {
            end_ = newline + 1;
            line_end_ = front_ + end_;
            found_ = true;
            break;
        }
        end_ = 0;
        const auto more = fill();
        if (!more) return fail(more);
        if (!*more) return std::optional<Line>();
    }
    for (;;) {
        const auto newline = std::string_view(buffer_).substr(0, end_ - 1).rfind('\n');
        const bool at_newline = newline != std::string_view::npos;
        bool at_begin = false;
        if (!at_newline) {
            if (end_ > kMaxLine) {
                too_long_ = true;
                buffer_ = "\n"; // Stands for all that was dropped.
                end_ = 1;
            }
            const auto more = fill();
            if (!more) return fail(more);
            if (*more) continue;
            if (end_ == 0) return std::optional<Line>();
            at_begin = true;
        }
        const std::size_t begin = at_begin ? 0 : newline + 1;
        Line line{.text = {}, .begin = front_ + begin, .end = line_end_, .too_long = too_long_};
        if (!too_long_) line.text = std::string_view(buffer_).substr(begin, end_ - 1 - begin);
        end_ = begin;
        line_end_ = front_ + begin;
        found_ = at_newline;
        too_long_ = false;
        return std::optional<Line>(line);
    }
}

} // namespace mydocker::json_file
