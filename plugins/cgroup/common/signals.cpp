#include "signals.hpp"

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <span>
#include <sys/syscall.h>
#include <thread>

namespace mydocker::cgroup {
namespace {

constexpr std::size_t kAtOnce = 64; // descriptors open at a time

[[nodiscard]] UniqueFd open_process(pid_t pid) {
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

struct Target {
    pid_t pid = 0;
    UniqueFd fd; // empty on kernels before 5.3
};

[[nodiscard]] Status send(const Target& target, int signal) {
    const long sent = target.fd ? ::syscall(SYS_pidfd_send_signal, target.fd.get(), signal, nullptr, 0)
                                : ::kill(target.pid, signal);
    if (sent == 0) return {};
    const int error = errno;
    if (error == ESRCH) return {};
    return fail_errno(error,
                      "send signal " + std::to_string(signal) + " to process " + std::to_string(target.pid));
}

// The processes are opened first and looked up in the cgroup again after: a process that is still
// alive then is the one that was opened, and a member; if it is not, the signal reaches nobody.
[[nodiscard]] Status signal_some(const Place& place, int signal, std::span<const pid_t> pids) {
    std::vector<Target> targets;
    for (const pid_t pid : pids) {
        UniqueFd fd = open_process(pid);
        const int error = fd ? 0 : errno;
        if (error == ESRCH || error == EINVAL) continue; // It has ended.
        if (error != 0 && error != ENOSYS)
            return fail_errno(error, "open process " + std::to_string(pid) + " of cgroup " + place.quoted());
        targets.push_back({pid, std::move(fd)});
    }
    const auto members = processes_of(place);
    if (!members) return fail(members);
    for (const Target& target : targets) {
        if (!std::ranges::binary_search(*members, target.pid)) continue;
        if (auto sent = send(target, signal); !sent) return sent;
    }
    return {};
}

} // namespace

Result<std::size_t> signal_members(const Place& place, int signal, std::vector<pid_t>& done) {
    auto members = processes_of(place);
    if (!members) return fail(members);
    std::vector<pid_t> fresh;
    std::ranges::set_difference(*members, done, std::back_inserter(fresh));
    for (std::span<const pid_t> rest(fresh); !rest.empty();
         rest = rest.subspan(std::min(rest.size(), kAtOnce)))
        if (auto sent = signal_some(place, signal, rest.first(std::min(rest.size(), kAtOnce))); !sent)
            return fail(sent);
    // Only those that are there now count as done: a number may come back as another process.
    done = std::move(*members);
    return fresh.size();
}

Status signal_all(const Place& place, int signal, Deadline deadline) {
    std::vector<pid_t> done;
    for (;;) {
        const auto count = signal_members(place, signal, done);
        if (!count) return fail(count);
        if (*count == 0) return {};
        if (milliseconds_left(deadline) == 0)
            return fail(Code::timeout, "send signal " + std::to_string(signal) + " to all in " +
                                           place.quoted() + ": processes appear faster than it is sent");
    }
}

void wait_for_exit(const std::vector<pid_t>& pids, Deadline deadline) {
    std::vector<UniqueFd> opened;
    for (const pid_t pid : pids) {
        if (opened.size() == kAtOnce) break;
        UniqueFd fd = open_process(pid);
        if (fd) opened.push_back(std::move(fd));
    }
    for (const UniqueFd& fd : opened) {
        pollfd entry{.fd = fd.get(), .events = POLLIN, .revents = 0};
        while (::poll(&entry, 1, milliseconds_left(deadline)) < 0 && errno == EINTR) {
        }
    }
}

void back_off(int round, Deadline deadline) {
    constexpr std::chrono::microseconds kFirst(50);
    constexpr int kDoublings = 8; // 12.8 ms
    const auto pause = kFirst * (1 << std::min(round, kDoublings));
    std::this_thread::sleep_until(std::min(deadline, std::chrono::steady_clock::now() + pause));
}

} // namespace mydocker::cgroup
