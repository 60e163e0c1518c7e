// Options against specs, sizes, durations, the nearest word; and the installed mydocker.toml.
#include "config/check.hpp"
#include "config/config.hpp"
#include "config/source.hpp"
#include "support/support.hpp"

#include "base/notation.hpp"
#include "mydocker/support/files.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string>

namespace mydocker::config {
namespace {

using notation::format_size;
using notation::nearest;
using notation::parse_duration;
using notation::parse_size;

using std::chrono::nanoseconds;

constexpr std::array<OptionSpec, 7> kSpecs{{
    {"metacopy", OptionType::boolean, "false", ""},
    {"depth", OptionType::integer, "3", ""},
    {"ratio", OptionType::floating, "0.5", ""},
    {"label", OptionType::string, "", ""},
    {"mount_options", OptionType::list, "a,b", ""},
    {"max_size", OptionType::size, "10m", ""},
    {"timeout", OptionType::duration, "1m30s", ""},
}};

RawOption option(const std::string& key, RawValue value) {
    const Origin key_origin{.source = Source::file, .name = "/f.toml", .line = 9, .column = 1};
    const Origin value_origin{.source = Source::file, .name = "/f.toml", .line = 9, .column = 12};
    return {.key = key, .value = std::move(value), .key_origin = key_origin, .value_origin = value_origin};
}

TEST(ConfigOptions, FillsInTypedDefaults) {
    const auto options = check_options("storage", "overlayfs", kSpecs, {});

    ASSERT_TRUE(options) << describe(options.error());
    EXPECT_FALSE(options->boolean("metacopy"));
    EXPECT_EQ(options->integer("depth"), 3);
    EXPECT_EQ(options->floating("ratio"), 0.5);
    EXPECT_EQ(options->string("label"), "");
    EXPECT_EQ(options->list("mount_options"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(options->size("max_size"), 10U << 20U);
    EXPECT_EQ(options->duration("timeout"), std::chrono::seconds(90));
    EXPECT_EQ(options->values().size(), kSpecs.size());
}

TEST(ConfigOptions, TakesEveryTypeFromFilesAndFromFlags) {
    const std::vector<RawOptions> ways = {
        {option("metacopy", true), option("depth", std::int64_t{-7}), option("ratio", std::int64_t{2}),
         option("label", std::string("x")), option("mount_options", std::vector<std::string>{"c"}),
         option("max_size", std::int64_t{4096}), option("timeout", std::string("2h"))},
        {option("metacopy", Untyped{"true"}), option("depth", Untyped{"-7"}), option("ratio", Untyped{"2"}),
         option("label", Untyped{"x"}), option("mount_options", Untyped{"c"}),
         option("max_size", Untyped{"4k"}), option("timeout", Untyped{"2h"})},
    };
    for (const RawOptions& given : ways) {
        const auto options = check_options("storage", "overlayfs", kSpecs, given);

        ASSERT_TRUE(options) << describe(options.error());
        EXPECT_TRUE(options->boolean("metacopy"));
        EXPECT_EQ(options->integer("depth"), -7);
        EXPECT_EQ(options->floating("ratio"), 2.0);
        EXPECT_EQ(options->string("label"), "x");
        EXPECT_EQ(options->list("mount_options"), std::vector<std::string>{"c"});
        EXPECT_EQ(options->size("max_size"), 4096U);
        EXPECT_EQ(options->duration("timeout"), std::chrono::hours(2));
    }
}

TEST(ConfigOptions, ComplainsWithPlaceAndNearestKey) {
    const std::string at = "config /f.toml:9:12: [storage.overlayfs] option ";
    struct Row {
        RawOption given;
        std::string said;
    };
    const std::vector<Row> rows = {
        {option("metacpy", true),
         "config /f.toml:9:1: [storage.overlayfs] option \"metacpy\" unknown; nearest \"metacopy\""},
        {option("zzz", true), "config /f.toml:9:1: [storage.overlayfs] option \"zzz\" unknown"},
        {option("metacopy", std::string("true")), at + "\"metacopy\": is a text; a boolean is needed"},
        {option("metacopy", Untyped{"yes"}), at + "\"metacopy\": \"yes\" is neither true nor false"},
        {option("depth", 1.5), at + "\"depth\": is a float; an integer is needed"},
        {option("depth", Untyped{"3x"}), at + "\"depth\": \"3x\" is no integer"},
        {option("depth", Untyped{"99999999999999999999"}),
         at + "\"depth\": \"99999999999999999999\" is no integer"},
        {option("ratio", true), at + "\"ratio\": is a boolean; a number is needed"},
        {option("label", std::int64_t{1}), at + "\"label\": is an integer; a text is needed"},
        {option("mount_options", std::string("a")),
         at + "\"mount_options\": is a text; a list of texts is needed"},
        {option("max_size", std::string("10x")), at + "\"max_size\": \"10x\" is no size; write 512m or 2g"},
        {option("max_size", std::int64_t{-1}), at + "\"max_size\": is negative; a size is needed"},
        {option("timeout", std::int64_t{5}),
         at + "\"timeout\": is an integer; a duration (\"1m30s\") is needed"},
        {option("timeout", std::string("5")), at + "\"timeout\": \"5\" is no duration; write 90s or 1m30s"},
    };
    for (const Row& row : rows) {
        const auto options = check_options("storage", "overlayfs", kSpecs, {row.given});
        ASSERT_FALSE(options) << row.said;
        EXPECT_EQ(describe(options.error()), row.said);
        EXPECT_EQ(options.error().code, Code::invalid);
    }
}

TEST(ConfigOptions, ComplainsOfAllWhenExamined) {
    const auto checked = examine_options("log", "x", kSpecs,
                                         {option("a", true), option("depth", true), option("ratio", true)});

    EXPECT_EQ(checked.complaints.size(), 3U);
    EXPECT_EQ(checked.options.integer("depth"), 3);
}

TEST(ConfigOptions, LeavesOutWhatANewerFileKnows) {
    RawOption unknown = option("future", true);
    unknown.lenient = true;

    EXPECT_TRUE(check_options("log", "x", kSpecs, {unknown}));
}

TEST(ConfigOptions, BlamesTheDriverForItsOwnDefault) {
    constexpr std::array<OptionSpec, 1> kWrong{{{"max_size", OptionType::size, "many", ""}}};

    const auto options = check_options("log", "x", kWrong, {});

    ASSERT_FALSE(options);
    EXPECT_EQ(options.error().code, Code::plugin_fault);
}

TEST(ConfigSize, ReadsWhatPeopleWrite) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
    const std::vector<std::pair<std::string, std::uint64_t>> rows = {
        {"0", 0},
        {"4096", 4096},
        {"4095b", 4095},
        {"512k", 512 << 10},
        {"10m", 10 << 20},
        {"10M", 10 << 20},
        {"10mb", 10 << 20},
        {"10MiB", 10 << 20},
        {"2g", 2ULL << 30},
        {"1.5g", 3ULL << 29},
        {"0.5k", 512},
        {"1.999999999k", 2047},
        {"1t", 1ULL << 40},
        {"3p", 3ULL << 50},
        {"16383p", 16383ULL << 50},
        {"18446744073709551615", kMost},
    };
    for (const auto& [text, bytes] : rows) {
        const auto size = parse_size(text);
        ASSERT_TRUE(size) << text;
        EXPECT_EQ(*size, bytes) << text;
        EXPECT_EQ(*parse_size(format_size(*size)), bytes) << text;
    }
}

TEST(ConfigSize, RefusesEverythingElse) {
    for (const std::string text : {"",
                                   " ",
                                   "m",
                                   "-1",
                                   "+1",
                                   "5x",
                                   "1e9",
                                   " 1m",
                                   "1m ",
                                   "1 m",
                                   "0x10",
                                   "1mm",
                                   "1mib2",
                                   "1i",
                                   "1bb",
                                   "1.5",
                                   "1.m",
                                   ".5m",
                                   "1.5.5m",
                                   "1.5b",
                                   "1,5g",
                                   "1.0000000001g",
                                   "16384p",
                                   "18446744073709551616",
                                   "99999999999999999999999g",
                                   "9999999999999g\n",
                                   "\xd9\xa1m",
                                   "nan",
                                   "inf"})
        EXPECT_FALSE(parse_size(text)) << text;
    EXPECT_EQ(parse_size("5x").error().text, "\"5x\" is no size; write 512m or 2g");
    EXPECT_EQ(parse_size("16384p").error().text, "\"16384p\" is too large a size");
}

TEST(ConfigSize, IsShownShortAndExact) {
    EXPECT_EQ(format_size(0), "0");
    EXPECT_EQ(format_size(1000), "1000");
    EXPECT_EQ(format_size(1536), "1536");
    EXPECT_EQ(format_size(64ULL << 30), "64g");
    EXPECT_EQ(format_size(1ULL << 62), "4096p");
}

TEST(ConfigDuration, ReadsWhatPeopleWrite) {
    const std::vector<std::pair<std::string, nanoseconds>> rows = {
        {"0", nanoseconds(0)},
        {"0s", nanoseconds(0)},
        {"90s", std::chrono::seconds(90)},
        {"1m30s", std::chrono::seconds(90)},
        {"1.5h", std::chrono::minutes(90)},
        {"250ms", std::chrono::milliseconds(250)},
        {"3us", std::chrono::microseconds(3)},
        {"3µs", std::chrono::microseconds(3)},
        {"7ns", nanoseconds(7)},
        {"2d", std::chrono::hours(48)},
        {"1h2m3s4ms", std::chrono::milliseconds(3723004)},
        {"9223372036854775807ns", nanoseconds::max()},
    };
    for (const auto& [text, want] : rows) {
        const auto duration = parse_duration(text);
        ASSERT_TRUE(duration) << text;
        EXPECT_EQ(*duration, want) << text;
    }
}

TEST(ConfigDuration, RefusesEverythingElse) {
    for (const std::string text : {"", "5", "s", "-1s", "1x", "1m30", " 1s", "1s ", "1 s", "1e3s", "1.s",
                                   ".5s", "1M", "9223372036854775808ns", "106752d", "99999999999999999999s"})
        EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(ConfigNearest, FindsTheLikelyWordAndNoOther) {
    const std::vector<std::string_view> words = {"storage", "cgroup", "log", "state", "run"};
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"storge", "storage"},
        {"strage", "storage"},
        {"sotrage", "storage"},
        {"stat", "state"},
        {"lgo", "log"},
        {"cgroups", "cgroup"},
        {"xyz", ""},
        {"", ""},
        {"banana", ""},
        {"l", ""},
        {std::string(1000, 'a'), ""},
    };
    for (const auto& [word, want] : rows)
        EXPECT_EQ(nearest(word, words).value_or(""), want) << word;
}

// The installed file, next to the sources of this test.
std::string installed_file() {
    const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
    return (root / "config" / "mydocker.toml").string();
}

// Its text with every commented-out key or table taken in.
std::string uncommented(const std::string& text) {
    std::istringstream lines(text);
    std::string taken;
    for (std::string line; std::getline(lines, line);) {
        const bool is_default = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        taken += (is_default ? line.substr(1) : line) + "\n";
    }
    return taken;
}

TEST(ConfigInstalledFile, SaysTheDefaultsAndNothingElse) {
    const auto text = mydocker::files::read_file(installed_file());
    ASSERT_TRUE(text) << describe(text.error());
    const test::TempDir directory;
    ASSERT_TRUE(mydocker::files::write_atomically(directory / "m.toml", uncommented(*text)));

    const auto none = [](const char*) -> const char* { return nullptr; };
    auto config = load({.main_file = directory / "m.toml",
                        .drop_ins = {},
                        .chosen_file = {},
                        .overrides = {},
                        .environment = none});

    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_FALSE(config->options.empty());
    config->options.clear();
    EXPECT_EQ(show(*config, ShowOrigin::no), show(Config{}, ShowOrigin::no));
    const std::string origins = show(*config, ShowOrigin::yes);
    EXPECT_EQ(origins.find("# default"), std::string::npos) << "a key is missing in the file:\n" << origins;
}

} // namespace
} // namespace mydocker::config
