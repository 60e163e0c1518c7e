// Restart policies: notation, and what follows the end of a run.
#include "engine/restart.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace mydocker::engine {
namespace {

using Kind = RestartPolicy::Kind;

constexpr std::int64_t kSecond = 1'000'000'000;

ContainerRecord ended(RestartPolicy policy, int exit_code, std::int64_t seconds) {
    ContainerRecord record;
    record.state = State::exited;
    record.restart.policy = policy;
    record.exit_code = exit_code;
    record.started_ns = 100 * kSecond;
    record.finished_ns = record.started_ns + seconds * kSecond;
    return record;
}

TEST(RestartPolicyText, IsDockers) {
    EXPECT_EQ(parse_restart_policy("")->kind, Kind::no);
    EXPECT_EQ(parse_restart_policy("no")->kind, Kind::no);
    EXPECT_EQ(parse_restart_policy("always")->kind, Kind::always);
    EXPECT_EQ(parse_restart_policy("unless-stopped")->kind, Kind::unless_stopped);
    EXPECT_EQ(parse_restart_policy("on-failure")->most, 0);
    EXPECT_EQ(parse_restart_policy("on-failure:3")->most, 3);
    for (const char* wrong : {"often", "always:1", "on-failure:", "on-failure:-1", "on-failure:1x", ":1"})
        EXPECT_FALSE(parse_restart_policy(wrong).has_value()) << wrong;
}

TEST(RestartPlan, DoublesTheDelayUpToAMinute) {
    ContainerRecord record = ended({Kind::always, 0}, 1, 0);

    std::vector<std::int64_t> delays;
    for (int i = 0; i < 12; ++i) {
        ASSERT_TRUE(plan_restart(record));
        delays.push_back(record.restart.delay_ms);
    }

    EXPECT_EQ(delays, (std::vector<std::int64_t>{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200,
                                                 60000, 60000}));
    EXPECT_EQ(record.restart.count, 12);
}

TEST(RestartPlan, BeginsAnewAfterAGoodRun) {
    ContainerRecord record = ended({Kind::always, 0}, 1, 10);
    record.restart.delay_ms = 6400;

    ASSERT_TRUE(plan_restart(record));

    EXPECT_EQ(record.restart.delay_ms, 100);
}

TEST(RestartPlan, FollowsThePolicy) {
    ContainerRecord good = ended({Kind::on_failure, 0}, 0, 1);
    EXPECT_FALSE(plan_restart(good));
    ContainerRecord bad = ended({Kind::on_failure, 1}, 1, 1);
    EXPECT_TRUE(plan_restart(bad));
    EXPECT_FALSE(plan_restart(bad)) << "once only";
    ContainerRecord stopped = ended({Kind::always, 0}, 137, 1);
    stopped.restart.stopped_by_user = true;
    EXPECT_FALSE(plan_restart(stopped));
    ContainerRecord none = ended({}, 1, 1);
    EXPECT_FALSE(plan_restart(none));
}

TEST(RestartAtBoot, IsForWhatRanAndWasNotStopped) {
    ContainerRecord always = ended({Kind::always, 0}, 0, 1);
    always.restart.stopped_by_user = true;
    EXPECT_TRUE(starts_at_boot(always));
    ContainerRecord unless = ended({Kind::unless_stopped, 0}, 0, 1);
    EXPECT_TRUE(starts_at_boot(unless));
    unless.restart.stopped_by_user = true;
    EXPECT_FALSE(starts_at_boot(unless));
    EXPECT_FALSE(starts_at_boot(ended({Kind::on_failure, 0}, 1, 1)));
    ContainerRecord fresh = ended({Kind::always, 0}, 0, 1);
    fresh.started_ns = 0;
    EXPECT_FALSE(starts_at_boot(fresh));
}

TEST(RestartPlan, CountsARestartThatFailedAndWaitsLonger) {
    ContainerRecord record = ended({Kind::on_failure, 2}, 125, 1000);
    record.restart.count = 1;
    record.restart.delay_ms = 6400;

    EXPECT_TRUE(plan_next_try(record));

    EXPECT_EQ(record.restart.delay_ms, 12800) << "however long the run before it was";
    EXPECT_EQ(record.restart.count, 2);
    EXPECT_FALSE(plan_next_try(record)) << "it has counted";
}

TEST(RestartFailure, MayPassWhereSomethingWasWanting) {
    EXPECT_TRUE(may_pass({Code::internal, 0, "mydocker-monitor ended while the container was started"}));
    EXPECT_TRUE(may_pass({Code::conflict, 0, "network: container 'base' does not run"}));
    EXPECT_TRUE(may_pass({Code::no_space, ENOSPC, "write"}));
    EXPECT_TRUE(may_pass({Code::invalid, ENOMEM, "mount"}));
    EXPECT_FALSE(may_pass({Code::not_found, ENOENT, "open 'config.json'"}));
    EXPECT_FALSE(may_pass({Code::corrupt, 0, "config.json"}));
    EXPECT_FALSE(may_pass({Code::denied, EPERM, "mount"}));
}

} // namespace
} // namespace mydocker::engine
