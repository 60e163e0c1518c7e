// The copier: bytes into records, by a sink that remembers what it was given.
#include "engine/copier.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace mydocker::engine {
namespace {

struct Got {
    std::int64_t time_ns = 0;
    LogSource source = LogSource::out;
    bool partial = false;
    std::string bytes = {};

    bool operator==(const Got&) const = default;
};

void PrintTo(const Got& got, std::ostream* out) {
    *out << "{" << got.time_ns << ", " << static_cast<unsigned>(got.source)
         << (got.partial ? ", partial, " : ", ") << got.bytes.size() << " bytes " << got.bytes.substr(0, 40)
         << "}";
}

class MemorySink final : public LogSink {
  public:
    Result<LogTraits> probe() override { return LogTraits{}; }
    Result<std::unique_ptr<Stream>> open(const StreamInfo&) override { return std::make_unique<Stream>(); }
    Status write(Stream&, std::span<const LogRecord> records) override {
        ++writes;
        if (broken) return fail(Code::no_space, "write log", ENOSPC);
        for (const LogRecord& record : records)
            got.push_back({record.time_ns, record.source, record.partial, std::string(record.bytes)});
        return {};
    }
    Status flush(Stream&) override {
        ++flushes;
        if (busy) return fail(Code::busy, "hand 3 messages to the server");
        return {};
    }
    Status close(std::unique_ptr<Stream>) override { return {}; }
    Result<LogPage> read(const StreamInfo&, const LogQuery&, const LogCursor&, const LogVisitor&) override {
        return LogPage{};
    }
    Status remove(const StreamInfo&) override { return {}; }

    std::vector<Got> got;
    int writes = 0;
    int flushes = 0;
    bool broken = false;
    bool busy = false;
};

class CopierTest : public ::testing::Test {
  protected:
    MemorySink sink_;
    LogSink::Stream stream_;
    std::vector<Error> reported_;
    Copier copier_{sink_, stream_, [this](const Error& error) { reported_.push_back(error); }};
};

// The lines of a source, put together from their pieces; a last one without end has no '\n'.
std::string joined(const std::vector<Got>& got, LogSource source) {
    std::string text;
    for (const Got& record : got)
        if (record.source == source) text += record.bytes + (record.partial ? "" : "\n");
    return text;
}

TEST_F(CopierTest, MakesARecordOfEachLine) {
    copier_.feed(LogSource::out, "one\n\ntwo\r\n", 5);

    EXPECT_EQ(sink_.got, (std::vector<Got>{{5, LogSource::out, false, "one"},
                                           {5, LogSource::out, false, ""},
                                           {5, LogSource::out, false, "two\r"}}));
    EXPECT_EQ(sink_.writes, 1);
}

TEST_F(CopierTest, JoinsALineThatCameInSeveralReads) {
    copier_.feed(LogSource::out, "he", 1);
    copier_.feed(LogSource::out, "ll", 2);
    EXPECT_EQ(sink_.writes, 0);

    copier_.feed(LogSource::out, "o\nwor", 3);
    copier_.feed(LogSource::out, "ld\n", 4);

    EXPECT_EQ(sink_.got,
              (std::vector<Got>{{3, LogSource::out, false, "hello"}, {4, LogSource::out, false, "world"}}));
}

TEST_F(CopierTest, KeepsTheSourcesApart) {
    copier_.feed(LogSource::out, "out ", 1);
    copier_.feed(LogSource::err, "err ", 2);
    copier_.feed(LogSource::out, "1\n", 3);
    copier_.feed(LogSource::err, "2\n", 4);

    EXPECT_EQ(sink_.got,
              (std::vector<Got>{{3, LogSource::out, false, "out 1"}, {4, LogSource::err, false, "err 2"}}));
}

TEST_F(CopierTest, HandsOnAnUnfinishedLineAtTheEndOnce) {
    copier_.feed(LogSource::out, "prompt> ", 7);

    copier_.finish(LogSource::out);
    copier_.finish(LogSource::out);
    copier_.finish(LogSource::err);

    EXPECT_EQ(sink_.got, (std::vector<Got>{{7, LogSource::out, true, "prompt> "}}));
}

TEST_F(CopierTest, LeavesALineOfExactlyTheLimitWhole) {
    const std::string line(kMaxRecord, 'x');

    copier_.feed(LogSource::out, line + "\n", 1);
    copier_.feed(LogSource::out, line, 2);
    copier_.feed(LogSource::out, "\n", 3);

    EXPECT_EQ(sink_.got,
              (std::vector<Got>{{1, LogSource::out, false, line}, {3, LogSource::out, false, line}}));
}

TEST_F(CopierTest, CutsALongerLineIntoPieces) {
    const std::string line(2 * kMaxRecord + 1, 'x');
    const std::vector<Got> want = {{1, LogSource::out, true, std::string(kMaxRecord, 'x')},
                                   {1, LogSource::out, true, std::string(kMaxRecord, 'x')},
                                   {1, LogSource::out, false, "x"}};

    copier_.feed(LogSource::out, line + "\n", 1);

    EXPECT_EQ(sink_.got, want);
}

TEST_F(CopierTest, CutsNoCharacterInTwo) {
    std::string line = "x";
    while (line.size() < 3 * kMaxRecord)
        line += "\xE2\x82\xAC";
    for (const std::size_t read :
         {std::size_t{7}, std::size_t{1000}, kMaxRecord, kMaxRecord + 1, line.size()}) {
        sink_.got.clear();
        for (std::size_t at = 0; at < line.size(); at += read)
            copier_.feed(LogSource::out, std::string_view(line).substr(at, read), 1);
        copier_.finish(LogSource::out);

        EXPECT_EQ(joined(sink_.got, LogSource::out), line);
        for (const Got& record : sink_.got)
            EXPECT_NE(static_cast<unsigned char>(record.bytes[0]) & 0xC0U, 0x80U) << read;
    }
}

TEST_F(CopierTest, LosesNoByteHoweverItIsRead) {
    std::mt19937 random(1);
    for (int round = 0; round < test::repeats(60); ++round) {
        sink_.got.clear();
        std::map<LogSource, std::string> fed;
        for (int read = 0; read < 60; ++read) {
            std::string bytes(random() % (random() % 4 == 0 ? 65'536 : 300), '\0');
            const unsigned kinds = random() % 2 == 0 ? 4 : 200'000;
            for (char& c : bytes)
                c = static_cast<char>(random() % kinds == 0 ? '\n' : random() % 256);
            const LogSource source = random() % 2 == 0 ? LogSource::out : LogSource::err;
            copier_.feed(source, bytes, read);
            fed[source] += bytes;
        }
        for (auto& [source, bytes] : fed) {
            copier_.finish(source);
            EXPECT_TRUE(joined(sink_.got, source) == bytes);
        }
        for (const Got& record : sink_.got) {
            EXPECT_LE(record.bytes.size(), kMaxRecord);
            EXPECT_EQ(record.bytes.find('\n'), std::string::npos);
        }
    }
}

TEST_F(CopierTest, BoundsTheBatchOfManyShortLines) {
    std::string lines;
    for (int i = 0; i < 10'000; ++i)
        lines += "y\n";

    copier_.feed(LogSource::out, lines, 1);

    EXPECT_EQ(sink_.got.size(), 10'000U);
    EXPECT_GT(sink_.writes, 10);
    EXPECT_LT(sink_.writes, 100);
}

TEST_F(CopierTest, CountsWhatTheSinkTook) {
    copier_.feed(LogSource::out, "one\ntwo\n", 1);

    EXPECT_EQ(copier_.counters().records, 2U);
    EXPECT_EQ(copier_.counters().bytes, 6U);
    EXPECT_EQ(copier_.counters().dropped, 0U);
}

TEST_F(CopierTest, DrainsAndCountsWhenTheSinkFailsAndSaysSoOnce) {
    sink_.broken = true;
    copier_.feed(LogSource::out, "one\ntwo\nhal", 1);
    copier_.feed(LogSource::out, "f\n", 2);
    sink_.broken = false;
    copier_.feed(LogSource::out, "three\n", 3);
    sink_.broken = true;
    copier_.feed(LogSource::out, "four\n", 4);

    EXPECT_EQ(sink_.got, (std::vector<Got>{{3, LogSource::out, false, "three"}}));
    EXPECT_EQ(copier_.counters().dropped, 4U);
    EXPECT_EQ(copier_.counters().dropped_bytes, 14U);
    EXPECT_EQ(copier_.counters().failures, 3U);
    ASSERT_EQ(reported_.size(), 1U);
    EXPECT_EQ(reported_[0].code, Code::no_space);
}

TEST_F(CopierTest, PassesAFlushOn) {
    copier_.flush();

    EXPECT_EQ(sink_.flushes, 1);
}

TEST_F(CopierTest, OwesAFlushUntilNothingWaits) {
    EXPECT_FALSE(copier_.owes_flush());
    copier_.feed(LogSource::out, "one\n", 1);
    EXPECT_TRUE(copier_.owes_flush());
    sink_.busy = true;
    copier_.flush();
    EXPECT_TRUE(copier_.owes_flush());
    sink_.busy = false;
    copier_.flush();

    EXPECT_FALSE(copier_.owes_flush());
    EXPECT_TRUE(reported_.empty());
}

TEST_F(CopierTest, CountsAsDroppedWhatASinkThatEndsHadNotHandedOn) {
    copier_.feed(LogSource::out, "handed on\n", 1);
    copier_.flush();
    sink_.busy = true;
    copier_.feed(LogSource::out, "two\nthree\n", 2);
    copier_.flush();

    copier_.give_up_unflushed();

    EXPECT_EQ(copier_.counters().records, 1U);
    EXPECT_EQ(copier_.counters().dropped, 2U);
    EXPECT_EQ(copier_.counters().dropped_bytes, 8U);
}

} // namespace
} // namespace mydocker::engine
