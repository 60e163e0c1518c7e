// One open text log: a sink of its own in Boost.Log's core, which is one for the process. The sink
// takes only the records of its channel, and leaves the core when the stream ends.
//
//   <directory>/container.txt                              being written
//   <directory>/container-YYYYMMDD-HHMMSS.ffffff.txt       rotated, kept by Boost.Log's collector
//
// Boost.Log formats, writes, rotates and collects. What it leaves to chance is seen to here: errors of
// writing (its stream swallows them), half lines, the mode of the file, descriptors that would reach
// programs, and other processes that write and rotate the same file (diagnostics).
#pragma once

#include "line_template.hpp"

#include "mydocker/log_sink.hpp"
#include "mydocker/support/files.hpp"

#include <boost/log/sinks/sync_frontend.hpp>
#include <boost/log/sinks/text_file_backend.hpp>
#include <boost/log/sources/channel_logger.hpp>
#include <boost/smart_ptr/shared_ptr.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace mydocker::text_file {

inline constexpr const char* kFileName = "container.txt";

struct Limits {
    std::uint64_t max_size = 0;  // bytes of a file, checked at the end of a line; 0: no limit
    std::uint64_t max_files = 2; // with the one being written
};

// Whether a name in the directory is that of a file of ours, rotated or not.
[[nodiscard]] bool is_log_file_name(std::string_view name);

class TextStream final : public LogSink::Stream {
  public:
    // Errors: denied, no_space, io.
    [[nodiscard]] static Result<std::unique_ptr<TextStream>>
    open(const StreamInfo& info, const LineTemplate& line, const Limits& limits);
    TextStream(const TextStream&) = delete;
    TextStream& operator=(const TextStream&) = delete;
    ~TextStream() override;

    [[nodiscard]] Status write(std::span<const LogRecord> records);
    [[nodiscard]] Status flush();
    // Ends a line that is unfinished, too.
    [[nodiscard]] Status close();

  private:
    using Backend = boost::log::sinks::text_file_backend;
    using Frontend = boost::log::sinks::synchronous_sink<Backend>;

    TextStream(const StreamInfo& info, const LineTemplate& line, const Limits& limits);

    [[nodiscard]] Status prepare_file();
    [[nodiscard]] Status end_half_line();
    [[nodiscard]] Status check_space() const;
    void attach();
    void detach() noexcept;
    void opened(std::ostream& out);
    [[nodiscard]] Status refresh();
    [[nodiscard]] Status put(const LogRecord& record);
    [[nodiscard]] Status push();
    [[nodiscard]] Status flush_backend();
    void render(const LogRecord& record);
    [[nodiscard]] Status rotate();
    [[nodiscard]] Status repair(int error);
    [[nodiscard]] bool is_current() const;
    [[nodiscard]] Result<UniqueFd> lock_directory() const;

    std::string path_; // of the directory
    std::string file_path_;
    LineTemplate line_;
    Limits limits_;
    boost::log::sources::channel_logger<std::string> logger_;
    std::string channel_;

    UniqueFd directory_;
    UniqueFd file_; // ours, beside the one inside the backend: to ask and to mend
    boost::shared_ptr<Frontend> frontend_;
    std::ostream* out_ = nullptr;         // the backend's, while its file is open
    std::uint64_t size_ = 0;              // of the file, with what is still in the backend's buffer
    std::uint64_t kept_ = 0;              // of the file before the present batch
    std::string text_;                    // of the record being handed to the core
    std::optional<LogSource> unfinished_; // whose line has not ended yet
};

} // namespace mydocker::text_file
