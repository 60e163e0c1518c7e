// Lists of environment variables, "KEY=value" each. Not for this process's own.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::environment {

[[nodiscard]] inline std::string_view key_of(std::string_view variable) {
    return variable.substr(0, variable.find('='));
}

// The value; of several variables by that name the first one's, as getenv(3) has it. Nothing: there is none.
[[nodiscard]] inline std::optional<std::string_view> find(const std::vector<std::string>& variables,
                                                          std::string_view key) {
    for (const std::string& variable : variables)
        if (variable.size() > key.size() && variable[key.size()] == '=' && variable.starts_with(key))
            return std::string_view(variable).substr(key.size() + 1);
    return std::nullopt;
}

// Whether the list speaks of the variable, be it without a value ("KEY").
[[nodiscard]] inline bool has(const std::vector<std::string>& variables, std::string_view key) {
    return std::ranges::any_of(variables,
                               [&](const std::string& variable) { return key_of(variable) == key; });
}

// A later variable of the same name replaces the earlier one, in its place.
void set(std::vector<std::string>& variables, std::string variable);
// The same with many: in time that grows with their number, not with its square.
void set_all(std::vector<std::string>& variables, const std::vector<std::string>& others);

} // namespace mydocker::environment
