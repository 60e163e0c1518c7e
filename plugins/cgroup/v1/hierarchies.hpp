// The v1 hierarchies that are mounted here, open. Found once by each instance.
#pragma once

#include "../common/limits.hpp"
#include "../common/mounts.hpp"
#include "../common/tree.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cgroup_v1 {

using cgroup::Place;

struct Hierarchy {
    UniqueFd root;
    std::string point;
    std::vector<std::string> controllers;
    const Host* host = nullptr; // told of what is written

    [[nodiscard]] Place place(const std::string& name) const { return {root.get(), point, name, host}; }
    [[nodiscard]] bool has(std::string_view controller) const;
};

class Hierarchies {
  public:
    // Opens every writable hierarchy with controllers. Errors: unsupported, when there is none, and so no
    // cgroup either; denied, when all are read-only or hidden. `host`: told of what is written; it outlives
    // it.
    [[nodiscard]] static Result<Hierarchies> open(const Host* host);

    // The one with the freezer first, if there is one: a process joins it before the others, so its
    // cgroup holds also those that got no further.
    [[nodiscard]] const std::vector<Hierarchy>& all() const { return all_; }
    // The one to look for processes in.
    [[nodiscard]] const Hierarchy& members() const { return all_.front(); }
    // With the controller, by its name in v1; null: no hierarchy has it.
    [[nodiscard]] const Hierarchy* with(std::string_view controller) const;

    // Errors: unsupported, when a limit is asked for whose controller is on no hierarchy here.
    [[nodiscard]] Status check_controllers(const Resources& resources) const;

  private:
    std::vector<Hierarchy> all_;
    std::string unified_; // where v2 is mounted; empty: nowhere
};

} // namespace mydocker::cgroup_v1
