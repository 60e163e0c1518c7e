#include "engine/limits.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

namespace mydocker::engine {
namespace {

constexpr std::uint64_t kUsualShares = 1024;
constexpr std::uint64_t kUsualPeriod_usec = 100'000;
constexpr std::uint16_t kUsualIoWeight = 500;

bool is_limited(const std::optional<std::int64_t>& limit) {
    return limit && *limit != kUnlimited;
}

// The old value of a field that is set, or else its default.
template <class T>
std::optional<T> former(const std::optional<T>& old, const std::optional<T>& set,
                        const std::optional<T>& usual) {
    if (!set) return std::nullopt;
    return old ? old : usual;
}

template <class T>
void replace(std::optional<T>& old, const std::optional<T>& set) {
    if (set) old = set;
}

} // namespace

Result<Resources> settle_limits(const Resources& old, Resources asked, SwapLimit swap) {
    const auto memory = asked.memory ? asked.memory : old.memory;
    if (asked.memory_swap && *asked.memory_swap != kUnlimited && !is_limited(memory))
        return fail(Code::invalid, "memory-swap needs --memory with it");
    if (asked.memory && !asked.memory_swap) {
        // As at its creation: without a limit on swap, one on memory is none.
        const bool follows = !is_limited(old.memory_swap) || old.memory_swap == old.memory;
        if (!is_limited(asked.memory) && is_limited(old.memory_swap)) asked.memory_swap = kUnlimited;
        if (is_limited(asked.memory) && follows && swap == SwapLimit::possible &&
            !(old.memory_swap && *old.memory_swap == kUnlimited))
            asked.memory_swap = asked.memory;
    }
    const auto both = asked.memory_swap ? asked.memory_swap : old.memory_swap;
    if (is_limited(memory) && is_limited(both) && *both < *memory)
        return fail(Code::invalid,
                    "the memory limit would be above the one of memory and swap together; give "
                    "--memory-swap, too");
    const auto reservation = asked.memory_reservation ? asked.memory_reservation : old.memory_reservation;
    if (is_limited(memory) && is_limited(reservation) && *reservation > *memory)
        return fail(Code::invalid, "the memory limit would be below the memory reservation");
    return asked;
}

std::optional<std::string> doubtful_limit(const Resources& asked) {
    constexpr std::int64_t kEnoughToStart = std::int64_t{6} << 20U; // docker refuses less
    if (!is_limited(asked.memory) || *asked.memory >= kEnoughToStart) return std::nullopt;
    return "memory: a limit of " + std::to_string(*asked.memory >> 10) +
           " KiB, below 6 MiB, is too little for most programs to start in";
}

Resources merge_limits(Resources old, const Resources& set) {
    replace(old.memory, set.memory);
    replace(old.memory_swap, set.memory_swap);
    replace(old.memory_reservation, set.memory_reservation);
    replace(old.cpu_shares, set.cpu_shares);
    replace(old.cpu_quota_usec, set.cpu_quota_usec);
    replace(old.cpu_period_usec, set.cpu_period_usec);
    replace(old.cpuset_cpus, set.cpuset_cpus);
    replace(old.cpuset_mems, set.cpuset_mems);
    replace(old.pids, set.pids);
    replace(old.io_weight, set.io_weight);
    return old;
}

Resources undo_limits(const Resources& old, const Resources& set) {
    const std::optional<std::int64_t> none = kUnlimited;
    Resources undo;
    undo.memory = former(old.memory, set.memory, none);
    undo.memory_swap = former(old.memory_swap, set.memory_swap, none);
    undo.memory_reservation = former(old.memory_reservation, set.memory_reservation, none);
    undo.cpu_shares = former(old.cpu_shares, set.cpu_shares, std::optional(kUsualShares));
    undo.cpu_quota_usec = former(old.cpu_quota_usec, set.cpu_quota_usec, none);
    undo.cpu_period_usec = former(old.cpu_period_usec, set.cpu_period_usec, std::optional(kUsualPeriod_usec));
    undo.cpuset_cpus = former(old.cpuset_cpus, set.cpuset_cpus, std::optional<std::string>());
    undo.cpuset_mems = former(old.cpuset_mems, set.cpuset_mems, std::optional<std::string>());
    undo.pids = former(old.pids, set.pids, none);
    undo.io_weight = former(old.io_weight, set.io_weight, std::optional(kUsualIoWeight));
    return undo;
}

std::string limits_text(const Resources& limits) {
    std::string text;
    const auto add = [&](const char* name, const auto& value) {
        if (!value) return;
        text += text.empty() ? "" : ", ";
        text += std::string(name) + " ";
        if constexpr (std::is_same_v<std::decay_t<decltype(*value)>, std::string>)
            text += *value;
        else
            text += std::to_string(*value);
    };
    add("memory", limits.memory);
    add("memory+swap", limits.memory_swap);
    add("reservation", limits.memory_reservation);
    add("cpu shares", limits.cpu_shares);
    add("cpu quota", limits.cpu_quota_usec);
    add("cpu period", limits.cpu_period_usec);
    add("cpuset", limits.cpuset_cpus);
    add("cpuset mems", limits.cpuset_mems);
    add("pids", limits.pids);
    add("io weight", limits.io_weight);
    if (limits.devices)
        text += (text.empty() ? "" : ", ") + std::to_string(limits.devices->size()) + " device rules";
    return text;
}

} // namespace mydocker::engine
