// What both versions check before anything is touched: the values of Resources, and whether a
// controller that a limit needs is there. Pure but for the reading of /proc/cgroups.
#pragma once

#include "units.hpp"

#include "mydocker/cgroup_backend.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cgroup {

// Checks every value by itself and against the others; not against the host.
// Errors: invalid, saying what would do.
[[nodiscard]] Status validate(const Resources& resources);

// One limit that is asked for, and the controller that it takes, by its name in cgroup v2 ("io" is v1's
// "blkio"). kUnlimited asks for none.
struct Asked {
    std::string_view controller;
    std::string_view limit; // in words: "memory limit"
};
[[nodiscard]] std::vector<Asked> asked_limits(const Resources& resources);

// Whether the rules let every device through, that is: filter nothing.
[[nodiscard]] bool allows_everything(const std::vector<DeviceRule>& rules);

// What /proc/cgroups says about a controller. `controller`: the name in cgroup v2.
enum class Binding : std::uint32_t {
    absent,   // not built into this kernel
    disabled, // switched off at boot
    v1,       // on a v1 hierarchy
    free,     // on the v2 hierarchy, or nowhere
};
[[nodiscard]] Binding binding_of(std::string_view controller, std::string_view proc_cgroups);

// The sentence for a limit that is asked for without its controller; `elsewhere` words why the backend
// cannot use one that the kernel does have.
[[nodiscard]] std::string without_controller(const Asked& asked, Binding binding, std::string_view elsewhere);

// Whether the processors or memory nodes in `list` are among `available`, both in the kernel's list
// format. what: "CPU" or "memory node". Errors: invalid.
[[nodiscard]] Status check_available(std::string_view list, std::string_view available,
                                     std::string_view what);

// A limit and the call that sets it.
struct Step {
    std::string_view limit;
    std::function<Status()> set;
};
// Runs the steps in order up to the first that fails; its error tells which limits were set before it.
[[nodiscard]] Status run_steps(const std::vector<Step>& steps);

} // namespace mydocker::cgroup
