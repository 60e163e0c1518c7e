// Reading config.json: limits. Source: OCI runtime-spec, config-linux.md, "Control groups".
#include "runtime/spec_parts.hpp"

#include <algorithm>

namespace mydocker::runtime {
namespace {

constexpr std::uint16_t kLeastWeight = 10;
constexpr std::uint16_t kMostWeight = 1000;

// Bytes, microseconds, processes; -1: no limit.
std::optional<std::int64_t> read_limit(const Member& member) {
    return member.optional_number<std::int64_t>(kUnlimited);
}

std::optional<std::string> read_optional_text(const Member& member) {
    if (!member.present()) return std::nullopt;
    return member.text();
}

void read_memory(const Member& memory, Resources& resources) {
    for (const char* key : {"kernel", "kernelTCP", "swappiness", "disableOOMKiller"})
        memory.at(key).refuse_if_asked();
    resources.memory = read_limit(memory.at("limit"));
    resources.memory_swap = read_limit(memory.at("swap"));
    resources.memory_reservation = read_limit(memory.at("reservation"));
}

void read_cpu(const Member& cpu, Resources& resources) {
    for (const char* key : {"realtimeRuntime", "realtimePeriod", "burst", "idle"})
        cpu.at(key).refuse_if_asked();
    resources.cpu_shares = cpu.at("shares").optional_number<std::uint64_t>();
    resources.cpu_quota_usec = read_limit(cpu.at("quota"));
    resources.cpu_period_usec = cpu.at("period").optional_number<std::uint64_t>();
    resources.cpuset_cpus = read_optional_text(cpu.at("cpus"));
    resources.cpuset_mems = read_optional_text(cpu.at("mems"));
}

std::vector<DeviceRate> read_rates(const Member& list) {
    std::vector<DeviceRate> rates;
    for (const Member& member : list.elements())
        rates.push_back({.major = member.at("major").required().number<std::uint64_t>(0, kLastMajor),
                         .minor = member.at("minor").required().number<std::uint64_t>(0, kLastMinor),
                         .rate = member.at("rate").required().number<std::uint64_t>()});
    return rates;
}

void read_block_io(const Member& block_io, Resources& resources) {
    for (const char* key : {"leafWeight", "weightDevice"})
        block_io.at(key).refuse_if_asked();
    resources.io_weight = block_io.at("weight").optional_number<std::uint16_t>(kLeastWeight, kMostWeight);
    resources.io_read_bps = read_rates(block_io.at("throttleReadBpsDevice"));
    resources.io_write_bps = read_rates(block_io.at("throttleWriteBpsDevice"));
    resources.io_read_iops = read_rates(block_io.at("throttleReadIOPSDevice"));
    resources.io_write_iops = read_rates(block_io.at("throttleWriteIOPSDevice"));
}

std::string read_access(const Member& member, bool allow) {
    constexpr std::string_view kAll = "rwm";
    // What is denied without saying what, is denied altogether; what is allowed has to be said.
    if (!member.present() && !allow) return std::string(kAll);
    std::string access = member.required().text();
    if (member.present() && (access.empty() || access.find_first_not_of(kAll) != std::string::npos))
        member.complain("is '" + access + "'; it is made of r, w and m");
    return access;
}

DeviceRule read_rule(const Member& member) {
    DeviceRule rule;
    (void)member.at("allow").required();
    rule.allow = member.at("allow").flag();
    const Member type = member.at("type");
    const std::string word = type.text();
    const bool known = word == "a" || word == "b" || word == "c";
    if (!word.empty() && !known) type.complain("'" + word + "' is none of a, b, c");
    if (known) rule.type = word.front();
    rule.major = member.at("major").number<std::int64_t>(-1, kLastMajor);
    rule.minor = member.at("minor").number<std::int64_t>(-1, kLastMinor);
    rule.access = read_access(member.at("access"), rule.allow);
    return rule;
}

void read_devices(const Member& list, Resources& resources) {
    if (!list.present()) return;
    resources.devices.emplace();
    for (const Member& member : list.elements())
        resources.devices->push_back(read_rule(member));
}

} // namespace

Resources read_resources(const Member& member) {
    Resources resources;
    for (const char* key : {"network", "rdma", "unified"})
        member.at(key).refuse_if_asked();
    read_devices(member.at("devices"), resources);
    read_memory(member.at("memory"), resources);
    read_cpu(member.at("cpu"), resources);
    resources.pids = read_limit(member.at("pids").at("limit"));
    read_block_io(member.at("blockIO"), resources);
    for (const Member& limit : member.at("hugepageLimits").elements())
        resources.hugepages.push_back({.page_size = limit.at("pageSize").required().text(),
                                       .bytes = limit.at("limit").required().number<std::uint64_t>()});
    return resources;
}

} // namespace mydocker::runtime
