// What a running container uses at this moment, and which processes it has: for `stats` and `top`.
#pragma once

#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/cgroup_backend.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace mydocker::engine {

struct Traffic {
    std::uint64_t received = 0; // bytes
    std::uint64_t sent = 0;
};

struct Usage {
    std::int64_t time_ns = 0; // monotonic, when it was read
    CgroupStats cgroup;
    Traffic network; // of its own interfaces; none with the host's network
};

// Errors: conflict when it does not run (any more).
[[nodiscard]] Result<Usage> usage(Engine& engine, const ContainerRecord& record);

// The pids of all its processes as the host counts them, in ascending order. Errors: as usage.
[[nodiscard]] Result<std::vector<pid_t>> processes(Engine& engine, const ContainerRecord& record);

// The sum over /proc/PID/net/dev, loopback left out. Pure. Source: proc_pid_net(5).
[[nodiscard]] Traffic count_traffic(std::string_view net_dev);

} // namespace mydocker::engine
