// Words about containers.
#include "cli/container_words.hpp"

#include "cli/table.hpp"

#include <fmt/format.h>

namespace mydocker::cli {

namespace {

// Docker's words, behind "Up 3 minutes".
std::string health_note(const engine::ContainerRecord& record) {
    if (!record.health) return {};
    const bool young = record.health->status == engine::Health::starting;
    return fmt::format(" ({}{})", young ? "health: " : "", health_word(record));
}

} // namespace

std::string status_text(const engine::ContainerRecord& record, std::int64_t now_ns) {
    if (record.is_restarting())
        return fmt::format("Restarting ({}) {} ago", record.exit_code, age(record.finished_ns, now_ns));
    switch (record.state) {
    case engine::State::running:
        return fmt::format("Up {}{}", age(record.started_ns, now_ns), health_note(record));
    case engine::State::paused:
        return fmt::format("Up {} (Paused)", age(record.started_ns, now_ns));
    case engine::State::exited:
        return fmt::format("Exited ({}) {} ago", record.exit_code, age(record.finished_ns, now_ns));
    case engine::State::created:
        break;
    }
    return "Created";
}

std::string_view state_word(const engine::ContainerRecord& record) {
    if (record.transition == engine::Transition::removing) return "removing";
    if (record.is_restarting()) return "restarting";
    return engine::to_string(record.state);
}

std::string_view health_word(const engine::ContainerRecord& record) {
    return record.health ? engine::to_string(record.health->status) : "none";
}

std::string labels_text(const std::vector<std::pair<std::string, std::string>>& labels) {
    std::string text;
    for (const auto& [key, value] : labels)
        text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
    return text;
}

} // namespace mydocker::cli
