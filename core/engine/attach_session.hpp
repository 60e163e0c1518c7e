// The way to the monitor of a running container, for whoever did not start it.
#pragma once

#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

namespace mydocker::engine {

// A session as a guest (session.hpp). Errors: conflict when the container has ended meanwhile.
[[nodiscard]] Result<UniqueFd> connect_monitor(const Engine& engine, const ContainerRecord& record);

} // namespace mydocker::engine
