// HEALTHCHECK of a Dockerfile, one of the instructions of config_change. Pure.
// Source: Dockerfile reference, "HEALTHCHECK".
#pragma once

#include "mydocker/result.hpp"

#include <string>
#include <string_view>

namespace mydocker::image {

// What stands behind the instruction's name: "--interval=5s CMD curl -f localhost", "NONE" → an image's
// "Healthcheck", JSON. Errors: invalid, naming what is wrong.
[[nodiscard]] Result<std::string> parse_health_change(std::string_view text);

} // namespace mydocker::image
