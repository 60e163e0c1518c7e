// printf of templates.
#pragma once

#include "base/json.hpp"
#include "mydocker/result.hpp"

#include <span>

namespace mydocker::cli {

// Go's verbs as far as values go: %s %v %q %d %x %X %o %f %g %t %%, with flags, width and precision.
// Errors: invalid: an unknown verb, a value missing, too many, or of the wrong kind.
[[nodiscard]] Result<json::Value> print_formatted(std::span<const json::Value> arguments);

} // namespace mydocker::cli
