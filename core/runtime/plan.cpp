// ContainerSpec → LaunchPlan: pure; the last place where anything is parsed.
#include "runtime/plan.hpp"

#include "runtime/plan_parts.hpp"

#include <algorithm>
#include <array>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace mydocker::runtime {
namespace {

constexpr std::uint64_t kNewTime = 0x80; // CLONE_NEWTIME, which <sched.h> does not name.

std::uint64_t clone_flag(NamespaceKind kind) {
    switch (kind) {
    case NamespaceKind::mount:
        return CLONE_NEWNS;
    case NamespaceKind::pid:
        return CLONE_NEWPID;
    case NamespaceKind::network:
        return CLONE_NEWNET;
    case NamespaceKind::ipc:
        return CLONE_NEWIPC;
    case NamespaceKind::uts:
        return CLONE_NEWUTS;
    case NamespaceKind::user:
        return CLONE_NEWUSER;
    case NamespaceKind::cgroup:
        return CLONE_NEWCGROUP;
    case NamespaceKind::time:
        return kNewTime;
    }
    return 0;
}

Status plan_namespaces(LaunchPlan& plan, const ContainerSpec& spec) {
    std::uint64_t seen = 0;
    for (const NamespaceSpec& space : spec.namespaces) {
        const std::uint64_t flag = clone_flag(space.kind);
        if (flag == 0) return fail(Code::invalid, "linux.namespaces: unknown kind");
        if ((seen & flag) != 0) return fail(Code::invalid, "linux.namespaces: a kind is there twice");
        seen |= flag;
        if (!space.path.empty())
            plan.join.push_back(space.kind);
        else if (space.kind == NamespaceKind::cgroup)
            plan.new_cgroup_namespace = true;
        else
            plan.clone_flags |= flag;
    }
    if ((seen & CLONE_NEWNS) == 0)
        return fail(Code::unsupported, "linux.namespaces: a container needs a mount namespace of its own");
    const bool joins_user = std::ranges::find(plan.join, NamespaceKind::user) != plan.join.end();
    if (joins_user && plan.clone_flags != 0)
        return fail(Code::unsupported, "linux.namespaces: a joined user namespace goes with joined others");
    return {};
}

Status check_mappings(std::span<const IdMapping> mappings, std::string_view what) {
    constexpr std::uint64_t kIds = std::uint64_t{1} << 32U;
    for (const IdMapping& mapping : mappings)
        if (mapping.size == 0 || std::uint64_t{mapping.container_id} + mapping.size > kIds ||
            std::uint64_t{mapping.host_id} + mapping.size > kIds)
            return fail(Code::invalid, std::string(what) + ": a range is empty or goes beyond the last id");
    return {};
}

Status plan_mappings(LaunchPlan& plan, const ContainerSpec& spec) {
    const bool user_namespace = (plan.clone_flags & CLONE_NEWUSER) != 0;
    if (!user_namespace && !(spec.uid_mappings.empty() && spec.gid_mappings.empty()))
        return fail(Code::invalid, "linux.uidMappings: there is no user namespace to map ids in");
    if (user_namespace && (spec.uid_mappings.empty() || spec.gid_mappings.empty()))
        return fail(Code::invalid, "linux.uidMappings: a user namespace needs mappings of users and groups");
    if (auto sane = check_mappings(spec.uid_mappings, "linux.uidMappings"); !sane) return sane;
    if (auto sane = check_mappings(spec.gid_mappings, "linux.gidMappings"); !sane) return sane;
    plan.uid_mappings = spec.uid_mappings;
    plan.gid_mappings = spec.gid_mappings;
    return {};
}

Mount bind_of(const std::string& source, const std::string& target, std::uint64_t flags) {
    Mount mount;
    mount.type = "bind";
    mount.source = source;
    mount.target = target;
    mount.flags = flags;
    return mount;
}

Status plan_rootfs(LaunchPlan& plan, const ContainerSpec& spec) {
    if (spec.rootfs.empty()) {
        if (auto sane = check_path(spec.root_path, "root.path"); !sane) return sane;
        PlannedMount root;
        root.mount = bind_of(spec.root_path, "/", MS_REC);
        plan.rootfs.push_back(std::move(root));
    }
    for (const Mount& mount : spec.rootfs) {
        auto planned = plan_driver_mount(mount, MountMaker::parent);
        if (!planned) return fail(planned, "root filesystem");
        if (plan.rootfs.empty() != (planned->mount.target == "/"))
            return fail(Code::invalid, "root filesystem: the first mount, and no other, goes to '/'");
        plan.rootfs.push_back(std::move(*planned));
    }
    plan.root_readonly = spec.root_readonly;
    const std::string& propagation = spec.root_propagation;
    if (propagation == "shared" || propagation == "rshared") {
        plan.root_propagation = MS_SHARED;
    } else if (propagation == "unbindable" || propagation == "runbindable") {
        plan.root_propagation = MS_UNBINDABLE;
    } else if (!propagation.empty() && propagation != "private" && propagation != "rprivate" &&
               propagation != "slave" && propagation != "rslave") {
        return fail(Code::invalid, "linux.rootfsPropagation: '" + propagation + "' is none");
    }
    return {};
}

// The backend's view of the cgroups stands where the spec has its mount of type "cgroup".
Status plan_cgroup_mounts(LaunchPlan& plan, const SpecMount& spec, const MountContext& context,
                          std::span<const Mount> cgroup_mounts) {
    auto asked = plan_mount(spec, context);
    if (!asked) return fail(asked);
    for (const Mount& mount : cgroup_mounts) {
        auto planned = plan_driver_mount(mount, MountMaker::init);
        if (!planned) return fail(planned, "cgroup mounts");
        // Whether it is read-only is the spec's affair alone.
        planned->mount.flags = (planned->mount.flags & ~std::uint64_t{MS_RDONLY}) | asked->mount.flags;
        plan.mounts.push_back(std::move(*planned));
    }
    return {};
}

Status plan_mounts(LaunchPlan& plan, const ContainerSpec& spec, std::span<const Mount> cgroup_mounts) {
    const MountContext context{(plan.clone_flags & CLONE_NEWUSER) != 0, spec.gid_mappings};
    for (const SpecMount& mount : spec.mounts) {
        if (mount.type == "cgroup" || mount.type == "cgroup2") {
            if (auto planned = plan_cgroup_mounts(plan, mount, context, cgroup_mounts); !planned)
                return planned;
            continue;
        }
        auto planned = plan_mount(mount, context);
        if (!planned) return fail(planned);
        plan.mounts.push_back(std::move(*planned));
    }
    defer_read_only(plan.mounts);
    if (plan.mounts.size() + plan.rootfs.size() > kMostMounts)
        return fail(Code::invalid, "mounts: there are more than " + std::to_string(kMostMounts));
    return {};
}

bool has_mount(const LaunchPlan& plan, std::string_view target, std::string_view type) {
    return std::ranges::any_of(plan.mounts, [&](const PlannedMount& planned) {
        return planned.mount.target == target && planned.mount.type == type;
    });
}

// The devices of every container. Source: OCI runtime-spec config-linux.md "Default Devices".
constexpr struct {
    std::string_view path;
    std::uint32_t major;
    std::uint32_t minor;
} kDevices[] = {
    {"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
    {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};

Result<PlannedDevice> plan_device(const DeviceSpec& spec) {
    constexpr std::int64_t kMajors = std::int64_t{1} << 12U;
    constexpr std::int64_t kMinors = std::int64_t{1} << 20U;
    const std::string where = "device '" + spec.path + "'";
    if (auto sane = check_path(spec.path, "the path"); !sane) return fail(sane, "linux.devices");
    PlannedDevice device;
    device.path = lexical_path(spec.path);
    if (device.path == "/") return fail(Code::invalid, where + ": the path cannot be '/'");
    if (spec.mode > 07777) return fail(Code::invalid, where + ": the mode is beyond 07777");
    device.mode = spec.mode;
    device.uid = spec.uid;
    device.gid = spec.gid;
    if (spec.type == 'p') {
        device.mode |= S_IFIFO;
        return device;
    }
    if (spec.type != 'c' && spec.type != 'u' && spec.type != 'b')
        return fail(Code::invalid, where + ": the type is none of c, u, b and p");
    if (spec.major < 0 || spec.major >= kMajors || spec.minor < 0 || spec.minor >= kMinors)
        return fail(Code::invalid, where + ": the numbers " + std::to_string(spec.major) + ":" +
                                       std::to_string(spec.minor) + " are out of range");
    device.mode |= spec.type == 'b' ? S_IFBLK : S_IFCHR;
    device.major = static_cast<std::uint32_t>(spec.major);
    device.minor = static_cast<std::uint32_t>(spec.minor);
    return device;
}

// In a user namespace nobody may make device nodes: the host's are bound in their place.
void bind_devices(LaunchPlan& plan) {
    for (const PlannedDevice& device : plan.devices) {
        PlannedMount planned;
        planned.mount = bind_of(device.path, device.path, 0);
        plan.mounts.push_back(std::move(planned));
    }
    plan.devices.clear();
}

Status plan_devices(LaunchPlan& plan, const ContainerSpec& spec) {
    if (has_mount(plan, "/dev", "bind")) return {}; // It brings what is in it.
    for (const auto& standard : kDevices)
        plan.devices.push_back(
            {std::string(standard.path), S_IFCHR | 0666, standard.major, standard.minor, 0, 0});
    for (const DeviceSpec& device : spec.devices) {
        auto planned = plan_device(device);
        if (!planned) return fail(planned);
        std::erase_if(plan.devices, [&](const PlannedDevice& other) { return other.path == planned->path; });
        plan.devices.push_back(std::move(*planned));
    }
    if ((plan.clone_flags & CLONE_NEWUSER) != 0) bind_devices(plan);
    plan.links = {{"/dev/fd", "/proc/self/fd"},
                  {"/dev/stdin", "/proc/self/fd/0"},
                  {"/dev/stdout", "/proc/self/fd/1"},
                  {"/dev/stderr", "/proc/self/fd/2"},
                  {"/dev/core", "/proc/kcore"}};
    if (has_mount(plan, "/dev/pts", "devpts")) plan.links.push_back({"/dev/ptmx", "pts/ptmx"});
    return {};
}

Status plan_hidden_paths(LaunchPlan& plan, const ContainerSpec& spec) {
    for (const std::string& path : spec.masked_paths) {
        if (auto sane = check_path(path, "linux.maskedPaths:"); !sane) return sane;
        const auto star = path.find('*');
        if (star != std::string::npos && path.find('*', path.find('/', star)) != std::string::npos)
            return fail(Code::invalid,
                        "linux.maskedPaths: '" + path + "' has '*' in more than one component");
    }
    for (const std::string& path : spec.readonly_paths)
        if (auto sane = check_path(path, "linux.readonlyPaths:"); !sane) return sane;
    plan.masked_paths = spec.masked_paths;
    plan.readonly_paths = spec.readonly_paths;
    return {};
}

Status plan_names(LaunchPlan& plan, const ContainerSpec& spec) {
    constexpr std::size_t kLongestName = 64; // __NEW_UTS_LEN
    const std::pair<std::string_view, const std::string*> names[] = {{"hostname", &spec.hostname},
                                                                     {"domainname", &spec.domainname}};
    for (const auto& [what, name] : names) {
        if (name->empty()) continue;
        if ((plan.clone_flags & CLONE_NEWUTS) == 0)
            return fail(Code::invalid, std::string(what) + ": it would change the host's: no uts namespace");
        if (name->size() > kLongestName)
            return fail(Code::invalid, std::string(what) + ": '" + *name + "' is longer than 64 bytes");
        if (auto sane = check_no_nul(*name, what); !sane) return sane;
    }
    plan.hostname = spec.hostname;
    plan.domainname = spec.domainname;
    return {};
}

Status plan_command(LaunchPlan& plan, const ProcessSpec& process) {
    if (process.args.empty()) return fail(Code::invalid, "process.args: there is no command");
    for (const std::string& word : process.args)
        if (auto sane = check_no_nul(word, "an argument of the command"); !sane) return sane;
    for (const std::string& variable : process.env)
        if (auto sane = check_no_nul(variable, "an environment variable"); !sane) return sane;
    if (auto sane = check_path(process.cwd, "the working directory"); !sane) return sane;
    plan.args = process.args;
    plan.env = process.env;
    plan.cwd = process.cwd;
    return {};
}

Status plan_terminal(LaunchPlan& plan, const ProcessSpec& process) {
    plan.terminal = process.terminal;
    plan.console_size = process.console_size.value_or(ConsoleSize{});
    const bool joins_mount = std::ranges::find(plan.join, NamespaceKind::mount) != plan.join.end();
    if (plan.terminal && !joins_mount && !has_mount(plan, "/dev/pts", "devpts"))
        return fail(Code::invalid, "process.terminal: there is no devpts mount on /dev/pts");
    return {};
}

Status plan_process(LaunchPlan& plan, const ProcessSpec& process) {
    if (auto planned = plan_command(plan, process); !planned) return planned;
    if (auto planned = plan_terminal(plan, process); !planned) return planned;
    auto user = plan_user(process.user);
    if (!user) return fail(user);
    auto capabilities = plan_capabilities(process.capabilities);
    if (!capabilities) return fail(capabilities);
    auto limits = plan_rlimits(process.rlimits);
    if (!limits) return fail(limits);
    if (process.oom_score_adj && (*process.oom_score_adj < -1000 || *process.oom_score_adj > 1000))
        return fail(Code::invalid, "process.oomScoreAdj is not between -1000 and 1000");
    plan.user = std::move(*user);
    plan.capabilities = *capabilities;
    plan.rlimits = std::move(*limits);
    plan.oom_score_adj = process.oom_score_adj;
    plan.no_new_privileges = process.no_new_privileges;
    return {};
}

} // namespace

Result<LaunchPlan> namespace_plan(const ContainerSpec& spec) {
    LaunchPlan plan;
    if (auto planned = plan_namespaces(plan, spec); !planned) return fail(planned);
    plan.terminal = spec.process.terminal;
    return plan;
}

Result<LaunchPlan> make_plan(const ContainerSpec& spec, std::span<const sock_filter> seccomp,
                             std::span<const Mount> cgroup_mounts) {
    LaunchPlan plan;
    if (auto planned = plan_namespaces(plan, spec); !planned) return fail(planned);
    if (auto planned = plan_mappings(plan, spec); !planned) return fail(planned);
    if ((plan.clone_flags & CLONE_NEWNS) != 0) {
        if (auto planned = plan_rootfs(plan, spec); !planned) return fail(planned);
        if (auto planned = plan_mounts(plan, spec, cgroup_mounts); !planned) return fail(planned);
        if (auto planned = plan_devices(plan, spec); !planned) return fail(planned);
        if (auto planned = plan_hidden_paths(plan, spec); !planned) return fail(planned);
    }
    if (auto planned = plan_names(plan, spec); !planned) return fail(planned);
    auto sysctls = plan_sysctls(spec.sysctl, plan.clone_flags);
    if (!sysctls) return fail(sysctls);
    plan.sysctls = std::move(*sysctls);
    if (auto planned = plan_process(plan, spec.process); !planned) return fail(planned);
    plan.seccomp.assign(seccomp.begin(), seccomp.end());
    plan.seccomp_flags = spec.seccomp.filter.flags;
    return plan;
}

Result<LaunchPlan> make_exec_plan(const ContainerSpec& spec, const ProcessSpec& process,
                                  std::span<const sock_filter> seccomp) {
    LaunchPlan plan;
    // Those that the container shares with its host are joined, too: who asks may be elsewhere by now.
    plan.join = {NamespaceKind::mount, NamespaceKind::pid, NamespaceKind::network,
                 NamespaceKind::ipc,   NamespaceKind::uts, NamespaceKind::cgroup};
    // The kernel refuses to join the user namespace one is in, and may have none for time.
    for (const NamespaceSpec& space : spec.namespaces)
        if (space.kind == NamespaceKind::user || space.kind == NamespaceKind::time)
            plan.join.push_back(space.kind);
    if (auto planned = plan_process(plan, process); !planned) return fail(planned);
    plan.create_cwd = false;
    plan.die_with_monitor = false; // It has none.
    plan.seccomp.assign(seccomp.begin(), seccomp.end());
    plan.seccomp_flags = spec.seccomp.filter.flags;
    return plan;
}

} // namespace mydocker::runtime
