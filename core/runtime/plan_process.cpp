// What the process may do and who it is: names and numbers of config.json → values for the system calls.
#include "runtime/plan_parts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <sched.h>
#include <sys/resource.h>

namespace mydocker::runtime {
namespace {

// By number. Source: capabilities(7), linux/capability.h.
constexpr std::string_view kCapabilities[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

struct LimitName {
    std::string_view name;
    int resource = 0;
};

constexpr LimitName kLimits[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", __RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", __RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", __RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", __RLIMIT_RSS},
    {"RLIMIT_RTPRIO", __RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", __RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", __RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

Result<std::uint64_t> capability_mask(const std::vector<std::string>& names) {
    std::uint64_t mask = 0;
    for (const std::string& name : names) {
        const auto* found = std::ranges::find(kCapabilities, std::string_view(name));
        if (found == std::end(kCapabilities))
            return fail(Code::invalid, "'" + name + "' is no capability that this version knows");
        mask |= std::uint64_t{1} << static_cast<unsigned>(found - std::begin(kCapabilities));
    }
    return mask;
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// What is made of digits is a number, whole, decimal and in range, and never a name. (uid_t)-1 means
// "unchanged" to setresuid(2): a process asking for it would stay root.
Result<std::uint32_t> parse_id(std::string_view text, std::string_view what) {
    constexpr std::uint32_t kUnchanged = ~std::uint32_t{0};
    std::uint32_t id = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), id);
    const bool leading_zero = text.size() > 1 && text.front() == '0';
    if (parsed.ec != std::errc{} || id == kUnchanged || leading_zero)
        return fail(Code::invalid, "'" + std::string(text) + "' is no " + std::string(what) +
                                       " id; write 0 to 4294967294 in decimal");
    return id;
}

Status check_ids(const UserSpec& spec) {
    constexpr std::uint32_t kUnchanged = ~std::uint32_t{0};
    const bool bad = spec.uid == kUnchanged || spec.gid == kUnchanged ||
                     std::ranges::find(spec.additional_gids, kUnchanged) != spec.additional_gids.end();
    if (bad) return fail(Code::invalid, "process.user: 4294967295 is no id");
    return {};
}

enum class Scope { ipc, network, uts, none };

Scope scope_of(std::string_view key) {
    constexpr std::string_view kIpc[] = {
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
        "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
    };
    if (std::ranges::find(kIpc, key) != std::end(kIpc) || key.starts_with("fs.mqueue.")) return Scope::ipc;
    if (key.starts_with("net.")) return Scope::network;
    if (key == "kernel.domainname" || key == "kernel.hostname") return Scope::uts;
    return Scope::none;
}

std::uint64_t flag_of(Scope scope) {
    switch (scope) {
    case Scope::ipc:
        return CLONE_NEWIPC;
    case Scope::network:
        return CLONE_NEWNET;
    case Scope::uts:
        return CLONE_NEWUTS;
    case Scope::none:
        break;
    }
    return 0;
}

// Keys are written with dots, or with slashes where a part has dots in it (an interface "eth0.1"); what
// comes first decides. Source: sysctl(8).
Result<std::string> sysctl_path(std::string_view key) {
    std::string path(key);
    const auto separator = path.find_first_of("./");
    if (separator != std::string::npos && path[separator] == '.')
        for (char& c : path)
            c = c == '.' ? '/' : c == '/' ? '.' : c;
    const bool plain = std::ranges::all_of(path, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("_-./:@").find(c) != std::string_view::npos;
    });
    if (separator == std::string::npos || !plain || lexical_path(path) != "/" + path)
        return fail(Code::invalid, "'" + std::string(key) + "' is no sysctl key");
    return path;
}

// Numbers are themselves; names are for init to look up.
Status plan_groups(const UserSpec& spec, PlannedUser& user) {
    for (const std::string& group : spec.additional_groups) {
        if (group.empty() || group.find(':') != std::string::npos)
            return fail(Code::invalid, "group '" + group + "' is neither a name nor an id");
        if (auto sane = check_no_nul(group, "a group"); !sane) return sane;
        if (!is_digits(group)) {
            user.additional_groups.push_back(group);
            continue;
        }
        auto gid = parse_id(group, "group");
        if (!gid) return fail(gid);
        user.additional_gids.push_back(*gid);
    }
    return {};
}

} // namespace

Result<PlannedUser> plan_user(const UserSpec& spec) {
    PlannedUser user;
    user.additional_gids = spec.additional_gids;
    user.umask = spec.umask;
    if (spec.umask.value_or(0) > 0777) return fail(Code::invalid, "process.user.umask is beyond 0777");
    if (auto sane = check_ids(spec); !sane) return fail(sane);
    user.uid = spec.uid;
    user.gid = spec.gid;
    if (spec.name.empty() && !spec.additional_groups.empty())
        return fail(Code::invalid, "process.user: groups by name need a user by name");
    if (spec.name.empty()) return user;
    if (auto planned = plan_groups(spec, user); !planned) return fail(planned);

    if (auto sane = check_no_nul(spec.name, "the user"); !sane) return fail(sane);
    const auto colon = spec.name.find(':');
    const std::string name = spec.name.substr(0, colon);
    const std::string group = colon == std::string::npos ? std::string() : spec.name.substr(colon + 1);
    user.lookup = true;
    user.uid = 0;
    user.gid = 0;
    user.group_given = colon != std::string::npos;
    if (name.empty() || (user.group_given && group.empty()) || group.find(':') != std::string::npos)
        return fail(Code::invalid, "user '" + spec.name + "' is not of the form user or user:group");
    if (is_digits(name)) {
        auto uid = parse_id(name, "user");
        if (!uid) return fail(uid);
        user.uid = *uid;
    } else {
        user.name = name;
    }
    if (is_digits(group)) {
        auto gid = parse_id(group, "group");
        if (!gid) return fail(gid);
        user.gid = *gid;
    } else {
        user.group_name = group;
    }
    return user;
}

std::span<const std::string_view> capability_names() {
    return kCapabilities;
}

Result<PlannedCapabilities> plan_capabilities(const CapabilitiesSpec& spec) {
    PlannedCapabilities planned;
    const std::pair<const std::vector<std::string>*, std::uint64_t*> sets[] = {
        {&spec.bounding, &planned.bounding},   {&spec.effective, &planned.effective},
        {&spec.permitted, &planned.permitted}, {&spec.inheritable, &planned.inheritable},
        {&spec.ambient, &planned.ambient},
    };
    for (const auto& [names, mask] : sets) {
        auto parsed = capability_mask(*names);
        if (!parsed) return fail(parsed, "process.capabilities");
        *mask = *parsed;
    }
    if ((planned.effective & ~planned.permitted) != 0)
        return fail(Code::invalid, "process.capabilities: an effective one is not permitted");
    if ((planned.ambient & ~(planned.permitted & planned.inheritable)) != 0)
        return fail(Code::invalid, "process.capabilities: an ambient one is not permitted and inheritable");
    return planned;
}

Result<std::vector<PlannedRlimit>> plan_rlimits(std::span<const RlimitSpec> specs) {
    std::vector<PlannedRlimit> limits;
    for (const RlimitSpec& spec : specs) {
        const auto* found = std::ranges::find(kLimits, std::string_view(spec.type), &LimitName::name);
        if (found == std::end(kLimits))
            return fail(Code::invalid, "process.rlimits: '" + spec.type + "' is no limit");
        if (spec.soft > spec.hard)
            return fail(Code::invalid, "process.rlimits: the soft " + spec.type + " " +
                                           std::to_string(spec.soft) + " is above the hard one, " +
                                           std::to_string(spec.hard));
        if (std::ranges::any_of(limits, [&](const auto& other) { return other.resource == found->resource; }))
            return fail(Code::invalid, "process.rlimits: " + spec.type + " is there twice");
        limits.push_back({found->resource, spec.type, spec.soft, spec.hard, spec.required});
    }
    return limits;
}

Result<std::vector<PlannedSysctl>> plan_sysctls(const std::map<std::string, std::string>& sysctls,
                                                std::uint64_t own) {
    std::vector<PlannedSysctl> planned;
    for (const auto& [key, value] : sysctls) {
        auto path = sysctl_path(key);
        if (!path) return fail(path, "sysctl");
        std::string dotted = *path;
        std::ranges::replace(dotted, '/', '.');
        const Scope scope = scope_of(dotted);
        if (scope == Scope::none)
            return fail(Code::invalid, "sysctl '" + key + "' belongs to the whole host, not to a namespace");
        if ((own & flag_of(scope)) == 0)
            return fail(Code::invalid,
                        "sysctl '" + key + "' would change the host's: its namespace is shared");
        if (auto sane = check_no_nul(value, "sysctl '" + key + "'"); !sane) return fail(sane);
        planned.push_back({std::move(*path), value});
    }
    return planned;
}

} // namespace mydocker::runtime
