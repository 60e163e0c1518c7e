// Points in time as users write them.
#include "cli/times.hpp"

#include <gtest/gtest.h>

namespace mydocker::cli {
namespace {

constexpr std::int64_t kNow = 1'800'000'000'000'000'000;

struct TimeCase {
    std::string text;
    std::int64_t want;
};

TEST(Times, AreReadAsUsersWriteThem) {
    const TimeCase cases[] = {
        {"2026-01-31T12:00:00Z", 1'769'860'800'000'000'000},
        {"2026-01-31T12:00:00.5Z", 1'769'860'800'500'000'000},
        {"2026-01-31T12:00:00.123456789Z", 1'769'860'800'123'456'789},
        {"2026-01-31T12:00:00+01:30", 1'769'855'400'000'000'000},
        {"2026-01-31T12:00:00-02:00", 1'769'868'000'000'000'000},
        {"1767225600", 1'767'225'600'000'000'000},
        {"1767225600.25", 1'767'225'600'250'000'000},
        {"10m", kNow - 600'000'000'000},
        {"1h30m", kNow - 5'400'000'000'000},
        {"0", 0},
    };

    for (const TimeCase& each : cases) {
        const auto time = parse_time("since", each.text, kNow);
        ASSERT_TRUE(time) << each.text;
        EXPECT_EQ(*time, each.want) << each.text;
    }
    EXPECT_TRUE(parse_time("since", "2026-01-31", kNow)) << "a day of the local time";
    EXPECT_TRUE(parse_time("since", "2026-01-31T12:00:00", kNow));
}

TEST(Times, BeyondWhatNanosecondsReachAreTheirEnds) {
    const auto far = parse_time("until", "9999-12-31T00:00:00Z", kNow);
    const auto early = parse_time("since", "0001-01-01T00:00:00Z", kNow); // of images that do not say
    const auto before = parse_time("since", "1969-12-31T23:59:59.5Z", kNow);

    ASSERT_TRUE(far && early && before);
    EXPECT_GT(*far, INT64_MAX - 3'000'000'000);
    EXPECT_EQ(*early, 0);
    EXPECT_EQ(*before, 0);
}

TEST(Times, RefuseNonsense) {
    for (const char* text : {"", "yesterday", "-5", "2026-13-01", "2026-01-31T12:00:00+25:00", "1.2.3", "5x"})
        EXPECT_FALSE(parse_time("since", text, kNow)) << text;
    EXPECT_EQ(parse_time("since", "soon", kNow).error().text,
              "since: 'soon' is no time; write 2026-01-31T12:00:00Z or 10m");
}

} // namespace
} // namespace mydocker::cli
