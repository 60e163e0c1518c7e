// What the command line hands to mydocker-monitor: first its log sink, with which it is started, so that
// it loads the plugin while the command line makes the rest; then what it needs to begin init, which makes
// the namespaces meanwhile; then the plan of the container. All are flat values. Used by the monitor: no
// JSON, no iostream.
#pragma once

#include "engine/monitor_health.hpp"
#include "mydocker/host.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

// Descriptors the monitor starts with; 0–2 are /dev/null.
inline constexpr int kSinkFd = 3;    // SinkPlan, encoded
inline constexpr int kSessionFd = 4; // session.hpp
// Where the held lock is once the plan has come, and where the finisher finds it. Taken by something else
// before, so that no other file gets the number.
inline constexpr int kBatonFd = 5;

// The log sink of the container, vetted by the command line.
struct SinkPlan {
    std::string driver;
    std::vector<std::string> plugin_dirs;
    std::string data_dir;
    std::string run_dir;
    Options options;
};

// Comes with a descriptor for each of `joined`.
struct BirthPlan {
    std::string namespaces; // runtime::namespace_plan(), encoded
    std::string init_path;
    bool terminal = false;
    bool interactive = false;
    bool waits = false; // init cannot begin before the plan has come: it is born into the cgroup, or maps ids
    std::vector<runtime::NamespaceKind> joined;
};

// Comes with descriptors in this order: the plan's memory file, the baton, `cgroup_fds`.
struct MonitorPlan {
    std::string launch_plan; // runtime::LaunchPlan, encoded
    std::string run_directory;
    StreamInfo stream;
    bool foreground = false;          // the starter waits for the end
    bool feeds = false;               // and gives the container its standard input
    bool input_once = false;          // whoever feeds it, and goes, ends the standard input
    bool cgroup_by_directory = false; // the one of cgroup_fds is a directory for clone3
    std::uint32_t cgroup_fds = 0;
    std::vector<std::string> finish; // argv that records the end when nobody waits
    std::vector<std::string> health; // argv that checks the health once; empty: nobody is to
    HealthTimes health_times;
};

[[nodiscard]] std::string encode(const SinkPlan& plan);
[[nodiscard]] Result<SinkPlan> decode_sink_plan(std::string_view bytes);
[[nodiscard]] std::string encode(const BirthPlan& plan);
[[nodiscard]] Result<BirthPlan> decode_birth_plan(std::string_view bytes);
[[nodiscard]] std::string encode(const MonitorPlan& plan);
[[nodiscard]] Result<MonitorPlan> decode_monitor_plan(std::string_view bytes);

} // namespace mydocker::engine
