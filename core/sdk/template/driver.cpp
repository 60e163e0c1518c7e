// A whole log sink to copy: one plain file for each container. Not for use as it is: it never rotates.
//
// To make a driver of your own: copy this file, change the class and the last line, and build it with
//
//     cmake_minimum_required(VERSION 3.25)
//     project(my-sink LANGUAGES CXX)
//     include(/usr/share/mydocker/sdk/MydockerPlugin.cmake)
//     mydocker_add_plugin(log plain SOURCES driver.cpp)
//
// The result is log-plain.so. `mydocker-plugin-check log-plain.so` says whether it keeps the contract;
// installed into a directory of `plugin_dirs`, `[log] driver = "plain"` selects it. For another kind
// derive from StorageDriver, CgroupBackend or StateStore and include that kind's export header.
#include "mydocker/export_log_sink.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/support/files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <deque>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace {

using mydocker::Code;
using mydocker::fail;
using mydocker::Host;
using mydocker::LogCursor;
using mydocker::LogPage;
using mydocker::LogQuery;
using mydocker::LogRecord;
using mydocker::LogSink;
using mydocker::LogTraits;
using mydocker::LogVisitor;
using mydocker::OptionSpec;
using mydocker::OptionType;
using mydocker::Result;
using mydocker::Status;
using mydocker::StreamInfo;
using mydocker::UniqueFd;
namespace files = mydocker::files;

// What [log.plain] in mydocker.toml may hold. The engine checks and types it; `plugin info` shows it.
constexpr std::array<OptionSpec, 1> kOptions{{
    {"sync", OptionType::boolean, "false", "wait for the disk on every flush"},
}};

// The file: a line for each record, "<time_ns> <source> <partial> <length> <text>\n". In the text "\n" is
// written as a backslash and n, and a backslash twice, so that a line ends where it seems to; the length
// (of the text as written) shows that none of it is missing. What does not read as such a line is damaged
// and costs itself alone. Writers hold the file's lock while they write: a reader that takes it sees
// whole batches, or what a killed writer left.
constexpr std::size_t kMaxRecord = 1U << 20U;
constexpr std::size_t kMaxLine = 2 * kMaxRecord + 100;
constexpr std::size_t kChunk = std::size_t{256} << 10U; // read at a time
constexpr std::uint64_t kPage = 4U << 20U;              // handed out in one read

std::string log_path(const StreamInfo& info) {
    return info.directory + "/plain.log";
}

// The lock over the whole file for as long as this lives. A file that cannot be locked is used without.
class Locked {
  public:
    Locked(int fd, int operation) : fd_(fd) { (void)::flock(fd_, operation); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;
    ~Locked() { (void)::flock(fd_, LOCK_UN); }

  private:
    int fd_;
};

std::string escaped(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    for (const char c : bytes) {
        if (c == '\\' || c == '\n') text += '\\';
        text += c == '\n' ? 'n' : c;
    }
    return text;
}

std::string unescaped(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 1 < text.size();
        if (escape) ++i;
        bytes += escape && text[i] == 'n' ? '\n' : text[i];
    }
    return bytes;
}

void append(std::string& to, const LogRecord& record) {
    const std::string text = escaped(record.bytes);
    to += std::to_string(record.time_ns) + ' ' + std::to_string(static_cast<std::uint32_t>(record.source)) +
          (record.partial ? " 1 " : " 0 ") + std::to_string(text.size()) + ' ' + text + '\n';
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto used = static_cast<std::size_t>(rest - text.data());
    if (error != std::errc{} || used >= text.size() || text[used] != ' ') return false;
    text.remove_prefix(used + 1);
    return true;
}

// The record in a line; `bytes` keeps its text. Nothing when the line is damaged.
std::optional<LogRecord> parse(std::string_view line, std::string& bytes) {
    LogRecord record;
    std::uint32_t source = 0;
    std::uint32_t partial = 0;
    std::size_t length = 0;
    if (!take_number(line, record.time_ns) || !take_number(line, source) || !take_number(line, partial) ||
        !take_number(line, length))
        return std::nullopt;
    if (source < 1 || source > 3 || partial > 1 || length != line.size()) return std::nullopt;
    bytes = unescaped(line);
    record.source = static_cast<mydocker::LogSource>(source);
    record.partial = partial == 1;
    record.bytes = bytes;
    return record;
}

bool wanted(const LogQuery& query, const LogRecord& record) {
    return (!query.since_ns || record.time_ns >= *query.since_ns) &&
           (!query.until_ns || record.time_ns <= *query.until_ns);
}

// A pass over lines of the file from an offset on. Call run() once.
class Pass {
  public:
    // Called with each record and the offset of its line.
    using Visit = std::function<Status(const LogRecord&, std::uint64_t)>;

    Pass(int fd, std::uint64_t from, Visit visit) : fd_(fd), next_(from), visit_(std::move(visit)) {}

    // Reads until more than `limit` bytes are done, or the end. Errors: io; the visitor's.
    [[nodiscard]] Status run(std::uint64_t limit) {
        auto end = size();
        if (!end) return fail(end);
        if (next_ > *end) next_ = 0; // Somebody emptied or replaced the file.
        const std::uint64_t stop = next_ + std::min(limit, *end - next_);
        std::uint64_t at = next_;
        while (at < *end && (next_ < stop || skipping_)) {
            std::string chunk(static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, *end - at)), '\0');
            const ssize_t count = ::pread(fd_, chunk.data(), chunk.size(), static_cast<off_t>(at));
            if (count < 0) return mydocker::fail_errno(errno, "read the log");
            if (count == 0) break;
            at += static_cast<std::uint64_t>(count);
            rest_.append(chunk, 0, static_cast<std::size_t>(count));
            if (Status done = take_lines(); !done) return done;
        }
        at_end_ = at >= *end;
        if (!at_end_ || rest_.empty()) return {};
        return take(std::exchange(rest_, {}), 0); // A killed writer's last line, whole or torn.
    }

    [[nodiscard]] std::uint64_t next() const { return next_; }
    [[nodiscard]] std::uint64_t damaged() const { return damaged_; }
    [[nodiscard]] bool at_end() const { return at_end_; }

  private:
    // Where the last whole batch ends.
    [[nodiscard]] Result<std::uint64_t> size() const {
        const Locked shared(fd_, LOCK_SH);
        const off_t end = ::lseek(fd_, 0, SEEK_END);
        if (end < 0) return mydocker::fail_errno(errno, "read the log");
        return static_cast<std::uint64_t>(end);
    }

    [[nodiscard]] Status take_lines() {
        std::size_t begin = 0;
        for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
            if (Status done = take(std::string_view(rest_).substr(begin, end - begin), 1); !done) return done;
            begin = end + 1;
        }
        rest_.erase(0, begin);
        if (rest_.size() <= kMaxLine) return {};
        skipping_ = true; // No record is that long: wait for the end of the line, keep none of it.
        next_ += rest_.size();
        rest_.clear();
        return {};
    }

    [[nodiscard]] Status take(std::string_view line, std::size_t end_size) {
        const std::uint64_t at = next_;
        next_ += line.size() + end_size;
        const bool skipped = std::exchange(skipping_, false);
        std::string bytes;
        const auto record = skipped ? std::nullopt : parse(line, bytes);
        if (record) return visit_(*record, at);
        if (skipped || !line.empty()) ++damaged_; // An empty line is the end that was put to a torn one.
        return {};
    }

    int fd_;
    std::uint64_t next_; // behind the last line taken
    Visit visit_;
    std::string rest_;
    std::uint64_t damaged_ = 0;
    bool skipping_ = false;
    bool at_end_ = false;
};

// The offset at which the last `lines` wanted lines begin; the pieces of a long line count once.
Result<std::uint64_t> find_tail(int fd, const LogQuery& query, std::uint64_t lines) {
    std::deque<std::uint64_t> starts;
    std::array<bool, 4> inside{}; // by source: the last record was a piece with more to follow
    Pass pass(fd, 0, [&](const LogRecord& record, std::uint64_t at) -> Status {
        if (!wanted(query, record)) return {};
        bool& continues = inside.at(static_cast<std::size_t>(record.source));
        if (!continues) starts.push_back(at);
        if (starts.size() > lines) starts.pop_front();
        continues = record.partial;
        return {};
    });
    if (Status done = pass.run(UINT64_MAX); !done) return fail(done);
    return starts.empty() ? pass.next() : starts.front();
}

// A file open for writing.
struct File final : LogSink::Stream {
    File(UniqueFd opened, std::string name) : fd(std::move(opened)), path(std::move(name)) {}
    UniqueFd fd;
    std::string path;
};

// Opens the file, ends a line that a killed writer left torn, and finds out whether there is room.
Result<UniqueFd> open_file(const std::string& path) {
    auto fd = files::open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    if (!fd) return fd; // Its text says what was opened; the engine puts our name before it.
    const Locked exclusive(fd->get(), LOCK_EX);
    const off_t size = ::lseek(fd->get(), 0, SEEK_END);
    if (::fallocate(fd->get(), FALLOC_FL_KEEP_SIZE, size, 4096) != 0 && errno == ENOSPC)
        return mydocker::fail_errno(ENOSPC, "reserve room in '" + path + "'");
    char last = '\n';
    if (size > 0 && ::pread(fd->get(), &last, 1, size - 1) == 1 && last != '\n')
        if (auto ended = files::write_all(fd->get(), "\n", path); !ended) return fail(ended);
    return fd;
}

class Plain final : public LogSink {
  public:
    // The engine calls this once for each instance. Look at the options here; touch nothing that lasts.
    static Result<std::unique_ptr<LogSink>> open(Host host) {
        return std::unique_ptr<LogSink>(new Plain(std::move(host)));
    }

    [[nodiscard]] Result<LogTraits> probe() override {
        return LogTraits{.readable = true, .diagnostics = true};
    }

    [[nodiscard]] Result<std::unique_ptr<Stream>> open(const StreamInfo& info) override {
        auto fd = open_file(log_path(info));
        if (!fd) return fail(fd);
        return std::make_unique<File>(*std::move(fd), log_path(info));
    }

    [[nodiscard]] Status write(Stream& stream, std::span<const LogRecord> records) override {
        auto& file = static_cast<File&>(stream);
        std::string batch;
        for (const LogRecord& record : records) {
            if (record.bytes.size() > kMaxRecord)
                return fail(Code::invalid, "write a record of " + std::to_string(record.bytes.size()) +
                                               " bytes to '" + file.path + "'");
            append(batch, record);
        }
        if (Status there = reopen_if_deleted(file); !there) return there;
        const Locked exclusive(file.fd.get(), LOCK_EX);
        const off_t before = ::lseek(file.fd.get(), 0, SEEK_END);
        auto written = files::write_all(file.fd.get(), batch, file.path);
        if (!written && before >= 0 && ::ftruncate(file.fd.get(), before) != 0)
            host_.log(mydocker::LogLevel::warning, "'" + file.path + "' keeps a torn record");
        return written;
    }

    [[nodiscard]] Status flush(Stream& stream) override {
        const auto& file = static_cast<const File&>(stream);
        if (!host_.options().boolean("sync") || ::fdatasync(file.fd.get()) == 0) return {};
        return mydocker::fail_errno(errno, "sync '" + file.path + "'");
    }

    [[nodiscard]] Status close(std::unique_ptr<Stream> stream) override { return flush(*stream); }

    [[nodiscard]] Result<LogPage> read(const StreamInfo& info, const LogQuery& query, const LogCursor& from,
                                       const LogVisitor& visit) override {
        auto start = to_offset(from);
        if (!start) return fail(start);
        auto fd = files::open(log_path(info), O_RDONLY | O_NOFOLLOW);
        if (!fd && fd.error().code == Code::not_found) return LogPage{.next = to_cursor(0), .at_end = true};
        if (!fd) return fail(fd);
        if (from.empty() && query.tail) start = find_tail(fd->get(), query, *query.tail);
        if (!start) return fail(start);
        Pass pass(fd->get(), *start, [&](const LogRecord& record, std::uint64_t) -> Status {
            return wanted(query, record) ? visit(record) : Status{};
        });
        if (Status done = pass.run(kPage); !done) return fail(done);
        return LogPage{to_cursor(pass.next()), pass.at_end(), pass.damaged()};
    }

    [[nodiscard]] Status remove(const StreamInfo& info) override {
        if (::unlink(log_path(info).c_str()) == 0 || errno == ENOENT) return {};
        return mydocker::fail_errno(errno, "remove '" + log_path(info) + "'");
    }

  private:
    explicit Plain(Host host) : host_(std::move(host)) {}

    [[nodiscard]] static Status reopen_if_deleted(File& file) {
        struct stat status{};
        if (::fstat(file.fd.get(), &status) != 0 || status.st_nlink > 0) return {};
        auto again = open_file(file.path);
        if (!again) return fail(again);
        file.fd = *std::move(again);
        return {};
    }

    // Our cursors are offsets, in decimal digits; the empty one is the beginning.
    [[nodiscard]] static LogCursor to_cursor(std::uint64_t offset) {
        return LogCursor(std::to_string(offset));
    }
    [[nodiscard]] static Result<std::uint64_t> to_offset(const LogCursor& cursor) {
        std::uint64_t offset = 0;
        const std::string& text = cursor.str();
        if (text.empty()) return offset;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), offset);
        if (error == std::errc{} && end == text.data() + text.size()) return offset;
        return fail(Code::invalid, "read on from '" + text + "', which is no cursor of this sink");
    }

    Host host_;
};

} // namespace

MYDOCKER_EXPORT_LOG_SINK(Plain, "plain", "1.0.0", "one plain file for each container", kOptions);
