// The contract of log sinks: what is written, comes back. Following, rotation, damage and full disks
// are in log_faults_suite.cpp.
#include "conformance/log_support.hpp"

#include <algorithm>
#include <limits>
#include <random>
#include <sys/stat.h>

namespace mydocker::conformance {

namespace {

class LogSinkContract : public LogSinkCase {};

std::vector<Kept> numbered(std::size_t count, std::int64_t first_time = 1'000) {
    std::vector<Kept> records;
    for (std::size_t i = 0; i < count; ++i)
        records.push_back({.time_ns = first_time + static_cast<std::int64_t>(i),
                           .source = i % 3 == 0 ? LogSource::err : LogSource::out,
                           .bytes = "line " + std::to_string(i)});
    return records;
}

bool in_time(const LogQuery& query, const Kept& record) {
    return (!query.since_ns || record.time_ns >= *query.since_ns) &&
           (!query.until_ns || record.time_ns <= *query.until_ns);
}

// What a query must give, the slow and obvious way. The pieces of a line stand together here.
std::vector<Kept> filtered(const std::vector<Kept>& all, const LogQuery& query) {
    std::vector<Kept> kept;
    std::copy_if(all.begin(), all.end(), std::back_inserter(kept),
                 [&](const Kept& record) { return in_time(query, record); });
    if (!query.tail) return kept;
    std::size_t begin = kept.size();
    for (std::uint64_t lines = 0; begin > 0 && lines < *query.tail; ++lines) {
        --begin;
        while (begin > 0 && kept[begin - 1].partial)
            --begin;
    }
    return {kept.begin() + static_cast<std::ptrdiff_t>(begin), kept.end()};
}

std::vector<std::string> names_in(const std::string& directory) {
    const auto fd = files::open(directory, O_RDONLY | O_DIRECTORY);
    std::vector<std::string> names;
    if (!fd) return names;
    const auto entries = files::list_directory(fd->get(), directory);
    if (!entries) return names;
    for (const auto& entry : *entries)
        names.push_back(entry.name);
    return names;
}

} // namespace

TEST_P(LogSinkContract, ReadsNothingWhereNothingWasWritten) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;

    const ReadBack back = read_all();

    EXPECT_FALSE(back.error) << describe(*back.error);
    EXPECT_TRUE(back.records.empty());
    EXPECT_EQ(back.damaged, 0U);
}

TEST_P(LogSinkContract, SaysThatItCannotReadIfItCannot) {
    if (is_readable()) GTEST_SKIP() << "this sink can read back";
    ASSERT_TRUE(keep(*sink_, numbered(1)));

    const ReadBack back = read_all();

    ASSERT_TRUE(back.error);
    EXPECT_EQ(back.error->code, Code::unsupported);
    EXPECT_FALSE(back.error->text.empty());
}

TEST_P(LogSinkContract, KeepsOrderTimesAndSources) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    const std::vector<Kept> records = numbered(1'000);

    ASSERT_TRUE(keep(*sink_, records));

    EXPECT_EQ(read_all().records, records);
}

TEST_P(LogSinkContract, KeepsEveryByteValue) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    std::vector<Kept> records(1);
    std::string all_bytes;
    for (int byte = 0; byte < 256; ++byte) {
        all_bytes += static_cast<char>(byte);
        records.push_back({.time_ns = byte, .bytes = std::string(1, static_cast<char>(byte))});
    }
    records.push_back({.bytes = all_bytes});
    records.push_back({.bytes = "cut \xE2\x82"});
    records.push_back({.bytes = "\xE2\x82\xAC \xF0\x9F\x90\x8B \xED\xA0\x80 \xC0\xAF"});
    records.push_back({.bytes = "\\n\\\\\"\\u0000{}[]"});
    records.push_back({.bytes = "trailing blanks \t\r"});
    records.push_back({.bytes = "\x1b[31mred\x1b[0m"});

    ASSERT_TRUE(keep(*sink_, records));

    EXPECT_EQ(read_all().records, records);
}

TEST_P(LogSinkContract, KeepsEmptyLines) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    const std::vector<Kept> records = {
        {.time_ns = 1}, {.time_ns = 2, .source = LogSource::err}, {.time_ns = 3}};

    ASSERT_TRUE(keep(*sink_, records));

    EXPECT_EQ(read_all().records, records);
}

TEST_P(LogSinkContract, KeepsTimesThatGoBackwardsAndFarAway) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    std::vector<Kept> records;
    for (const std::int64_t time :
         {std::int64_t{0}, std::int64_t{1'700'000'000'123'456'789}, std::int64_t{999'999'999},
          std::int64_t{-1}, std::int64_t{951'782'400'000'000'000}, std::numeric_limits<std::int64_t>::max(),
          std::numeric_limits<std::int64_t>::min()})
        records.push_back({.time_ns = time, .bytes = "x"});

    ASSERT_TRUE(keep(*sink_, records));

    EXPECT_EQ(read_all().records, records);
}

TEST_P(LogSinkContract, KeepsPiecesOfALongLineAmongOtherLines) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    std::vector<Kept> records;
    for (int piece = 0; piece < 64; ++piece) {
        records.push_back(
            {.partial = true, .bytes = std::string(16'384, static_cast<char>('a' + piece % 26))});
        records.push_back({.source = LogSource::err, .bytes = "between"});
    }
    records.push_back({.partial = true, .bytes = "a piece that ends with a newline\n"});
    records.push_back({.partial = true, .bytes = "\n"});
    records.push_back({.bytes = "end"});
    records.push_back({.partial = true, .bytes = "never ended"});

    ASSERT_TRUE(keep(*sink_, records));

    EXPECT_EQ(read_all().records, records);
}

TEST_P(LogSinkContract, TakesAnEmptyBatchAndAVeryLargeOne) {
    auto stream = sink_->open(info_);
    ASSERT_TRUE(stream) << describe(stream.error());
    const std::vector<Kept> records(20'000, Kept{.bytes = std::string(99, 'x')});
    const auto batch = as_records(records);

    EXPECT_TRUE(sink_->write(**stream, {}));
    EXPECT_TRUE(sink_->write(**stream, batch));

    EXPECT_TRUE(sink_->close(std::move(*stream)));
    if (!is_readable()) return;
    EXPECT_EQ(read_all().records, records);
}

TEST_P(LogSinkContract, ContinuesWhatIsThere) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    std::vector<Kept> expected;
    for (int round = 0; round < 5; ++round) {
        const std::vector<Kept> records = numbered(10, std::int64_t{round} * 100);
        expected.insert(expected.end(), records.begin(), records.end());
        const auto writer = instance();
        ASSERT_TRUE(keep(*writer, records));
    }

    EXPECT_EQ(read_all().records, expected);
}

TEST_P(LogSinkContract, ShowsAfterFlushWhatWasWritten) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    const std::vector<Kept> records = numbered(3);
    auto stream = sink_->open(info_);
    ASSERT_TRUE(stream);
    ASSERT_TRUE(sink_->write(**stream, as_records(records)));
    ASSERT_TRUE(sink_->flush(**stream));

    EXPECT_EQ(read_all().records, records);

    EXPECT_TRUE(sink_->close(std::move(*stream)));
}

TEST_P(LogSinkContract, SelectsLikeASlowFilter) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    std::mt19937 random(7);
    std::vector<Kept> records;
    for (std::int64_t i = 0; i < 3'000; ++i) {
        const std::int64_t time = i * 10 + static_cast<std::int64_t>(random() % 40); // not monotonic
        const std::size_t pieces = random() % 10 == 0 ? random() % 4 : 0;
        for (std::size_t piece = 0; piece < pieces; ++piece)
            records.push_back({.time_ns = time, .partial = true, .bytes = "piece " + std::to_string(i)});
        records.push_back({.time_ns = time, .bytes = std::string(random() % 200, 'x')});
    }
    const auto writer = rotating_instance();
    ASSERT_TRUE(keep(*writer, records));

    for (int i = 0; i < 60; ++i) {
        LogQuery query;
        if (random() % 2 == 0) query.since_ns = static_cast<std::int64_t>(random() % 31'000);
        if (random() % 2 == 0) query.until_ns = static_cast<std::int64_t>(random() % 31'000);
        if (random() % 3 != 0) query.tail = random() % (random() % 2 == 0 ? 10 : 4'000);
        EXPECT_EQ(read_all(query).records, filtered(records, query))
            << "since " << query.since_ns.value_or(-1) << " until " << query.until_ns.value_or(-1) << " tail "
            << (query.tail ? std::to_string(*query.tail) : "none");
    }
}

TEST_P(LogSinkContract, GoesOnFromACursorWithoutGapOrRepetition) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    const auto writer = rotating_instance();
    std::vector<Kept> expected;
    std::vector<Kept> got;
    LogCursor cursor;
    for (std::size_t round = 0; round < 30; ++round) {
        const std::vector<Kept> records = numbered(round * 7 % 50, static_cast<std::int64_t>(round) * 100);
        expected.insert(expected.end(), records.begin(), records.end());
        ASSERT_TRUE(keep(*writer, records));
        const auto reader = instance();
        const ReadBack back = read_from(*reader, info_, {}, cursor);
        ASSERT_FALSE(back.error) << describe(*back.error);
        got.insert(got.end(), back.records.begin(), back.records.end());
        cursor = back.next;
    }

    EXPECT_EQ(got, expected);
}

TEST_P(LogSinkContract, CountsTheTailAtTheFirstReadOnly) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    const LogQuery none{.since_ns = {}, .until_ns = {}, .tail = 0};
    const ReadBack before_any = read_from(*sink_, info_, none);
    ASSERT_TRUE(keep(*sink_, numbered(5)));
    const ReadBack first = read_from(*sink_, info_, none, before_any.next);
    const ReadBack late = read_from(*sink_, info_, none);
    ASSERT_TRUE(keep(*sink_, numbered(2)));

    const ReadBack second = read_from(*sink_, info_, none, late.next);

    EXPECT_TRUE(before_any.records.empty());
    EXPECT_EQ(first.records, numbered(5));
    EXPECT_TRUE(late.records.empty());
    EXPECT_EQ(second.records, numbered(2));
}

TEST_P(LogSinkContract, RefusesACursorOfSomebodyElse) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;

    for (const char* text : {"x", ":::", "1:2:3", "999999999999999999999999:1:1:1", "-1:1:1:1"}) {
        const ReadBack back = read_from(*sink_, info_, {}, LogCursor(text));
        ASSERT_TRUE(back.error) << text;
        EXPECT_EQ(back.error->code, Code::invalid) << text;
    }
}

TEST_P(LogSinkContract, HandsOnTheErrorOfTheVisitor) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    ASSERT_TRUE(keep(*sink_, numbered(5)));
    int visits = 0;
    const auto visit = [&](const LogRecord&) -> Status {
        return ++visits == 2 ? Status(fail(Code::no_space, "write to the terminal", ENOSPC)) : Status{};
    };

    const auto page = sink_->read(info_, {}, {}, visit);

    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, Code::no_space);
    EXPECT_EQ(visits, 2);
}

TEST_P(LogSinkContract, RemovesAllItKeeps) {
    const auto writer = rotating_instance();
    ASSERT_TRUE(keep(*writer, numbered(2'000)));

    EXPECT_TRUE(sink_->remove(info_));

    EXPECT_EQ(names_in(info_.directory), std::vector<std::string>());
    if (!is_readable()) return;
    EXPECT_TRUE(read_all().records.empty());
}

TEST_P(LogSinkContract, RemovesOnlyItsOwn) {
    const std::string foreign = info_.directory + "/config.json";
    ASSERT_TRUE(files::write_atomically(foreign, "{}"));
    ASSERT_TRUE(keep(*sink_, numbered(1)));

    ASSERT_TRUE(sink_->remove(info_));

    EXPECT_EQ(names_in(info_.directory), std::vector<std::string>{"config.json"});
}

TEST_P(LogSinkContract, RemovesWhatIsNotThere) {
    EXPECT_TRUE(sink_->remove(info_));
    info_.directory += "/gone";
    EXPECT_TRUE(sink_->remove(info_));
}

TEST_P(LogSinkContract, SharesNothingWithOthers) {
    for (const std::string& name : names_in(info_.directory))
        FAIL() << "something is there before it was opened: " << name;
    ASSERT_TRUE(keep(*sink_, numbered(10)));

    for (const std::string& name : names_in(info_.directory)) {
        struct stat status{};
        ASSERT_EQ(::lstat((info_.directory + "/" + name).c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 077U, 0U) << name << " can be read by others";
    }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LogSinkContract);
INSTANTIATE_TEST_SUITE_P(Log, LogSinkContract, ::testing::ValuesIn(subjects<LogSink>()), SubjectName());

} // namespace mydocker::conformance
