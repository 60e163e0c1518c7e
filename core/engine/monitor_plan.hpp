// What the command line hands to mydocker-monitor when it starts one: a flat value in a sealed memory
// file, and descriptors at fixed numbers. Used by the monitor: no JSON, no iostream.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

// Descriptors the monitor starts with; 0–2 are /dev/null.
inline constexpr int kPlanFd = 3;       // MonitorPlan, encoded
inline constexpr int kSessionFd = 4;    // session.hpp
inline constexpr int kBatonFd = 5;      // the held lock
inline constexpr int kFirstExtraFd = 6; // cgroup directory or join files, then joined namespaces

// The log sink of the container, vetted by the command line.
struct SinkPlan {
    std::string driver;
    std::vector<std::string> plugin_dirs;
    std::string data_dir;
    std::string run_dir;
    Options options;
    StreamInfo stream;
};

struct MonitorPlan {
    std::string launch_plan; // runtime::LaunchPlan, encoded
    std::string init_path;
    std::string run_directory;
    SinkPlan sink;
    bool terminal = false;
    bool interactive = false;
    bool foreground = false;                    // the starter waits for the end
    bool cgroup_by_directory = false;           // kFirstExtraFd is a directory for clone3
    std::uint32_t cgroup_fds = 0;               // how many descriptors from kFirstExtraFd on
    std::vector<runtime::NamespaceKind> joined; // then one descriptor for each of these
    std::vector<std::string> finish;            // argv that records the end when nobody waits
    std::vector<std::string> finish_environment;
};

[[nodiscard]] std::string encode(const MonitorPlan& plan);
[[nodiscard]] Result<MonitorPlan> decode_monitor_plan(std::string_view bytes);

} // namespace mydocker::engine
