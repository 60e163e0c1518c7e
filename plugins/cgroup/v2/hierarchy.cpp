#include "hierarchy.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <ranges>
#include <set>

namespace mydocker::cgroup_v2 {
namespace {

using Names = std::set<std::string, std::less<>>;

// A container is not limited in earnest without these.
constexpr std::array<std::string_view, 3> kNeeded = {"memory", "pids", "cpu"};
// stats() reads these.
constexpr std::array<std::string_view, 4> kCounting = {"cpu", "io", "memory", "pids"};

[[nodiscard]] std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names)
        text += (text.empty() ? "" : ", ") + name;
    return text;
}

[[nodiscard]] Names names_in(std::string_view text) {
    Names names;
    for (const std::string_view word : cgroup::words_of(text))
        names.emplace(word);
    return names;
}

[[nodiscard]] Names difference(const Names& a, const Names& b) {
    Names rest;
    std::ranges::set_difference(a, b, std::inserter(rest, rest.end()));
    return rest;
}

[[nodiscard]] std::string switch_on(const Names& controllers) {
    std::string text;
    for (const std::string& name : controllers)
        text += (text.empty() ? "+" : " +") + name;
    return text;
}

// Source: cgroup-v2.rst, "Enabling and Disabling", "No Internal Process Constraint", "Threads".
[[nodiscard]] std::string_view why_not(int error) {
    switch (error) {
    case ENOENT:
        return "it is not passed down to that cgroup";
    case EBUSY:
        return "processes live in that cgroup itself; a cgroup v2 with processes of its own cannot pass "
               "controllers on to others, so move them into a cgroup below it";
    case EOPNOTSUPP:
        return "that cgroup is threaded, and this controller does not work on threads";
    case EACCES:
    case EPERM:
        return "that cgroup is not delegated to this user";
    case EINVAL:
        return "the kernel refuses it there (for cpu: real-time processes run outside the root cgroup)";
    default:
        return "";
    }
}

[[nodiscard]] std::unexpected<Error> not_enabled(const Place& place, const std::string& controller,
                                                 int error) {
    const bool cannot = error == EINVAL || error == ENOENT || error == EOPNOTSUPP;
    const Code code = cannot ? Code::unsupported : code_from_errno(error);
    std::string text = "enable controller " + controller + " below " + place.quoted();
    if (const auto why = why_not(error); !why.empty()) text += ": " + std::string(why);
    return fail(code, std::move(text), error);
}

// Whether controllers cannot be passed on because processes live here. Asked beforehand, since the
// kernel refuses only some controllers then; the others (cpu, pids) it passes on and makes the cgroup a
// threaded one, below which no process can be started. The true root, which has no type, is exempt.
[[nodiscard]] bool has_processes_in_the_way(const Place& place) {
    if (::faccessat(place.root, place.file("cgroup.type").c_str(), F_OK, 0) != 0) return false;
    return !cgroup::read_control(place, "cgroup.procs").value_or("").empty();
}

// In one level: all in one write, and one by one to find the culprit only if that fails.
[[nodiscard]] Status enable_below(const Place& place, const Names& required, const Names& welcome) {
    const auto text = cgroup::read_control(place, "cgroup.subtree_control");
    if (!text) return fail(text);
    const Names there = names_in(*text);
    Names all = required;
    all.insert(welcome.begin(), welcome.end());
    const Names lacking = difference(all, there);
    if (lacking.empty()) return {};
    if (has_processes_in_the_way(place)) {
        const Names missing = difference(required, there);
        if (missing.empty()) return {};
        return not_enabled(place, *missing.begin(), EBUSY);
    }
    if (cgroup::write_control(place, "cgroup.subtree_control", switch_on(lacking))) return {};
    for (const std::string& controller : lacking) {
        const auto enabled = cgroup::write_control(place, "cgroup.subtree_control", "+" + controller);
        if (!enabled && required.contains(controller))
            return not_enabled(place, controller, enabled.error().sys_errno);
    }
    return {};
}

[[nodiscard]] Result<UniqueFd> open_writable(const cgroup::CgroupMount& mount) {
    if (mount.read_only)
        return fail(Code::denied, "the cgroup v2 hierarchy at '" + mount.point + "' is mounted read-only");
    return cgroup::open_mount(mount);
}

[[nodiscard]] Result<std::optional<std::string>> bound_to_v1(const std::vector<std::string>& there) {
    std::optional<std::string> listed;
    std::string bound;
    for (const std::string_view name : kNeeded) {
        if (std::ranges::find(there, name) != there.end()) continue;
        if (!listed) {
            auto text = files::read_file("/proc/cgroups");
            if (!text && text.error().code != Code::not_found) return fail(text); // A kernel without v1.
            listed = text ? *std::move(text) : std::string();
        }
        if (cgroup::binding_of(name, *listed) == cgroup::Binding::v1)
            bound += (bound.empty() ? "" : ", ") + std::string(name);
    }
    return bound.empty() ? std::nullopt : std::optional(bound);
}

} // namespace

Result<Hierarchy> Hierarchy::open(const Host* host) {
    auto mounts = cgroup::cgroup_mounts();
    if (!mounts) return fail(mounts);
    Hierarchy found;
    found.host_ = host;
    Error why{Code::unsupported, 0, "no cgroup v2 hierarchy is mounted"};
    for (cgroup::CgroupMount& mount : *mounts) {
        if (mount.version != cgroup::Version::v2) continue;
        auto root = open_writable(mount);
        if (!root && !cgroup::is_out_of_reach(root.error())) return fail(root);
        if (!root) {
            why = Error{Code::denied, 0, root.error().text};
            continue;
        }
        found.root_ = std::move(*root);
        found.point_ = std::move(mount.point);
        found.options_ = std::move(mount.options);
        break;
    }
    if (!found.root_) return std::unexpected(std::move(why));
    const auto text = cgroup::read_control(found.place(""), "cgroup.controllers");
    if (!text) return fail(text);
    for (const std::string_view name : cgroup::words_of(*text))
        found.controllers_.emplace_back(name);
    const std::string only =
        "the cgroup v2 hierarchy at '" + found.point_ + "' has " +
        (found.controllers_.empty() ? "no controllers"
                                    : "the controllers " + joined(found.controllers_) + " only");
    const auto bound = bound_to_v1(found.controllers_);
    if (!bound) return fail(bound);
    if (*bound) return fail(Code::unsupported, only + "; cgroup v1 hierarchies have " + **bound);
    if (std::ranges::none_of(kNeeded, [&](std::string_view name) { return found.has(name); }))
        return fail(Code::unsupported, only + "; containers take memory, pids or cpu");
    return found;
}

bool Hierarchy::has(std::string_view controller) const {
    return std::ranges::find(controllers_, controller) != controllers_.end();
}

Status Hierarchy::check_controllers(const Resources& resources) const {
    for (const cgroup::Asked& asked : cgroup::asked_limits(resources)) {
        if (asked.controller == "devices" || has(asked.controller)) continue; // devices: by a BPF program
        const auto listed = files::read_file("/proc/cgroups");
        const auto binding = cgroup::binding_of(asked.controller, listed ? *listed : std::string());
        const std::string elsewhere =
            binding == cgroup::Binding::v1
                ? "belongs to a cgroup v1 hierarchy, where the backend v2 sets no limits"
                : "is not passed down to the cgroup v2 hierarchy at '" + point_ + "'";
        return fail(Code::unsupported, cgroup::without_controller(asked, binding, elsewhere));
    }
    return {};
}

Status Hierarchy::enable_controllers(const std::string& name, const Resources& resources) const {
    Names required;
    for (const cgroup::Asked& asked : cgroup::asked_limits(resources))
        if (asked.controller != "devices") required.emplace(asked.controller);
    Names welcome;
    for (const std::string_view controller : kCounting)
        if (has(controller)) welcome.emplace(controller);

    // Mostly another container was here before.
    const auto text = cgroup::read_control(place(name), "cgroup.controllers");
    if (!text) return fail(text);
    const Names there = names_in(*text);
    if (difference(required, there).empty() && difference(welcome, there).empty()) return {};

    std::vector<Place> above;
    for (Place level = place(name).parent(); !level.name.empty(); level = level.parent())
        above.push_back(level);
    above.push_back(place(""));
    for (const Place& level : std::views::reverse(above))
        if (auto enabled = enable_below(level, required, welcome); !enabled) return enabled;
    return {};
}

} // namespace mydocker::cgroup_v2
