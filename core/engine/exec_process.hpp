// ExecRequest → what is to run in the container. Pure.
#pragma once

#include "engine/request.hpp"
#include "runtime/spec.hpp"

namespace mydocker::engine {

// `own`: the container's first process, whose confinement, environment, user and directory it gets where
// the request says nothing else.
[[nodiscard]] runtime::ProcessSpec exec_process(runtime::ProcessSpec own, const ExecRequest& request);

} // namespace mydocker::engine
