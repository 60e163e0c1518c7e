// Writes one container's log: batches into the current file, rotation by size, repair of half lines.
#pragma once

#include "log_files.hpp"
#include "record.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace mydocker::json_file {

struct Limits {
    std::uint64_t max_size = 0;  // bytes of a file; 0: no limit
    std::uint64_t max_files = 1; // with the one being written
};

// The open stream. No file is larger than max_size unless a single line is.
class Writer final : public LogSink::Stream {
  public:
    // Continues the log in `directory` or begins it. A half line that a crash left is ended, so that it
    // damages no other. Errors: denied, no_space (asked of the filesystem), io.
    [[nodiscard]] static Result<std::unique_ptr<Writer>> open(const std::string& directory,
                                                              const Limits& limits);

    // Whole lines or nothing: what the disk had no room for is cut off again.
    [[nodiscard]] Status write(std::span<const LogRecord> records);

    // Gives the buffer back; a container that is silent now should not pay for having been loud.
    void release_buffer();

    [[nodiscard]] Status close();

  private:
    Writer(UniqueFd directory, std::string path, const Limits& limits)
        : directory_(std::move(directory)),
          path_(std::move(path)),
          limits_(limits) {}

    void reserve_for(std::span<const LogRecord> records);
    [[nodiscard]] Status append(const LogRecord& record);
    [[nodiscard]] Status put_out();
    [[nodiscard]] Status open_current();
    [[nodiscard]] Status continue_current();
    [[nodiscard]] Status check_space() const;
    [[nodiscard]] Status find_number();
    [[nodiscard]] Status refresh();
    [[nodiscard]] Status rotate();
    [[nodiscard]] Status remove_too_old();
    [[nodiscard]] std::string path_of(std::uint64_t age) const;

    UniqueFd directory_;
    std::string path_; // of the directory
    Limits limits_;
    UniqueFd file_;
    std::uint64_t size_ = 0;
    std::uint64_t number_ = 0; // of the file, see log_files.hpp
    bool half_line_ = false;   // the file ends with one that could not be cut off
    std::string buffer_;       // whole lines
    Encoder encoder_;
};

} // namespace mydocker::json_file
