// What nobody needs any more goes, and says what room it made: containers that do not run, images that no
// container uses, volumes.
#pragma once

#include "engine/container_volumes.hpp"
#include "engine/engine.hpp"
#include "engine/volumes.hpp"
#include "image/image.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mydocker::engine {

struct Pruned {
    std::vector<std::string> names; // what went, in docker's words
    std::uint64_t freed = 0;        // bytes on disk
    std::vector<Error> failures;    // what could not go; the rest did
};

// Which of those that may go are to go; absent: all.
template <class T>
using Chooser = std::function<bool(const T&)>;

// Those that were created only and those that have ended. One that is started meanwhile stays.
[[nodiscard]] Result<Pruned> prune_containers(Engine& engine, const Chooser<ContainerRecord>& chosen);

enum class PruneImages { dangling, unused }; // without a name; used by no container
[[nodiscard]] Result<Pruned> prune_images(Engine& engine, PruneImages which,
                                          const Chooser<image::Image>& chosen);

[[nodiscard]] Result<Pruned> prune_volumes(Engine& engine, Prune which, const Chooser<Volume>& chosen);

// What killed processes left in drivers and stores. Tells whose, where there was some ("storage driver vfs"),
// and returns the bytes freed.
using SweepVisitor = std::function<void(const std::string& whose, std::uint64_t bytes)>;
[[nodiscard]] Result<std::uint64_t> sweep_leftovers(Engine& engine, const SweepVisitor& told = {});

} // namespace mydocker::engine
