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

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <deque>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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

// The file: a header line before each record, "R <time_ns> <source> <partial> <length>\n", its bytes,
// and "\n". The length lets records hold any bytes; the letter lets a reader find the next record
// behind a damaged one.
constexpr std::size_t kMaxHeader = 96;
constexpr std::size_t kMaxRecord = 1U << 20U;
constexpr std::size_t kPage = 2 * kMaxRecord; // Read at a time: any record fits.

std::string log_path(const StreamInfo& info) {
    return info.directory + "/plain.log";
}

void append(std::string& to, const LogRecord& record) {
    to += "R " + std::to_string(record.time_ns) + ' ' +
          std::to_string(static_cast<std::uint32_t>(record.source)) + (record.partial ? " 1 " : " 0 ") +
          std::to_string(record.bytes.size()) + '\n';
    to += record.bytes;
    to += '\n';
}

template <class Number>
bool take_number(std::string_view& text, char end, Number& number) {
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto used = static_cast<std::size_t>(rest - text.data());
    if (error != std::errc{} || used >= text.size() || text[used] != end) return false;
    text.remove_prefix(used + 1);
    return true;
}

struct Parsed {
    LogRecord record;
    std::size_t size = 0; // with header and end
};

// The record at the beginning of `data`; nothing when it is damaged or not all there.
std::optional<Parsed> parse(std::string_view data) {
    std::string_view text = data;
    if (!text.starts_with("R ")) return std::nullopt;
    text.remove_prefix(2);
    Parsed parsed;
    std::uint32_t source = 0;
    int partial = 0;
    std::size_t length = 0;
    if (!take_number(text, ' ', parsed.record.time_ns) || !take_number(text, ' ', source) ||
        !take_number(text, ' ', partial) || !take_number(text, '\n', length))
        return std::nullopt;
    if (source < 1 || source > 3 || length > kMaxRecord || text.size() <= length || text[length] != '\n')
        return std::nullopt;
    parsed.record.source = static_cast<mydocker::LogSource>(source);
    parsed.record.partial = partial != 0;
    parsed.record.bytes = text.substr(0, length);
    parsed.size = data.size() - text.size() + length + 1;
    return parsed;
}

// Where the next whole record begins after a damaged place; nothing when none is there (yet).
std::optional<std::size_t> next_record(std::string_view data) {
    for (auto at = data.find("\nR "); at != std::string_view::npos; at = data.find("\nR ", at + 1))
        if (parse(data.substr(at + 1))) return at + 1;
    return std::nullopt;
}

bool wanted(const LogQuery& query, const LogRecord& record) {
    return (!query.since_ns || record.time_ns >= *query.since_ns) &&
           (!query.until_ns || record.time_ns <= *query.until_ns);
}

// One pass over a part of the file. `visit` gets each record with its offset in the file.
struct Pass {
    std::uint64_t next = 0; // offset behind what was read
    std::uint64_t damaged = 0;
    bool at_end = false;
};

template <class Visit>
Result<Pass> walk(int fd, std::uint64_t from, Visit&& visit) {
    std::string data(kPage, '\0');
    const ssize_t count = ::pread(fd, data.data(), data.size(), static_cast<off_t>(from));
    if (count < 0) return mydocker::fail_errno(errno, "read the log");
    data.resize(static_cast<std::size_t>(count));
    Pass pass{.next = from, .damaged = 0, .at_end = data.size() < kPage};
    std::string_view rest = data;
    while (!rest.empty()) {
        const auto parsed = parse(rest);
        if (!parsed) {
            const auto skip = next_record(rest);
            if (!skip && !pass.at_end && rest.size() > kMaxRecord + kMaxHeader) { // All of it is damaged.
                pass.next += rest.size() - kMaxHeader;
                ++pass.damaged;
                break;
            }
            if (!skip) break; // The rest of it is being written, or on the next page.
            ++pass.damaged;
            pass.next += *skip;
            rest.remove_prefix(*skip);
            continue;
        }
        if (Status done = visit(parsed->record, pass.next); !done) return fail(done);
        pass.next += parsed->size;
        rest.remove_prefix(parsed->size);
    }
    return pass;
}

// The offset at which the last `lines` wanted lines begin; the pieces of a long line count once.
Result<std::uint64_t> find_tail(int fd, const LogQuery& query, std::uint64_t lines) {
    std::deque<std::uint64_t> starts;
    std::array<bool, 4> inside{}; // by source: the last record was a piece with more to follow
    std::uint64_t from = 0;
    for (;;) {
        auto pass = walk(fd, from, [&](const LogRecord& record, std::uint64_t at) -> Status {
            if (!wanted(query, record)) return {};
            bool& continues = inside.at(static_cast<std::size_t>(record.source));
            if (!continues) starts.push_back(at);
            if (starts.size() > lines) starts.pop_front();
            continues = record.partial;
            return {};
        });
        if (!pass) return fail(pass);
        from = pass->next;
        if (pass->at_end) return starts.empty() ? from : starts.front();
    }
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
        auto fd = files::open(log_path(info), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
        if (!fd) return fail(fd); // Its text says what was opened; the engine puts our name before it.
        return std::make_unique<File>(*std::move(fd), log_path(info));
    }

    [[nodiscard]] Status write(Stream& stream, std::span<const LogRecord> records) override {
        const auto& file = static_cast<const File&>(stream);
        std::string batch;
        for (const LogRecord& record : records) {
            if (record.bytes.size() > kMaxRecord)
                return fail(Code::invalid, "write a record of " + std::to_string(record.bytes.size()) +
                                               " bytes to '" + file.path + "'");
            append(batch, record);
        }
        const off_t before = ::lseek(file.fd.get(), 0, SEEK_END);
        auto written = files::write_all(file.fd.get(), batch, file.path);
        // A torn record would swallow the one written next.
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
        auto fd = files::open(log_path(info), O_RDONLY | O_NOFOLLOW);
        if (!fd && fd.error().code == Code::not_found) return LogPage{.next = from, .at_end = true};
        if (!fd) return fail(fd);
        auto start = to_offset(from);
        if (!start) return fail(start);
        if (from.empty() && query.tail) start = find_tail(fd->get(), query, *query.tail);
        if (!start) return fail(start);
        auto pass = walk(fd->get(), *start, [&](const LogRecord& record, std::uint64_t) -> Status {
            return wanted(query, record) ? visit(record) : Status{};
        });
        if (!pass) return fail(pass);
        return LogPage{LogCursor(std::to_string(pass->next)), pass->at_end, pass->damaged};
    }

    [[nodiscard]] Status remove(const StreamInfo& info) override {
        if (::unlink(log_path(info).c_str()) == 0 || errno == ENOENT) return {};
        return mydocker::fail_errno(errno, "remove '" + log_path(info) + "'");
    }

  private:
    struct File final : Stream {
        File(UniqueFd opened, std::string name) : fd(std::move(opened)), path(std::move(name)) {}
        UniqueFd fd;
        std::string path;
    };

    explicit Plain(Host host) : host_(std::move(host)) {}

    // Our cursors are offsets, in decimal digits; the empty one is the beginning.
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
