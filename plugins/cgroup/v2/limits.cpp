#include "limits.hpp"

#include "device_filter.hpp"

#include <algorithm>

namespace mydocker::cgroup_v2 {
namespace {

using cgroup::Limit;
using cgroup::Step;

constexpr Limit kMemory{"memory limit", "memory.max"};
constexpr Limit kSwap{"memory+swap limit", "memory.swap.max", "boot with swapaccount=1"};
constexpr Limit kReservation{"memory reservation", "memory.low"};
constexpr Limit kWeight{"cpu shares", "cpu.weight"};
constexpr Limit kBandwidth{"cpu quota", "cpu.max"};
constexpr Limit kPids{"pids limit", "pids.max"};

[[nodiscard]] cgroup::Notation pages() {
    return {.granularity = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

// What of the sum is left for swap, given the memory limit that is asked for or, without, in force.
[[nodiscard]] Result<std::int64_t> swap_of(const Place& place, const Resources& r) {
    if (*r.memory_swap == kUnlimited) return kUnlimited;
    std::optional<std::uint64_t> memory;
    if (r.memory) {
        memory = static_cast<std::uint64_t>(*r.memory);
    } else {
        const auto text = cgroup::read_control(place, kMemory.file);
        if (!text) return fail(text);
        memory = cgroup::limit_value(*text);
    }
    const auto sum = static_cast<std::uint64_t>(*r.memory_swap);
    if (!memory) return fail(Code::invalid, "memory+swap limit: it needs a memory limit");
    if (sum < *memory)
        return fail(Code::invalid, "memory+swap limit " + std::to_string(sum) +
                                       " is below the memory limit " + std::to_string(*memory) +
                                       "; it is the sum of memory and swap");
    return static_cast<std::int64_t>(sum - *memory);
}

[[nodiscard]] Status set_swap(const Place& place, const Resources& r) {
    const auto swap = swap_of(place, r);
    if (!swap) return fail(swap);
    return cgroup::set_number(place, kSwap, *swap, pages());
}

[[nodiscard]] Status set_memory(const Place& place, const Resources& r) {
    // Swap first: until then what the memory limit pushes out would go there.
    if (r.memory_swap)
        if (auto set = set_swap(place, r); !set) return set;
    if (r.memory)
        if (auto set = cgroup::set_number(place, kMemory, *r.memory, pages()); !set) return set;
    if (!r.memory_reservation) return {};
    // No reservation is "0" here, where v1 has "no soft limit".
    auto reserved =
        cgroup::set_number(place, kReservation, std::max<std::int64_t>(*r.memory_reservation, 0), pages());
    if (!reserved && *r.memory_reservation == kUnlimited && reserved.error().code == Code::unsupported)
        return {};
    return reserved;
}

[[nodiscard]] Status set_bandwidth(const Place& place, const Resources& r) {
    const auto now = cgroup::read_control(place, kBandwidth.file);
    if (!now && now.error().code != Code::not_found) return fail(now);
    const std::string wanted = cpu_max(now.value_or(""), r);
    return cgroup::set_limit(place, kBandwidth, wanted,
                             [&](std::string_view kept) { return kept == wanted; });
}

[[nodiscard]] Status set_cpu(const Place& place, const Resources& r) {
    if (r.cpu_shares) {
        const auto weight = static_cast<std::int64_t>(cgroup::weight_from_shares(*r.cpu_shares));
        if (auto set = cgroup::set_number(place, kWeight, weight); !set) return set;
    }
    if (!r.cpu_quota_usec && !r.cpu_period_usec) return {};
    return set_bandwidth(place, r);
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
        if (auto done = set({"cpuset", "cpuset.cpus"}, *r.cpuset_cpus); !done) return done;
    if (!r.cpuset_mems) return {};
    return set({"cpuset mems", "cpuset.mems"}, *r.cpuset_mems);
}

// bfq has a file and a scale of its own (v1's); everything else takes io.weight. With both there, the
// one in force for a disk is not known here, so both are set.
[[nodiscard]] Status set_io_weight(const Place& place, std::uint16_t weight) {
    bool set = false;
    const auto write = [&](std::string_view file, std::uint64_t value) {
        const auto is_it = [value](std::string_view now) { // "default 100", then lines of devices
            return cgroup::keyed_number(now, "default") == value || cgroup::parse_number(now) == value;
        };
        auto done = cgroup::set_limit(place, {"io weight", file}, std::to_string(value), is_it);
        set = set || done.has_value();
        if (!done && done.error().code == Code::unsupported) return Status{};
        return done;
    };
    if (auto done = write("io.bfq.weight", weight); !done) return done;
    if (auto done = write("io.weight", cgroup::io_weight_from_blkio(weight)); !done) return done;
    if (set) return {};
    return fail(Code::unsupported, "io weight asked, but this kernel has neither 'io.weight' nor "
                                   "'io.bfq.weight' (load the bfq I/O scheduler)");
}

[[nodiscard]] Status set_rates(const Place& place, std::string_view key,
                               const std::vector<DeviceRate>& rates) {
    for (const DeviceRate& rate : rates) {
        const std::string device = std::to_string(rate.major) + ":" + std::to_string(rate.minor);
        const auto is_it = [&](std::string_view now) {
            for (const std::string_view line : cgroup::lines_of(now))
                if (line.starts_with(device + " ")) {
                    const auto kept = cgroup::named_number(line, key);
                    return rate.rate == 0 ? !kept : kept == rate.rate;
                }
            return rate.rate == 0; // Without any limit the device has no line.
        };
        auto set = cgroup::set_limit(place, {"io rate", "io.max"}, io_max(rate, key), is_it);
        if (!set && set.error().sys_errno == ENODEV) return fail(set, "there is no block device " + device);
        if (!set) return set;
    }
    return {};
}

[[nodiscard]] Status set_io(const Place& place, const Resources& r) {
    if (r.io_weight)
        if (auto set = set_io_weight(place, *r.io_weight); !set) return set;
    if (auto set = set_rates(place, "rbps", r.io_read_bps); !set) return set;
    if (auto set = set_rates(place, "wbps", r.io_write_bps); !set) return set;
    if (auto set = set_rates(place, "riops", r.io_read_iops); !set) return set;
    return set_rates(place, "wiops", r.io_write_iops);
}

[[nodiscard]] Status set_hugepages(const Place& place, const Resources& r) {
    for (const HugepageLimit& limit : r.hugepages) {
        const std::string file = "hugetlb." + limit.page_size + ".max";
        const auto wanted = static_cast<std::int64_t>(limit.bytes);
        if (auto set = cgroup::set_number(place, {"hugepage limit", file}, wanted); !set) return set;
    }
    return {};
}

[[nodiscard]] Status set_devices(const Place& place, const Resources& r) {
    const UniqueFd directory(::openat(place.root, place.name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return fail_errno(errno, "open cgroup " + place.quoted());
    if (auto set = set_filter(directory.get(), *r.devices); !set)
        return fail(set, "set device rules of " + place.quoted());
    return {};
}

} // namespace

std::string cpu_max(std::string_view now, const Resources& r) {
    const auto words = cgroup::words_of(now); // "max 100000"
    std::string quota(words.empty() ? "max" : words[0]);
    std::string period(words.size() < 2 ? "100000" : words[1]);
    if (r.cpu_quota_usec) quota = *r.cpu_quota_usec == kUnlimited ? "max" : std::to_string(*r.cpu_quota_usec);
    if (r.cpu_period_usec) period = std::to_string(*r.cpu_period_usec);
    return quota + " " + period;
}

std::string io_max(const DeviceRate& rate, std::string_view key) {
    return std::to_string(rate.major) + ":" + std::to_string(rate.minor) + " " + std::string(key) + "=" +
           (rate.rate == 0 ? "max" : std::to_string(rate.rate));
}

Status check_limits(const Hierarchy& hierarchy, const Resources& resources) {
    if (auto fit = hierarchy.check_controllers(resources); !fit) return fit;
    const Place root = hierarchy.place("");
    const auto check = [&](const std::optional<std::string>& list, std::string_view file,
                           std::string_view what) -> Status {
        if (!list) return {};
        const auto available = cgroup::read_control(root, file);
        if (!available) return fail(available);
        return cgroup::check_available(*list, *available, what);
    };
    if (auto fit = check(resources.cpuset_cpus, "cpuset.cpus.effective", "CPU"); !fit) return fit;
    return check(resources.cpuset_mems, "cpuset.mems.effective", "memory node");
}

Status set_limits(const Hierarchy& hierarchy, const std::string& name, const Resources& r) {
    const Place place = hierarchy.place(name);
    std::vector<Step> steps;
    // Limits that ask for nothing (unlimited) are passed over where their controller lacks: check_limits
    // has refused all others.
    const auto add = [&](bool present, std::string_view controller, std::string_view limit,
                         Status (*set)(const Place&, const Resources&)) {
        if (!present || (controller != "devices" && !hierarchy.has(controller))) return;
        steps.push_back({limit, [=, &place, &r] { return set(place, r); }});
    };
    add(r.devices.has_value(), "devices", "device rules", set_devices);
    add(r.memory || r.memory_swap || r.memory_reservation, "memory", "memory", set_memory);
    add(r.cpu_shares || r.cpu_quota_usec || r.cpu_period_usec, "cpu", "cpu", set_cpu);
    add(r.cpuset_cpus || r.cpuset_mems, "cpuset", "cpuset", set_cpuset);
    add(r.pids.has_value(), "pids", "pids",
        [](const Place& at, const Resources& all) { return cgroup::set_number(at, kPids, *all.pids); });
    add(r.io_weight || !r.io_read_bps.empty() || !r.io_write_bps.empty() || !r.io_read_iops.empty() ||
            !r.io_write_iops.empty(),
        "io", "io", set_io);
    add(!r.hugepages.empty(), "hugetlb", "hugepages", set_hugepages);
    return cgroup::run_steps(steps);
}

} // namespace mydocker::cgroup_v2
