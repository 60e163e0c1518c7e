// Lists of environment variables, "KEY=value" each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

[[nodiscard]] std::string_view key_of(std::string_view variable);
[[nodiscard]] bool has_variable(const std::vector<std::string>& environment, std::string_view key);

// A later variable of the same name replaces the earlier one, in its place.
void set_variable(std::vector<std::string>& environment, std::string variable);
// The same with many: in time that grows with their number, not with its square.
void set_variables(std::vector<std::string>& environment, const std::vector<std::string>& variables);

} // namespace mydocker::engine
