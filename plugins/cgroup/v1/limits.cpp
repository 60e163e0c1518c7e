#include "limits.hpp"

#include "devices.hpp"

#include <array>

namespace mydocker::cgroup_v1 {
namespace {

using cgroup::Limit;
using cgroup::Step;

constexpr Limit kMemory{"memory limit", "memory.limit_in_bytes"};
constexpr Limit kMemorySwap{"memory+swap limit", kMemorySwapFile, "boot with swapaccount=1"};
constexpr Limit kReservation{"memory reservation", "memory.soft_limit_in_bytes"};
constexpr Limit kShares{"cpu shares", "cpu.shares"};
constexpr Limit kPeriod{"cpu period", "cpu.cfs_period_us"};
constexpr Limit kQuota{"cpu quota", "cpu.cfs_quota_us"};
constexpr Limit kPids{"pids limit", "pids.max"};

constexpr std::array<std::string_view, 2> kCpusetFiles = {"cpuset.cpus", "cpuset.mems"};

[[nodiscard]] cgroup::Notation bytes() {
    return {.unlimited = "-1", .granularity = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

// The value of the file; where there is none yet, that of the level above, written to it.
[[nodiscard]] Result<std::string> inherited(const Place& place, std::string_view file) {
    auto value = cgroup::read_control(place, file);
    if (!value || !value->empty() || place.name.empty()) return value;
    auto above = inherited(place.parent(), file);
    if (!above) return above;
    if (auto written = cgroup::write_control(place, file, *above); !written) return fail(written);
    return above;
}

[[nodiscard]] bool is_einval(const Status& status) {
    return !status && status.error().sys_errno == EINVAL;
}

// The kernel holds to memory <= memory+swap after every single write. So the first is written first,
// which is right for a new cgroup and for lowering; where it is above the present sum, the sum is
// raised before it.
[[nodiscard]] Status set_memory_and_swap(const Place& place, const Resources& r) {
    if (!r.memory) return cgroup::set_number(place, kMemorySwap, *r.memory_swap, bytes());
    auto memory = cgroup::set_number(place, kMemory, *r.memory, bytes());
    if (is_einval(memory) && r.memory_swap) {
        if (auto sum = cgroup::set_number(place, kMemorySwap, *r.memory_swap, bytes()); !sum) return sum;
        return cgroup::set_number(place, kMemory, *r.memory, bytes());
    }
    if (is_einval(memory))
        return fail(memory, "the memory limit is above the memory+swap limit that is set; give both");
    if (!memory && memory.error().sys_errno == EBUSY)
        return fail(memory, "more memory is in use than the new limit, and cannot be reclaimed");
    if (!memory || !r.memory_swap) return memory;
    return cgroup::set_number(place, kMemorySwap, *r.memory_swap, bytes());
}

[[nodiscard]] Status set_memory(const Place& place, const Resources& r) {
    if (r.memory || r.memory_swap)
        if (auto set = set_memory_and_swap(place, r); !set) return set;
    if (!r.memory_reservation) return {};
    return cgroup::set_number(place, kReservation, *r.memory_reservation, bytes());
}

[[nodiscard]] Status set_quota_and_period(const Place& place, const Resources& r) {
    const cgroup::Notation notation{.unlimited = "-1"};
    const auto set_period = [&]() -> Status {
        if (!r.cpu_period_usec) return {};
        return cgroup::set_number(place, kPeriod, static_cast<std::int64_t>(*r.cpu_period_usec), notation);
    };
    const auto set_quota = [&]() -> Status {
        if (!r.cpu_quota_usec) return {};
        return cgroup::set_number(place, kQuota, *r.cpu_quota_usec, notation);
    };
    // With both, the one order may pass through a ratio above the parent's where the other does not.
    auto period = set_period();
    if (!is_einval(period) || !r.cpu_quota_usec) return period ? set_quota() : period;
    if (auto quota = set_quota(); !quota) return quota;
    return set_period();
}

[[nodiscard]] Status set_cpu(const Place& place, const Resources& r) {
    if (r.cpu_shares)
        if (auto set = cgroup::set_number(place, kShares, static_cast<std::int64_t>(*r.cpu_shares)); !set)
            return set;
    return set_quota_and_period(place, r);
}

[[nodiscard]] Status set_cpuset(const Place& place, const Resources& r) {
    const auto set = [&](const Limit& limit, const std::string& list) {
        const auto wanted = cgroup::parse_ranges(list, "numbers");
        return cgroup::set_limit(place, limit, list, [&](std::string_view now) {
            const auto kept = cgroup::parse_ranges(now, "numbers");
            return wanted && kept && *wanted == *kept;
        });
    };
    if (r.cpuset_cpus)
        if (auto done = set({"cpuset", kCpusetFiles[0]}, *r.cpuset_cpus); !done) return done;
    if (!r.cpuset_mems) return {};
    return set({"cpuset mems", kCpusetFiles[1]}, *r.cpuset_mems);
}

// Every scheduler that has weights brings a file of its own; on a kernel with two of them, the one in
// force for a disk is not known here, so both get the weight.
[[nodiscard]] Status set_io_weight(const Place& place, std::uint16_t weight) {
    bool set = false;
    for (const std::string_view file : {"blkio.weight", "blkio.bfq.weight"}) {
        auto done = cgroup::set_limit(
            place, {"io weight", file}, std::to_string(weight), [weight](std::string_view now) {
                const auto words = cgroup::words_of(cgroup::lines_of(now).front()); // maybe "default 100"
                return !words.empty() && cgroup::parse_number(words.back()) == weight;
            });
        if (!done && done.error().code != Code::unsupported) return done;
        set = set || done.has_value();
    }
    if (set) return {};
    return fail(Code::unsupported, "io weight asked, but this kernel has neither 'blkio.weight' nor "
                                   "'blkio.bfq.weight' (load the bfq I/O scheduler)");
}

[[nodiscard]] Status set_rates(const Place& place, const Limit& limit, const std::vector<DeviceRate>& rates) {
    for (const DeviceRate& rate : rates) {
        const std::string device = std::to_string(rate.major) + ":" + std::to_string(rate.minor);
        auto set = cgroup::set_limit(place, limit, device + " " + std::to_string(rate.rate),
                                     [&](std::string_view now) {
                                         const auto kept = cgroup::keyed_number(now, device);
                                         return rate.rate == 0 ? !kept : kept == rate.rate;
                                     });
        if (!set && set.error().sys_errno == ENODEV) return fail(set, "there is no block device " + device);
        if (!set) return set;
    }
    return {};
}

[[nodiscard]] Status set_io(const Place& place, const Resources& r) {
    if (r.io_weight)
        if (auto set = set_io_weight(place, *r.io_weight); !set) return set;
    struct Rates {
        Limit limit;
        const std::vector<DeviceRate>& rates;
    };
    for (const auto& [limit, rates] :
         {Rates{{"io read rate", "blkio.throttle.read_bps_device"}, r.io_read_bps},
          Rates{{"io write rate", "blkio.throttle.write_bps_device"}, r.io_write_bps},
          Rates{{"io read operations", "blkio.throttle.read_iops_device"}, r.io_read_iops},
          Rates{{"io write operations", "blkio.throttle.write_iops_device"}, r.io_write_iops}})
        if (auto set = set_rates(place, limit, rates); !set) return set;
    return {};
}

[[nodiscard]] Status set_hugepages(const Place& place, const Resources& r) {
    for (const HugepageLimit& limit : r.hugepages) {
        const std::string file = "hugetlb." + limit.page_size + ".limit_in_bytes";
        const auto wanted = static_cast<std::int64_t>(limit.bytes);
        if (auto set = cgroup::set_number(place, {"hugepage limit", file}, wanted); !set) return set;
    }
    return {};
}

} // namespace

Status inherit_cpuset(const Hierarchies& hierarchies, const std::string& name, const Resources& resources) {
    const Hierarchy* hierarchy = hierarchies.with("cpuset");
    if (hierarchy == nullptr) return {};
    const Place place = hierarchy->place(name);
    for (const std::string_view file : kCpusetFiles) {
        const bool set_later =
            file == kCpusetFiles[0] ? resources.cpuset_cpus.has_value() : resources.cpuset_mems.has_value();
        const auto value = inherited(set_later ? place.parent() : place, file);
        if (!value) return fail(value, "inherit processors and memory nodes");
    }
    return {};
}

Status check_limits(const Hierarchies& hierarchies, const Resources& resources) {
    if (auto fit = hierarchies.check_controllers(resources); !fit) return fit;
    if (resources.devices)
        if (auto policy = device_policy(*resources.devices); !policy) return fail(policy);
    if (!resources.cpuset_cpus && !resources.cpuset_mems) return {};
    const Place root = hierarchies.with("cpuset")->place("");
    const auto check = [&](const std::optional<std::string>& list, std::string_view file,
                           std::string_view what) -> Status {
        if (!list) return {};
        const auto available = cgroup::read_control(root, file);
        if (!available) return fail(available);
        return cgroup::check_available(*list, *available, what);
    };
    if (auto fit = check(resources.cpuset_cpus, kCpusetFiles[0], "CPU"); !fit) return fit;
    return check(resources.cpuset_mems, kCpusetFiles[1], "memory node");
}

Status set_limits(const Hierarchies& hierarchies, const std::string& name, const Resources& r) {
    std::vector<Step> steps;
    // Limits that ask for nothing (unlimited) are passed over where their controller lacks: check_limits
    // has refused all others.
    const auto add = [&](bool present, std::string_view controller, std::string_view limit,
                         Status (*set)(const Place&, const Resources&)) {
        const Hierarchy* hierarchy = present ? hierarchies.with(controller) : nullptr;
        if (hierarchy == nullptr) return;
        steps.push_back({limit, [=, &r] { return set(hierarchy->place(name), r); }});
    };
    add(r.devices.has_value(), "devices", "device rules",
        [](const Place& place, const Resources& all) { return set_devices(place, *all.devices); });
    add(r.memory || r.memory_swap || r.memory_reservation, "memory", "memory", set_memory);
    add(r.cpu_shares || r.cpu_quota_usec || r.cpu_period_usec, "cpu", "cpu", set_cpu);
    add(r.cpuset_cpus || r.cpuset_mems, "cpuset", "cpuset", set_cpuset);
    add(r.pids.has_value(), "pids", "pids",
        [](const Place& place, const Resources& all) { return cgroup::set_number(place, kPids, *all.pids); });
    add(r.io_weight || !r.io_read_bps.empty() || !r.io_write_bps.empty() || !r.io_read_iops.empty() ||
            !r.io_write_iops.empty(),
        "blkio", "io", set_io);
    add(!r.hugepages.empty(), "hugetlb", "hugepages", set_hugepages);
    return cgroup::run_steps(steps);
}

} // namespace mydocker::cgroup_v1
