// Waiting for a state of a container.
#include "engine/wait_condition.hpp"

#include "base/sys.hpp"
#include "engine/exits.hpp"
#include "engine/lifecycle.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <sys/inotify.h>
#include <utility>

namespace mydocker::engine {
namespace {

constexpr std::pair<std::string_view, WaitCondition> kConditionWords[] = {
    {"not-running", WaitCondition::not_running}, {"next-exit", WaitCondition::next_exit},
    {"removed", WaitCondition::removed},         {"configured", WaitCondition::created},
    {"created", WaitCondition::created},         {"initialized", WaitCondition::created},
    {"running", WaitCondition::running},         {"paused", WaitCondition::paused},
    {"exited", WaitCondition::exited},           {"stopped", WaitCondition::exited},
    {"removing", WaitCondition::removing},       {"healthy", WaitCondition::healthy},
    {"unhealthy", WaitCondition::unhealthy},
};

// An event may be written before its record, and one that cannot be written is lost: we look again after it.
// podman's interval.
constexpr int kLookAgain_ms = 250;

// The file of events is there (events.hpp).
Result<UniqueFd> watch_events(const std::string& directory) {
    UniqueFd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    constexpr std::uint32_t kChanges = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR;
    if (!events || ::inotify_add_watch(events.get(), directory.c_str(), kChanges) < 0)
        return fail_errno(errno, "watch '" + directory + "'");
    return events;
}

bool has_health(const ContainerRecord& record, Health status) {
    return record.is_live() && record.health && record.health->status == status;
}

Result<int> code_of_removed(Engine& engine, std::string_view name,
                            std::span<const WaitCondition> conditions) {
    if (!std::ranges::any_of(conditions, is_of_exit))
        return fail(Code::not_found, "container '" + std::string(name) + "' was removed meanwhile");
    auto known = recall_exit(engine.roots(), name);
    if (!known) return fail(known);
    return *known ? (*known)->exit_code : 0; // It never ran.
}

} // namespace

Result<WaitCondition> parse_wait_condition(std::string_view word) {
    std::string words;
    for (const auto& [known, condition] : kConditionWords) {
        if (known == word) return condition;
        words += (words.empty() ? "" : ", ") + std::string(known);
    }
    return fail(Code::invalid, "condition: '" + std::string(word) + "' is unknown; there are: " + words);
}

bool is_of_exit(WaitCondition condition) {
    return condition == WaitCondition::not_running || condition == WaitCondition::next_exit ||
           condition == WaitCondition::removed || condition == WaitCondition::exited;
}

bool is_met(WaitCondition condition, const ContainerRecord& first, const ContainerRecord& now) {
    const bool has_ended = now.finished_ns != first.finished_ns;
    const bool rests = !now.is_live() && !now.is_restarting();
    switch (condition) {
    case WaitCondition::not_running:
        return has_ended || rests;
    case WaitCondition::exited:
        return has_ended || (rests && now.state == State::exited);
    case WaitCondition::next_exit:
        return has_ended;
    case WaitCondition::created:
        return now.state == State::created && now.transition == Transition::none;
    case WaitCondition::running:
        return now.state == State::running;
    case WaitCondition::paused:
        return now.state == State::paused;
    case WaitCondition::removing:
        return now.transition == Transition::removing;
    case WaitCondition::healthy:
        return has_health(now, Health::healthy);
    case WaitCondition::unhealthy:
        return has_health(now, Health::unhealthy);
    case WaitCondition::removed:
        return false;
    }
    return false;
}

Result<int> wait_for(Engine& engine, std::string_view name, const Result<Loaded>& first,
                     std::span<const WaitCondition> conditions) {
    if (!first && first.error().code == Code::not_found && std::ranges::any_of(conditions, is_of_exit))
        if (auto known = recall_exit(engine.roots(), name); known && *known) return (*known)->exit_code;
    if (!first) return fail(first);
    const std::string id = first->record.id.str();
    auto events = watch_events(engine.roots().run_root);
    if (!events) return fail(events);
    for (;;) {
        std::array<char, 4096> ignored;
        (void)sys::read(events->get(), ignored); // What it was, the record says.
        auto now = find_settled(engine, id);
        if (!now && now.error().code == Code::not_found) return code_of_removed(engine, id, conditions);
        if (!now) return fail(now);
        const auto met = [&](WaitCondition each) { return is_met(each, first->record, now->record); };
        const auto found = std::ranges::find_if(conditions, met);
        if (found != conditions.end()) return is_of_exit(*found) ? now->record.exit_code : -1;
        std::array<pollfd, 1> fds{pollfd{events->get(), POLLIN, 0}};
        if (auto ready = sys::poll(fds, kLookAgain_ms); !ready) return fail(ready);
    }
}

} // namespace mydocker::engine
