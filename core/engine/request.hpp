// What a user asks for, as plain values: made by cli/args from argv, read by the engine.
#pragma once

#include "mydocker/cgroup_backend.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::engine {

// Which network namespace a container gets.
struct NetworkMode {
    enum class Kind { none, host, container } kind = Kind::none;
    std::string container; // with Kind::container: name or id
};

// `create` and `run`.
struct CreateRequest {
    std::string image;
    std::vector<std::string> command;      // after the image; empty: the image's own
    std::optional<std::string> entrypoint; // "" clears the image's
    std::string name;                      // empty: one is made up
    std::string hostname;                  // empty: the short id
    bool interactive = false;              // -i: standard input is kept open
    bool terminal = false;                 // -t
    bool remove_after = false;             // --rm
    bool read_only = false;
    bool init = false;
    std::vector<std::string> environment; // "KEY=value"
    std::vector<std::pair<std::string, std::string>> labels;
    std::string working_directory;
    std::string user;
    NetworkMode network;
    std::string stop_signal;
    std::optional<std::chrono::seconds> stop_timeout;
    Resources resources;       // what the flags asked for; defaults are the spec builder's
    std::string cgroup_parent; // empty: "mydocker"
};

enum class Attach { foreground, detached };

struct StopRequest {
    std::optional<std::chrono::seconds> timeout; // until SIGKILL; absent: the container's, then 10 s
    std::string signal;                          // empty: the container's
};

struct LogsRequest {
    std::optional<std::int64_t> since_ns;
    std::optional<std::int64_t> until_ns;
    std::optional<std::uint64_t> tail;
};

} // namespace mydocker::engine
