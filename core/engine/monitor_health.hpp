// When a monitor has its container's health checked: a process for each check, one at a time, the next one an
// interval after the last has ended. What is checked and what follows is the process's affair (health.hpp).
// No JSON, no iostream.
#pragma once

#include "base/process.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mydocker::engine {

// Exit code of that process: it did its work, and the container is neither healthy nor unhealthy yet.
inline constexpr int kStillStarting = 3;

struct HealthTimes {
    std::chrono::milliseconds interval{};
    std::chrono::milliseconds start_interval{}; // instead, within `start_period`, while it is still starting
    std::chrono::milliseconds start_period{};
};

class HealthWatch {
  public:
    // `words`: the process's command line; none: nothing is checked.
    HealthWatch(std::vector<std::string> words, HealthTimes times);
    HealthWatch(const HealthWatch&) = delete;
    HealthWatch& operator=(const HealthWatch&) = delete;
    ~HealthWatch() { end(); }

    // The container runs.
    void begin(std::int64_t now_ns);
    // Readable when the check has ended; -1: none is being made.
    [[nodiscard]] int pidfd() const { return child_.pidfd.get(); }
    // Until something is due; -1: nothing will be.
    [[nodiscard]] int timeout_ms(std::int64_t now_ns) const;
    // Does what is due. `ended`: pidfd() is readable.
    void proceed(bool ended, std::int64_t now_ns);
    // The container has ended: a check that is being made is killed, so that it writes nothing any more.
    void end();

  private:
    void plan_next(std::int64_t now_ns);
    void start(std::int64_t now_ns);

    std::vector<std::string> words_;
    HealthTimes times_;
    process::Child child_;
    bool starting_ = true; // as the last check said
    std::int64_t begun_ns_ = 0;
    std::int64_t due_ns_ = -1;
};

} // namespace mydocker::engine
