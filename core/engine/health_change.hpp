// HEALTHCHECK of a Dockerfile, as `commit --change` takes it. Pure.
// Source: Dockerfile reference, "HEALTHCHECK".
#pragma once

#include "mydocker/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mydocker::engine {

// "HEALTHCHECK --interval=5s CMD curl -f localhost", "HEALTHCHECK NONE", in any case → an image's
// "Healthcheck", JSON. Nothing: it is another instruction. Errors: invalid, naming what is wrong.
[[nodiscard]] Result<std::optional<std::string>> parse_health_change(std::string_view instruction);

} // namespace mydocker::engine
