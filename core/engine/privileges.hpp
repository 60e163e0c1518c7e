// What this process may do, and thus can give to a container.
#pragma once

#include "mydocker/result.hpp"

#include <string>
#include <vector>

namespace mydocker::engine {

// What no step could do without, said before anything is made. Errors: denied.
[[nodiscard]] Status check_privilege();

// Names of the permitted capabilities, "CAP_CHOWN". Source: capabilities(7).
[[nodiscard]] Result<std::vector<std::string>> own_capabilities();

} // namespace mydocker::engine
