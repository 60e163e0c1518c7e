// Resource flags: docker's names and units.
#include "cli/resource_flags.hpp"
#include "base/notation.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

constexpr std::int64_t kMinMemory = 512 * 1024;
constexpr std::int64_t kCpuPeriod = 100'000;

Result<std::int64_t> parse_bytes(std::string_view flag, const std::string& text) {
    auto size = notation::parse_size(text);
    if (!size) return fail(Code::invalid, fmt::format("{}: '{}' is no size; write 512m or 2g", flag, text));
    if (*size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return fail(Code::invalid, fmt::format("{}: {} is above what the kernel can count", flag, text));
    return static_cast<std::int64_t>(*size);
}

Result<std::int64_t> parse_memory_size(std::string_view flag, const std::string& text) {
    auto bytes = parse_bytes(flag, text);
    if (!bytes) return bytes;
    if (*bytes < kMinMemory)
        return fail(Code::invalid, fmt::format("{}: {} is below the minimum 512k", flag, text));
    if (*bytes > machine_memory())
        return fail(Code::invalid,
                    fmt::format("{}: {} is above the machine's {} MiB", flag, text, machine_memory() >> 20U));
    return bytes;
}

// "PATH:RATE"; the rate in bytes a second (as a size) or operations a second.
Result<DeviceRate> parse_rate(std::string_view flag, const std::string& text, bool is_size) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0)
        return fail(Code::invalid, fmt::format("{}: '{}' is no device limit; write /dev/sda:1m", flag, text));
    const std::string path = text.substr(0, colon);
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, fmt::format("{}: '{}'", flag, path));
    if (!S_ISBLK(status.st_mode))
        return fail(Code::invalid, fmt::format("{}: '{}' is no block device", flag, path));
    DeviceRate rate{gnu_dev_major(status.st_rdev), gnu_dev_minor(status.st_rdev), 0};
    auto amount =
        is_size ? parse_bytes(flag, text.substr(colon + 1))
                : parse_number(flag, text.substr(colon + 1), 1, std::numeric_limits<std::int64_t>::max());
    if (!amount) return fail(amount);
    if (*amount < 1)
        return fail(Code::invalid, fmt::format("{}: the rate of '{}' must be at least 1", flag, path));
    rate.rate = static_cast<std::uint64_t>(*amount);
    return rate;
}

Status parse_rates(std::string_view flag, const std::vector<std::string>& texts, bool is_size,
                   std::vector<DeviceRate>& to) {
    for (const std::string& text : texts) {
        auto rate = parse_rate(flag, text, is_size);
        if (!rate) return fail(rate);
        to.push_back(*rate);
    }
    return {};
}

// Sets an optional from a number flag that was given.
template <class T>
Status number_into(std::string_view flag, const std::string& text, std::int64_t least, std::int64_t most,
                   std::optional<T>& to) {
    if (text.empty()) return {};
    auto number = parse_number(flag, text, least, most);
    if (!number) return fail(number);
    to = static_cast<T>(*number);
    return {};
}

} // namespace

std::int64_t machine_memory() {
    return static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
}

Result<std::int64_t> parse_number(std::string_view flag, std::string_view text, std::int64_t least,
                                  std::int64_t most) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (whole && value >= least && value <= most) return value;
    if (!whole && error != std::errc::result_out_of_range)
        return fail(Code::invalid, fmt::format("{}: '{}' is no whole number", flag, text));
    if (most == std::numeric_limits<std::int64_t>::max())
        return fail(Code::invalid, fmt::format("{} must be at least {}, not {}", flag, least, text));
    return fail(Code::invalid, fmt::format("{} must be {}…{}, not {}", flag, least, most, text));
}

void ResourceFlags::declare(FlagSet& app, Purpose purpose) {
    app.add_option("-m,--memory", memory_, "memory limit, as 512m or 2g")->not_empty();
    app.add_option("--memory-swap", memory_swap_, "limit of memory and swap together; -1: no limit on swap")
        ->not_empty();
    app.add_option("--memory-reservation", memory_reservation_, "memory kept when the host runs short")
        ->not_empty();
    app.add_option("-c,--cpu-shares", cpu_shares_,
                   "weight among containers, 2…262144 (1024 is usual); also -cpushare")
        ->not_empty();
    app.add_option("--cpus", cpus_, "processors' worth of time, as 1.5")->not_empty();
    app.add_option("--cpu-quota", cpu_quota_, "microseconds of processor time per period")->not_empty();
    app.add_option("--cpu-period", cpu_period_, "length of the period, 1000…1000000 microseconds")
        ->not_empty();
    app.add_option("--cpuset-cpus", cpuset_cpus_, "processors to use, as 0-2,7; also -cpuset")->not_empty();
    app.add_option("--cpuset-mems", cpuset_mems_, "memory nodes to use")->not_empty();
    app.add_option("--pids-limit", pids_limit_, "processes at most (2048); -1: no limit")->not_empty();
    app.add_option("--blkio-weight", io_weight_, "weight of block I/O, 10…1000")->not_empty();
    if (purpose == Purpose::change) return;
    app.add_option("--device-read-bps", read_bps_, "limit of reading, as /dev/sda:1m");
    app.add_option("--device-write-bps", write_bps_, "limit of writing");
    app.add_option("--device-read-iops", read_iops_, "limit of read operations a second");
    app.add_option("--device-write-iops", write_iops_, "limit of write operations a second");
}

bool ResourceFlags::is_any_given() const {
    const std::array<const std::string*, 11> all{
        &memory_,     &memory_swap_, &memory_reservation_, &cpu_shares_, &cpus_,     &cpu_quota_,
        &cpu_period_, &cpuset_cpus_, &cpuset_mems_,        &pids_limit_, &io_weight_};
    return !std::ranges::all_of(all, [](const std::string* text) { return text->empty(); });
}

Status ResourceFlags::parse_memory(Resources& to, Purpose purpose) const {
    if (!memory_.empty()) {
        auto bytes = parse_memory_size("memory", memory_);
        if (!bytes) return fail(bytes);
        to.memory = *bytes;
    }
    if (!memory_reservation_.empty()) {
        auto bytes = parse_memory_size("memory-reservation", memory_reservation_);
        if (!bytes) return fail(bytes);
        if (to.memory && *bytes > *to.memory)
            return fail(Code::invalid, "memory-reservation must not be above the memory limit");
        to.memory_reservation = *bytes;
    }
    if (memory_swap_.empty()) return {};
    if (!to.memory && purpose == Purpose::creation)
        return fail(Code::invalid, "memory-swap needs --memory with it");
    if (memory_swap_ == "-1") {
        to.memory_swap = kUnlimited;
        return {};
    }
    auto bytes = parse_bytes("memory-swap", memory_swap_);
    if (!bytes) return fail(bytes);
    if (to.memory && *bytes < *to.memory)
        return fail(Code::invalid,
                    "memory-swap counts memory and swap together: it must not be below the memory limit");
    to.memory_swap = *bytes;
    return {};
}

Status ResourceFlags::parse_cpu(Resources& to) const {
    if (auto set = number_into("cpu shares", cpu_shares_, 2, 262144, to.cpu_shares); !set) return set;
    if (auto timed = parse_cpu_time(to); !timed) return timed;
    if (!cpuset_cpus_.empty()) to.cpuset_cpus = cpuset_cpus_;
    if (!cpuset_mems_.empty()) to.cpuset_mems = cpuset_mems_;
    return {};
}

Status ResourceFlags::parse_cpu_time(Resources& to) const {
    if (auto set = number_into("cpu-period", cpu_period_, 1000, 1'000'000, to.cpu_period_usec); !set)
        return set;
    if (cpu_quota_ == "-1") {
        to.cpu_quota_usec = kUnlimited;
    } else if (auto set = number_into("cpu-quota", cpu_quota_, 1000,
                                      std::numeric_limits<std::int64_t>::max() / 1000, to.cpu_quota_usec);
               !set) {
        return set;
    }
    if (cpus_.empty()) return {};
    if (!cpu_quota_.empty() || !cpu_period_.empty())
        return fail(Code::invalid,
                    "cpus is a quota and a period in one: give it or --cpu-quota and --cpu-period");
    double cpus = 0;
    const auto [end, error] = std::from_chars(cpus_.data(), cpus_.data() + cpus_.size(), cpus);
    const auto online = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
    if (error != std::errc() || end != cpus_.data() + cpus_.size() || !std::isfinite(cpus))
        return fail(Code::invalid, fmt::format("cpus: '{}' is no number; write 0.5 or 2", cpus_));
    if (cpus < 0.01 || cpus > online)
        return fail(Code::invalid, fmt::format("cpus must be 0.01…{}, which is what this machine has, not {}",
                                               online, cpus_));
    to.cpu_period_usec = static_cast<std::uint64_t>(kCpuPeriod);
    to.cpu_quota_usec = std::llround(cpus * static_cast<double>(kCpuPeriod));
    return {};
}

Status ResourceFlags::parse_io(Resources& to) const {
    if (auto set = number_into("blkio-weight", io_weight_, 10, 1000, to.io_weight); !set) return set;
    if (auto set = parse_rates("device-read-bps", read_bps_, true, to.io_read_bps); !set) return set;
    if (auto set = parse_rates("device-write-bps", write_bps_, true, to.io_write_bps); !set) return set;
    if (auto set = parse_rates("device-read-iops", read_iops_, false, to.io_read_iops); !set) return set;
    return parse_rates("device-write-iops", write_iops_, false, to.io_write_iops);
}

Result<Resources> ResourceFlags::parse(Purpose purpose) const {
    Resources resources;
    if (auto done = parse_memory(resources, purpose); !done) return fail(done);
    if (auto done = parse_cpu(resources); !done) return fail(done);
    if (auto done = parse_io(resources); !done) return fail(done);
    if (pids_limit_ == "-1" || pids_limit_ == "0") {
        resources.pids = kUnlimited; // docker's and podman's way of saying no limit.
    } else if (auto set = number_into("pids-limit", pids_limit_, 1, 4194304, resources.pids); !set) {
        return fail(set);
    }
    return resources;
}

} // namespace mydocker::cli
