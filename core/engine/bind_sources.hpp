// Directories and files of the host that containers see: checked before anything is made, then made if they
// may be.
#pragma once

#include "engine/request.hpp"
#include "mydocker/result.hpp"

namespace mydocker::engine {

// Whether the mount's source is there, or may be made. Changes nothing.
// Errors: not_found, with what to do; conflict, when mounts shall pass to or from the host and the source
// lies on a mount that passes none: the kernel would make a private mount of it in silence.
[[nodiscard]] Status check_bind_source(const MountRequest& mount, bool may_create);

// Makes a missing directory, and those above it, mode 0755. It stays, whatever becomes of the container: it
// is the user's. Again: succeeds.
[[nodiscard]] Status make_bind_source(const MountRequest& mount);

} // namespace mydocker::engine
