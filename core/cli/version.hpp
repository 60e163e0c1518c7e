// The version, from the build.
#pragma once

#include <string_view>

namespace mydocker::cli {

inline constexpr std::string_view kVersionText = MYDOCKER_VERSION;

} // namespace mydocker::cli
