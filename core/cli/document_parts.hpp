// Lists and maps of texts as JSON, for the documents of inspect.
#pragma once

#include "base/json.hpp"

#include <string>
#include <utility>
#include <vector>

namespace mydocker::cli {

[[nodiscard]] json::Value text_list(const std::vector<std::string>& texts);
[[nodiscard]] json::Value text_object(const std::vector<std::pair<std::string, std::string>>& members);
// docker's sets: {"80/tcp": {}}.
[[nodiscard]] json::Value names_object(const std::vector<std::string>& names);

} // namespace mydocker::cli
