// One open text log.
#include "text_stream.hpp"

#include <boost/log/attributes/attribute_value_impl.hpp>
#include <boost/log/core.hpp>
#include <boost/log/expressions.hpp>
#include <boost/log/keywords/channel.hpp>
#include <boost/log/sinks/auto_newline_mode.hpp>
#include <boost/log/utility/formatting_ostream.hpp>
#include <boost/smart_ptr/make_shared_object.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <cstdio>
#include <sys/file.h>
#include <sys/vfs.h>

namespace mydocker::text_file {

namespace {

namespace logging = boost::log;
namespace sinks = boost::log::sinks;
namespace keywords = boost::log::keywords;

constexpr const char* kRotatedPattern = "container-%Y%m%d-%H%M%S.%f.txt";
constexpr std::uint64_t kRoom = 4096;

// Like no other stream's that is open in this process.
std::string channel_of(const void* stream) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "mydocker.text-file.%p", stream);
    return text.data();
}

// Boost.Log speaks in exceptions; none leaves this file.
template <class Work>
Status guarded(const std::string& path, const Work& work) {
    try {
        return work();
    } catch (const boost::system::system_error& error) {
        const int number = error.code().category() == boost::system::system_category() ||
                                   error.code().category() == boost::system::generic_category()
                               ? error.code().value()
                               : EIO;
        return fail_errno(number, "write log '" + path + "'");
    } catch (const std::bad_alloc&) {
        return fail(Code::no_space, "write log '" + path + "'", ENOMEM);
    } catch (const std::exception& error) {
        return fail(Code::io, "write log '" + path + "': " + error.what());
    }
}

// Boost opens its file without O_CLOEXEC; the descriptor is found by the file it refers to.
void keep_from_programs(const struct stat& file) {
    const auto fd = files::open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    if (!fd) return;
    const auto entries = files::list_directory(fd->get(), "/proc/self/fd");
    if (!entries) return;
    for (const files::DirectoryEntry& entry : *entries) {
        const int number = std::atoi(entry.name.c_str());
        struct stat status{};
        if (::fstat(number, &status) == 0 && status.st_ino == file.st_ino && status.st_dev == file.st_dev)
            (void)::fcntl(number, F_SETFD, FD_CLOEXEC); // An open descriptor takes it always.
    }
}

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

} // namespace

bool is_log_file_name(std::string_view name) {
    // container-YYYYMMDD-HHMMSS.ffffff.txt
    if (name == kFileName) return true;
    return name.size() == 36 && name.starts_with("container-") && is_digits(name.substr(10, 8)) &&
           name[18] == '-' && is_digits(name.substr(19, 6)) && name[25] == '.' &&
           is_digits(name.substr(26, 6)) && name.ends_with(".txt");
}

TextStream::TextStream(const StreamInfo& info, const LineTemplate& line, const Limits& limits)
    : path_(info.directory),
      file_path_(info.directory + "/" + kFileName),
      line_(line.bound_to(info)),
      limits_(limits),
      channel_(channel_of(this)) {
    logger_.channel(channel_);
}

TextStream::~TextStream() {
    detach();
}

Result<std::unique_ptr<TextStream>> TextStream::open(const StreamInfo& info, const LineTemplate& line,
                                                     const Limits& limits) {
    auto directory = files::open(info.directory, O_RDONLY | O_DIRECTORY);
    if (!directory) return fail(directory);
    std::unique_ptr<TextStream> stream;
    const auto made = guarded(info.directory, [&] {
        stream.reset(new TextStream(info, line, limits));
        stream->directory_ = std::move(*directory);
        if (auto ready = stream->prepare_file(); !ready) return ready;
        if (auto room = stream->check_space(); !room) return room;
        stream->attach();
        return Status{};
    });
    if (!made) return fail(made);
    return stream;
}

// Makes or finds the file, so that the backend has but to append to it.
Status TextStream::prepare_file() {
    auto fd = files::open_at(directory_.get(), kFileName,
                             O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (!fd) return fail(fd, "open log in '" + path_ + "'");
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0) return fail_errno(errno, "examine '" + file_path_ + "'");
    if (!S_ISREG(status.st_mode))
        return fail(Code::invalid, "open log '" + file_path_ + "', which is not a regular file");
    file_ = std::move(*fd);
    size_ = static_cast<std::uint64_t>(status.st_size);
    unfinished_.reset();
    return end_half_line();
}

Status TextStream::end_half_line() {
    if (size_ == 0) return {};
    char last = '\n';
    if (::pread(file_.get(), &last, 1, static_cast<off_t>(size_ - 1)) < 0)
        return fail_errno(errno, "read '" + file_path_ + "'");
    if (last == '\n') return {};
    if (auto ended = files::write_all(file_.get(), "\n", file_path_); !ended) return ended;
    ++size_;
    return {};
}

Status TextStream::check_space() const {
    struct statfs status{};
    if (::fstatfs(file_.get(), &status) != 0)
        return fail_errno(errno, "ask for room on the filesystem of '" + file_path_ + "'");
    const std::uint64_t free = ::geteuid() == 0 ? status.f_bfree : status.f_bavail;
    if (status.f_blocks == 0 || free >= kRoom / static_cast<std::uint64_t>(status.f_bsize) + 1) return {};
    return fail(Code::no_space, "find room for the log '" + file_path_ + "'", ENOSPC);
}

void TextStream::attach() {
    const auto backend = boost::make_shared<Backend>(
        keywords::file_name = file_path_, keywords::target_file_name = path_ + "/" + kRotatedPattern,
        keywords::open_mode = std::ios_base::out | std::ios_base::app, keywords::auto_flush = false,
        keywords::auto_newline_mode = sinks::disabled_auto_newline, keywords::enable_final_rotation = false);
    backend->set_open_handler([this](std::ostream& out) { opened(out); });
    const auto collector =
        sinks::file::make_collector(keywords::target = path_, keywords::max_files = limits_.max_files - 1);
    collector->scan_for_files(sinks::file::scan_matching, kRotatedPattern);
    backend->set_file_collector(collector);

    const auto frontend = boost::make_shared<Frontend>(backend);
    frontend->set_filter(logging::expressions::attr<std::string>("Channel") == channel_);
    frontend->set_formatter([this](const logging::record_view&, logging::formatting_ostream& out) {
        out.write(text_.data(), static_cast<std::streamsize>(text_.size()));
    });
    logging::core::get()->add_sink(frontend);
    frontend_ = frontend;
}

void TextStream::opened(std::ostream& out) {
    out_ = &out;
    struct stat status{};
    if (::fstat(file_.get(), &status) == 0) keep_from_programs(status);
}

void TextStream::detach() noexcept {
    out_ = nullptr;
    if (!frontend_) return;
    logging::core::get()->remove_sink(frontend_);
    frontend_.reset(); // Closes the file, writing what is left if it can.
}

// Whether the file that we have open is still the one that bears the name.
bool TextStream::is_current() const {
    struct stat ours{};
    struct stat named{};
    return file_ && ::fstat(file_.get(), &ours) == 0 &&
           ::fstatat(directory_.get(), kFileName, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

// Another process may have rotated or removed the file, or written to it.
Status TextStream::refresh() {
    if (!frontend_ || !is_current()) {
        detach();
        if (auto ready = prepare_file(); !ready) return ready;
        attach();
    }
    struct stat status{};
    if (::fstat(file_.get(), &status) != 0) return fail_errno(errno, "examine '" + file_path_ + "'");
    size_ = kept_ = static_cast<std::uint64_t>(status.st_size);
    return {};
}

Status TextStream::write(std::span<const LogRecord> records) {
    const auto written = guarded(file_path_, [&]() -> Status {
        if (auto fresh = refresh(); !fresh) return fresh;
        for (const LogRecord& record : records)
            if (auto put_in = put(record); !put_in) return put_in;
        return flush_backend();
    });
    if (!written) { // The next write begins anew.
        detach();
        file_.reset();
    }
    return written;
}

Status TextStream::flush() {
    return guarded(file_path_, [&] { return flush_backend(); });
}

Status TextStream::put(const LogRecord& record) {
    render(record);
    const bool at_line_end = !unfinished_;
    if (auto pushed = push(); !pushed) return pushed;
    if (!at_line_end || limits_.max_size == 0 || size_ < limits_.max_size) return {};
    return rotate();
}

// A line in pieces is one line, unless the other source comes between: that ends it.
void TextStream::render(const LogRecord& record) {
    text_.clear();
    if (unfinished_ && *unfinished_ != record.source) {
        text_ += '\n';
        unfinished_.reset();
    }
    if (!unfinished_) line_.append_before(text_, record);
    text_ += record.bytes;
    if (record.partial) {
        unfinished_ = record.source;
        return;
    }
    line_.append_behind(text_, record);
    text_ += '\n';
    unfinished_.reset();
}

// Hands text_ to the core, through it to our backend.
Status TextStream::push() {
    logging::record record = logger_.open_record();
    if (!record)
        return fail(Code::unsupported, "write log '" + file_path_ + "': a filter of this process rejects it");
    errno = 0;
    logger_.push_record(boost::move(record));
    const int error = errno;
    size_ += text_.size();
    return out_ != nullptr && out_->good() ? Status{} : repair(error);
}

Status TextStream::flush_backend() {
    if (!frontend_) return {};
    errno = 0;
    frontend_->flush();
    const int error = errno;
    if (out_ != nullptr && !out_->good()) return repair(error);
    return {};
}

// After a failed write: what the disk took of the batch ends with a whole line again.
Status TextStream::repair(int error) {
    if (error == 0) error = EIO;
    detach(); // First, since closing the backend tries once more to write what it has left.
    unfinished_.reset();
    const auto lock = lock_directory();
    struct stat status{};
    if (lock && ::fstat(file_.get(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) > kept_) {
        auto end = static_cast<std::uint64_t>(status.st_size);
        char last = '\0';
        while (end > kept_ && ::pread(file_.get(), &last, 1, static_cast<off_t>(end - 1)) == 1 &&
               last != '\n')
            --end;
        // Should it not work, the next opening ends the half line.
        (void)!::ftruncate(file_.get(), static_cast<off_t>(end));
    }
    file_.reset();
    return fail_errno(error, "write log '" + file_path_ + "'");
}

Result<UniqueFd> TextStream::lock_directory() const {
    auto fd = files::open_at(directory_.get(), ".", O_RDONLY | O_DIRECTORY);
    if (!fd) return fail(fd);
    while (::flock(fd->get(), LOCK_EX) != 0) {
        if (errno != EINTR) return fail_errno(errno, "lock '" + path_ + "'");
    }
    return fd;
}

// Two processes that find the file full must not rotate it twice.
Status TextStream::rotate() {
    if (auto flushed = flush_backend(); !flushed) return flushed;
    const auto lock = lock_directory();
    if (!lock) return fail(lock);
    if (is_current()) frontend_->locked_backend()->rotate_file();
    out_ = nullptr;
    return refresh();
}

Status TextStream::close() {
    const auto closed = guarded(file_path_, [&]() -> Status {
        if (unfinished_ && frontend_) {
            text_ = "\n";
            unfinished_.reset();
            if (auto pushed = push(); !pushed) return pushed;
        }
        return flush_backend();
    });
    detach();
    return closed;
}

} // namespace mydocker::text_file
