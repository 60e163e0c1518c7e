#include "base/environment.hpp"

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace mydocker::environment {

void set(std::vector<std::string>& variables, std::string variable) {
    const auto known = std::ranges::find(variables, key_of(variable), key_of);
    if (known != variables.end())
        *known = std::move(variable);
    else
        variables.push_back(std::move(variable));
}

void set_all(std::vector<std::string>& variables, const std::vector<std::string>& others) {
    std::unordered_map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < variables.size(); ++i)
        places.try_emplace(std::string(key_of(variables[i])), i);
    for (const std::string& variable : others) {
        const auto [place, is_new] = places.try_emplace(std::string(key_of(variable)), variables.size());
        if (is_new)
            variables.push_back(variable);
        else
            variables[place->second] = variable;
    }
}

} // namespace mydocker::environment
