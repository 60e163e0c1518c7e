// Environment variables by name.
#include "engine/environment.hpp"

#include <algorithm>
#include <unordered_map>
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

void set_variables(std::vector<std::string>& environment, const std::vector<std::string>& variables) {
    std::unordered_map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < environment.size(); ++i)
        places.try_emplace(std::string(key_of(environment[i])), i);
    for (const std::string& variable : variables) {
        const auto [place, is_new] = places.try_emplace(std::string(key_of(variable)), environment.size());
        if (is_new)
            environment.push_back(variable);
        else
            environment[place->second] = variable;
    }
}

} // namespace mydocker::engine
