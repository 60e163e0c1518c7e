// Exit codes of containers that are gone: `wait` asks for them even after --rm. One file for all, a line
// an exit, kept for at least an hour: <run_root>/exits and exits.old, "TIME_NS ID NAME CODE".
#pragma once

#include "base/paths.hpp"
#include "mydocker/result.hpp"

#include <optional>
#include <string_view>

namespace mydocker::engine {

struct KnownExit {
    ContainerId id;
    ContainerName name;
    int exit_code = 0;
};

[[nodiscard]] Status remember_exit(const paths::Roots& roots, const KnownExit& exit);

// By full id, name, or id prefix; the latest one when a name was used again.
[[nodiscard]] Result<std::optional<KnownExit>> recall_exit(const paths::Roots& roots,
                                                           std::string_view name_or_prefix);

} // namespace mydocker::engine
