// Records that are lost or damaged, made anew from what is left of their containers: the bundle's config.json
// carries the record as it was at birth, and the storage driver still has the writable layer.
#pragma once

#include "engine/check.hpp"
#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"

#include <string_view>

namespace mydocker::engine {

// Annotations of config.json: the record of the container at birth, and the state store that has it.
inline constexpr std::string_view kBirthNote = "io.mydocker.record";
inline constexpr std::string_view kStoreNote = "io.mydocker.state";

// Rebuilds what can be proved, and tells of each; the rest is left for check_system() to find. What a newer
// version wrote is not damaged. Such a container is at rest, under its first name if that is still free.
[[nodiscard]] Status rebuild_records(Engine& engine, const ActionVisitor& told);

// Whether the bundle says that another state store has the container's record: then it is nobody's orphan.
[[nodiscard]] bool is_of_another_store(Engine& engine, const ContainerId& id);

} // namespace mydocker::engine
