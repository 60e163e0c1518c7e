// Events as `events` shows them, in docker's three forms: a line, JSON, what a template sees.
#pragma once

#include "base/json.hpp"
#include "engine/events.hpp"

#include <array>
#include <string>
#include <string_view>

namespace mydocker::cli {

// "": it has none of that name.
[[nodiscard]] std::string attribute(const engine::Event& event, std::string_view key);
// "2026-01-31T12:00:00.000000000Z container start ID (image=busybox, name=web)"
[[nodiscard]] std::string event_line(const engine::Event& event);
// docker's JSON: status, id, from, Type, Action, Actor, scope, time, timeNano.
[[nodiscard]] json::Value event_json(const engine::Event& event);
// Members of those whose own members are anybody's words.
inline constexpr std::array<std::string_view, 1> kEventMaps{"Attributes"};
// The same under the names that docker's templates use: .Status, .ID, .From, .Type, .Action, .Actor, …
[[nodiscard]] json::Value event_fields(const engine::Event& event);

} // namespace mydocker::cli
