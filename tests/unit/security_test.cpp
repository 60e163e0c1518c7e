// The default profile, word for word: whoever changes it has to change it here too.
#include "engine/security.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>

namespace mydocker::engine {
namespace {

std::set<std::string> as_set(const std::vector<std::string>& list) {
    return {list.begin(), list.end()};
}

const runtime::SpecMount& mount_at(const std::vector<runtime::SpecMount>& mounts, const std::string& place) {
    return *std::ranges::find(mounts, place, &runtime::SpecMount::destination);
}

TEST(SecurityProfile, GrantsElevenCapabilities) {
    EXPECT_EQ(as_set(default_capabilities()),
              (std::set<std::string>{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER",
                                     "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP",
                                     "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"}));
    EXPECT_EQ(default_capabilities().size(), 11U);
}

TEST(SecurityProfile, MasksWhatTellsAboutTheHost) {
    EXPECT_EQ(as_set(masked_paths()),
              (std::set<std::string>{"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
                                     "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                                     "/proc/sched_debug", "/proc/scsi", "/proc/interrupts", "/sys/firmware",
                                     "/sys/devices/virtual/powercap", "/sys/fs/selinux",
                                     "/sys/devices/system/cpu/cpu*/thermal_throttle"}));
}

TEST(SecurityProfile, KeepsKernelSwitchesReadOnly) {
    EXPECT_EQ(as_set(readonly_paths()), (std::set<std::string>{"/proc/bus", "/proc/fs", "/proc/irq",
                                                               "/proc/sys", "/proc/sysrq-trigger"}));
}

TEST(SecurityProfile, MountsParentsBeforeChildren) {
    std::vector<std::string> places;
    for (const auto& mount : default_mounts())
        places.push_back(mount.destination);

    EXPECT_EQ(places, (std::vector<std::string>{"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue",
                                                "/sys", "/sys/fs/cgroup"}));
}

TEST(SecurityProfile, MountsAsTheRuntimeSpecificationSays) {
    const auto mounts = default_mounts();

    EXPECT_EQ(as_set(mount_at(mounts, "/proc").options),
              (std::set<std::string>{"nosuid", "noexec", "nodev"}));
    EXPECT_EQ(as_set(mount_at(mounts, "/dev").options),
              (std::set<std::string>{"nosuid", "strictatime", "mode=755", "size=64m"}));
    EXPECT_EQ(
        as_set(mount_at(mounts, "/dev/pts").options),
        (std::set<std::string>{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
    EXPECT_EQ(as_set(mount_at(mounts, "/dev/shm").options),
              (std::set<std::string>{"nosuid", "noexec", "nodev", "mode=1777", "size=64m"}));
    EXPECT_EQ(as_set(mount_at(mounts, "/sys/fs/cgroup").options),
              (std::set<std::string>{"nosuid", "noexec", "nodev", "relatime", "ro"}));
    EXPECT_EQ(as_set(mount_at(mounts, "/sys").options),
              (std::set<std::string>{"nosuid", "noexec", "nodev", "ro"}));
}

TEST(SecurityProfile, DeniesAllDevicesFirst) {
    const auto rules = default_device_rules();

    ASSERT_FALSE(rules.empty());
    EXPECT_FALSE(rules.front().allow);
    EXPECT_EQ(rules.front().type, 'a');
    EXPECT_EQ(rules.front().access, "rwm");
}

TEST(SecurityProfile, AllowsJustTheStandardDevices) {
    std::set<std::tuple<char, std::int64_t, std::int64_t>> allowed;
    for (const DeviceRule& rule : default_device_rules())
        if (rule.allow) allowed.emplace(rule.type, rule.major, rule.minor);

    EXPECT_EQ(allowed, (std::set<std::tuple<char, std::int64_t, std::int64_t>>{{'c', 1, 3},
                                                                               {'c', 1, 5},
                                                                               {'c', 1, 7},
                                                                               {'c', 1, 8},
                                                                               {'c', 1, 9},
                                                                               {'c', 5, 0},
                                                                               {'c', 5, 2},
                                                                               {'c', 136, -1}}));
}

TEST(SecurityProfile, LimitsAreLoweredRatherThanRefused) {
    const auto limits = default_rlimits();

    ASSERT_EQ(limits.size(), 2U);
    EXPECT_EQ(limits[0].type, "RLIMIT_NOFILE");
    EXPECT_EQ(limits[0].soft, 1024U);
    EXPECT_EQ(limits[0].hard, 524288U);
    EXPECT_EQ(limits[1].type, "RLIMIT_CORE");
    EXPECT_EQ(limits[1].hard, 0U);
    EXPECT_FALSE(limits[0].required || limits[1].required);
}

TEST(SecurityProfile, LetsEveryGroupPing) {
    EXPECT_EQ(network_sysctls().at("net.ipv4.ping_group_range"), "0 2147483647");
}

} // namespace
} // namespace mydocker::engine
