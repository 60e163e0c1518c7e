// Device nodes of the host, for containers that get them.
#pragma once

#include "engine/request.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <vector>

namespace mydocker::engine {

// The device node at a path, links followed; or, of a directory, all below it, links left out. Their paths
// are as on the host. Left out of /dev: terminals, shared memory and queues, which each container has of its
// own. Errors: invalid when it is neither; not_found.
[[nodiscard]] Result<std::vector<DeviceRequest>> find_devices(const std::string& path);

} // namespace mydocker::engine
