// logs: the output of containers, read back from its sink.
#include "cli/container_words.hpp"
#include "cli/resource_flags.hpp"
#include "cli/table.hpp"
#include "cli/times.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"
#include "engine/logs.hpp"

#include "base/sys.hpp"

#include <csignal>
#include <deque>
#include <limits>
#include <unistd.h>

namespace mydocker::cli {
namespace {

// Records to both streams, in the order they were written.
class LogPrinter {
  public:
    // `prefix`: before the time; `details`: behind it.
    LogPrinter(std::string prefix, bool timestamps, std::string details)
        : prefix_(std::move(prefix)),
          timestamps_(timestamps),
          details_(std::move(details)) {}

    Status print(const LogRecord& record) {
        Stream& stream = record.source == LogSource::err ? err_ : out_;
        Stream& other = record.source == LogSource::err ? out_ : err_;
        // Where both are one terminal or file, what was written first comes first.
        if (!other.buffer.empty())
            if (auto flushed = flush(other); !flushed) return flushed;
        if (!stream.continues) begin_line(stream, record);
        stream.buffer.append(record.bytes);
        if (!record.partial) stream.buffer += '\n';
        stream.continues = record.partial;
        return stream.buffer.size() >= kBuffer ? flush(stream) : Status{};
    }

    Status flush() {
        auto out = flush(out_);
        auto err = flush(err_);
        return out ? err : out;
    }

  private:
    static constexpr std::size_t kBuffer = std::size_t{64} * 1024;

    struct Stream {
        int fd;
        std::string buffer;
        bool continues = false;
    };

    void begin_line(Stream& stream, const LogRecord& record) const {
        stream.buffer += prefix_;
        if (timestamps_) stream.buffer += timestamp(record.time_ns) + " ";
        stream.buffer += details_;
    }

    static Status flush(Stream& stream) {
        auto written = sys::write_all(stream.fd, stream.buffer);
        stream.buffer.clear();
        return written;
    }

    std::string prefix_;
    bool timestamps_;
    std::string details_;
    Stream out_{STDOUT_FILENO, {}};
    Stream err_{STDERR_FILENO, {}};
};

class Logs final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-f,--follow", follow_,
                     "go on with what is written from now on, to the container's end");
        app.add_option("--since", since_,
                       "not before: a time (2026-01-31T12:00:00Z, seconds since 1970) or an age (10m)");
        app.add_option("--until", until_, "not after");
        app.add_option("-n,--tail", tail_, "only the last so many lines (all)");
        app.add_flag("-t,--timestamps", timestamps_, "a time before each line");
        app.add_flag("--names", names_, "of several containers: its name before each line, not its id");
        app.add_flag("--details", details_, "the container's labels before each line");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        engine::LogsRequest request;
        if (auto parsed = parse(request); !parsed) return usage(parsed.error().text);
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        std::vector<engine::ContainerRecord> records;
        for (const std::string& name : operands) {
            auto container = engine::find_settled(**engine, name);
            if (!container) return fail(container);
            records.push_back(std::move(container->record));
        }
        const Status done = show(**engine, records, request);
        // A reader that has seen enough (`| head`) is no failure.
        if (!done && done.error().sys_errno == EPIPE) return 128 + SIGPIPE;
        if (!done) return fail(done);
        return kOk;
    }

  private:
    // As podman: one container's lines need no name.
    [[nodiscard]] std::string prefix_of(const engine::ContainerRecord& record, std::size_t count) const {
        if (count == 1) return {};
        return (names_ ? record.name.str() : paths::short_id(record.id)) + " ";
    }

    Status show(engine::Engine& engine, const std::vector<engine::ContainerRecord>& records,
                const engine::LogsRequest& request) const {
        std::deque<LogPrinter> printers; // pointers to its elements stay good
        std::vector<engine::VisitedLog> visited;
        for (const engine::ContainerRecord& record : records) {
            LogPrinter& printer =
                printers.emplace_back(prefix_of(record, records.size()), timestamps_,
                                      details_ ? printable(labels_text(record.labels)) + " " : "");
            visited.push_back({&record,
                               {.record = [&printer](const LogRecord& each) { return printer.print(each); },
                                .pause = [&printer] { return printer.flush(); }}});
        }
        Status done = engine::logs(engine, visited, request);
        for (LogPrinter& printer : printers)
            if (auto flushed = printer.flush(); !flushed && done) done = flushed;
        return done;
    }

    Status parse(engine::LogsRequest& request) const {
        const std::int64_t now = sys::realtime_ns();
        if (!since_.empty()) {
            auto time = parse_time("since", since_, now);
            if (!time) return fail(time);
            request.since_ns = *time;
        }
        if (!until_.empty()) {
            auto time = parse_time("until", until_, now);
            if (!time) return fail(time);
            request.until_ns = *time;
        }
        if (!tail_.empty() && tail_ != "all") {
            auto count = parse_number("tail", tail_, -1, std::numeric_limits<std::int64_t>::max());
            if (!count) return fail(count);
            if (*count >= 0) request.tail = static_cast<std::uint64_t>(*count); // -1: docker's word for all
        }
        request.follow = follow_;
        request.reader = STDOUT_FILENO;
        return {};
    }

    bool follow_ = false;
    std::string since_;
    std::string until_;
    std::string tail_;
    bool timestamps_ = false;
    bool names_ = false;
    bool details_ = false;
};

} // namespace

std::unique_ptr<Verb> make_logs() {
    return std::make_unique<Logs>();
}

} // namespace mydocker::cli
