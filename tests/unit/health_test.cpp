// Health checks as values: what image and user ask for, and what follows from results.
#include "engine/health_record.hpp"

#include <gtest/gtest.h>

namespace mydocker::engine {
namespace {

using namespace std::chrono_literals;

HealthResult result(std::int64_t exit_code, std::int64_t start_ns = 0) {
    return {start_ns, start_ns + 1, exit_code, "said"};
}

TEST(HealthChoice, IsTheImagesWithWhatTheUserSays) {
    HealthRequest request;
    request.retries = 7;

    auto check =
        choose_health(R"({"Test":["CMD","probe","a b"],"Interval":5000000000,"Timeout":0})", request);

    ASSERT_TRUE(check && *check);
    EXPECT_EQ(health_command(**check), (std::vector<std::string>{"probe", "a b"}));
    EXPECT_EQ((*check)->interval, 5s);
    EXPECT_EQ((*check)->timeout, 30s) << "0 stands for the default";
    EXPECT_EQ((*check)->retries, 7);
}

TEST(HealthChoice, HasTimesThatCanBeCountedWith) {
    const auto check = choose_health(
        R"({"Test":["CMD","x"],"Interval":9223372036854775807,"Timeout":9223372036854775807})", {});

    ASSERT_TRUE(check && *check);
    EXPECT_EQ((*check)->interval, kLongestHealthTime);
    EXPECT_EQ((*check)->timeout, kLongestHealthTime);
}

TEST(HealthChoice, ChecksMoreOftenWhileItStarts) {
    HealthRequest request;
    const auto start_interval = [&](const char* image) {
        return choose_health(image, request).value().value().start_interval;
    };
    EXPECT_EQ(start_interval(R"({"Test":["CMD","x"]})"), 5s);
    EXPECT_EQ(start_interval(R"({"Test":["CMD","x"],"Interval":1000000000})"), 1s);
    EXPECT_EQ(start_interval(R"({"Test":["CMD","x"],"Interval":1000000000,"StartInterval":7000000000})"), 7s);
    request.start_interval = 2s;
    EXPECT_EQ(start_interval(R"({"Test":["CMD","x"],"StartInterval":7000000000})"), 2s);
}

TEST(HealthChoice, IsTheUsersLineInAShell) {
    HealthRequest request;
    request.test = {"CMD-SHELL", "test -e /x"};

    auto check = choose_health(R"({"Test":["NONE"]})", request);

    ASSERT_TRUE(check && *check);
    EXPECT_EQ(health_command(**check), (std::vector<std::string>{"/bin/sh", "-c", "test -e /x"}));
}

TEST(HealthChoice, MayBeNone) {
    EXPECT_FALSE(choose_health("", {}).value());
    EXPECT_FALSE(choose_health(R"({"Test":["NONE"]})", {}).value());
    EXPECT_FALSE(choose_health(R"({"Interval":1})", {}).value());
    HealthRequest none;
    none.none = true;
    EXPECT_FALSE(choose_health(R"({"Test":["CMD","true"]})", none).value());
}

TEST(HealthChoice, RefusesAnImageThatSaysNonsense) {
    for (const char* wrong :
         {R"({"Test":["SHELL","x"]})", R"({"Test":["CMD"]})", R"({"Test":"CMD x"})",
          R"({"Test":["CMD","x"],"Interval":-1})", R"({"Test":["CMD","x"],"Retries":"3"})"})
        EXPECT_FALSE(choose_health(wrong, {}).has_value()) << wrong;
}

TEST(HealthResults, NeedSomeFailuresInARowAndOneSuccess) {
    HealthState state;

    add_health_result(state, result(1), 0);
    add_health_result(state, result(1), 0);
    EXPECT_EQ(state.status, Health::starting);
    add_health_result(state, result(-1), 0);
    EXPECT_EQ(state.status, Health::unhealthy);
    add_health_result(state, result(0), 0);
    EXPECT_EQ(state.status, Health::healthy);
    EXPECT_EQ(state.failing_streak, 0);
}

TEST(HealthResults, ForgiveFailuresWhileItStarts) {
    HealthState state;
    state.check.start_period = 10s;
    state.check.retries = 1;

    add_health_result(state, result(1, 5'000'000'000), 0);
    EXPECT_EQ(state.status, Health::starting);
    add_health_result(state, result(1, 11'000'000'000), 0);
    EXPECT_EQ(state.status, Health::unhealthy);
}

TEST(HealthResults, SurviveTheRecord) {
    HealthState state;
    state.check.test = {"CMD-SHELL", "exit 1"};
    state.check.start_interval = 250ms;
    for (int i = 0; i < 7; ++i)
        add_health_result(state, result(i), 0);

    auto read = parse_health(to_json(state));

    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->results.size(), kMostHealthResults);
    EXPECT_EQ(read->results.back().exit_code, 6);
    EXPECT_EQ(read->status, state.status);
    EXPECT_EQ(read->check.test, state.check.test);
    EXPECT_EQ(read->check.start_interval, 250ms);
    EXPECT_FALSE(parse_health(json::Value(json::Object{})).has_value());
}

} // namespace
} // namespace mydocker::engine
