#include "limits.hpp"

#include <algorithm>
#include <ranges>

namespace mydocker::cgroup {
namespace {

constexpr std::int64_t kMinMemory = 524'288; // 512k: less does not even start a shell
constexpr std::int64_t kMinQuotaUsec = 1000;
constexpr std::uint64_t kMinPeriodUsec = 1000;
constexpr std::uint64_t kMaxPeriodUsec = 1'000'000;
constexpr std::int64_t kMaxPids = 4'194'304;             // PID_MAX_LIMIT
constexpr std::int64_t kMaxDeviceNumber = (1 << 20) - 1; // a minor number has 20 bits, a major one 12

[[nodiscard]] std::unexpected<Error> invalid(std::string text) {
    return fail(Code::invalid, std::move(text));
}

[[nodiscard]] Status check_memory(const Resources& r) {
    if (r.memory && *r.memory != kUnlimited && *r.memory < kMinMemory)
        return invalid("memory: " + std::to_string(*r.memory) + " is below the minimum 512k");
    if (r.memory_reservation && *r.memory_reservation < kUnlimited)
        return invalid("memory reservation must be 0 or more, or -1 for none, not " +
                       std::to_string(*r.memory_reservation));
    const bool limited = r.memory && *r.memory != kUnlimited;
    if (limited && r.memory_reservation && *r.memory_reservation > *r.memory)
        return invalid("memory reservation " + std::to_string(*r.memory_reservation) +
                       " is above the memory limit " + std::to_string(*r.memory));
    if (!r.memory_swap || *r.memory_swap == kUnlimited) return {};
    if (r.memory && !limited) return invalid("memory+swap limit: it needs a memory limit");
    if (*r.memory_swap < kMinMemory)
        return invalid("memory+swap: " + std::to_string(*r.memory_swap) + " is below the minimum 512k");
    if (limited && *r.memory_swap < *r.memory)
        return invalid("memory+swap limit " + std::to_string(*r.memory_swap) + " is below the memory limit " +
                       std::to_string(*r.memory) + "; it is the sum of memory and swap");
    return {};
}

[[nodiscard]] Status check_cpu(const Resources& r) {
    if (r.cpu_shares && (*r.cpu_shares < kMinShares || *r.cpu_shares > kMaxShares))
        return invalid("cpu shares must be 2…262144, not " + std::to_string(*r.cpu_shares));
    if (r.cpu_period_usec && (*r.cpu_period_usec < kMinPeriodUsec || *r.cpu_period_usec > kMaxPeriodUsec))
        return invalid("cpu period must be 1000…1000000 microseconds, not " +
                       std::to_string(*r.cpu_period_usec));
    if (r.cpu_quota_usec && *r.cpu_quota_usec != kUnlimited && *r.cpu_quota_usec < kMinQuotaUsec)
        return invalid("cpu quota must be 1000 microseconds or more, or -1 for none, not " +
                       std::to_string(*r.cpu_quota_usec));
    if (r.cpuset_cpus)
        if (auto cpus = parse_ranges(*r.cpuset_cpus, "CPUs"); !cpus) return fail(cpus, "cpuset");
    if (r.cpuset_mems)
        if (auto mems = parse_ranges(*r.cpuset_mems, "memory nodes"); !mems) return fail(mems, "cpuset mems");
    return {};
}

[[nodiscard]] Status check_device_rule(const DeviceRule& rule) {
    if (rule.type != 'a' && rule.type != 'b' && rule.type != 'c')
        return invalid("device rule: the type must be a, b or c");
    if (rule.access.empty() || rule.access.find_first_not_of("rwm") != std::string::npos)
        return invalid("device rule: the access must be of the letters r, w and m");
    for (const std::int64_t number : {rule.major, rule.minor})
        if (number < -1 || number > kMaxDeviceNumber)
            return invalid("device rule: " + std::to_string(number) + " is no device number");
    return {};
}

[[nodiscard]] Status check_devices(const Resources& r) {
    if (r.io_weight && (*r.io_weight < kMinBlkioWeight || *r.io_weight > kMaxBlkioWeight))
        return invalid("io weight must be 10…1000, not " + std::to_string(*r.io_weight));
    if (r.devices)
        for (const DeviceRule& rule : *r.devices)
            if (auto fit = check_device_rule(rule); !fit) return fit;
    for (const HugepageLimit& limit : r.hugepages) {
        // Also keeps the size, which becomes part of a file name, to digits and two letters.
        const auto bytes = page_size_bytes(limit.page_size);
        if (!bytes) return invalid("hugepages: '" + limit.page_size + "' is no page size; write 2MB or 1GB");
        if (limit.bytes % *bytes != 0)
            return invalid("hugepages: " + std::to_string(limit.bytes) + " is no multiple of " +
                           limit.page_size);
    }
    return {};
}

[[nodiscard]] bool is_set(const std::optional<std::int64_t>& limit) {
    return limit && *limit != kUnlimited;
}

[[nodiscard]] bool is_full(const DeviceRule& rule) {
    const auto has = [&](char c) { return rule.access.find(c) != std::string::npos; };
    return rule.type == 'a' && rule.major < 0 && rule.minor < 0 && has('r') && has('w') && has('m');
}

} // namespace

Status validate(const Resources& resources) {
    if (auto fit = check_memory(resources); !fit) return fit;
    if (auto fit = check_cpu(resources); !fit) return fit;
    if (resources.pids && *resources.pids != kUnlimited &&
        (*resources.pids < 1 || *resources.pids > kMaxPids))
        return invalid("pids limit must be 1…4194304, or -1 for none, not " +
                       std::to_string(*resources.pids));
    return check_devices(resources);
}

std::vector<Asked> asked_limits(const Resources& r) {
    std::vector<Asked> asked;
    if (is_set(r.memory)) asked.push_back({"memory", "memory limit"});
    if (is_set(r.memory_swap)) asked.push_back({"memory", "memory+swap limit"});
    if (is_set(r.memory_reservation)) asked.push_back({"memory", "memory reservation"});
    if (r.cpu_shares) asked.push_back({"cpu", "cpu shares"});
    if (is_set(r.cpu_quota_usec)) asked.push_back({"cpu", "cpu quota"});
    if (r.cpu_period_usec) asked.push_back({"cpu", "cpu period"});
    if (r.cpuset_cpus) asked.push_back({"cpuset", "cpuset"});
    if (r.cpuset_mems) asked.push_back({"cpuset", "cpuset mems"});
    if (is_set(r.pids)) asked.push_back({"pids", "pids limit"});
    if (r.io_weight) asked.push_back({"io", "io weight"});
    if (!r.io_read_bps.empty() || !r.io_write_bps.empty() || !r.io_read_iops.empty() ||
        !r.io_write_iops.empty())
        asked.push_back({"io", "io rate"});
    if (!r.hugepages.empty()) asked.push_back({"hugetlb", "hugepage limit"});
    if (r.devices && !allows_everything(*r.devices)) asked.push_back({"devices", "device rules"});
    return asked;
}

bool allows_everything(const std::vector<DeviceRule>& rules) {
    for (const DeviceRule& rule : std::views::reverse(rules)) {
        if (!rule.allow) return false;
        if (is_full(rule)) return true;
    }
    return false;
}

Binding binding_of(std::string_view controller, std::string_view proc_cgroups) {
    const std::string_view name = controller == "io" ? "blkio" : controller;
    for (const std::string_view line : lines_of(proc_cgroups)) {
        const auto words = words_of(line); // name, hierarchy, number of cgroups, enabled
        if (words.size() < 4 || words[0] != name) continue;
        if (words[3] == "0") return Binding::disabled;
        return words[1] == "0" ? Binding::free : Binding::v1;
    }
    return Binding::absent;
}

std::string without_controller(const Asked& asked, Binding binding, std::string_view elsewhere) {
    const std::string limit(asked.limit);
    const std::string controller(asked.controller == "io" ? "io (blkio)" : asked.controller);
    switch (binding) {
    case Binding::absent:
        return limit + " asked, but this kernel has no " + controller + " controller";
    case Binding::disabled:
        return limit + " asked, but this kernel has its " + controller +
               " controller switched off (boot with cgroup_enable=" +
               (asked.controller == "io" ? "blkio" : std::string(asked.controller)) + ")";
    case Binding::v1:
    case Binding::free:
        break;
    }
    return limit + " asked, but the " + controller + " controller " + std::string(elsewhere);
}

Status check_available(std::string_view list, std::string_view available, std::string_view what) {
    const std::string unit(what);
    const std::string clause = what == "CPU" ? "cpuset" : "cpuset mems";
    auto wanted = parse_ranges(list, unit + "s");
    if (!wanted) return fail(wanted, clause);
    auto have = parse_ranges(available, unit + "s");
    if (!have) return fail(have, clause);
    const auto missing = first_outside(*wanted, *have);
    if (!missing) return {};
    const bool single = have->size() == 1 && have->front().first == have->front().last;
    return invalid(clause + ": " + unit + " " + std::to_string(*missing) + " does not exist (" +
                   to_string(*have) + (single ? " does)" : " do)"));
}

Status run_steps(const std::vector<Step>& steps) {
    std::string before;
    for (const Step& step : steps) {
        auto done = step.set();
        if (!done) {
            if (!before.empty()) done.error().text += " (set before it: " + before + ")";
            return done;
        }
        before += (before.empty() ? "" : ", ") + std::string(step.limit);
    }
    return {};
}

} // namespace mydocker::cgroup
