// Words of events.
#include "cli/event_words.hpp"

#include "cli/document_parts.hpp"

#include "cli/table.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace mydocker::cli {
namespace {

// By key, of which none stands twice.
engine::Attributes sorted(engine::Attributes attributes) {
    std::ranges::sort(attributes);
    return attributes;
}

json::Value actor(const engine::Event& event) {
    json::Value value;
    value.set("ID", event.id);
    value.set("Attributes", text_object(sorted(event.attributes)));
    return value;
}

// What docker calls "from": the image of a container.
std::string source_of(const engine::Event& event) {
    return event.type == "container" ? attribute(event, "image") : std::string();
}

} // namespace

std::string attribute(const engine::Event& event, std::string_view key) {
    for (const auto& [name, value] : event.attributes)
        if (name == key) return value;
    return {};
}

std::string event_line(const engine::Event& event) {
    std::string text = fmt::format("{} {} {} {}", timestamp(event.time_ns), printable(event.type),
                                   printable(event.action), printable(event.id));
    if (event.attributes.empty()) return text;
    std::string list;
    for (const auto& [key, value] : sorted(event.attributes))
        list += fmt::format("{}{}={}", list.empty() ? "" : ", ", printable(key), printable(value));
    return text + " (" + list + ")";
}

json::Value event_json(const engine::Event& event) {
    json::Value value;
    if (event.type == "container") {
        value.set("status", event.action);
        value.set("id", event.id);
        value.set("from", source_of(event));
    }
    value.set("Type", event.type);
    value.set("Action", event.action);
    value.set("Actor", actor(event));
    value.set("scope", "local");
    value.set("time", event.time_ns / 1'000'000'000);
    value.set("timeNano", event.time_ns);
    return value;
}

json::Value event_fields(const engine::Event& event) {
    json::Value value;
    value.set("Status", event.action);
    value.set("ID", event.id);
    value.set("From", source_of(event));
    value.set("Type", event.type);
    value.set("Action", event.action);
    value.set("Actor", actor(event));
    value.set("Scope", "local");
    value.set("Time", event.time_ns / 1'000'000'000);
    value.set("TimeNano", event.time_ns);
    return value;
}

} // namespace mydocker::cli
