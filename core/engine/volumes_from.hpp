// --volumes-from: what another container has mounted of the host's and of volumes.
#pragma once

#include "engine/engine.hpp"
#include "engine/request.hpp"
#include "mydocker/result.hpp"

namespace mydocker::engine {

// Adds their mounts to the request's; a target that is there already keeps what it has. Errors: not_found.
[[nodiscard]] Status add_volumes_from(Engine& engine, CreateRequest& request);

} // namespace mydocker::engine
