// The line format of the json-file log sink: encoder, decoder, times, and finding lines in files.
#include "log/json-file/line_scanner.hpp"
#include "log/json-file/log_files.hpp"
#include "log/json-file/record.hpp"
#include "log/json-file/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <sys/mman.h>

namespace mydocker::json_file {
namespace {

std::string encode(const LogRecord& record, std::uint64_t file_number = 0) {
    std::string line;
    Encoder().append(line, record, file_number);
    return line;
}

LogRecord text_record(std::string_view bytes) {
    return {.time_ns = 0, .source = LogSource::out, .partial = false, .bytes = bytes};
}

// A file in memory.
UniqueFd file_with(std::string_view content) {
    UniqueFd fd(::memfd_create("log", MFD_CLOEXEC));
    EXPECT_TRUE(files::write_all(fd.get(), content, "memory"));
    return fd;
}

struct Format {
    const char* name;
    LogRecord record;
    std::uint64_t file_number;
    std::string want;
};

void PrintTo(const Format& format, std::ostream* out) {
    *out << format.name;
}

class JsonLineFormat : public ::testing::TestWithParam<Format> {};

TEST_P(JsonLineFormat, IsDockers) {
    EXPECT_EQ(encode(GetParam().record, GetParam().file_number), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, JsonLineFormat,
    ::testing::Values(
        Format{"plain",
               {1'700'000'000'000'000'001, LogSource::out, false, "hello"},
               0,
               R"({"log":"hello\n","stream":"stdout","time":"2023-11-14T22:13:20.000000001Z"})"
               "\n"},
        Format{"stderr",
               {0, LogSource::err, false, ""},
               0,
               R"({"log":"\n","stream":"stderr","time":"1970-01-01T00:00:00.000000000Z"})"
               "\n"},
        Format{"piece",
               {0, LogSource::out, true, "half"},
               0,
               R"({"log":"half","stream":"stdout","time":"1970-01-01T00:00:00.000000000Z"})"
               "\n"},
        Format{
            "piece_ending_in_newline",
            {0, LogSource::out, true, "half\n"},
            0,
            R"({"log":"half\n","partial":"true","stream":"stdout","time":"1970-01-01T00:00:00.000000000Z"})"
            "\n"},
        Format{"first_of_file",
               {0, LogSource::diagnostic, false, "x"},
               42,
               R"({"file":42,"log":"x\n","stream":"diagnostic","time":"1970-01-01T00:00:00.000000000Z"})"
               "\n"},
        Format{"escapes",
               {0, LogSource::out, false, "\"\\\r\t\x01\x1b/<>&\x7f"},
               0,
               "{\"log\":\"\\\"\\\\\\r\\t\\u0001\\u001b/"
               "<>&\x7f\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:"
               "00.000000000Z\"}\n"},
        Format{"utf8",
               {0, LogSource::out, false, "\xE2\x82\xAC"},
               0,
               "{\"log\":\"\xE2\x82\xAC\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00."
               "000000000Z\"}\n"},
        Format{"not_utf8",
               {0, LogSource::out, false, "a\xFF"},
               0,
               "{\"log\":\"a\xEF\xBF\xBD\\n\",\"bytes\":\"Yf8=\",\"stream\":\"stdout\",\"time\":\"1970-01-"
               "01T00:00:00."
               "000000000Z\"}\n"}),
    [](const auto& instance) { return instance.param.name; });

TEST(JsonLine, GivesBackRandomBytes) {
    std::mt19937 random(3);
    Decoder decoder;
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes(random() % 40, '\0');
        const unsigned range = random() % 2 == 0 ? 256 : 128;
        std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random() % range); });
        const LogRecord record{static_cast<std::int64_t>(random()) << 20U, LogSource::err, random() % 2 == 0,
                               bytes};
        const std::string line = encode(record, random() % 3);
        ASSERT_EQ(line.find('\n'), line.size() - 1);
        ASSERT_TRUE(is_utf8(line.substr(0, 7))) << line;

        const auto decoded = decoder.decode(std::string_view(line).substr(0, line.size() - 1));

        ASSERT_TRUE(decoded) << line;
        EXPECT_EQ(decoded->bytes, bytes);
        EXPECT_EQ(decoded->partial, record.partial);
        EXPECT_EQ(decoded->time_ns, record.time_ns);
        EXPECT_EQ(decoded->source, record.source);
    }
}

TEST(JsonLine, ReadsWhatDockerWrites) {
    Decoder decoder;
    const auto decoded =
        decoder.decode(R"({"log":"\u001b[1m\u003cb\u003e \u20ac \ud83d\udc0b\r\n","stream":"stderr",)"
                       R"("attrs":{"tag":"a","n":[1,{"x":null}]},"time":"2024-02-29T23:59:59.5+01:00"})");

    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->bytes, "\x1b[1m<b> \xE2\x82\xAC \xF0\x9F\x90\x8B\r");
    EXPECT_FALSE(decoded->partial);
    EXPECT_EQ(decoded->source, LogSource::err);
    EXPECT_EQ(decoded->time_ns, 1'709'247'599'500'000'000);
}

class JsonLineDamage : public ::testing::TestWithParam<std::string> {};

TEST_P(JsonLineDamage, IsSeen) {
    EXPECT_FALSE(Decoder().decode(GetParam())) << GetParam();
}

const std::string kTail = R"(,"stream":"stdout","time":"1970-01-01T00:00:00Z"})";

INSTANTIATE_TEST_SUITE_P(
    Lines, JsonLineDamage,
    ::testing::Values("", "{", "{}", "null", "[]", std::string(10, '\0'), "{\"log\":\"x", "{\"log\":\"x\"}",
                      "{\"log\":\"x\"" + kTail + "}", "{\"log\":\"x\"" + kTail + "{\"log\":\"x\"" + kTail,
                      "{\"log\":5" + kTail, "{\"log\":\"\\x\"" + kTail, "{\"log\":\"\\u12G4\"" + kTail,
                      "{\"log\":\"\\ud800\"" + kTail, "{\"log\":\"\\ud800\\u0041\"" + kTail,
                      "{\"log\":\"\xFF\"" + kTail, std::string("{\"log\":\"") + '\x01' + "\"" + kTail,
                      "{\"log\":\"x\",\"bytes\":\"Yf8\"" + kTail, "{\"log\":\"x\",\"bytes\":\"Yf9=\"" + kTail,
                      "{\"log\":\"x\",\"bytes\":\"Y===\"" + kTail,
                      "{\"log\":\"x\",\"partial\":\"no\"" + kTail,
                      R"({"log":"x","stream":"other","time":"1970-01-01T00:00:00Z"})",
                      R"({"log":"x","stream":"stdout","time":"1970-13-01T00:00:00Z"})",
                      R"({"log":"x","stream":"stdout","time":"9970-12-01T00:00:00Z"})",
                      "{\"a\":" + std::string(5'000, '[') + ",\"log\":\"x\"" + kTail));

TEST(JsonLine, SurvivesEveryCutAndEveryChangedByte) {
    const std::string line = encode({5, LogSource::out, true, "a\xFF \"quoted\" \xE2\x82\xAC\n"}, 7);
    Decoder decoder;
    for (std::size_t end = 0; end + 1 < line.size(); ++end)
        EXPECT_FALSE(decoder.decode(std::string_view(line).substr(0, end)));
    for (std::size_t at = 0; at + 1 < line.size(); ++at)
        for (int byte = 0; byte < 256; ++byte) {
            std::string changed = line;
            changed[at] = static_cast<char>(byte);
            (void)decoder.decode(changed); // Whatever it says, it must say it.
            (void)file_number_of(changed);
        }
}

TEST(JsonTime, GoesThereAndBack) {
    std::mt19937_64 random(5);
    for (int i = 0; i < 100'000; ++i) {
        const auto time = static_cast<std::int64_t>(random());
        ASSERT_EQ(parse_time(time_to_text(time)), time) << time_to_text(time);
    }
    for (const std::int64_t time :
         {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
        EXPECT_EQ(parse_time(time_to_text(time)), time);
}

TEST(JsonTime, IsRightAtTheEdgesOfYears) {
    EXPECT_EQ(time_to_text(951'782'399'999'999'999), "2000-02-28T23:59:59.999999999Z");
    EXPECT_EQ(time_to_text(951'782'400'000'000'000), "2000-02-29T00:00:00.000000000Z");
    EXPECT_EQ(time_to_text(-1), "1969-12-31T23:59:59.999999999Z");
    EXPECT_EQ(time_to_text(4'107'542'400'000'000'000), "2100-03-01T00:00:00.000000000Z");
}

TEST(JsonTime, RefusesWhatIsNone) {
    for (const char* text : {"", "2024", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01 00:00:00Z",
                             "2024-01-01T24:00:00Z", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+1:00",
                             "2024-00-01T00:00:00Z", "1600-01-01T00:00:00Z", "2024-01-01T00:00:00Zx"})
        EXPECT_FALSE(parse_time(text)) << text;
}

TEST(JsonFileNumber, IsReadFromTheHeadOfALine) {
    EXPECT_EQ(file_number_of(encode(text_record("x"), 12'345)), 12'345U);
    EXPECT_EQ(file_number_of("{\"file\":7,"), 7U);
    for (const char* text : {"", "{\"file\":", "{\"file\":7", "{\"file\":x,", "{\"file\":0,",
                             "{\"log\":\"x\"", "{\"file\":99999999999999999999999,"})
        EXPECT_FALSE(file_number_of(text)) << text;
}

TEST(JsonCursor, GoesThereAndBack) {
    const auto parsed = parse_cursor(to_cursor({.number = 3, .inode = 99, .offset = 1ULL << 40U}));

    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->number, 3U);
    EXPECT_EQ(parsed->inode, 99U);
    EXPECT_EQ(parsed->offset, 1ULL << 40U);
}

std::vector<LogFile> numbered_files(std::initializer_list<std::uint64_t> numbers) {
    std::vector<LogFile> files;
    for (const std::uint64_t number : numbers)
        files.push_back({.fd = {}, .number = number, .guessed = false, .inode = number + 100, .device = 1});
    return files;
}

TEST(JsonCursor, GoesOnInItsOwnFileElseInTheNext) {
    const auto files = numbered_files({4, 5, 7});

    EXPECT_EQ(find_position(files, {.number = 5, .inode = 1, .offset = 9}).index, 1U);
    EXPECT_EQ(find_position(files, {.number = 5, .inode = 1, .offset = 9}).offset, 9U);
    EXPECT_EQ(find_position(files, {.number = 6, .inode = 104, .offset = 9}).index, 2U);
    EXPECT_EQ(find_position(files, {.number = 6, .inode = 104, .offset = 9}).offset, 0U);
    EXPECT_EQ(find_position(files, {.number = 2, .inode = 0, .offset = 9}).index, 0U);
    EXPECT_EQ(find_position(files, {}).index, 0U);
}

TEST(JsonCursor, BeginsAnewWhereAllFilesAreOlder) {
    const Resume resume = find_position(numbered_files({1, 2}), {.number = 9, .inode = 0, .offset = 50});

    EXPECT_EQ(resume.index, 0U);
    EXPECT_EQ(resume.offset, 0U);
}

TEST(JsonLineScanner, FindsTheSameLinesForwardsAndBackwards) {
    std::mt19937 random(9);
    std::string content;
    std::vector<std::string> want;
    for (int i = 0; i < 2'000; ++i) {
        want.emplace_back(random() % 100 == 0 ? random() % 300'000 : random() % 120, 'x');
        content += want.back() + '\n';
    }
    const UniqueFd fd = file_with(content + "half");

    std::vector<std::string> forwards;
    LineScanner scanner(fd.get(), 0);
    for (auto line = scanner.next(); line && *line; line = scanner.next())
        if ((*line)->ended) forwards.emplace_back((*line)->text);
    std::vector<std::string> backwards;
    ReverseLineScanner reverse(fd.get(), content.size() + 4);
    for (auto line = reverse.previous(); line && *line; line = reverse.previous())
        backwards.emplace_back((*line)->text);

    std::reverse(backwards.begin(), backwards.end());
    EXPECT_TRUE(forwards == want);
    EXPECT_TRUE(backwards == want);
}

TEST(JsonLineScanner, PassesOverALineWithoutEndInBoundedMemory) {
    const UniqueFd fd = file_with("first\n" + std::string(3 * kMaxLine, '\0') + "\nlast\n");
    const std::uint64_t last = 6 + 3 * kMaxLine + 1;

    LineScanner scanner(fd.get(), 0);
    (void)scanner.next();
    const auto damaged = scanner.next();
    const auto after = scanner.next();
    ReverseLineScanner reverse(fd.get(), last + 5);
    const auto reverse_last = reverse.previous();
    const auto reverse_damaged = reverse.previous();
    const bool reverse_too_long = reverse_damaged && *reverse_damaged && (*reverse_damaged)->too_long;
    const auto reverse_first = reverse.previous();

    ASSERT_TRUE(damaged && *damaged && after && *after);
    EXPECT_TRUE((*damaged)->too_long);
    EXPECT_EQ((*after)->text, "last");
    EXPECT_EQ((*after)->begin, last);
    ASSERT_TRUE(reverse_last && *reverse_last && reverse_first && *reverse_first);
    EXPECT_TRUE(reverse_too_long);
    EXPECT_EQ((*reverse_first)->text, "first");
    EXPECT_FALSE(*reverse.previous());
}

} // namespace
} // namespace mydocker::json_file
