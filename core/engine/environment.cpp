// Environment variables by name.
#include "engine/environment.hpp"

#include <algorithm>
#include <utility>

namespace mydocker::engine {

std::string_view key_of(std::string_view variable) {
    return variable.substr(0, variable.find('='));
}

bool has_variable(const std::vector<std::string>& environment, std::string_view key) {
    return std::ranges::any_of(environment,
                               [&](const std::string& variable) { return key_of(variable) == key; });
}

void set_variable(std::vector<std::string>& environment, std::string variable) {
    for (std::string& known : environment) {
        if (key_of(known) != key_of(variable)) continue;
        known = std::move(variable);
        return;
    }
    environment.push_back(std::move(variable));
}

} // namespace mydocker::engine
