#include "backend.hpp"

#include "device_filter.hpp"
#include "limits.hpp"
#include "state.hpp"

#include "../common/signals.hpp"

#include "mydocker/export_cgroup_backend.hpp"

#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace mydocker::cgroup_v2 {
namespace {

using cgroup::Deadline;

constexpr std::string_view kVersion = "v2";
constexpr std::chrono::seconds kFreezePatience(10);
constexpr std::chrono::seconds kRemovePatience(2);

[[nodiscard]] Deadline in(std::chrono::seconds time) {
    return std::chrono::steady_clock::now() + time;
}

[[nodiscard]] bool is_kernel_at_least(unsigned major, unsigned minor) {
    utsname system{};
    if (::uname(&system) != 0) return false;
    const auto numbers = cgroup::split(system.release, '.');
    if (numbers.size() < 2) return false;
    const auto leading = [](std::string_view text) {
        unsigned number = 0;
        (void)std::from_chars(text.data(), text.data() + text.size(), number); // "7-rc1": 7
        return number;
    };
    return std::pair(leading(numbers[0]), leading(numbers[1])) >= std::pair(major, minor);
}

// CLONE_INTO_CGROUP came with Linux 5.7. By the version, since to try it takes a process.
[[nodiscard]] bool can_clone_into_cgroup() {
    return is_kernel_at_least(5, 7);
}

// The kernel counts swap, if it has any; before 6.1 that can be switched off (swapaccount=0), and then the
// file is missing in every cgroup. Source: kernel-parameters.txt.
[[nodiscard]] bool can_limit_swap(int root) {
    if (is_kernel_at_least(6, 1)) return ::access("/proc/swaps", F_OK) == 0;
    const auto entries = files::list_directory(root, "cgroup");
    if (!entries) return false;
    for (const files::DirectoryEntry& entry : *entries)
        if (entry.type == DT_DIR && ::faccessat(root, (entry.name + "/memory.max").c_str(), F_OK, 0) == 0)
            return ::faccessat(root, (entry.name + "/memory.swap.max").c_str(), F_OK, 0) == 0;
    return false;
}

// EBUSY on joining: the container has passed controllers on to cgroups of its own.
[[nodiscard]] std::string_view why_not_join(int error) {
    return error == EBUSY ? ": it has cgroups below it with controllers enabled, and cgroup v2 then takes no "
                            "processes of its own"
                          : "";
}

// Without the tree there are no cgroups: after a reboot into cgroup v1, what v2 made is gone.
template <class T>
[[nodiscard]] bool is_absent(const Result<T>& found) {
    return !found && found.error().code == Code::unsupported;
}

void wait_until_empty(const Place& place, Deadline deadline, int round) {
    const bool was_empty = wait_event(place, "populated", 0, deadline).has_value();
    // A cgroup that is empty and yet busy is being changed by somebody else at this moment.
    if (was_empty && round > 0) cgroup::back_off(round, deadline);
}

} // namespace

Result<std::unique_ptr<CgroupBackend>> CgroupV2::open(Host host) {
    return std::make_unique<CgroupV2>(std::move(host));
}

Result<const Hierarchy*> CgroupV2::hierarchy() {
    if (!hierarchy_) {
        auto found = Hierarchy::open(&host_);
        if (!found) return fail(found);
        hierarchy_ = std::move(*found);
    }
    return &*hierarchy_;
}

Result<Place> CgroupV2::place(const Locator& locator) {
    const auto name = cgroup::from_locator(kVersion, locator);
    if (!name) return fail(name);
    const auto tree = hierarchy();
    if (!tree) return fail(tree);
    return (*tree)->place(*name);
}

Result<CgroupTraits> CgroupV2::probe() {
    const auto tree = hierarchy();
    if (!tree) return std::unexpected(cgroup::probe_error(tree.error()));
    CgroupTraits traits{.entry_at_clone = can_clone_into_cgroup(), .controllers = {}, .mounts = {}};
    for (const std::string_view name : {"memory", "cpu", "cpuset", "pids", "io", "hugetlb"})
        if ((*tree)->has(name)) traits.controllers.emplace_back(name);
    if ((*tree)->has("memory") && can_limit_swap((*tree)->place("").root))
        traits.controllers.emplace_back("swap");
    if (can_filter((*tree)->place("").root)) traits.controllers.emplace_back("devices");
    // There is one tree: mounted from the host's own cgroup namespace without its options, it loses them for
    // all. Source: cgroup-v2.rst, "Mounting".
    traits.mounts.push_back({.type = "cgroup2",
                             .source = "cgroup",
                             .target = "/sys/fs/cgroup",
                             .flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                             .propagation = Propagation::inherit,
                             .options = (*tree)->options(),
                             .directory = {}});
    return traits;
}

Result<Locator> CgroupV2::locate(const CgroupName& name) {
    return cgroup::to_locator(kVersion, name);
}

Status CgroupV2::create(const Locator& locator, const Resources& resources) {
    if (auto fit = cgroup::validate(resources); !fit) return fit;
    const auto to = place(locator);
    if (!to) return fail(to);
    if (auto fit = check_limits(*hierarchy_, resources); !fit) return fit;
    if (auto made = cgroup::make(*to); !made) return made;
    if (auto enabled = hierarchy_->enable_controllers(to->name, resources); !enabled) return enabled;
    return set_limits(*hierarchy_, to->name, resources);
}

Result<CgroupEntry> CgroupV2::entry(const Locator& locator) {
    const auto to = place(locator);
    if (!to) return fail(to);
    CgroupEntry entry;
    const bool at_clone = can_clone_into_cgroup();
    const std::string path = at_clone ? to->name : to->file("cgroup.procs");
    UniqueFd fd(::openat(to->root, path.c_str(), O_CLOEXEC | (at_clone ? O_RDONLY | O_DIRECTORY : O_WRONLY)));
    if (!fd) return fail_errno(errno, "enter cgroup " + to->quoted());
    if (at_clone)
        entry.directory = std::move(fd);
    else
        entry.joins.push_back(std::move(fd));
    return entry;
}

Status CgroupV2::attach(const Locator& locator, pid_t pid) {
    const auto to = place(locator);
    if (!to) return fail(to);
    auto moved = cgroup::write_control(*to, "cgroup.procs", std::to_string(pid));
    if (moved) return {};
    return fail(moved.error(),
                "attach process " + std::to_string(pid) + std::string(why_not_join(moved.error().sys_errno)));
}

Status CgroupV2::update(const Locator& locator, const Resources& resources) {
    if (auto fit = cgroup::validate(resources); !fit) return fit;
    const auto to = place(locator);
    if (!to) return fail(to);
    if (::faccessat(to->root, to->name.c_str(), F_OK, 0) != 0)
        return fail_errno(errno, "set limits of cgroup " + to->quoted());
    if (auto fit = check_limits(*hierarchy_, resources); !fit) return fit;
    if (auto enabled = hierarchy_->enable_controllers(to->name, resources); !enabled) return enabled;
    return set_limits(*hierarchy_, to->name, resources);
}

Result<CgroupStats> CgroupV2::stats(const Locator& locator) {
    const auto to = place(locator);
    if (!to) return fail(to);
    return read_stats(*to);
}

Status CgroupV2::freeze(const Locator& locator) {
    const auto to = place(locator);
    if (!to) return fail(to);
    return cgroup_v2::freeze(*to, in(kFreezePatience));
}

Status CgroupV2::thaw(const Locator& locator) {
    const auto to = place(locator);
    if (!to) return fail(to);
    return cgroup_v2::thaw(*to);
}

Status CgroupV2::kill(const Locator& locator, int signal) {
    const auto to = place(locator);
    if (is_absent(to)) return {};
    if (!to) return fail(to);
    return kill_all(*to, signal);
}

Status CgroupV2::processes(const Locator& locator, const ProcessVisitor& visit) {
    const auto to = place(locator);
    if (!to) return fail(to);
    const auto pids = cgroup::processes_of(*to);
    if (!pids) return fail(pids);
    for (const pid_t pid : *pids)
        if (auto visited = visit(pid); !visited) return visited;
    return {};
}

Result<UniqueFd> CgroupV2::events(const Locator& locator) {
    const auto to = place(locator);
    if (!to) return fail(to);
    return open_oom_event(*to);
}

Status CgroupV2::remove(const Locator& locator) {
    const auto to = place(locator);
    if (is_absent(to)) return {};
    if (!to) return fail(to);
    if (auto removed = cgroup::remove_cgroup(*to, in(kRemovePatience), wait_until_empty); !removed)
        return removed;
    cgroup::remove_empty_parents(*to);
    return {};
}

Status CgroupV2::list(std::string_view prefix, const LocatorVisitor& visit) {
    if (auto fit = cgroup::check_name(prefix); !fit) return fit;
    const auto tree = hierarchy();
    if (is_absent(tree)) return {};
    if (!tree) return fail(tree);
    const auto names = cgroup::children_of((*tree)->place(std::string(prefix)));
    if (!names) return fail(names);
    for (const std::string& name : *names) {
        const Locator locator(std::string(kVersion) + ":" + std::string(prefix) + "/" + name);
        if (auto visited = visit(locator); !visited) return visited;
    }
    return {};
}

} // namespace mydocker::cgroup_v2

MYDOCKER_EXPORT_CGROUP_BACKEND(mydocker::cgroup_v2::CgroupV2, "v2", "1.0.0",
                               "limits by cgroup v2, device rules by BPF", mydocker::cgroup_v2::kOptions);
