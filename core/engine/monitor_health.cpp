// When health is checked.
#include "engine/monitor_health.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <csignal>
#include <limits>
#include <utility>

namespace mydocker::engine {

HealthWatch::HealthWatch(std::vector<std::string> words, HealthTimes times)
    : words_(std::move(words)),
      times_(times) {}

void HealthWatch::begin(std::int64_t now_ns) {
    starting_ = true;
    begun_ns_ = now_ns;
    plan_next(now_ns);
}

void HealthWatch::plan_next(std::int64_t now_ns) {
    if (words_.empty()) return;
    const bool is_young = starting_ && std::chrono::nanoseconds(now_ns - begun_ns_) < times_.start_period;
    due_ns_ = now_ns + std::chrono::nanoseconds(is_young ? times_.start_interval : times_.interval).count();
}

int HealthWatch::timeout_ms(std::int64_t now_ns) const {
    if (due_ns_ < 0) return -1;
    constexpr std::int64_t kLongest = std::numeric_limits<int>::max() - 1;
    return static_cast<int>(std::clamp((due_ns_ - now_ns) / 1'000'000 + 1, std::int64_t{0}, kLongest));
}

void HealthWatch::proceed(bool ended, std::int64_t now_ns) {
    if (ended) {
        auto status = process::reap(child_.pidfd.get()); // What else it found is in the record.
        starting_ = starting_ && status && status->shell_code() == kStillStarting;
        child_ = {};
        plan_next(now_ns);
    }
    if (due_ns_ >= 0 && due_ns_ <= now_ns) start(now_ns);
}

// One that cannot be started (no memory, no processes) is tried again in its turn.
void HealthWatch::start(std::int64_t now_ns) {
    process::SpawnRequest request;
    request.executable = words_.front();
    request.argv = words_;
    request.fds = {-1, -1, -1};
    request.parent_death_signal = SIGKILL;
    auto child = process::spawn(request);
    if (!child) return plan_next(now_ns);
    child_ = std::move(*child);
    due_ns_ = -1;
}

void HealthWatch::end() {
    due_ns_ = -1;
    if (!child_.pidfd) return;
    (void)sys::pidfd_send_signal(child_.pidfd.get(), SIGKILL); // It may have ended.
    (void)process::reap(child_.pidfd.get());
    child_ = {};
}

} // namespace mydocker::engine
