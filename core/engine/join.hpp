// Joining the namespaces of another container: `--network`, `--pid`, `--ipc` and `--uts container:NAME`.
#pragma once

#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <string>
#include <string_view>

namespace mydocker::engine {

// What a record says of a container whose network is another one's, before that one's id.
inline constexpr std::string_view kOfContainer = "container:";

// The namespace of a running container, by its first process. Errors: conflict when it does not run, or is
// still being started: until then its process may be in the host's.
[[nodiscard]] Result<std::string> namespace_path(Engine& engine, const std::string& container,
                                                 runtime::NamespaceKind kind);

// Whether the processes whose namespaces the record asks for are still those that their containers had.
// Errors: conflict.
[[nodiscard]] Status check_joined(Engine& engine, const ContainerRecord& record);

// At each start the other container's process may be another one: puts its paths into the spec.
[[nodiscard]] Status renew_joined(Engine& engine, const ContainerRecord& record,
                                  runtime::ContainerSpec& spec);

} // namespace mydocker::engine
