// The functions of templates, and what a value is to a template: as text, as a condition.
#pragma once

#include "base/json.hpp"
#include "mydocker/result.hpp"

#include <span>
#include <string>
#include <string_view>

namespace mydocker::cli {

// Errors: invalid: an unknown function, with those there are; a wrong argument.
[[nodiscard]] Result<json::Value> call_function(std::string_view name,
                                                std::span<const json::Value> arguments);

[[nodiscard]] bool is_function(std::string_view name);
// Go's %v: "[a b]", "map[k:v]", "<no value>".
[[nodiscard]] std::string to_text(const json::Value& value);
// What is empty or zero is false.
[[nodiscard]] bool is_true(const json::Value& value);

} // namespace mydocker::cli
