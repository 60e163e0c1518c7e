// The one tree of cgroup v2: finding it, and enabling controllers on the way down to a cgroup.
#pragma once

#include "../common/limits.hpp"
#include "../common/mounts.hpp"
#include "../common/tree.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cgroup_v2 {

using cgroup::Place;

class Hierarchy {
  public:
    // Opens the tree. Errors: unsupported, when it is not mounted, or when v1 hierarchies have the
    // controllers that containers are limited with: then it has no cgroups of ours; denied, when it is
    // read-only or hidden.
    // `host`: told of what is written; it outlives it.
    [[nodiscard]] static Result<Hierarchy> open(const Host* host);

    [[nodiscard]] Place place(const std::string& name) const { return {root_.get(), point_, name, host_}; }
    // Those available at the mount point, by name.
    [[nodiscard]] const std::vector<std::string>& controllers() const { return controllers_; }
    [[nodiscard]] bool has(std::string_view controller) const;
    // Those it is mounted with, without a value: "nsdelegate".
    [[nodiscard]] const std::vector<std::string>& options() const { return options_; }

    // Errors: unsupported, when a limit is asked for whose controller is not in this tree.
    [[nodiscard]] Status check_controllers(const Resources& resources) const;

    // Enables, in every level above the cgroup, the controllers that `resources` needs; and, where that
    // works, those that count what stats() tells. The cgroup exists: so its parents cannot vanish.
    // Errors: busy, denied, unsupported, saying which rule of cgroup v2 is in the way.
    [[nodiscard]] Status enable_controllers(const std::string& name, const Resources& resources) const;

  private:
    const Host* host_ = nullptr;
    UniqueFd root_;
    std::string point_;
    std::vector<std::string> options_;
    std::vector<std::string> controllers_;
};

} // namespace mydocker::cgroup_v2
