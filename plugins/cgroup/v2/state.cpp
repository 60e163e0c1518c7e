#include "state.hpp"

#include "../common/signals.hpp"

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <sys/inotify.h>

namespace mydocker::cgroup_v2 {
namespace {

using cgroup::Deadline;
using cgroup::keyed_number;
using cgroup::limit_value;
using cgroup::parse_number;
using cgroup::read_control;
using std::chrono::milliseconds;

constexpr milliseconds kKillPatience(10'000);
constexpr milliseconds kFreezeForSignal(500);

[[nodiscard]] Deadline in(milliseconds time) {
    return std::chrono::steady_clock::now() + time;
}

[[nodiscard]] bool exists(const Place& place) {
    return ::faccessat(place.root, place.name.c_str(), F_OK, 0) == 0;
}

// A file of a controller that is not enabled is not there, and reads as nothing.
[[nodiscard]] std::string text_of(const Place& place, std::string_view file) {
    return read_control(place, file).value_or("");
}

void read_cpu(std::string_view text, CgroupStats& stats) {
    const auto number = [&](std::string_view key) { return keyed_number(text, key).value_or(0); };
    stats.cpu_usec = number("usage_usec");
    stats.cpu_user_usec = number("user_usec");
    stats.cpu_system_usec = number("system_usec");
    stats.throttled_periods = number("nr_throttled");
    stats.throttled_usec = number("throttled_usec");
}

// Lines of "major:minor rbytes=… wbytes=… …".
void read_io(std::string_view text, CgroupStats& stats) {
    for (const std::string_view line : cgroup::lines_of(text)) {
        stats.io_read_bytes += cgroup::named_number(line, "rbytes").value_or(0);
        stats.io_write_bytes += cgroup::named_number(line, "wbytes").value_or(0);
    }
}

[[nodiscard]] std::unexpected<Error> not_dead(const Place& place) {
    const auto pids = cgroup::processes_of(place);
    const std::string who =
        pids && !pids->empty() ? cgroup::name_processes(*pids) : std::string("some processes");
    return fail(Code::timeout, "kill all in " + place.quoted() + ": " + who + " did not die");
}

// Before cgroup.kill (Linux 5.14). Freezing ends the forking; unlike in v1 the frozen do die.
[[nodiscard]] Status kill_one_by_one(const Place& place) {
    const Deadline deadline = in(kKillPatience);
    (void)cgroup::write_control(place, "cgroup.freeze", "1"); // It only helps.
    Status result;
    for (;;) {
        std::vector<pid_t> done;
        if (auto sent = cgroup::signal_members(place, SIGKILL, done); !sent) result = fail(sent);
        if (!result || wait_event(place, "populated", 0, std::min(deadline, in(milliseconds(50))))) break;
        if (cgroup::milliseconds_left(deadline) == 0) result = not_dead(place);
        if (!result) break;
    }
    (void)cgroup::write_control(place, "cgroup.freeze", "0"); // What counts is that they are dead.
    return result;
}

[[nodiscard]] Status kill_until_empty(const Place& place) {
    auto asked = cgroup::write_control(place, "cgroup.kill", "1");
    if (!asked) {
        const int error = asked.error().sys_errno;
        if (!cgroup::is_gone(error)) return asked;
        if (!exists(place)) return {};
        return kill_one_by_one(place);
    }
    if (wait_event(place, "populated", 0, in(kKillPatience))) return {};
    return not_dead(place);
}

} // namespace

Result<CgroupStats> read_stats(const Place& place) {
    const auto cpu = read_control(place, "cpu.stat"); // There with and without the cpu controller.
    if (!cpu) return fail(cpu);
    CgroupStats stats;
    read_cpu(*cpu, stats);
    stats.memory_bytes = parse_number(text_of(place, "memory.current")).value_or(0);
    stats.memory_file_bytes = keyed_number(text_of(place, "memory.stat"), "inactive_file").value_or(0);
    stats.memory_limit = limit_value(text_of(place, "memory.max"));
    stats.oom_kills = keyed_number(text_of(place, "memory.events"), "oom_kill").value_or(0);
    stats.pids = parse_number(text_of(place, "pids.current")).value_or(0);
    stats.pids_limit = limit_value(text_of(place, "pids.max"));
    read_io(text_of(place, "io.stat"), stats);
    return stats;
}

// Not the file itself: kernfs files are readable for poll(2) at any time, and only POLLPRI tells. The
// descriptor wakes for the other events of that file too (limit reached), at most every 10 ms.
Result<UniqueFd> open_oom_event(const Place& place) {
    UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch) {
        const int error = errno;
        return fail_errno(error, "watch for kills for want of memory (raise fs.inotify.max_user_instances)");
    }
    const UniqueFd file(::openat(place.root, place.file("memory.events").c_str(), O_PATH | O_CLOEXEC));
    if (!file) {
        const int error = errno;
        if (cgroup::is_gone(error) && exists(place))
            return fail(Code::unsupported,
                        "watch for kills for want of memory: the memory controller is not enabled");
        return fail_errno(error, "open " + place.quoted("memory.events"));
    }
    // By descriptor, since the mount point may be hidden by now.
    const std::string path = "/proc/self/fd/" + std::to_string(file.get());
    if (::inotify_add_watch(watch.get(), path.c_str(), IN_MODIFY) < 0)
        return fail_errno(errno, "watch " + place.quoted("memory.events"));
    return watch;
}

Status wait_event(const Place& place, std::string_view key, std::uint64_t value, Deadline deadline) {
    std::string text(256, '\0');
    const UniqueFd events(::openat(place.root, place.file("cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
    for (;;) {
        const ssize_t count = events ? ::pread(events.get(), text.data(), text.size(), 0) : -1;
        const int error = count < 0 ? errno : 0;
        if (count < 0 && cgroup::is_gone(error)) return {};
        if (count < 0) return fail_errno(error, "read " + place.quoted("cgroup.events"));
        const auto now = keyed_number(std::string_view(text).substr(0, static_cast<std::size_t>(count)), key);
        if (now == value) return {};
        const int left = cgroup::milliseconds_left(deadline);
        if (left == 0)
            return fail(Code::timeout, "wait for '" + std::string(key) + " " + std::to_string(value) +
                                           "' in " + place.quoted("cgroup.events"));
        pollfd entry{.fd = events.get(), .events = POLLPRI, .revents = 0};
        (void)::poll(&entry, 1, left); // Whatever it says, the file is read again.
    }
}

Status freeze(const Place& place, Deadline deadline) {
    auto asked = cgroup::write_control(place, "cgroup.freeze", "1");
    if (!asked && cgroup::is_gone(asked.error().sys_errno) && exists(place))
        return fail(Code::unsupported, "freeze " + place.quoted() + ": this kernel is older than 5.2");
    if (!asked) return asked;
    auto frozen = wait_event(place, "frozen", 1, deadline);
    if (frozen || frozen.error().code != Code::timeout) return frozen;
    (void)thaw(place); // As it was before; the time-out is what counts.
    return fail(Code::timeout, "freeze " + place.quoted() + ": some of its processes do not stop");
}

Status thaw(const Place& place) {
    return cgroup::write_control(place, "cgroup.freeze", "0");
}

Status kill_all(const Place& place, int signal) {
    if (signal == SIGKILL) return kill_until_empty(place);
    const auto pids = cgroup::processes_of(place);
    if (!pids) return fail(pids);
    if (pids->empty()) return {};
    // Frozen, none can fork away from the signal. Where freezing does not work out, the signal is sent
    // until nobody new appears.
    const bool frozen_before = text_of(place, "cgroup.freeze") == "1";
    const bool froze = !frozen_before && freeze(place, in(kFreezeForSignal));
    auto sent = cgroup::signal_all(place, signal, in(kKillPatience));
    if (froze)
        if (auto thawed = thaw(place); !thawed && sent) return thawed;
    return sent;
}

} // namespace mydocker::cgroup_v2
