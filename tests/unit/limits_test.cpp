// What `update` makes of old limits and those asked for; and the kernel's words about traffic.
#include "engine/limits.hpp"
#include "engine/usage.hpp"

#include <gtest/gtest.h>

namespace mydocker::engine {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

Resources with_memory(std::int64_t memory, std::optional<std::int64_t> swap = {}) {
    Resources limits;
    limits.memory = memory;
    limits.memory_swap = swap;
    return limits;
}

TEST(Limits, SwapFollowsMemoryAsAtCreation) {
    auto set = settle_limits(with_memory(64 * kMiB, 64 * kMiB), with_memory(96 * kMiB), SwapLimit::possible);

    ASSERT_TRUE(set) << set.error().text;
    EXPECT_EQ(set->memory_swap, 96 * kMiB);
}

TEST(Limits, SwapOfItsOwnStays) {
    auto set = settle_limits(with_memory(64 * kMiB, 128 * kMiB), with_memory(96 * kMiB), SwapLimit::possible);

    ASSERT_TRUE(set) << set.error().text;
    EXPECT_FALSE(set->memory_swap);
}

TEST(Limits, MemoryAboveItsSwapIsRefused) {
    EXPECT_FALSE(
        settle_limits(with_memory(64 * kMiB, 128 * kMiB), with_memory(256 * kMiB), SwapLimit::possible));
}

TEST(Limits, ALittleMemoryIsDoubtful) {
    const auto says = [](std::int64_t memory) {
        Resources asked;
        asked.memory = memory;
        return doubtful_limit(asked).value_or("");
    };

    EXPECT_EQ(says(std::int64_t{6} << 20U), "");
    EXPECT_EQ(says(kUnlimited), "");
    EXPECT_EQ(doubtful_limit({}), std::nullopt);
    EXPECT_EQ(says((std::int64_t{6} << 20U) - 4096),
              "memory: a limit of 6140 KiB, below 6 MiB, is too little for most programs to start in");
}

TEST(Limits, UndoingGoesBackToTheOldValueOrNone) {
    Resources set = with_memory(96 * kMiB);
    set.pids = 5;
    set.cpu_shares = 7;

    const Resources undo = undo_limits(with_memory(64 * kMiB), set);

    EXPECT_EQ(undo.memory, 64 * kMiB);
    EXPECT_EQ(undo.pids, kUnlimited);
    EXPECT_EQ(undo.cpu_shares, 1024U);
    EXPECT_FALSE(undo.memory_swap);
}

TEST(Limits, MergingKeepsWhatIsNotSet) {
    Resources old = with_memory(64 * kMiB, 64 * kMiB);
    old.cpuset_cpus = "0";

    const Resources now = merge_limits(old, with_memory(96 * kMiB));

    EXPECT_EQ(now.memory, 96 * kMiB);
    EXPECT_EQ(now.memory_swap, 64 * kMiB);
    EXPECT_EQ(now.cpuset_cpus, "0");
}

TEST(Traffic, IsTheSumOfAllButLoopback) {
    const Traffic sum = count_traffic(
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop\n"
        "    lo:     999      9    0    0    0     0          0         0      999       9    0    0\n"
        "  eth0: 1000 2 0 0 0 0 0 0 300 1 0 0 0 0 0 0\n"
        "  eth1:24 2 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n");

    EXPECT_EQ(sum.received, 1024U);
    EXPECT_EQ(sum.sent, 307U);
}

} // namespace
} // namespace mydocker::engine
