// The files of one container's log, and places in them. Not for what is in a line (record.hpp).
//
//   <directory>/container.log     being written
//   <directory>/container.log.1   the one before it
//   <directory>/container.log.2   … up to max_files - 1; the next rotation deletes the last one
//
// A rotation renames them upwards, so a name is no identity, and a freed inode number is soon used
// again. Therefore the first line of each file carries the file's number, one more than that of the
// file before it. Where that line is damaged (or is not ours), the number follows from the neighbours.
#pragma once

#include "mydocker/log_sink.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace mydocker::json_file {

inline constexpr const char* kFileName = "container.log";

// The name of the file that is `age` rotations old.
[[nodiscard]] std::string file_name(std::uint64_t age);

// One file of the log, open for reading. It stays the same file whatever is renamed meanwhile.
struct LogFile {
    UniqueFd fd;
    std::uint64_t number = 0;
    std::uint64_t age = 0; // when it was opened
    bool guessed = false;  // the number is not in the file itself
    ino_t inode = 0;
    dev_t device = 0;
};

// A place in the log that a reader has come to.
struct Position {
    std::uint64_t number = 0; // of the file; 0: before any
    ino_t inode = 0;
    std::uint64_t offset = 0; // begin of a line
};

// A cursor is "1:NUMBER:INODE:OFFSET"; the 1 is the version of this notation.
[[nodiscard]] LogCursor to_cursor(const Position& position);
// Errors: invalid, when it is none of ours.
[[nodiscard]] Result<Position> parse_cursor(const LogCursor& cursor);

// Opens the directory of a log. Errors: not_found and others of open(2).
[[nodiscard]] Result<UniqueFd> open_log_directory(const std::string& directory);

// The ages of the files there are now, in no order.
[[nodiscard]] Result<std::vector<std::uint64_t>> list_ages(int directory_fd, const std::string& directory);

// Opens the files that hold something, oldest first; complete even while a writer rotates: renaming
// moves files towards the higher ages, and they are visited in this direction. Files that are older
// than `from` may be left out.
[[nodiscard]] Result<std::vector<LogFile>> open_log_files(int directory_fd, const std::string& directory,
                                                          const Position& from);

// Index of the file in which to go on from a position, and the offset there. An index past the end:
// nothing is there any more or yet.
struct Resume {
    std::size_t index = 0;
    std::uint64_t offset = 0;
};
[[nodiscard]] Resume find_position(const std::vector<LogFile>& files, const Position& position);

// Says, for as long as `fd` is open, that this file has a living writer; and asks for one.
void mark_writer_alive(int fd);
[[nodiscard]] bool has_living_writer(int fd);

} // namespace mydocker::json_file
