// The contract of a cgroup backend: freezing, thawing and signalling the processes of a cgroup. Face only.
#include "conformance/cgroup_fixture.hpp"

// The limits that a case does not name are absent: that is meant.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include <csignal>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace mydocker::conformance {
namespace {

using CgroupProcesses = CgroupSuite;

// Counts for ever.
int count(Shared& shared) {
    for (;;)
        shared.progress = shared.progress + 1;
}

bool makes_progress(Shared& shared) {
    const std::uint64_t before = shared.progress;
    return soon([&] { return shared.progress != before; }, std::chrono::milliseconds(500));
}

// Forks for ever; every child forks on.
int fork_storm(Shared& shared) {
    ::signal(SIGCHLD, SIG_IGN);
    for (;;) {
        (void)::fork(); // Refused at the limit; the rest goes on trying.
        shared.forked = shared.forked + 1;
    }
}

const Resources kStormLimits{.pids = 60};

TEST_P(CgroupProcesses, FrozenDoesNothingUntilThawed) {
    const Locator locator = given("a");
    const Member member = start(locator, [&] { return count(shared()); });
    EXPECT_TRUE(makes_progress(shared()));

    EXPECT_EQ(words(backend().freeze(locator)), "ok");
    EXPECT_FALSE(makes_progress(shared()));

    EXPECT_EQ(words(backend().thaw(locator)), "ok");
    EXPECT_TRUE(makes_progress(shared()));
}

TEST_P(CgroupProcesses, FreezeAndThawWorkAgain) {
    const Locator locator = given("a");
    const Member member = start(locator, [&] { return count(shared()); });

    EXPECT_EQ(words(backend().freeze(locator)), "ok");
    EXPECT_EQ(words(backend().freeze(locator)), "ok");
    EXPECT_EQ(words(backend().thaw(locator)), "ok");
    EXPECT_EQ(words(backend().thaw(locator)), "ok");
    EXPECT_TRUE(makes_progress(shared()));
}

TEST_P(CgroupProcesses, EmptyCgroupFreezes) {
    const Locator locator = given("a");

    EXPECT_EQ(words(backend().freeze(locator)), "ok");
    EXPECT_EQ(words(backend().thaw(locator)), "ok");
}

TEST_P(CgroupProcesses, FreezeReachesSubCgroups) {
    const Locator top = given("a");
    const Locator sub = given("a/sub");
    const Member member = start(sub, [&] { return count(shared()); });
    EXPECT_TRUE(makes_progress(shared()));

    EXPECT_EQ(words(backend().freeze(top)), "ok");

    EXPECT_FALSE(makes_progress(shared()));
}

TEST_P(CgroupProcesses, ForkStormFreezes) {
    if (auto why = lacks("pids")) GTEST_SKIP() << *why; // A fork storm takes the machine with it.
    const Locator locator = given("a", kStormLimits);
    const Member member = start(locator, [&] { return fork_storm(shared()); });
    EXPECT_TRUE(soon([&] { return shared().forked > 100; }));

    EXPECT_EQ(words(backend().freeze(locator)), "ok");

    const std::uint64_t before = shared().forked;
    ::usleep(50'000);
    EXPECT_EQ(shared().forked, before);
}

TEST_P(CgroupProcesses, KillIsCompleteOnReturn) {
    const Locator locator = given("a");
    std::vector<Member> members;
    for (int number = 0; number < 10; ++number)
        members.push_back(start_idle(locator));

    EXPECT_EQ(words(backend().kill(locator, SIGKILL)), "ok");

    EXPECT_TRUE(processes(locator).empty());
    for (Member& member : members)
        EXPECT_EQ(member.wait(), 128 + SIGKILL);
}

TEST_P(CgroupProcesses, KillEndsAForkStorm) {
    if (auto why = lacks("pids")) GTEST_SKIP() << *why; // A fork storm takes the machine with it.
    const Locator locator = given("a", kStormLimits);
    for (int round = 0; round < 5; ++round) {
        shared().forked = 0;
        const Member member = start(locator, [&] { return fork_storm(shared()); });
        EXPECT_TRUE(soon([&] { return shared().forked > 200; }));

        EXPECT_EQ(words(backend().kill(locator, SIGKILL)), "ok");

        EXPECT_TRUE(processes(locator).empty());
        const std::uint64_t before = shared().forked;
        ::usleep(20'000);
        EXPECT_EQ(shared().forked, before);
    }
}

TEST_P(CgroupProcesses, KillEndsTheFrozen) {
    const Locator locator = given("a");
    Member member = start(locator, [&] { return count(shared()); });
    EXPECT_EQ(words(backend().freeze(locator)), "ok");

    EXPECT_EQ(words(backend().kill(locator, SIGKILL)), "ok");

    EXPECT_TRUE(processes(locator).empty());
    EXPECT_EQ(member.wait(), 128 + SIGKILL);
}

TEST_P(CgroupProcesses, KillReachesSubCgroups) {
    const Locator top = given("a");
    const Locator sub = given("a/sub");
    const Locator deep = given("a/sub/deep");
    Member member = start_idle(deep);
    EXPECT_EQ(words(backend().freeze(deep)), "ok");

    EXPECT_EQ(words(backend().kill(top, SIGKILL)), "ok");

    EXPECT_EQ(member.wait(), 128 + SIGKILL);
}

TEST_P(CgroupProcesses, KillLeavesOthersAlone) {
    const Locator a = given("a");
    const Locator b = given("b");
    const Member other = start_idle(b);

    EXPECT_EQ(words(backend().kill(a, SIGKILL)), "ok");

    EXPECT_EQ(processes(b), std::vector<pid_t>{other.pid()});
}

TEST_P(CgroupProcesses, SignalReachesEveryProcess) {
    const Locator locator = given("a");
    std::vector<Member> members;
    for (int number = 0; number < 70; ++number)
        members.push_back(start_idle(locator));

    EXPECT_EQ(words(backend().kill(locator, SIGTERM)), "ok");

    for (Member& member : members)
        EXPECT_EQ(member.wait(), 128 + SIGTERM);
}

TEST_P(CgroupProcesses, SignalReachesAForkStorm) {
    if (auto why = lacks("pids")) GTEST_SKIP() << *why; // A fork storm takes the machine with it.
    const Locator locator = given("a", kStormLimits);
    const Member member = start(locator, [&] { return fork_storm(shared()); });
    EXPECT_TRUE(soon([&] { return shared().forked > 200; }));

    EXPECT_EQ(words(backend().kill(locator, SIGTERM)), "ok");

    EXPECT_TRUE(soon([&] { return processes(locator).empty(); }));
}

TEST_P(CgroupProcesses, SignalLeavesTheFrozenFrozen) {
    const Locator locator = given("a");
    Member member = start(locator, [&] { return count(shared()); });
    EXPECT_EQ(words(backend().freeze(locator)), "ok");

    EXPECT_EQ(words(backend().kill(locator, SIGUSR1)), "ok");
    EXPECT_FALSE(makes_progress(shared()));

    EXPECT_EQ(words(backend().thaw(locator)), "ok");
    EXPECT_EQ(member.wait(), 128 + SIGUSR1);
}

TEST_P(CgroupProcesses, VisitorsErrorEndsTheWalkAndIsKept) {
    const Locator locator = given("a");
    const Member one = start_idle(locator);
    const Member two = start_idle(locator);
    int visits = 0;

    const auto walked = backend().processes(locator, [&](pid_t) -> Status {
        ++visits;
        return fail(Code::no_space, "enough");
    });

    EXPECT_EQ(visits, 1);
    EXPECT_EQ(error_code(walked), Code::no_space);
}

} // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CgroupProcesses);

INSTANTIATE_TEST_SUITE_P(Backend, CgroupProcesses, testing::ValuesIn(subjects<CgroupBackend>()),
                         SubjectName());

} // namespace mydocker::conformance
