// How fast the json-file sink takes and gives back lines: 100-byte lines in batches of 64 KiB, as the
// monitor hands them on. Prints MB/s of payload (newlines included); asserts nothing.
// Usage: log_sink_bench [DIRECTORY [MEGABYTES]]; the directory's log is removed afterwards.
#include "log/json-file/sink.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace std::chrono;
using mydocker::LogRecord;
using mydocker::LogSink;
using mydocker::OptionValue;
using mydocker::StreamInfo;

constexpr std::size_t kLine = 100; // with the newline
constexpr std::size_t kBatch = std::size_t{64} << 10U;

std::vector<LogRecord> make_batch(const std::string& line) {
    return std::vector<LogRecord>(kBatch / kLine, LogRecord{.time_ns = 1, .bytes = line});
}

void report(const char* what, std::uint64_t bytes, steady_clock::duration took) {
    const double seconds = duration<double>(took).count();
    std::printf("%-28s %8.0f MB/s\n", what, static_cast<double>(bytes) / 1e6 / seconds);
}

int complain(const mydocker::Error& error) {
    std::fprintf(stderr, "log_sink_bench: %s\n", mydocker::describe(error).c_str());
    return 1;
}

int measure(LogSink& sink, const StreamInfo& info, std::uint64_t total, const std::string& line,
            const char* name) {
    auto stream = sink.open(info);
    if (!stream) return complain(stream.error());
    std::vector<LogRecord> batch = make_batch(line);
    std::uint64_t bytes = 0;
    const auto start = steady_clock::now();
    while (bytes < total) {
        const std::int64_t now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
        for (LogRecord& record : batch)
            record.time_ns = now;
        if (auto written = sink.write(**stream, batch); !written) return complain(written.error());
        bytes += batch.size() * kLine;
    }
    report((std::string("write, ") + name).c_str(), bytes, steady_clock::now() - start);
    if (auto closed = sink.close(std::move(*stream)); !closed) return complain(closed.error());

    std::uint64_t got = 0;
    mydocker::LogCursor cursor;
    const auto visit = [&](const LogRecord& record) {
        got += record.bytes.size() + 1;
        return mydocker::Status{};
    };
    const auto read_start = steady_clock::now();
    for (;;) {
        auto page = sink.read(info, {}, cursor, visit);
        if (!page) return complain(page.error());
        cursor = page->next;
        if (page->at_end) break;
    }
    report((std::string("read, ") + name).c_str(), got, steady_clock::now() - read_start);
    if (auto removed = sink.remove(info); !removed) return complain(removed.error());
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    StreamInfo info;
    info.directory = argc > 1 ? argv[1] : ".";
    const std::uint64_t total = (argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1000) * 1'000'000;
    std::map<std::string, OptionValue, std::less<>> options;
    options["max_size"] = std::uint64_t{10} << 20U;
    options["max_files"] = std::int64_t{3};
    auto sink = mydocker::json_file::JsonFile::open(mydocker::Host("", "", mydocker::Options(options)));
    if (!sink) return complain(sink.error());

    std::string binary(kLine - 1, 'x');
    binary[50] = '\xFF';
    std::string quotes(kLine - 1, 'x');
    for (std::size_t i = 0; i < quotes.size(); i += 10)
        quotes[i] = '"';
    if (int code = measure(**sink, info, total, std::string(kLine - 1, 'x'), "plain"); code != 0) return code;
    if (int code = measure(**sink, info, total, quotes, "10 quotes a line"); code != 0) return code;
    return measure(**sink, info, total / 4, binary, "not UTF-8");
}
