#include "freezer.hpp"

#include "../common/signals.hpp"

#include <algorithm>
#include <csignal>

namespace mydocker::cgroup_v1 {
namespace {

using cgroup::Deadline;
using std::chrono::milliseconds;

constexpr std::string_view kState = "freezer.state";
constexpr milliseconds kKillPatience(10'000);
constexpr milliseconds kFreezeForSignal(500);

[[nodiscard]] Deadline in(milliseconds time) {
    return std::chrono::steady_clock::now() + time;
}

// Asks for it and does not wait: from here on nothing in the cgroup gets back to its own code, and so
// forks no more.
void start_freezing(const Place* freezer) {
    if (freezer != nullptr) (void)cgroup::write_control(*freezer, kState, "FROZEN"); // It only helps.
}

// Sub-cgroups that the container froze itself are thawed too: what is frozen does not die.
void thaw_tree(const Place* freezer) {
    if (freezer == nullptr) return;
    (void)cgroup::walk(*freezer, [&](int fd) -> Status {
        (void)cgroup::write_control({fd, freezer->point, ""}, kState, "THAWED"); // Gone: as good as thawed.
        return {};
    });
}

// A killed process can die only once it is thawed, and a process that forks may add one after the list
// was read. So: freeze, kill all, thaw, look again.
[[nodiscard]] Status kill_until_empty(const Place& members, const Place* freezer) {
    const Deadline deadline = in(kKillPatience);
    for (;;) {
        const auto pids = cgroup::processes_of(members);
        if (!pids) return fail(pids);
        if (pids->empty()) return {};
        if (cgroup::milliseconds_left(deadline) == 0)
            return fail(Code::timeout, "kill all in " + members.quoted() + ": " +
                                           cgroup::name_processes(*pids) + " did not die");
        start_freezing(freezer);
        std::vector<pid_t> done;
        const auto sent = cgroup::signal_members(members, SIGKILL, done);
        thaw_tree(freezer);
        if (!sent) return fail(sent);
        cgroup::wait_for_exit(*pids, std::min(deadline, in(milliseconds(100))));
    }
}

[[nodiscard]] bool asked_to_freeze(const Place& freezer) {
    return cgroup::read_control(freezer, "freezer.self_freezing").value_or("") == "1";
}

} // namespace

Status freeze(const Place& place, Deadline deadline) {
    for (int round = 0;; ++round) {
        // Asked again now and then: that signals anew the processes that slipped through.
        if (round % 8 == 0)
            if (auto asked = cgroup::write_control(place, kState, "FROZEN"); !asked) return asked;
        const auto state = cgroup::read_control(place, kState);
        if (!state) return fail(state);
        if (*state == "FROZEN") return {};
        if (cgroup::milliseconds_left(deadline) == 0) break;
        // The v1 freezer tells nobody when it is done: its state is worked out when it is read.
        cgroup::back_off(round, deadline);
    }
    (void)thaw(place); // As it was before; the time-out is what counts.
    return fail(Code::timeout, "freeze " + place.quoted() + ": some of its processes do not stop");
}

Status thaw(const Place& place) {
    return cgroup::write_control(place, kState, "THAWED");
}

Status kill_all(const Hierarchies& hierarchies, const std::string& name, int signal) {
    const Place members = hierarchies.members().place(name);
    const Hierarchy* with_freezer = hierarchies.with("freezer");
    const Place freezer_place = with_freezer != nullptr ? with_freezer->place(name) : members;
    const Place* freezer = with_freezer != nullptr ? &freezer_place : nullptr;
    if (signal == SIGKILL) return kill_until_empty(members, freezer);

    const auto pids = cgroup::processes_of(members);
    if (!pids) return fail(pids);
    if (pids->empty()) return {};
    // Frozen, none can fork away from the signal. Where freezing does not work out, the signal is sent
    // until nobody new appears.
    const bool frozen_before = freezer != nullptr && asked_to_freeze(*freezer);
    const bool froze = freezer != nullptr && !frozen_before && freeze(*freezer, in(kFreezeForSignal));
    auto sent = cgroup::signal_all(members, signal, in(kKillPatience));
    if (froze)
        if (auto thawed = thaw(*freezer); !thawed && sent) return thawed;
    return sent;
}

} // namespace mydocker::cgroup_v1
