// Waiting for what a running container writes next, without asking again and again: inotify on the files of
// its sink, the process itself, and the lock that its monitor holds.
#pragma once

#include "base/paths.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace mydocker::engine {

class LogWatch {
  public:
    // From now on nothing is missed. A container that is at rest has ended already.
    [[nodiscard]] static Result<LogWatch> begin(const paths::Roots& roots, const ContainerRecord& record);

    // All that will ever come is there.
    [[nodiscard]] bool has_ended() const;

    enum class News {
        output, // there may be more to read
        over,   // the reader is gone, or the time has come
    };
    // Waits until one of them has news. `reader`: see LogsRequest. `until_ns`: since 1970.
    [[nodiscard]] static Result<News> wait(std::span<LogWatch* const> watches, int reader,
                                           std::optional<std::int64_t> until_ns);

  private:
    LogWatch(paths::Roots roots, ContainerId id) : roots_(std::move(roots)), id_(std::move(id)) {}

    [[nodiscard]] int timeout_ms(std::optional<std::int64_t> until_ns) const;
    void take_news(bool written, bool ended);
    void forget_events() const;

    paths::Roots roots_;
    ContainerId id_;
    UniqueFd events_;
    UniqueFd process_;       // pidfd; empty: gone
    bool elsewhere_ = false; // the sink keeps nothing in the log directory: no event tells of it
    int pause_ms_ = 1;       // after the end of the process
};

} // namespace mydocker::engine
