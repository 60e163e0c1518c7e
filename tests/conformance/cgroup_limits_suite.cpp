// The contract of a cgroup backend: limits are validated, enforced, and refused where they cannot be.
// A controller that the traits do not name excuses a case. Face only.
#include "conformance/cgroup_fixture.hpp"

// The limits that a case does not name are absent: that is meant.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

namespace mydocker::conformance {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

using CgroupLimits = CgroupSuite;

struct Wrong {
    const char* name;
    Resources resources;
    const char* says;
};

std::vector<DeviceRule> rules(std::vector<DeviceRule> list) {
    return list;
}

TEST_P(CgroupLimits, RefusesValuesOutOfRangeBeforeAnythingIsMade) {
    const Wrong table[] = {
        {"memory", {.memory = 4095}, "below the minimum 512k"},
        {"memory 0", {.memory = 0}, "below the minimum 512k"},
        {"sum below memory", {.memory = 64 * kMiB, .memory_swap = 32 * kMiB}, "sum of memory and swap"},
        {"reservation", {.memory = kMiB, .memory_reservation = 2 * kMiB}, "above the memory limit"},
        {"shares 1", {.cpu_shares = 1}, "2…262144, not 1"},
        {"shares high", {.cpu_shares = 262145}, "2…262144, not 262145"},
        {"quota", {.cpu_quota_usec = 999}, "1000 microseconds"},
        {"period", {.cpu_period_usec = 999}, "1000…1000000"},
        {"period high", {.cpu_period_usec = 1000001}, "1000…1000000"},
        {"cpus open", {.cpuset_cpus = "0-"}, "'0-' is no list of CPUs"},
        {"cpus backwards", {.cpuset_cpus = "7-3"}, "runs backwards"},
        {"cpus comma", {.cpuset_cpus = ","}, "is no list of CPUs"},
        {"cpus empty", {.cpuset_cpus = ""}, "is no list of CPUs"},
        {"mems", {.cpuset_mems = "x"}, "is no list of memory nodes"},
        {"pids", {.pids = 0}, "1…4194304"},
        {"pids negative", {.pids = -2}, "1…4194304"},
        {"pids high", {.pids = 4194305}, "1…4194304"},
        {"io weight", {.io_weight = 9}, "10…1000, not 9"},
        {"io weight high", {.io_weight = 1001}, "10…1000, not 1001"},
        {"page size", {.hugepages = {{"../2MB", 0}}}, "is no page size"},
        {"page part", {.hugepages = {{"2MB", 3}}}, "no multiple of 2MB"},
        {"device type", {.devices = rules({{true, 'x', 1, 3, "r"}})}, "must be a, b or c"},
        {"device access", {.devices = rules({{true, 'c', 1, 3, "x"}})}, "letters r, w and m"},
        {"device number", {.devices = rules({{true, 'c', -2, 3, "r"}})}, "no device number"},
    };
    const Locator locator = locate("a");
    for (const Wrong& wrong : table) {
        const auto created = backend().create(locator, wrong.resources);
        EXPECT_EQ(error_code(created), Code::invalid) << wrong.name;
        EXPECT_NE(words(created).find(wrong.says), std::string::npos) << wrong.name << ": " << words(created);
    }
    EXPECT_TRUE(listed().empty());
}

TEST_P(CgroupLimits, AsksNothingOfTheHostWithoutLimits) {
    const Locator locator = given("a");

    EXPECT_EQ(words(backend().update(locator, {})), "ok");
    EXPECT_EQ(words(backend().update(locator, {.memory = kUnlimited, .memory_swap = kUnlimited})), "ok");
    EXPECT_EQ(words(backend().update(locator, {.cpu_quota_usec = kUnlimited, .pids = kUnlimited})), "ok");
    EXPECT_EQ(run(locator, [] { return 0; }), 0);
}

TEST_P(CgroupLimits, NamesTheControllerThatIsMissing) {
    const std::pair<const char*, Resources> table[] = {
        {"memory", {.memory = 64 * kMiB}},
        {"cpu", {.cpu_shares = 512}},
        {"cpuset", {.cpuset_cpus = "0"}},
        {"pids", {.pids = 10}},
        {"io", {.io_read_bps = {{8, 0, 1 << 20}}}},
        {"hugetlb", {.hugepages = {{"2MB", 0}}}},
        {"devices", {.devices = rules({{false, 'a', -1, -1, "rwm"}})}},
    };
    const Locator locator = locate("a");
    for (const auto& [controller, resources] : table) {
        if (can_limit(controller)) continue;
        const auto created = backend().create(locator, resources);
        EXPECT_EQ(error_code(created), Code::unsupported) << controller;
        EXPECT_NE(words(created).find(controller), std::string::npos) << words(created);
    }
    EXPECT_TRUE(listed().empty());
}

// Forks until it fails; the number of children, which stay.
int fork_until_refused(Shared& shared) {
    for (;;) {
        const pid_t pid = ::fork();
        if (pid == 0) idle();
        if (pid < 0) {
            shared.error = errno;
            return 0;
        }
        shared.forked = shared.forked + 1;
        if (shared.forked > 1000) return 1;
    }
}

TEST_P(CgroupLimits, ForkBombEndsAtThePidsLimit) {
    if (auto why = lacks("pids")) GTEST_SKIP() << *why;
    const Locator locator = given("a", {.pids = 8});

    EXPECT_EQ(run(locator, [&] { return fork_until_refused(shared()); }), 0);

    EXPECT_EQ(shared().error, EAGAIN);
    EXPECT_EQ(shared().forked, 7U);
    const auto stats = backend().stats(locator);
    ASSERT_EQ(words(stats), "ok");
    EXPECT_EQ(stats->pids_limit, 8U);
    EXPECT_EQ(words(backend().kill(locator, SIGKILL)), "ok");
}

int touch(std::int64_t bytes) {
    void* memory = ::mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    for (std::int64_t at = 0; at < bytes; at += 4096)
        static_cast<volatile char*>(memory)[at] = 1;
    return 0;
}

bool is_readable(const UniqueFd& fd, int milliseconds) {
    pollfd entry{.fd = fd.get(), .events = POLLIN | POLLPRI, .revents = 0};
    return ::poll(&entry, 1, milliseconds) > 0;
}

TEST_P(CgroupLimits, MemoryHogIsKilledCountedAndAnnounced) {
    if (auto why = lacks("memory")) GTEST_SKIP() << *why;
    const Locator locator = given("a", {.memory = 32 * kMiB});
    const auto unswapped = backend().update(locator, {.memory_swap = 32 * kMiB});
    EXPECT_TRUE(unswapped || unswapped.error().code == Code::unsupported) << words(unswapped);
    const auto events = backend().events(locator);
    ASSERT_EQ(words(events), "ok");
    EXPECT_NE(::fcntl(events->get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_FALSE(is_readable(*events, 0));

    EXPECT_EQ(run(locator, [] { return touch(256 * kMiB); }), 128 + SIGKILL);

    EXPECT_TRUE(is_readable(*events, 10'000));
    EXPECT_TRUE(soon([&] { return backend().stats(locator)->oom_kills >= 1; }));
}

TEST_P(CgroupLimits, MemoryWithinTheLimitIsGranted) {
    if (auto why = lacks("memory")) GTEST_SKIP() << *why;
    const Locator locator = given("a", {.memory = 64 * kMiB});

    EXPECT_EQ(run(locator, [] { return touch(16 * kMiB); }), 0);
    EXPECT_EQ(backend().stats(locator)->oom_kills, 0U);
}

TEST_P(CgroupLimits, MemoryGoesUpAndDownWithItsSum) {
    if (auto why = lacks("memory")) GTEST_SKIP() << *why;
    const Locator locator = given("a", {.memory = 64 * kMiB});
    for (const std::int64_t bytes : {64 * kMiB, 256 * kMiB, 32 * kMiB, std::int64_t{kUnlimited}, 48 * kMiB}) {
        auto updated = backend().update(locator, {.memory = bytes, .memory_swap = bytes});
        if (error_code(updated) == Code::unsupported) updated = backend().update(locator, {.memory = bytes});
        EXPECT_EQ(words(updated), "ok") << bytes;
        const auto stats = backend().stats(locator);
        ASSERT_EQ(words(stats), "ok");
        const auto limit =
            bytes == kUnlimited ? std::nullopt : std::optional(static_cast<std::uint64_t>(bytes));
        EXPECT_EQ(stats->memory_limit, limit);
    }
}

TEST_P(CgroupLimits, SwapIsAmongTheControllersWhereItCanBeLimited) {
    if (auto why = lacks("memory")) GTEST_SKIP() << *why;

    const auto created = backend().create(locate("a"), {.memory = 64 * kMiB, .memory_swap = 64 * kMiB});

    EXPECT_EQ(created.has_value(), can_limit("swap")) << words(created);
}

TEST_P(CgroupLimits, SumWithoutAMemoryLimitIsRefused) {
    if (auto why = lacks("memory")) GTEST_SKIP() << *why;
    const Locator locator = locate("a");

    EXPECT_EQ(error_code(backend().create(locator, {.memory = kUnlimited, .memory_swap = kMiB})),
              Code::invalid);
}

TEST_P(CgroupLimits, UpdateLeavesAbsentFields) {
    if (auto why = lacks("pids")) GTEST_SKIP() << *why;
    if (auto why = lacks("memory")) GTEST_SKIP() << *why;
    const Locator locator = given("a", {.memory = 64 * kMiB, .pids = 10});

    EXPECT_EQ(words(backend().update(locator, {.memory = 128 * kMiB})), "ok");

    const auto stats = backend().stats(locator);
    EXPECT_EQ(stats->pids_limit, 10U);
    EXPECT_EQ(stats->memory_limit, static_cast<std::uint64_t>(128 * kMiB));
}

TEST_P(CgroupLimits, CreateAgainSetsLimitsAnew) {
    if (auto why = lacks("pids")) GTEST_SKIP() << *why;
    const Locator locator = given("a", {.pids = 10});

    EXPECT_EQ(words(backend().create(locator, {.pids = 20})), "ok");

    EXPECT_EQ(backend().stats(locator)->pids_limit, 20U);
}

std::int64_t now_msec(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

int spin(std::int64_t milliseconds) {
    const std::int64_t end = now_msec(CLOCK_MONOTONIC) + milliseconds;
    while (now_msec(CLOCK_MONOTONIC) < end) {
    }
    return 0;
}

TEST_P(CgroupLimits, CpuQuotaThrottles) {
    if (auto why = lacks("cpu")) GTEST_SKIP() << *why;
    const Locator locator = given("a", {.cpu_quota_usec = 10'000, .cpu_period_usec = 100'000});

    EXPECT_EQ(run(locator, [] { return spin(1000); }), 0);

    const auto stats = backend().stats(locator);
    ASSERT_EQ(words(stats), "ok");
    EXPECT_GT(stats->throttled_periods, 0U);
    EXPECT_GT(stats->throttled_usec, 0U);
    EXPECT_LT(stats->cpu_usec, 500'000U);
    EXPECT_GT(stats->cpu_usec, 10'000U);
}

TEST_P(CgroupLimits, CpuQuotaChangesWithAndWithoutItsPeriod) {
    if (auto why = lacks("cpu")) GTEST_SKIP() << *why;
    const Locator locator = given("a", {.cpu_quota_usec = 50'000, .cpu_period_usec = 100'000});

    EXPECT_EQ(words(backend().update(locator, {.cpu_quota_usec = 20'000})), "ok");
    EXPECT_EQ(words(backend().update(locator, {.cpu_period_usec = 50'000})), "ok");
    EXPECT_EQ(words(backend().update(locator, {.cpu_quota_usec = 5'000, .cpu_period_usec = 10'000})), "ok");
    EXPECT_EQ(words(backend().update(locator, {.cpu_quota_usec = kUnlimited})), "ok");
}

TEST_P(CgroupLimits, CpuSharesTakeBothEnds) {
    if (auto why = lacks("cpu")) GTEST_SKIP() << *why;
    const Locator locator = given("a");
    for (const std::uint64_t shares : {2U, 3U, 512U, 1024U, 262143U, 262144U})
        EXPECT_EQ(words(backend().update(locator, {.cpu_shares = shares})), "ok") << shares;
}

TEST_P(CgroupLimits, CpusetPins) {
    if (auto why = lacks("cpuset")) GTEST_SKIP() << *why;
    const Locator locator = given("a", {.cpuset_cpus = "0", .cpuset_mems = "0"});

    const int only_first = run(locator, [] {
        cpu_set_t set;
        CPU_ZERO(&set);
        if (::sched_getaffinity(0, sizeof set, &set) != 0) return 2;
        return CPU_COUNT(&set) == 1 && CPU_ISSET(0, &set) ? 0 : 1;
    });

    EXPECT_EQ(only_first, 0);
}

TEST_P(CgroupLimits, CpusetRefusesWhatDoesNotExist) {
    if (auto why = lacks("cpuset")) GTEST_SKIP() << *why;
    const Locator locator = locate("a");

    const auto cpus = backend().create(locator, {.cpuset_cpus = "0,4093"});
    const auto mems = backend().create(locator, {.cpuset_mems = "1021"});

    EXPECT_EQ(error_code(cpus), Code::invalid);
    EXPECT_NE(words(cpus).find("CPU 4093 does not exist (0"), std::string::npos) << words(cpus);
    EXPECT_EQ(error_code(mems), Code::invalid);
    EXPECT_NE(words(mems).find("memory node 1021 does not exist"), std::string::npos) << words(mems);
}

TEST_P(CgroupLimits, StatsCountWhatRan) {
    const Locator locator = given("a");
    const Member member = start(locator, [&] {
        (void)touch(8 * kMiB);
        (void)spin(100);
        shared().progress = 1;
        idle();
        return 0;
    });
    ASSERT_TRUE(soon([&] { return shared().progress == 1; }));

    const auto stats = backend().stats(locator);

    ASSERT_EQ(words(stats), "ok");
    EXPECT_GT(stats->cpu_usec, 20'000U);
    EXPECT_LE(stats->cpu_user_usec + stats->cpu_system_usec, stats->cpu_usec + 1000);
    EXPECT_GT(stats->cpu_user_usec + stats->cpu_system_usec, 10'000U);
    if (can_limit("memory")) {
        EXPECT_GT(stats->memory_bytes, static_cast<std::uint64_t>(4 * kMiB));
    }
    if (can_limit("pids")) {
        EXPECT_EQ(stats->pids, 1U);
    }
    EXPECT_FALSE(stats->memory_limit);
    EXPECT_FALSE(stats->pids_limit);
}

} // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CgroupLimits);

INSTANTIATE_TEST_SUITE_P(Backend, CgroupLimits, testing::ValuesIn(subjects<CgroupBackend>()), SubjectName());

} // namespace mydocker::conformance
