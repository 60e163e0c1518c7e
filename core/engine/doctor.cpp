#include "engine/doctor.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace mydocker::engine {
namespace {

using Findings = std::vector<Diagnosis>;

constexpr std::uint64_t kLittleSpace = std::uint64_t{1} << 30U;
constexpr std::uint64_t kFewInodes = 10'000;

Diagnosis good(std::string subject, std::string finding) {
    return {std::move(subject), Verdict::good, std::move(finding), ""};
}

// --- the process and the kernel --------------------------------------------------------------------------

void check_capabilities(Findings& findings) {
    struct Wanted {
        unsigned number;
        std::string_view name;
    };
    constexpr std::array<Wanted, 9> kWanted{{{CAP_SYS_ADMIN, "SYS_ADMIN"},
                                             {CAP_CHOWN, "CHOWN"},
                                             {CAP_DAC_OVERRIDE, "DAC_OVERRIDE"},
                                             {CAP_MKNOD, "MKNOD"},
                                             {CAP_SETUID, "SETUID"},
                                             {CAP_SETGID, "SETGID"},
                                             {CAP_SETPCAP, "SETPCAP"},
                                             {CAP_KILL, "KILL"},
                                             {CAP_SYS_RESOURCE, "SYS_RESOURCE"}}};
    const auto sets = sys::capget();
    std::string missing;
    bool is_admin = sets.has_value();
    for (const Wanted& wanted : kWanted) {
        if (sets && (sets->effective >> wanted.number & 1U) != 0) continue;
        missing += (missing.empty() ? "" : ", ") + std::string(wanted.name);
        if (wanted.number == CAP_SYS_ADMIN) is_admin = false;
    }
    if (missing.empty())
        return findings.push_back(good("rights", "root with all capabilities that are needed"));
    findings.push_back({"rights", is_admin ? Verdict::limited : Verdict::bad, "lacks " + missing,
                        "run mydocker as root, outside of other containers"});
}

// A call that the kernel does not have says ENOSYS whatever it is given.
bool has_call(long number) {
    return ::syscall(number, -1, nullptr, -1, nullptr, 0, 0) >= 0 || errno != ENOSYS;
}

void check_kernel(Findings& findings) {
    struct Call {
        long number;
        std::string_view name;
        std::string_view since;
    };
    constexpr std::array<Call, 6> kCalls{{{SYS_pidfd_open, "pidfd_open", "5.3"},
                                          {SYS_clone3, "clone3", "5.3"},
                                          {SYS_open_tree, "open_tree", "5.2"},
                                          {SYS_fsmount, "fsmount", "5.2"},
                                          {SYS_openat2, "openat2", "5.6"},
                                          {SYS_close_range, "close_range", "5.9"}}};
    utsname host{};
    (void)::uname(&host); // It cannot fail on valid memory.
    std::string missing;
    for (const Call& call : kCalls)
        if (!has_call(call.number))
            missing += fmt::format("{}{} ({})", missing.empty() ? "" : ", ", call.name, call.since);
    const std::string kernel = fmt::format("Linux {} {}", host.release, host.machine);
    if (missing.empty()) return findings.push_back(good("kernel", kernel));
    findings.push_back({"kernel", Verdict::limited, kernel + " has no " + missing,
                        "a kernel of 5.12 or later has all of them; a sandbox may hide them, too"});
}

void check_namespaces(Findings& findings) {
    std::string missing;
    for (const char* kind : {"mnt", "pid", "ipc", "uts", "net", "cgroup"})
        if (::access(fmt::format("/proc/self/ns/{}", kind).c_str(), F_OK) != 0)
            missing += (missing.empty() ? "" : ", ") + std::string(kind);
    if (missing.empty())
        findings.push_back(good("namespaces", "mount, pid, ipc, uts, network, cgroup"));
    else
        findings.push_back({"namespaces", Verdict::bad, "this kernel has none of the kinds " + missing,
                            "use a kernel with CONFIG_NAMESPACES and all below it"});
}

void check_user_namespaces(Findings& findings) {
    const std::string most = files::read_file("/proc/sys/user/max_user_namespaces").value_or("");
    if (::access("/proc/self/ns/user", F_OK) != 0)
        return findings.push_back({"user namespaces", Verdict::limited, "this kernel has none",
                                   "use a kernel with CONFIG_USER_NS"});
    if (most == "0\n")
        return findings.push_back(
            {"user namespaces", Verdict::limited, "switched off", "sysctl user.max_user_namespaces=15000"});
    findings.push_back(good("user namespaces", "available"));
}

// The initial user namespace is refused for a mapping, but only by a kernel that knows mappings.
void check_idmapped_mounts(Findings& findings) {
    auto userns = sys::openat(AT_FDCWD, "/proc/self/ns/user", O_RDONLY);
    auto tree = sys::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    Status tried = tree ? Status{} : Status(fail(tree));
    if (userns && tree)
        tried = sys::mount_setattr(tree->get(), "", AT_EMPTY_PATH,
                                   {.attr_set = MOUNT_ATTR_IDMAP,
                                    .attr_clr = 0,
                                    .propagation = 0,
                                    .userns_fd = static_cast<std::uint64_t>(userns->get())});
    if (!tried && tried.error().sys_errno == EPERM && tree)
        return findings.push_back(good("idmapped mounts", "known to the kernel"));
    const int error = tried ? 0 : tried.error().sys_errno;
    if (error == ENOSYS || error == EINVAL)
        return findings.push_back({"idmapped mounts", Verdict::limited, "not known to the kernel",
                                   "a kernel of 5.12 or later has them"});
    findings.push_back({"idmapped mounts", Verdict::limited,
                        "could not be tried" + (tried ? std::string() : ": " + describe(tried.error())),
                        "try as root, outside of sandboxes and containers"});
}

void check_seccomp(Findings& findings) {
    const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
    if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
        return findings.push_back(good("seccomp", "filters available"));
    findings.push_back({"seccomp", Verdict::bad, "this kernel takes no filters",
                        "use a kernel with CONFIG_SECCOMP_FILTER, or --security-opt seccomp=unconfined"});
}

// --- drivers ---------------------------------------------------------------------------------------------

void check_drivers(Engine& engine, Findings& findings) {
    auto files = engine.plugins().list();
    if (!files)
        return findings.push_back(
            {"drivers", Verdict::bad, describe(files.error()), "install mydocker anew"});
    for (const plugin::PluginFile& file : *files) {
        if (file.hidden || file.passport) continue;
        findings.push_back({fmt::format("{}/{}", plugin::kind_word(file.kind), file.name), Verdict::limited,
                            describe(file.passport.error()), "remove or replace '" + file.path + "'"});
    }
}

// Why each storage driver that is there can be used here or not; bad when the selected one cannot.
void check_storage_driver(Engine& engine, Findings& findings) {
    auto selected = engine.selected_storage();
    if (!selected) {
        findings.push_back({"storage", Verdict::bad, describe(selected.error()),
                            "set [storage] driver = \"vfs\", or put root on ext4, xfs or btrfs"});
        return;
    }
    const bool copies = selected->traits.whiteouts == Whiteouts::applied;
    findings.push_back(
        {"storage", copies ? Verdict::limited : Verdict::good,
         fmt::format("driver {}{}", selected->name, copies ? ": every container is a copy" : ""),
         copies ? "mydocker plugin info storage/overlayfs says why it cannot be used" : ""});
}

void check_controller(const CgroupTraits& traits, std::string_view controller, std::string_view what,
                      std::string_view remedy, Findings& findings) {
    const bool there = std::ranges::find(traits.controllers, controller) != traits.controllers.end();
    findings.push_back({fmt::format("limits of {}", what), there ? Verdict::good : Verdict::limited,
                        there ? "available" : fmt::format("no controller '{}'", controller),
                        there ? "" : std::string(remedy)});
}

void check_cgroup_driver(Engine& engine, Findings& findings) {
    auto selected = engine.selected_cgroup();
    if (!selected)
        return findings.push_back(
            {"cgroups", Verdict::bad, describe(selected.error()), "mount -t cgroup2 cgroup2 /sys/fs/cgroup"});
    findings.push_back(good("cgroups", "driver " + selected->name));
    check_controller(selected->traits, "memory", "memory", "boot with cgroup_enable=memory", findings);
    check_controller(selected->traits, "swap", "swap", "boot with swapaccount=1", findings);
    check_controller(selected->traits, "cpu", "processor time", "use a kernel with CONFIG_CGROUP_SCHED",
                     findings);
    check_controller(selected->traits, "cpuset", "processors", "use a kernel with CONFIG_CPUSETS", findings);
    check_controller(selected->traits, "pids", "processes", "use a kernel with CONFIG_CGROUP_PIDS", findings);
    check_controller(selected->traits, "io", "block I/O", "use a kernel with CONFIG_BLK_CGROUP", findings);
    check_controller(selected->traits, "devices", "devices", "use a kernel with CONFIG_CGROUP_DEVICE",
                     findings);
}

void check_state_store(Engine& engine, Findings& findings) {
    auto store = engine.state();
    auto traits = store ? (*store)->probe() : Result<StateTraits>(fail(store));
    if (traits)
        findings.push_back(good("state", "driver " + engine.config().state_driver.value +
                                             (traits->durable ? ", which survives a power loss" : "")));
    else
        findings.push_back(
            {"state", Verdict::bad, describe(traits.error()), "set [state] driver = \"json-file\""});
}

void check_log(Engine& engine, Findings& findings) {
    const std::string name = engine.selected_log();
    auto sink = engine.log(name, {});
    auto traits = sink ? (*sink)->probe() : Result<LogTraits>(fail(sink));
    if (traits)
        findings.push_back(good("log", "driver " + name));
    else
        findings.push_back(
            {"log", Verdict::bad, describe(traits.error()), "set [log] driver = \"json-file\""});
}

// --- places ----------------------------------------------------------------------------------------------

void check_space(const std::string& path, Findings& findings) {
    struct statvfs space{};
    if (::statvfs(path.c_str(), &space) != 0)
        return findings.push_back({"space in " + path, Verdict::bad,
                                   describe(Error{code_from_errno(errno), errno, "look at it"}),
                                   "make the directory, or choose another one with --root"});
    const std::uint64_t bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
    const bool few = space.f_files > 0 && space.f_favail < kFewInodes;
    const bool little = bytes < kLittleSpace;
    findings.push_back(
        {"space in " + path, little || few ? Verdict::limited : Verdict::good,
         fmt::format("{} MiB free{}", bytes >> 20U, few ? fmt::format(", {} inodes", space.f_favail) : ""),
         little || few ? "mydocker system df shows what is used; mydocker system prune frees it" : ""});
}

void check_terminals(Findings& findings) {
    if (::access("/dev/ptmx", R_OK | W_OK) == 0) return;
    findings.push_back({"terminals", Verdict::limited, "there is no /dev/ptmx",
                        "mount -t devpts -o ptmxmode=666 devpts /dev/pts"});
}

} // namespace

std::vector<Diagnosis> diagnose(Engine& engine) {
    Findings findings;
    check_capabilities(findings);
    check_kernel(findings);
    check_namespaces(findings);
    check_user_namespaces(findings);
    check_idmapped_mounts(findings);
    check_seccomp(findings);
    check_drivers(engine, findings);
    check_storage_driver(engine, findings);
    check_cgroup_driver(engine, findings);
    check_log(engine, findings);
    check_state_store(engine, findings);
    check_space(engine.roots().root, findings);
    check_terminals(findings);
    return findings;
}

} // namespace mydocker::engine
