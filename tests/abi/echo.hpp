// Values of the faces as text, field by field: what an echo driver was given, and what the test gave it.
// Both sides include this; nothing of it crosses the wire but the text.
#pragma once

#include "mydocker/cgroup_backend.hpp"
#include "mydocker/host.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/storage_driver.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::echo {

// Overloads for the parts first: the templates below find them by argument or by order.
inline std::string to_text(const std::string& value) {
    return "'" + value + "'";
}
inline std::string to_text(bool value) {
    return value ? "yes" : "no";
}
template <std::integral T>
std::string to_text(T value) {
    return std::to_string(value);
}
inline std::string to_text(double value) {
    return std::to_string(value);
}
inline std::string to_text(std::chrono::nanoseconds value) {
    return std::to_string(value.count()) + "ns";
}
inline std::string to_text(const DeviceRate& rate) {
    return std::to_string(rate.major) + ":" + std::to_string(rate.minor) + "@" + std::to_string(rate.rate);
}
inline std::string to_text(const HugepageLimit& limit) {
    return limit.page_size + "=" + std::to_string(limit.bytes);
}
inline std::string to_text(const DeviceRule& rule) {
    return std::string(rule.allow ? "+" : "-") + rule.type + std::to_string(rule.major) + ":" +
           std::to_string(rule.minor) + rule.access;
}
inline std::string to_text(const std::pair<std::string, std::string>& pair) {
    return pair.first + "=" + pair.second;
}
inline std::string to_text(const LayerId& id) {
    return id.str();
}
template <class T>
std::string to_text(const std::vector<T>& values) {
    std::string text = "[";
    for (const T& value : values)
        text += to_text(value) + ";";
    return text + "]";
}
template <class T>
std::string to_text(const std::optional<T>& value) {
    return value ? to_text(*value) : "absent";
}

template <class... Fields>
std::string join(const Fields&... fields) {
    std::string text;
    ((text += to_text(fields) + " "), ...);
    return text;
}

inline std::string to_text(const Resources& r) {
    return join(r.memory, r.memory_swap, r.memory_reservation, r.cpu_shares, r.cpu_quota_usec,
                r.cpu_period_usec, r.cpuset_cpus, r.cpuset_mems, r.pids, r.io_weight, r.io_read_bps,
                r.io_write_bps, r.io_read_iops, r.io_write_iops, r.hugepages, r.devices);
}

inline std::string to_text(const Mount& m) {
    return join(m.type, m.source, m.target, m.flags, static_cast<std::uint32_t>(m.propagation), m.options,
                m.directory, m.remounts);
}

inline std::string to_text(const RwOptions& o) {
    return join(o.size_limit, o.owner_uid, o.owner_gid, static_cast<std::uint32_t>(o.lifetime));
}

inline std::string to_text(const CgroupStats& s) {
    return join(s.cpu_usec, s.cpu_user_usec, s.cpu_system_usec, s.throttled_periods, s.throttled_usec,
                s.memory_bytes, s.memory_file_bytes, s.memory_limit, s.oom_kills, s.pids, s.pids_limit,
                s.io_read_bytes, s.io_write_bytes);
}

inline std::string to_text(const StreamInfo& i) {
    return join(i.id, i.name, i.image, i.directory, i.labels);
}

inline std::string to_text(const LogQuery& q) {
    return join(q.since_ns, q.until_ns, q.tail);
}

inline std::string to_text(const LogRecord& r) {
    return join(r.time_ns, static_cast<std::uint32_t>(r.source), r.partial, std::string(r.bytes));
}

inline std::string to_text(const Options& options) {
    std::string text;
    for (const auto& [key, value] : options.values())
        text += key + "=" + std::visit([](const auto& typed) { return to_text(typed); }, value) + " ";
    return text;
}

// The values that the echo drivers give, all fields different.
inline std::vector<Mount> some_mounts() {
    return {{.type = "overlay",
             .source = "overlay",
             .target = "/",
             .flags = 0x1001,
             .propagation = Propagation::follower,
             .options = {"lowerdir=a:b", "metacopy", std::string(3000, 'x')},
             .directory = "/var/lib/layers",
             .remounts = {"append=a,append=b", "append=c"}},
            {.type = "bind",
             .source = "/etc/a b",
             .target = "/etc/hosts",
             .options = {},
             .directory = {},
             .remounts = {}}};
}

inline CgroupStats some_stats() {
    return {.cpu_usec = 1,
            .cpu_user_usec = 2,
            .cpu_system_usec = 3,
            .throttled_periods = 4,
            .throttled_usec = 5,
            .memory_bytes = 6,
            .memory_file_bytes = 7,
            .memory_limit = 8,
            .oom_kills = 9,
            .pids = 10,
            .pids_limit = std::nullopt,
            .io_read_bytes = 12,
            .io_write_bytes = 13};
}

} // namespace mydocker::echo
