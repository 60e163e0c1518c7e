// The words that readable container names are made of. Only paths.cpp uses it.
#pragma once

#include <span>
#include <string_view>

namespace mydocker::paths {

[[nodiscard]] std::span<const std::string_view> name_qualities();
[[nodiscard]] std::span<const std::string_view> name_animals();

} // namespace mydocker::paths
