#include "hierarchies.hpp"

#include <algorithm>

namespace mydocker::cgroup_v1 {
namespace {

[[nodiscard]] std::string_view v1_name(std::string_view controller) {
    return controller == "io" ? "blkio" : controller;
}

[[nodiscard]] std::unexpected<Error> none_found(bool mounted, bool read_only) {
    if (read_only) return fail(Code::denied, "the cgroup v1 hierarchies are mounted read-only");
    if (mounted) return fail(Code::denied, "the cgroup v1 hierarchies are hidden by other mounts");
    return fail(Code::unsupported, "no cgroup v1 hierarchy with controllers is mounted");
}

} // namespace

bool Hierarchy::has(std::string_view controller) const {
    return std::ranges::find(controllers, controller) != controllers.end();
}

Result<Hierarchies> Hierarchies::open(const Host* host) {
    auto mounts = cgroup::cgroup_mounts();
    if (!mounts) return fail(mounts);
    Hierarchies found;
    bool mounted = false;
    bool read_only = false;
    for (cgroup::CgroupMount& mount : *mounts) {
        if (mount.version == cgroup::Version::v2) {
            found.unified_ = mount.point;
            continue;
        }
        // Named hierarchies limit nothing; one of a set of controllers may be mounted more than once.
        if (mount.controllers.empty() || found.with(mount.controllers.front()) != nullptr) continue;
        mounted = true;
        read_only = read_only || mount.read_only;
        if (mount.read_only) continue;
        auto root = cgroup::open_mount(mount);
        if (!root && !cgroup::is_out_of_reach(root.error())) return fail(root);
        if (!root) continue; // What is said of it when it is missed is enough.
        found.all_.push_back({std::move(*root), std::move(mount.point), std::move(mount.controllers), host});
    }
    if (found.all_.empty()) return none_found(mounted, read_only);
    const auto freezer =
        std::ranges::find_if(found.all_, [](const Hierarchy& h) { return h.has("freezer"); });
    if (freezer != found.all_.end()) std::swap(*freezer, found.all_.front());
    return found;
}

const Hierarchy* Hierarchies::with(std::string_view controller) const {
    for (const Hierarchy& hierarchy : all_)
        if (hierarchy.has(controller)) return &hierarchy;
    return nullptr;
}

Status Hierarchies::check_controllers(const Resources& resources) const {
    for (const cgroup::Asked& asked : cgroup::asked_limits(resources)) {
        if (with(v1_name(asked.controller)) != nullptr) continue;
        auto listed = files::read_file("/proc/cgroups");
        const auto binding = cgroup::binding_of(asked.controller, listed ? *listed : std::string());
        std::string elsewhere = "is mounted nowhere that this backend can write to";
        if (binding == cgroup::Binding::free)
            elsewhere = unified_.empty() ? "is on no mounted cgroup v1 hierarchy"
                                         : "belongs to the cgroup v2 hierarchy at '" + unified_ +
                                               "', where the backend v1 sets no limits";
        return fail(Code::unsupported, cgroup::without_controller(asked, binding, elsewhere));
    }
    return {};
}

} // namespace mydocker::cgroup_v1
