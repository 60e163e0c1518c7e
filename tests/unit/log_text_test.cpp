// The text-file log sink, which cannot read back: its template, and what its files hold.
#include "log/text-file/sink.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <sys/stat.h>

namespace mydocker::text_file {
namespace {

class TextFileLog : public ::testing::Test {
  protected:
    TextFileLog() {
        info_ = {.id = std::string(60, '0') + "abcd",
                 .name = "web",
                 .image = "busybox",
                 .directory = dir_.path(),
                 .labels = {}};
    }

    static std::unique_ptr<LogSink> sink(const std::string& line, std::uint64_t max_size = 0,
                                         std::int64_t max_files = 3) {
        std::map<std::string, OptionValue, std::less<>> options;
        options["template"] = line;
        options["max_size"] = max_size;
        options["max_files"] = max_files;
        auto opened = TextFile::open(Host("", "", Options(options)));
        EXPECT_TRUE(opened) << describe(opened.error());
        return opened ? std::move(*opened) : nullptr;
    }

    void keep(LogSink& sink, const std::vector<LogRecord>& records) const {
        auto stream = sink.open(info_);
        ASSERT_TRUE(stream) << describe(stream.error());
        const auto written = sink.write(**stream, records);
        EXPECT_TRUE(written) << describe(written.error());
        EXPECT_TRUE(sink.close(std::move(*stream)));
    }

    [[nodiscard]] std::string content(const std::string& name = kFileName) const {
        return test::content_of(dir_ / name);
    }

    // The files of the log, oldest first, the one being written last.
    [[nodiscard]] std::vector<std::string> names() const {
        const auto fd = files::open(dir_.path(), O_RDONLY | O_DIRECTORY);
        std::vector<std::string> found;
        const auto entries = files::list_directory(fd->get(), dir_.path());
        for (const auto& entry : *entries)
            found.push_back(entry.name);
        std::sort(found.begin(), found.end());
        return found;
    }

    test::TempDir dir_;
    StreamInfo info_;
};

TEST_F(TextFileLog, FillsInEveryPlaceholder) {
    const auto log = sink("{{{time}}} {stream} {level} {id} {name} {image} [{message}] {full_id}");

    keep(*log, {{.time_ns = 1'700'000'000'000'000'001,
                 .source = LogSource::err,
                 .partial = false,
                 .bytes = "hello"}});

    EXPECT_EQ(content(), "{2023-11-14T22:13:20.000000001Z} stderr error 000000000000 web busybox [hello] " +
                             info_.id + "\n");
}

TEST_F(TextFileLog, KeepsBytesAsTheyAre) {
    std::string all;
    for (int byte = 0; byte < 256; ++byte)
        all += static_cast<char>(byte);
    const auto log = sink("{message}");

    keep(*log, {{.bytes = all}, {.bytes = ""}, {.bytes = "ends in newline\n"}});

    EXPECT_EQ(content(), all + "\n\nends in newline\n\n");
}

TEST_F(TextFileLog, PutsPiecesOfALineTogether) {
    const auto log = sink("<{message}>");

    keep(*log,
         {{.partial = true, .bytes = "a"}, {.partial = true, .bytes = "b"}, {.bytes = "c"}, {.bytes = "d"}});

    EXPECT_EQ(content(), "<abc>\n<d>\n");
}

TEST_F(TextFileLog, EndsALineThatTheOtherSourceBreaks) {
    const auto log = sink("{stream} {message}");

    keep(*log, {{.partial = true, .bytes = "half"},
                {.source = LogSource::err, .bytes = "error"},
                {.bytes = "rest"}});

    EXPECT_EQ(content(), "stdout half\nstderr error\nstdout rest\n");
}

TEST_F(TextFileLog, EndsAnUnfinishedLineAtClose) {
    const auto log = sink("{message}");

    keep(*log, {{.partial = true, .bytes = "prompt> "}});

    EXPECT_EQ(content(), "prompt> \n");
}

TEST_F(TextFileLog, EndsAHalfLineThatACrashLeft) {
    test::write_text(dir_ / kFileName, "whole\nhal");
    const auto log = sink("{message}");

    keep(*log, {{.bytes = "next"}});

    EXPECT_EQ(content(), "whole\nhal\nnext\n");
}

TEST_F(TextFileLog, RotatesAndKeepsAsManyFilesAsAllowed) {
    const auto log = sink("{message}", 100, 3);
    auto stream = log->open(info_);
    ASSERT_TRUE(stream);
    for (int i = 10; i < 52; ++i) {
        const std::string line = "line " + std::to_string(i) + " with some text";
        const LogRecord record{.bytes = line};
        ASSERT_TRUE(log->write(**stream, {&record, 1}));
    }
    ASSERT_TRUE(log->close(std::move(*stream)));

    ASSERT_EQ(names().size(), 3U);
    std::string last;
    for (const std::string& name : names()) {
        EXPECT_TRUE(is_log_file_name(name)) << name;
        EXPECT_LT(content(name).size(), 130U);
        EXPECT_GT(content(name), last); // Lines 10 to 51 sort as they were written.
        last = content(name);
    }
}

TEST_F(TextFileLog, CountsFilesOfEarlierRuns) {
    for (int run = 0; run < 10; ++run) {
        const auto log = sink("{message}", 10, 3);
        keep(*log, {{.bytes = "longer than ten bytes"}});
    }

    EXPECT_LE(names().size(), 3U);
}

TEST_F(TextFileLog, LosesNoLineWhenTwoWritersRotate) {
    constexpr int kLines = 400;
    const auto log = sink("{message}", 300, 1'000);
    auto one = log->open(info_);
    auto two = log->open(info_);
    ASSERT_TRUE(one && two);
    for (int i = 0; i < kLines; ++i) {
        const std::string text = "message " + std::to_string(i);
        const LogRecord record{.source = LogSource::diagnostic, .bytes = text};
        ASSERT_TRUE(log->write(i % 3 == 0 ? **one : **two, {&record, 1}));
    }
    ASSERT_TRUE(log->close(std::move(*one)));
    ASSERT_TRUE(log->close(std::move(*two)));

    std::map<std::string, int> seen;
    for (const std::string& name : names()) {
        std::istringstream text(content(name));
        for (std::string line; std::getline(text, line);)
            ++seen[line];
    }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(kLines));
    for (const auto& [line, count] : seen)
        EXPECT_EQ(count, 1) << line;
}

TEST_F(TextFileLog, KeepsStreamsOfOneProcessApart) {
    const auto log = sink("{message}");
    StreamInfo other = info_;
    other.directory = dir_ / "other";
    ASSERT_EQ(::mkdir(other.directory.c_str(), 0700), 0);
    auto one = log->open(info_);
    auto two = log->open(other);
    ASSERT_TRUE(one && two);
    const LogRecord first{.bytes = "first"};
    const LogRecord second{.bytes = "second"};

    EXPECT_TRUE(log->write(**one, {&first, 1}));
    EXPECT_TRUE(log->write(**two, {&second, 1}));

    EXPECT_EQ(content(), "first\n");
    EXPECT_EQ(content("other/container.txt"), "second\n");
    EXPECT_TRUE(log->close(std::move(*two)));
    EXPECT_TRUE(log->close(std::move(*one)));
}

TEST(LineTemplateErrors, NameWhatIsWrong) {
    const std::map<std::string, std::string> wrong = {
        {"", "lacks '{message}'"},           {"{time}", "lacks '{message}'"},
        {"{message} {message}", "twice"},    {"{message} {tiem}", "'{tiem}'"},
        {"{message", "has no '}'"},          {"message}", "has no '{'"},
        {"{message}\n", "control character"}};
    for (const auto& [text, message] : wrong) {
        const auto parsed = LineTemplate::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Code::invalid);
        EXPECT_NE(parsed.error().text.find(message), std::string::npos) << parsed.error().text;
    }
}

} // namespace
} // namespace mydocker::text_file
