// `system check` and `system recover`: what exists minus what the records say, for every kind of resource.
#pragma once

#include "engine/engine.hpp"
#include "mydocker/result.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

// Something that no record knows, or a record whose owner is gone.
struct Finding {
    std::string kind; // "writable layer", "cgroup", "run directory", …
    std::string name;
    std::string detail;
};

// Changes nothing.
[[nodiscard]] Result<std::vector<Finding>> check_system(Engine& engine);

// The files of a container whose record is lost, and cannot be rebuilt: somebody's data, which no crash of
// ours leaves (a record is written first and removed last).
enum class Orphans { keep, remove };

// Brings every container of a dead owner to rest, rebuilds records (rebuild.hpp) and takes away what no
// record knows; tells each action. Returns what is left: what could not be mended, and orphans that are kept.
using ActionVisitor = std::function<void(std::string_view action)>;
[[nodiscard]] Result<std::vector<Finding>> recover_system(Engine& engine, Orphans orphans,
                                                          const ActionVisitor& told);

} // namespace mydocker::engine
