// What the suites of the log sinks share.
#include "conformance/log_support.hpp"

#include <filesystem>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <thread>

namespace mydocker::conformance {

std::ostream& operator<<(std::ostream& out, const Kept& kept) {
    constexpr std::size_t kShown = 60;
    return out << "{" << kept.time_ns << ", " << static_cast<unsigned>(kept.source)
               << (kept.partial ? ", partial, " : ", ") << kept.bytes.size() << " bytes "
               << ::testing::PrintToString(kept.bytes.substr(0, kShown)) << "}";
}

std::vector<LogRecord> as_records(const std::vector<Kept>& kept) {
    std::vector<LogRecord> records;
    records.reserve(kept.size());
    for (const Kept& one : kept)
        records.push_back({one.time_ns, one.source, one.partial, one.bytes});
    return records;
}

ReadBack read_from(LogSink& sink, const StreamInfo& info, const LogQuery& query, const LogCursor& from) {
    ReadBack back;
    back.next = from;
    const auto visit = [&](const LogRecord& record) {
        back.records.push_back({record.time_ns, record.source, record.partial, std::string(record.bytes)});
        return Status{};
    };
    for (;;) {
        const auto page = sink.read(info, query, back.next, visit);
        if (!page) {
            back.error = page.error();
            return back;
        }
        back.next = page->next;
        back.damaged += page->damaged;
        if (page->at_end) return back;
    }
}

void LogSinkCase::SetUp() {
    info_.id = std::string(64, 'a');
    info_.name = "web";
    info_.image = "busybox";
    info_.directory = root_ / "container";
    ASSERT_EQ(::mkdir(info_.directory.c_str(), 0700), 0);
    sink_ = instance();
    ASSERT_NE(sink_, nullptr);
    const auto traits = sink_->probe();
    if (!traits) GTEST_SKIP() << "does not work here: " << describe(traits.error());
    traits_ = *traits;
}

Setting LogSinkCase::setting() const {
    return {.data_dir = root_ / "data", .run_dir = root_ / "run", .options = {}};
}

std::unique_ptr<LogSink> LogSinkCase::instance() const {
    auto opened = GetParam().open(setting());
    EXPECT_TRUE(opened) << describe(opened.error());
    return opened ? std::move(*opened) : nullptr;
}

std::unique_ptr<LogSink> LogSinkCase::rotating_instance() const {
    Setting small = setting();
    small.options = {{"max_size", "16k"}, {"max_files", "400"}};
    auto opened = GetParam().open(small);
    return opened ? std::move(*opened) : instance();
}

bool LogSinkCase::keeps_files() const {
    const test::TempDir scratch;
    StreamInfo info = info_;
    info.directory = scratch.path();
    const auto sink = instance();
    auto stream = sink->open(info);
    if (!stream) return true; // The case will show why.
    const LogRecord record{.time_ns = 1, .source = LogSource::out, .partial = false, .bytes = "x"};
    EXPECT_TRUE(sink->write(**stream, std::span(&record, 1)));
    EXPECT_TRUE(sink->close(std::move(*stream)));
    return !std::filesystem::is_empty(scratch.path());
}

Status LogSinkCase::keep(LogSink& sink, const std::vector<Kept>& records) const {
    auto stream = sink.open(info_);
    if (!stream) return fail(stream);
    const auto batch = as_records(records);
    if (auto written = sink.write(**stream, batch); !written) return written;
    return sink.close(std::move(*stream));
}

ReadBack LogSinkCase::read_all(const LogQuery& query) const {
    const auto reader = instance();
    return read_from(*reader, info_, query);
}

std::optional<std::string> on_small_filesystem(const std::string& directory, const std::string& options,
                                               const std::function<void()>& work) {
    std::optional<std::string> why;
    std::thread([&] { // unshare(2) of mounts changes the calling thread alone.
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("tmpfs", directory.c_str(), "tmpfs", 0, options.c_str()) != 0) {
            why = "cannot mount a small filesystem here (needs root)";
            return;
        }
        work();
    })
        .join();
    return why;
}

} // namespace mydocker::conformance
