// A container's root filesystem as an open directory, for those who read or write in it from outside. Every
// mount that this takes is detached: it hangs in no namespace, nobody else sees it, and it is gone with its
// descriptor, however this process ends. No program of the container's is run.
#pragma once

#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "mydocker/support/files.hpp"

#include <string>

namespace mydocker::engine {

// What belongs to the container alone: image and writable layer, without volumes, /proc, /dev and whatever
// else is mounted in it. Of one that runs: its own mount, seen once more, without what hangs in it; of one
// that does not: what its storage driver describes (the caller holds the baton).
// Errors: conflict when it ended meanwhile; unsupported when the root is several mounts.
[[nodiscard]] Result<UniqueFd> open_layers(Engine& engine, const ContainerRecord& record, Access access);

// What the container's own processes began with, volumes and what they have mounted since included. It must
// run. Names below it are to be resolved with RESOLVE_IN_ROOT. Errors: conflict when it ended meanwhile.
[[nodiscard]] Result<UniqueFd> open_process_root(const ContainerRecord& record);

// What a path names for a process in that root: links are followed, and none leads out of it.
[[nodiscard]] Result<UniqueFd> open_in_root(int root, const std::string& path, int flags);

} // namespace mydocker::engine
