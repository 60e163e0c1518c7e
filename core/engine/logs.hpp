// logs: what a container has written, read back from its sink, and what it goes on to write.
#pragma once

#include "engine/engine.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace mydocker::engine {

struct LogsRequest {
    std::optional<std::int64_t> since_ns;
    std::optional<std::int64_t> until_ns;
    std::optional<std::uint64_t> tail;
    bool follow = false; // until the container's run has ended and all of it is shown
    int reader = -1;     // whoever reads at this descriptor's other end; gone, nothing more is followed
};

struct LogsVisitor {
    std::function<Status(const LogRecord&)> record;
    std::function<Status()> pause; // all that is there now has been visited
};

// One container and who visits its records.
struct VisitedLog {
    const ContainerRecord* container = nullptr;
    LogsVisitor visitor;
};

// Visits what is there of one container after the other, and what follows as it comes.
// Errors: unsupported when a container's sink cannot read back, naming one that can; the visitor's own.
[[nodiscard]] Status logs(Engine& engine, std::span<const VisitedLog> visited, const LogsRequest& request);

} // namespace mydocker::engine
