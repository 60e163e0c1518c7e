// What is said of a container in a word or a line: by ps, inspect and whoever lists containers.
#pragma once

#include "engine/record.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::cli {

// "Up 3 minutes (healthy)", "Restarting (1) 5 seconds ago", "Exited (0) 2 hours ago", "Created".
[[nodiscard]] std::string status_text(const engine::ContainerRecord& record, std::int64_t now_ns);
// docker's words: created, running, paused, restarting, exited, removing.
[[nodiscard]] std::string_view state_word(const engine::ContainerRecord& record);
// docker's words: starting, healthy, unhealthy; none where nothing is checked.
[[nodiscard]] std::string_view health_word(const engine::ContainerRecord& record);
// "KEY=value,KEY=value".
[[nodiscard]] std::string labels_text(const std::vector<std::pair<std::string, std::string>>& labels);

} // namespace mydocker::cli
