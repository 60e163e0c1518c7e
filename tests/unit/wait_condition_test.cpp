// wait --condition: its words, and what meets them.
#include "engine/wait_condition.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mydocker::engine {
namespace {

ContainerRecord record_in(State state, std::int64_t finished_ns = 0) {
    ContainerRecord record;
    record.state = state;
    record.finished_ns = finished_ns;
    return record;
}

bool meets(std::string_view word, const ContainerRecord& now, std::int64_t finished_before_ns = 0) {
    return is_met(parse_wait_condition(word).value(), record_in(State::created, finished_before_ns), now);
}

TEST(WaitConditionText, IsDockersAndPodmans) {
    for (const char* word : {"not-running", "next-exit", "removed", "configured", "created", "initialized",
                             "running", "paused", "exited", "stopped", "removing", "healthy", "unhealthy"})
        EXPECT_TRUE(parse_wait_condition(word)) << word;
    for (const char* word : {"", "Running", "dead", "not_running"}) {
        const auto condition = parse_wait_condition(word);

        ASSERT_FALSE(condition) << word;
        EXPECT_EQ(condition.error().text.find("condition: '" + std::string(word) + "' is unknown"), 0U);
    }
}

TEST(WaitConditions, OfStatesAreMetByThem) {
    EXPECT_TRUE(meets("created", record_in(State::created)));
    EXPECT_FALSE(meets("created", record_in(State::running)));
    EXPECT_TRUE(meets("running", record_in(State::running)));
    EXPECT_FALSE(meets("running", record_in(State::paused)));
    EXPECT_TRUE(meets("paused", record_in(State::paused)));
}

TEST(WaitConditions, OfAnEndAreMetByOneSinceThen) {
    const ContainerRecord again = record_in(State::running, 7); // By a restart policy.

    for (const char* word : {"not-running", "exited", "stopped", "next-exit"}) {
        EXPECT_TRUE(meets(word, again, 3)) << word;
        EXPECT_FALSE(meets(word, again, 7)) << word;
    }
}

TEST(WaitConditions, OfAnEndTellOneThatRestsFromOneThatNeverRan) {
    EXPECT_TRUE(meets("not-running", record_in(State::created)));
    EXPECT_FALSE(meets("exited", record_in(State::created)));
    EXPECT_TRUE(meets("exited", record_in(State::exited, 7), 7));
    EXPECT_FALSE(meets("next-exit", record_in(State::exited, 7), 7));
    ContainerRecord waiting = record_in(State::exited, 7);
    waiting.transition = Transition::restarting;
    EXPECT_FALSE(meets("not-running", waiting, 7));
}

TEST(WaitConditions, OfHealthAreForWhatRuns) {
    ContainerRecord record = record_in(State::running);
    EXPECT_FALSE(meets("healthy", record));
    record.health.emplace();
    record.health->status = Health::healthy;
    EXPECT_TRUE(meets("healthy", record));
    EXPECT_FALSE(meets("unhealthy", record));
    record.state = State::exited;
    EXPECT_FALSE(meets("healthy", record));
}

} // namespace
} // namespace mydocker::engine
