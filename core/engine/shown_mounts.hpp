// What a container has mounted, as its user asked for it: without what every container has. For those who
// look; what is made is in mounts.hpp.
#pragma once

#include "base/paths.hpp"
#include "engine/record.hpp"
#include "runtime/spec.hpp"

#include <string>
#include <vector>

namespace mydocker::engine {

struct ShownMount {
    enum class Kind { bind, volume, tmpfs } kind = Kind::bind;
    std::string name;   // of a volume
    std::string source; // on the host; empty for a tmpfs
    std::string destination;
    bool read_only = false;
    std::string propagation;
    std::vector<std::string> options; // the others, as they were given
};

// In the spec's order. Pure.
[[nodiscard]] std::vector<ShownMount> shown_mounts(const runtime::ContainerSpec& spec,
                                                   const paths::Roots& roots, const ContainerId& id);

} // namespace mydocker::engine
