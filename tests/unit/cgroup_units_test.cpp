// The pure parts of the cgroup backends: conversions, lists, mountinfo, checks, and what becomes of
// device rules: a policy of v1, a BPF program of v2.
#include "cgroup/common/limits.hpp"
#include "cgroup/common/mounts.hpp"
#include "cgroup/common/tree.hpp"
#include "cgroup/common/units.hpp"
#include "cgroup/v1/devices.hpp"
#include "cgroup/v2/device_filter.hpp"
#include "unit/device_rules_model.hpp"

#include <gtest/gtest.h>

// The limits that a case does not name are absent: that is meant.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include <array>

namespace mydocker {
namespace {

using cgroup::Ranges;
using device_rules::all_requests;
using device_rules::interpret;
using device_rules::kMknod;
using device_rules::kRead;
using device_rules::kWrite;
using device_rules::RandomRules;
using device_rules::Request;
using device_rules::show;

// --- weights ---------------------------------------------------------------------------------------------

// Worked out by hand, with 50 digits, from weight = ceil(10^((l*l + 125*l) / 612 - 7/34)), l = log2(shares).
TEST(CgroupWeight, FollowsTheCurveOf2025) {
    const std::pair<std::uint64_t, std::uint64_t> table[] = {
        {0, 1},      {2, 1},       {3, 2},         {102, 17},       {204, 29},       {512, 59},
        {1000, 99},  {1024, 100},  {1025, 101},    {2000, 170},     {2048, 174},     {4096, 303},
        {8192, 532}, {10240, 639}, {131072, 5478}, {262143, 10000}, {262144, 10000}, {1 << 30, 10000}};
    for (const auto& [shares, weight] : table)
        EXPECT_EQ(cgroup::weight_from_shares(shares), weight) << shares;
}

TEST(CgroupWeight, NeverFallsAndStaysInRange) {
    std::uint64_t before = 1;
    for (std::uint64_t shares = cgroup::kMinShares; shares <= cgroup::kMaxShares; ++shares) {
        const std::uint64_t weight = cgroup::weight_from_shares(shares);
        ASSERT_GE(weight, before) << shares;
        ASSERT_LE(weight, 10000U) << shares;
        before = weight;
    }
}

TEST(CgroupWeight, BlkioMapsEndsToEnds) {
    EXPECT_EQ(cgroup::io_weight_from_blkio(10), 1U);
    EXPECT_EQ(cgroup::io_weight_from_blkio(500), 4950U);
    EXPECT_EQ(cgroup::io_weight_from_blkio(1000), 10000U);
}

// --- lists and numbers -------------------------------------------------------------------------------------

TEST(CgroupRanges, ReadsTheListFormat) {
    const std::pair<const char*, const char*> table[] = {
        {"0", "0"},         {"0-2,7", "0-2,7"}, {"7,0-2", "0-2,7"}, {"1,2,3", "1-3"},
        {"0-3,2-5", "0-5"}, {"5-5", "5"},       {"0,2,1,0", "0-2"}, {"10-20,15", "10-20"},
    };
    for (const auto& [text, want] : table) {
        const auto ranges = cgroup::parse_ranges(text, "CPUs");
        ASSERT_TRUE(ranges) << text;
        EXPECT_EQ(to_string(*ranges), want) << text;
    }
}

TEST(CgroupRanges, RefusesEverythingElse) {
    for (const char* text : {"", ",", "0,", ",0", "0-", "-1", "0--1", "a", "0 ", " 0", "0-1-2", "0x1", "+1",
                             "1;2", "0-2:2/3", "all", "99999999999", "0\n"}) {
        const auto ranges = cgroup::parse_ranges(text, "CPUs");
        ASSERT_FALSE(ranges) << text;
        EXPECT_EQ(ranges.error().code, Code::invalid) << text;
        EXPECT_EQ(ranges.error().text, "'" + std::string(text) + "' is no list of CPUs; write 0-2,7");
    }
    EXPECT_EQ(cgroup::parse_ranges("1,7-3", "CPUs").error().text, "'7-3' runs backwards; write 3-7");
}

TEST(CgroupRanges, FindsTheFirstThatIsMissing) {
    const Ranges have{{0, 3}, {6, 7}};
    EXPECT_EQ(cgroup::first_outside({{0, 3}}, have), std::nullopt);
    EXPECT_EQ(cgroup::first_outside({{1, 2}, {6, 7}}, have), std::nullopt);
    EXPECT_EQ(cgroup::first_outside({{2, 6}}, have), 4U);
    EXPECT_EQ(cgroup::first_outside({{0, 0}, {8, 9}}, have), 8U);
    EXPECT_EQ(cgroup::first_outside({{999, 999}}, have), 999U);
}

TEST(CgroupRanges, SaysWhichExist) {
    const auto text = [](const Status& status) { return status ? "" : status.error().text; };
    EXPECT_EQ(text(cgroup::check_available("999", "0-1", "CPU")), "cpuset: CPU 999 does not exist (0-1 do)");
    EXPECT_EQ(text(cgroup::check_available("0,1", "0", "memory node")),
              "cpuset mems: memory node 1 does not exist (0 does)");
    EXPECT_EQ(text(cgroup::check_available("0-1", "0-3", "CPU")), "");
}

TEST(CgroupNumbers, ReadControlFiles) {
    constexpr std::string_view kEvents = "low 1\noom 2\noom_kill 3\noom_group_kill 4\n";
    EXPECT_EQ(cgroup::keyed_number(kEvents, "oom_kill"), 3U);
    EXPECT_EQ(cgroup::keyed_number(kEvents, "oom"), 2U);
    EXPECT_EQ(cgroup::keyed_number(kEvents, "high"), std::nullopt);
    EXPECT_EQ(cgroup::named_number("8:0 rbytes=12 wbytes=34 rios=5", "wbytes"), 34U);
    EXPECT_EQ(cgroup::named_number("8:0 rbytes=12", "bytes"), std::nullopt);
    EXPECT_EQ(cgroup::parse_number("18446744073709551615"), UINT64_MAX);
    for (const char* text : {"", "-1", "1 ", "max", "18446744073709551616"})
        EXPECT_EQ(cgroup::parse_number(text), std::nullopt) << text;
}

TEST(CgroupNumbers, KnowUnlimited) {
    EXPECT_EQ(cgroup::limit_value("max"), std::nullopt);
    EXPECT_EQ(cgroup::limit_value("-1"), std::nullopt);
    EXPECT_EQ(cgroup::limit_value("9223372036854771712"), std::nullopt);
    EXPECT_EQ(cgroup::limit_value("0"), 0U);
    EXPECT_EQ(cgroup::limit_value("1073741824"), 1073741824U);
}

TEST(CgroupNumbers, PageSizesAreTheKernels) {
    EXPECT_EQ(cgroup::page_size_bytes("64KB"), 65536U);
    EXPECT_EQ(cgroup::page_size_bytes("2MB"), 2U << 20U);
    EXPECT_EQ(cgroup::page_size_bytes("1GB"), 1U << 30U);
    for (const char* text : {"", "MB", "2", "2M", "02MB", "0MB", "2TB", "../2MB", "-2MB", "2mb", "9999999GB"})
        EXPECT_EQ(cgroup::page_size_bytes(text), std::nullopt) << text;
}

// --- where the hierarchies are
// -------------------------------------------------------------------------------

TEST(CgroupMountinfo, FindsHybridHierarchies) {
    const auto mounts = cgroup::parse_mountinfo(
        "24 30 0:22 / /proc rw,nosuid shared:5 - proc proc rw\n"
        "31 23 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:1 - cgroup cgroup "
        "rw,cpu,cpuacct\n"
        "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,seclabel,memory,clone_children\n"
        "34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
        "35 31 0:32 /docker/ab /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n"
        "36 31 0:33 / /sys/fs/cgroup/a\\040b rw - cgroup2 none "
        "rw,seclabel,nsdelegate,memory_recursiveprot\n");

    using cgroup::Version;
    const std::vector<cgroup::CgroupMount> want = {
        {Version::v1, "/sys/fs/cgroup/cpu,cpuacct", "0:29", {"cpu", "cpuacct"}, false},
        {Version::v1, "/sys/fs/cgroup/memory", "0:30", {"memory"}, false},
        {Version::v1, "/sys/fs/cgroup/systemd", "0:31", {}, false},
        {Version::v1, "/sys/fs/cgroup/pids", "0:32", {"pids"}, true},
        {Version::v2, "/sys/fs/cgroup/a b", "0:33", {}, false, {"nsdelegate", "memory_recursiveprot"}},
    };
    EXPECT_EQ(mounts, want);
}

TEST(CgroupMountinfo, PassesOverWhatIsDamaged) {
    for (const char* text : {"", "\n", "1 2", " - cgroup", "1 2 0:1 / /x rw - cgroup",
                             "- cgroup - cgroup a b", "1 2 0:1 / /a rw - cgroupfs cgroup rw"})
        EXPECT_TRUE(cgroup::parse_mountinfo(text).empty()) << text;
}

TEST(CgroupControllers, AreLookedUpInProcCgroups) {
    constexpr std::string_view kProc = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
                                       "cpuset\t3\t1\t1\nblkio\t0\t1\t1\nmemory\t0\t1\t0\n";
    using cgroup::Binding;
    EXPECT_EQ(cgroup::binding_of("cpuset", kProc), Binding::v1);
    EXPECT_EQ(cgroup::binding_of("io", kProc), Binding::free);
    EXPECT_EQ(cgroup::binding_of("memory", kProc), Binding::disabled);
    EXPECT_EQ(cgroup::binding_of("pids", kProc), Binding::absent);
}

TEST(CgroupControllers, MissingOnesAreExplained) {
    using cgroup::Binding;
    const cgroup::Asked memory{"memory", "memory limit"};
    EXPECT_EQ(cgroup::without_controller(memory, Binding::absent, ""),
              "memory limit asked, but this kernel has no memory controller");
    EXPECT_EQ(cgroup::without_controller(memory, Binding::disabled, ""),
              "memory limit asked, but this kernel has its memory controller switched off (boot with "
              "cgroup_enable=memory)");
    EXPECT_EQ(cgroup::without_controller({"io", "io weight"}, Binding::free, "is on the moon"),
              "io weight asked, but the io (blkio) controller is on the moon");
}

// --- checks
// ----------------------------------------------------------------------------------------------------

TEST(CgroupLimitChecks, AskForNothingWhereNothingIsLimited) {
    const DeviceRule all{true, 'a', -1, -1, "rwm"};
    const Resources nothing{.memory = kUnlimited,
                            .memory_swap = kUnlimited,
                            .cpu_quota_usec = kUnlimited,
                            .pids = kUnlimited,
                            .devices = std::vector{all}};
    EXPECT_TRUE(cgroup::asked_limits(nothing).empty());
    EXPECT_TRUE(cgroup::validate(nothing));
}

TEST(CgroupLimitChecks, StepsTellWhatWasSetBefore) {
    const auto good = [] { return Status{}; };
    const auto bad = []() -> Status { return fail(Code::io, "no"); };

    EXPECT_TRUE(cgroup::run_steps({{"a", good}, {"b", good}}));
    EXPECT_EQ(cgroup::run_steps({{"a", bad}}).error().text, "no");
    EXPECT_EQ(cgroup::run_steps({{"a", good}, {"b", good}, {"c", bad}}).error().text,
              "no (set before it: a, b)");
}

TEST(CgroupNames, LocatorsGoThereAndBack) {
    const auto locator = cgroup::to_locator("v1", CgroupName("mydocker/web:1"));
    ASSERT_TRUE(locator);
    EXPECT_EQ(locator->str(), "v1:mydocker/web:1");
    EXPECT_EQ(cgroup::from_locator("v1", *locator), "mydocker/web:1");
    EXPECT_FALSE(cgroup::from_locator("v2", *locator));
    EXPECT_FALSE(cgroup::from_locator("v", *locator));
}

TEST(CgroupNames, ProcessesAreNamedUpToEight) {
    EXPECT_EQ(cgroup::name_processes({7}), "process 7");
    EXPECT_EQ(cgroup::name_processes({7, 8}), "processes 7, 8");
    EXPECT_EQ(cgroup::name_processes({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}),
              "processes 1, 2, 3, 4, 5, 6, 7, 8 and 2 more");
}

// --- device rules
// ----------------------------------------------------------------------------------------------

TEST(CgroupDeviceFilter, DecidesAsTheRulesDo) {
    RandomRules random;
    const auto requests = all_requests();
    for (int round = 0; round < 2000; ++round) {
        const auto rules = random.list();
        const auto program = cgroup_v2::assemble_filter(rules);
        for (const Request& request : requests)
            ASSERT_EQ(interpret(program, request), device_rules::allowed(rules, request) ? 1 : 0)
                << show(rules) << request.type << request.major << ":" << request.minor << " "
                << request.access;
    }
}

TEST(CgroupDeviceFilter, IsThisProgram) {
    const auto program = cgroup_v2::assemble_filter({{true, 'c', 1, 3, "r"}});
    const std::vector<std::array<int, 5>> want = {
        // code, to, from, offset, value
        {0x61, 2, 1, 0, 0},      // r2 = access_type
        {0xbc, 3, 2, 0, 0},      // w3 = w2
        {0x54, 2, 0, 0, 0xFFFF}, // w2 &= 0xffff: type
        {0x74, 3, 0, 0, 16},     // w3 >>= 16: access
        {0x61, 4, 1, 4, 0},      // r4 = major
        {0x61, 5, 1, 8, 0},      // r5 = minor
        {0x55, 2, 0, 6, 2},      // if r2 != character: skip
        {0x55, 4, 0, 5, 1},      // if r4 != 1: skip
        {0x55, 5, 0, 4, 3},      // if r5 != 3: skip
        {0x54, 3, 0, 0, ~2},     // w3 &= ~read
        {0x55, 3, 0, 2, 0},      // if r3 != 0: skip
        {0xb7, 0, 0, 0, 1},      // r0 = 1
        {0x95, 0, 0, 0, 0},      // exit
        {0xb7, 0, 0, 0, 0},      // r0 = 0
        {0x95, 0, 0, 0, 0},      // exit
    };
    ASSERT_EQ(program.size(), want.size());
    for (std::size_t at = 0; at < want.size(); ++at) {
        const bpf_insn& insn = program[at];
        EXPECT_EQ((std::array<int, 5>{insn.code, insn.dst_reg, insn.src_reg, insn.off, insn.imm}), want[at])
            << at;
    }
}

TEST(CgroupDeviceFilter, HasNoCodeThatCannotBeReached) {
    const DeviceRule all{true, 'a', -1, -1, "rwm"};
    EXPECT_EQ(cgroup_v2::assemble_filter({{false, 'c', 1, 3, "r"}, all}).size(), 8U);
    EXPECT_EQ(cgroup_v2::assemble_filter({}).size(), 8U);
}

TEST(CgroupDevicePolicy, DecidesAsTheRulesDoOrRefuses) {
    RandomRules random;
    const auto requests = all_requests();
    int expressed = 0;
    for (int round = 0; round < 4000; ++round) {
        const auto rules = random.list();
        const auto policy = cgroup_v1::device_policy(rules);
        if (!policy) {
            ASSERT_EQ(policy.error().code, Code::unsupported);
            continue;
        }
        ++expressed;
        for (const Request& request : requests)
            ASSERT_EQ(device_rules::allowed(*policy, request), device_rules::allowed(rules, request))
                << show(rules) << request.type << request.major << ":" << request.minor << " "
                << request.access;
    }
    EXPECT_GT(expressed, 1000);
}

TEST(CgroupDevicePolicy, SaysWhatV1CannotExpress) {
    const auto policy = cgroup_v1::device_policy({{true, 'c', -1, -1, "rwm"}, {false, 'c', 5, 1, "w"}});
    ASSERT_FALSE(policy);
    EXPECT_EQ(policy.error().text,
              "device rules: cgroup v1 cannot deny 'c 5:1 w' after allowing 'c *:* rwm'");
}

TEST(CgroupDevicePolicy, ReadsWhatTheKernelShows) {
    const auto everything = cgroup_v1::parse_devices_list("a *:* rwm\n");
    ASSERT_TRUE(everything);
    EXPECT_TRUE(everything->allow);

    const auto some = cgroup_v1::parse_devices_list("c 1:3 rwm\nb *:* m\n");
    ASSERT_TRUE(some);
    EXPECT_EQ(*some, (cgroup_v1::DevicePolicy{
                         .allow = false,
                         .exceptions = {{{'b', -1, -1}, kMknod}, {{'c', 1, 3}, kMknod | kRead | kWrite}}}));

    for (const char* text : {"c 1:3", "c 1 rwm", "c x:3 rwm", "cc 1:3 rwm", "c 1:2:3 rwm"})
        EXPECT_FALSE(cgroup_v1::parse_devices_list(text)) << text;
}

TEST(CgroupDevicePolicy, ChangesWithoutDenyingWhatStays) {
    using cgroup_v1::DevicePolicy;
    using cgroup_v1::DeviceWrite;
    const DevicePolicy open{.allow = true, .exceptions = {}};
    const DevicePolicy one{.allow = false, .exceptions = {{{'c', 1, 3}, kRead | kWrite}}};
    const DevicePolicy two{.allow = false,
                           .exceptions = {{{'c', 1, 3}, kRead}, {{'c', 1, 5}, kMknod | kRead}}};

    EXPECT_EQ(device_writes(open, one), (std::vector<DeviceWrite>{{false, "a"}, {true, "c 1:3 rw"}}));
    EXPECT_EQ(device_writes(one, two), (std::vector<DeviceWrite>{{true, "c 1:5 rm"}, {false, "c 1:3 w"}}));
    EXPECT_EQ(device_writes(two, open), (std::vector<DeviceWrite>{{true, "a"}}));
    EXPECT_TRUE(device_writes(two, two).empty());
}

} // namespace
} // namespace mydocker
