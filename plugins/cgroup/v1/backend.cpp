#include "backend.hpp"

#include "freezer.hpp"
#include "limits.hpp"
#include "stats.hpp"

#include "../common/signals.hpp"

#include "mydocker/export_cgroup_backend.hpp"

#include <fcntl.h>
#include <ranges>
#include <set>
#include <sys/mount.h>
#include <unistd.h>

namespace mydocker::cgroup_v1 {
namespace {

using cgroup::Deadline;

constexpr std::string_view kVersion = "v1";
constexpr std::chrono::seconds kFreezePatience(10);
constexpr std::chrono::seconds kRemovePatience(2);
constexpr std::uint64_t kMountFlags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

[[nodiscard]] Deadline in(std::chrono::seconds time) {
    return std::chrono::steady_clock::now() + time;
}

// By the names of cgroup v2, those that a limit can be set with.
[[nodiscard]] std::vector<std::string> controllers(const Hierarchies& hierarchies) {
    std::vector<std::string> names;
    for (const std::string_view name : {"memory", "cpu", "cpuset", "pids", "hugetlb", "devices"})
        if (hierarchies.with(name) != nullptr) names.emplace_back(name);
    if (hierarchies.with("blkio") != nullptr) names.emplace_back("io");
    const Hierarchy* memory = hierarchies.with("memory");
    if (memory != nullptr && ::faccessat(memory->root.get(), kMemorySwapFile, F_OK, 0) == 0)
        names.emplace_back("swap");
    return names;
}

// A tmpfs with a directory for each hierarchy, called as on the host ("cpu,cpuacct").
[[nodiscard]] std::vector<Mount> container_mounts(const Hierarchies& hierarchies) {
    std::vector<Mount> mounts;
    mounts.push_back({.type = "tmpfs",
                      .source = "cgroup",
                      .target = "/sys/fs/cgroup",
                      .flags = kMountFlags,
                      .propagation = Propagation::inherit,
                      .options = {"mode=755", "size=64k"},
                      .directory = {}});
    for (const Hierarchy& hierarchy : hierarchies.all())
        mounts.push_back(
            {.type = "cgroup",
             .source = "cgroup",
             .target = "/sys/fs/cgroup/" + hierarchy.point.substr(hierarchy.point.rfind('/') + 1),
             .flags = kMountFlags,
             .propagation = Propagation::inherit,
             .options = hierarchy.controllers,
             .directory = {}});
    return mounts;
}

// Without hierarchies there are no cgroups: after a reboot into cgroup v2, what v1 made is gone.
template <class T>
[[nodiscard]] bool is_absent(const Result<T>& found) {
    return !found && found.error().code == Code::unsupported;
}

// v1 tells nobody when the last process has left a cgroup: that ends of processes can be waited for,
// but the cgroup may let go of them a moment later, hence the pause.
void wait_for_members(const Place& place, Deadline deadline, int round) {
    const auto pids = cgroup::processes_of(place);
    if (pids && !pids->empty()) cgroup::wait_for_exit(*pids, deadline);
    if (!pids || pids->empty() || round > 0) cgroup::back_off(round, deadline);
}

} // namespace

Result<std::unique_ptr<CgroupBackend>> CgroupV1::open(Host host) {
    return std::make_unique<CgroupV1>(std::move(host));
}

Result<const Hierarchies*> CgroupV1::hierarchies() {
    if (!hierarchies_) {
        auto found = Hierarchies::open(&host_);
        if (!found) return fail(found);
        hierarchies_ = std::move(*found);
    }
    return &*hierarchies_;
}

Result<CgroupV1::Target> CgroupV1::target(const Locator& locator) {
    auto name = cgroup::from_locator(kVersion, locator);
    if (!name) return fail(name);
    auto all = hierarchies();
    if (!all) return fail(all);
    return Target{**all, std::move(*name)};
}

Result<CgroupTraits> CgroupV1::probe() {
    auto all = hierarchies();
    if (!all) return std::unexpected(cgroup::probe_error(all.error()));
    return CgroupTraits{
        .entry_at_clone = false, .controllers = controllers(**all), .mounts = container_mounts(**all)};
}

Result<Locator> CgroupV1::locate(const CgroupName& name) {
    return cgroup::to_locator(kVersion, name);
}

Status CgroupV1::create(const Locator& locator, const Resources& resources) {
    if (auto fit = cgroup::validate(resources); !fit) return fit;
    auto to = target(locator);
    if (!to) return fail(to);
    if (auto fit = check_limits(to->hierarchies, resources); !fit) return fit;
    for (const Hierarchy& hierarchy : to->hierarchies.all())
        if (auto made = cgroup::make(hierarchy.place(to->name)); !made) return made;
    if (auto inherited = inherit_cpuset(to->hierarchies, to->name, resources); !inherited) return inherited;
    return set_limits(to->hierarchies, to->name, resources);
}

// The joins are to `tasks`, not `cgroup.procs`. Both move a process of one thread, but the latter takes
// the lock that stops all forks on the machine, whose writer waits for an RCU grace period if there was
// none just before. Joining eight hierarchies after 0.3 s of quiet, Linux 6.18, two processors, median
// of 15: 0.11 ms by `tasks`, 15.3 ms by `cgroup.procs`.
Result<CgroupEntry> CgroupV1::entry(const Locator& locator) {
    auto to = target(locator);
    if (!to) return fail(to);
    CgroupEntry entry;
    entry.joins.reserve(to->hierarchies.all().size());
    for (const Hierarchy& hierarchy : to->hierarchies.all()) {
        const Place place = hierarchy.place(to->name);
        UniqueFd fd(::openat(place.root, place.file("tasks").c_str(), O_WRONLY | O_CLOEXEC));
        if (!fd) return fail_errno(errno, "enter cgroup " + place.quoted());
        entry.joins.push_back(std::move(fd));
    }
    return entry;
}

Status CgroupV1::attach(const Locator& locator, pid_t pid) {
    auto to = target(locator);
    if (!to) return fail(to);
    for (const Hierarchy& hierarchy : to->hierarchies.all()) {
        auto moved = cgroup::write_control(hierarchy.place(to->name), "cgroup.procs", std::to_string(pid));
        if (!moved) return fail(moved, "attach process " + std::to_string(pid));
    }
    return {};
}

Status CgroupV1::update(const Locator& locator, const Resources& resources) {
    if (auto fit = cgroup::validate(resources); !fit) return fit;
    auto to = target(locator);
    if (!to) return fail(to);
    const Place members = to->hierarchies.members().place(to->name);
    if (::faccessat(members.root, members.name.c_str(), F_OK, 0) != 0)
        return fail_errno(errno, "set limits of cgroup " + members.quoted());
    if (auto fit = check_limits(to->hierarchies, resources); !fit) return fit;
    return set_limits(to->hierarchies, to->name, resources);
}

Result<CgroupStats> CgroupV1::stats(const Locator& locator) {
    auto to = target(locator);
    if (!to) return fail(to);
    return read_stats(to->hierarchies, to->name);
}

Result<Place> CgroupV1::freezer(const Locator& locator, std::string_view verb) {
    auto to = target(locator);
    if (!to) return fail(to);
    const Hierarchy* hierarchy = to->hierarchies.with("freezer");
    if (hierarchy == nullptr)
        return fail(Code::unsupported,
                    std::string(verb) + " '" + to->name + "': no hierarchy with the freezer is mounted");
    return hierarchy->place(to->name);
}

Status CgroupV1::freeze(const Locator& locator) {
    auto place = freezer(locator, "freeze");
    if (!place) return fail(place);
    return cgroup_v1::freeze(*place, in(kFreezePatience));
}

Status CgroupV1::thaw(const Locator& locator) {
    auto place = freezer(locator, "thaw");
    if (!place) return fail(place);
    return cgroup_v1::thaw(*place);
}

Status CgroupV1::kill(const Locator& locator, int signal) {
    auto to = target(locator);
    if (is_absent(to)) return {};
    if (!to) return fail(to);
    return kill_all(to->hierarchies, to->name, signal);
}

Status CgroupV1::processes(const Locator& locator, const ProcessVisitor& visit) {
    auto to = target(locator);
    if (!to) return fail(to);
    const auto pids = cgroup::processes_of(to->hierarchies.members().place(to->name));
    if (!pids) return fail(pids);
    for (const pid_t pid : *pids)
        if (auto visited = visit(pid); !visited) return visited;
    return {};
}

Result<UniqueFd> CgroupV1::events(const Locator& locator) {
    auto to = target(locator);
    if (!to) return fail(to);
    return open_oom_event(to->hierarchies, to->name);
}

Status CgroupV1::remove(const Locator& locator) {
    auto to = target(locator);
    if (is_absent(to)) return {};
    if (!to) return fail(to);
    const Deadline deadline = in(kRemovePatience);
    Status first;
    // In every hierarchy, whatever happens in one: what can be given back is given back. The freezer's,
    // which holds every process, last: until then `kill` reaches them.
    for (const Hierarchy& hierarchy : std::views::reverse(to->hierarchies.all())) {
        const Place place = hierarchy.place(to->name);
        auto removed = cgroup::remove_cgroup(place, deadline, wait_for_members);
        if (removed)
            cgroup::remove_empty_parents(place);
        else if (first)
            first = removed;
    }
    return first;
}

Status CgroupV1::list(std::string_view prefix, const LocatorVisitor& visit) {
    if (auto fit = cgroup::check_name(prefix); !fit) return fit;
    auto all = hierarchies();
    if (is_absent(all)) return {};
    if (!all) return fail(all);
    std::set<std::string> names; // A half-made or half-removed cgroup is in some hierarchies only.
    for (const Hierarchy& hierarchy : (*all)->all()) {
        auto found = cgroup::children_of(hierarchy.place(std::string(prefix)));
        if (!found) return fail(found);
        names.insert(std::make_move_iterator(found->begin()), std::make_move_iterator(found->end()));
    }
    for (const std::string& name : names) {
        const Locator locator(std::string(kVersion) + ":" + std::string(prefix) + "/" + name);
        if (auto visited = visit(locator); !visited) return visited;
    }
    return {};
}

} // namespace mydocker::cgroup_v1

MYDOCKER_EXPORT_CGROUP_BACKEND(mydocker::cgroup_v1::CgroupV1, "v1", "1.0.0",
                               "limits by the cgroup v1 hierarchies, one for each controller",
                               mydocker::cgroup_v1::kOptions);
