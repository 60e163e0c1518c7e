// The default profile. A change here is a change of what containers may do: say so in the changelog.
#include "engine/security.hpp"

#include <algorithm>

namespace mydocker::engine {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& name) {
    return std::ranges::find(list, name) != list.end();
}

constexpr const char* kAll = "ALL";

} // namespace

std::vector<std::string> default_capabilities() {
    return {"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FSETID",  "CAP_FOWNER",           "CAP_SETGID",
            "CAP_SETUID", "CAP_SETFCAP",      "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
            "CAP_KILL"};
}

std::vector<std::string> granted_capabilities(const std::vector<std::string>& add,
                                              const std::vector<std::string>& drop,
                                              const std::vector<std::string>& all) {
    std::vector<std::string> granted;
    if (contains(add, kAll))
        granted = all;
    else if (!contains(drop, kAll))
        granted = default_capabilities();
    std::erase_if(granted, [&](const std::string& name) { return contains(drop, name); });
    for (const std::string& name : add)
        if (name != kAll && !contains(granted, name)) granted.push_back(name);
    return granted;
}

std::vector<std::string> masked_paths() {
    return {"/proc/acpi",          "/proc/asound",
            "/proc/kcore",         "/proc/keys",
            "/proc/latency_stats", "/proc/timer_list",
            "/proc/timer_stats",   "/proc/sched_debug",
            "/proc/scsi",          "/proc/interrupts",
            "/sys/firmware",       "/sys/devices/virtual/powercap",
            "/sys/fs/selinux",     "/sys/devices/system/cpu/cpu*/thermal_throttle"};
}

std::vector<std::string> readonly_paths() {
    return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
}

std::vector<runtime::SpecMount> default_mounts() {
    return {
        {.destination = "/proc", .type = "proc", .source = "proc", .options = {"nosuid", "noexec", "nodev"}},
        {.destination = "/dev",
         .type = "tmpfs",
         .source = "tmpfs",
         .options = {"nosuid", "strictatime", "mode=755", "size=64m"}},
        {.destination = "/dev/pts",
         .type = "devpts",
         .source = "devpts",
         .options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
        {.destination = "/dev/shm",
         .type = "tmpfs",
         .source = "shm",
         .options = {"nosuid", "noexec", "nodev", "mode=1777", "size=64m"}},
        {.destination = "/dev/mqueue",
         .type = "mqueue",
         .source = "mqueue",
         .options = {"nosuid", "noexec", "nodev"}},
        {.destination = "/sys",
         .type = "sysfs",
         .source = "sysfs",
         .options = {"nosuid", "noexec", "nodev", "ro"}},
        // What the cgroup backend shows there takes its place.
        {.destination = "/sys/fs/cgroup",
         .type = "cgroup",
         .source = "cgroup",
         .options = {"nosuid", "noexec", "nodev", "relatime", "ro"}},
    };
}

std::vector<runtime::SpecMount> scratch_mounts() {
    std::vector<runtime::SpecMount> mounts;
    for (const char* path : {"/run", "/tmp", "/var/tmp"})
        mounts.push_back({path, "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777"}});
    return mounts;
}

std::vector<DeviceRule> default_device_rules() {
    constexpr const char* kEveryAccess = "rwm";
    const auto character = [](std::int64_t major, std::int64_t minor) {
        return DeviceRule{.allow = true, .type = 'c', .major = major, .minor = minor, .access = kEveryAccess};
    };
    return {
        {.allow = false, .type = 'a', .major = -1, .minor = -1, .access = kEveryAccess},
        character(1, 3),    // null
        character(1, 5),    // zero
        character(1, 7),    // full
        character(1, 8),    // random
        character(1, 9),    // urandom
        character(5, 0),    // tty
        character(5, 2),    // ptmx
        character(136, -1), // pts/*
    };
}

std::vector<runtime::RlimitSpec> default_rlimits() {
    return {
        {.type = "RLIMIT_NOFILE", .soft = 1024, .hard = 524288, .required = false},
        {.type = "RLIMIT_CORE", .soft = 0, .hard = 0, .required = false},
    };
}

std::map<std::string, std::string> network_sysctls() {
    return {{"net.ipv4.ping_group_range", "0 2147483647"}};
}

} // namespace mydocker::engine
