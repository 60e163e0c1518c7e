// Mounts of config.json → PlannedMount: the option words of mount(8), who makes the mount, and where one
// may not go. Source: OCI runtime-spec config.md "Mounts"; mount(8).
#include "runtime/plan_parts.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <sys/mount.h>

namespace mydocker::runtime {
namespace {

enum class Word { set, clear, isolated, follower, shared, bind, recursive_bind, nothing, refused };

struct OptionWord {
    std::string_view word;
    Word effect = Word::nothing;
    std::uint64_t flag = 0;
};

#ifndef MS_NOSYMFOLLOW
constexpr std::uint64_t MS_NOSYMFOLLOW = 256;
#endif
constexpr std::uint64_t kLazyTime = MS_LAZYTIME;

// A read-only recursive bind is read-only all the way down (the "r" words and the plain ones are the
// same to us): a mount never is less protected than it looks.
constexpr OptionWord kWords[] = {
    {"async", Word::clear, MS_SYNCHRONOUS},
    {"atime", Word::clear, MS_NOATIME},
    {"bind", Word::bind, 0},
    {"defaults", Word::nothing, 0},
    {"dev", Word::clear, MS_NODEV},
    {"diratime", Word::clear, MS_NODIRATIME},
    {"dirsync", Word::set, MS_DIRSYNC},
    {"exec", Word::clear, MS_NOEXEC},
    {"lazytime", Word::set, kLazyTime},
    {"loud", Word::nothing, 0},
    {"mand", Word::refused, 0},
    {"noatime", Word::set, MS_NOATIME},
    {"nodev", Word::set, MS_NODEV},
    {"nodiratime", Word::set, MS_NODIRATIME},
    {"noexec", Word::set, MS_NOEXEC},
    {"nolazytime", Word::clear, kLazyTime},
    {"nomand", Word::nothing, 0},
    {"norelatime", Word::clear, MS_RELATIME},
    {"nostrictatime", Word::clear, MS_STRICTATIME},
    {"nosuid", Word::set, MS_NOSUID},
    {"nosymfollow", Word::set, MS_NOSYMFOLLOW},
    {"private", Word::isolated, 0},
    {"ratime", Word::clear, MS_NOATIME},
    {"rbind", Word::recursive_bind, 0},
    {"rdev", Word::clear, MS_NODEV},
    {"rdiratime", Word::clear, MS_NODIRATIME},
    {"relatime", Word::set, MS_RELATIME},
    {"remount", Word::refused, 0},
    {"rexec", Word::clear, MS_NOEXEC},
    {"rnoatime", Word::set, MS_NOATIME},
    {"rnodev", Word::set, MS_NODEV},
    {"rnodiratime", Word::set, MS_NODIRATIME},
    {"rnoexec", Word::set, MS_NOEXEC},
    {"rnosuid", Word::set, MS_NOSUID},
    {"rnosymfollow", Word::set, MS_NOSYMFOLLOW},
    {"ro", Word::set, MS_RDONLY},
    {"rprivate", Word::isolated, 0},
    {"rrelatime", Word::set, MS_RELATIME},
    {"rro", Word::set, MS_RDONLY},
    {"rrw", Word::clear, MS_RDONLY},
    {"rshared", Word::shared, 0},
    {"rslave", Word::follower, 0},
    {"rstrictatime", Word::set, MS_STRICTATIME},
    {"rsuid", Word::clear, MS_NOSUID},
    {"rsymfollow", Word::clear, MS_NOSYMFOLLOW},
    {"runbindable", Word::refused, 0},
    {"rw", Word::clear, MS_RDONLY},
    {"shared", Word::shared, 0},
    {"silent", Word::nothing, 0},
    {"slave", Word::follower, 0},
    {"strictatime", Word::set, MS_STRICTATIME},
    {"suid", Word::clear, MS_NOSUID},
    {"symfollow", Word::clear, MS_NOSYMFOLLOW},
    {"sync", Word::set, MS_SYNCHRONOUS},
    {"unbindable", Word::refused, 0},
};

const OptionWord* find_word(std::string_view word) {
    const auto* found = std::lower_bound(std::begin(kWords), std::end(kWords), word,
                                         [](const OptionWord& a, std::string_view b) { return a.word < b; });
    return found != std::end(kWords) && found->word == word ? found : nullptr;
}

Status apply(Mount& mount, const std::string& option) {
    const OptionWord* word = find_word(option);
    if (word == nullptr) {
        mount.options.push_back(option);
        return {};
    }
    switch (word->effect) {
    case Word::set:
        mount.flags |= word->flag;
        break;
    case Word::clear:
        mount.flags &= ~word->flag;
        break;
    case Word::isolated:
        mount.propagation = Propagation::isolated;
        break;
    case Word::follower:
        mount.propagation = Propagation::follower;
        break;
    case Word::shared:
        mount.propagation = Propagation::shared;
        break;
    case Word::recursive_bind:
        mount.flags |= MS_REC;
        mount.type = "bind";
        break;
    case Word::bind:
        mount.type = "bind";
        break;
    case Word::nothing:
        break;
    case Word::refused:
        return fail(Code::unsupported, "the option '" + option + "' is not supported");
    }
    return {};
}

// Files of /proc that others may stand in for, as lxcfs does.
constexpr std::string_view kProcFiles[] = {
    "/proc/cpuinfo",  "/proc/diskstats", "/proc/loadavg", "/proc/meminfo", "/proc/net/dev",
    "/proc/slabinfo", "/proc/stat",      "/proc/swaps",   "/proc/uptime",  "/proc/sys/crypto/fips_enabled",
};

bool shows_a_namespace(std::string_view type) {
    constexpr std::string_view kTypes[] = {"proc", "sysfs", "devpts", "mqueue", "tmpfs"};
    return std::ranges::find(kTypes, type) != std::end(kTypes);
}

bool is_below(std::string_view path, std::string_view directory) {
    return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

// A false procfs would make us write labels and kernel settings into files of the image's choice.
Status check_destination(PlannedMount& planned) {
    const std::string& target = planned.mount.target;
    if (target == "/") return fail(Code::invalid, "the destination cannot be '/'");
    if (target == "/proc" && planned.mount.type != "proc")
        return fail(Code::invalid, "refusing to mount over /proc");
    if (!is_below(target, "/proc")) return {};
    if (std::ranges::find(kProcFiles, target) == std::end(kProcFiles))
        return fail(Code::invalid, "refusing to mount over '" + target + "' in /proc");
    planned.may_cover_proc = true;
    return {};
}

bool is_mapped(std::span<const IdMapping> mappings, std::uint32_t id) {
    return std::ranges::any_of(mappings, [id](const IdMapping& mapping) {
        return id >= mapping.container_id && id - mapping.container_id < mapping.size;
    });
}

// devpts gives terminals to group 5 (tty); where that group is not mapped the option is an error.
void drop_unmapped_group(Mount& mount, const MountContext& context) {
    if (mount.type != "devpts" || !context.user_namespace || is_mapped(context.gid_mappings, 5)) return;
    std::erase(mount.options, "gid=5");
}

Status check_options(const Mount& mount) {
    for (const std::string& option : mount.options) {
        if (auto sane = check_no_nul(option, "option"); !sane) return sane;
        if (option.empty() || option.front() == '=')
            return fail(Code::invalid, "'" + option + "' is no mount option");
        if (mount.type == "bind")
            return fail(Code::invalid, "the option '" + option + "' is not known for a bind mount");
    }
    return {};
}

} // namespace

Status check_no_nul(std::string_view text, std::string_view what) {
    if (text.find('\0') == std::string_view::npos) return {};
    return fail(Code::invalid, std::string(what) + " has a NUL byte in it");
}

Status check_path(std::string_view path, std::string_view what) {
    if (path.empty() || path.front() != '/')
        return fail(Code::invalid,
                    std::string(what) + " '" + std::string(path) + "' is not an absolute path");
    if (path.size() >= PATH_MAX) return fail(Code::invalid, std::string(what) + " is too long a path");
    return check_no_nul(path, what);
}

std::string lexical_path(std::string_view path) {
    std::string shortest;
    while (!path.empty()) {
        const auto slash = std::min(path.find('/'), path.size());
        const std::string_view word = path.substr(0, slash);
        path.remove_prefix(std::min(slash + 1, path.size()));
        if (word.empty() || word == ".") continue;
        if (word == "..") {
            shortest.erase(shortest.empty() ? 0 : shortest.rfind('/'));
            continue;
        }
        shortest.append("/").append(word);
    }
    return shortest.empty() ? "/" : shortest;
}

Result<PlannedMount> plan_mount(const SpecMount& spec, const MountContext& context) {
    const std::string where = "mount on '" + spec.destination + "'";
    if (auto sane = check_path(spec.destination, "the destination"); !sane) return fail(sane, "mounts");
    PlannedMount planned;
    Mount& mount = planned.mount;
    mount.type = spec.type;
    mount.source = spec.source;
    mount.target = lexical_path(spec.destination);
    for (const std::string& option : spec.options)
        if (auto applied = apply(mount, option); !applied) return fail(applied, where);
    if (mount.type.empty()) return fail(Code::invalid, where + ": it has no type");
    if (auto sane = check_no_nul(mount.type + mount.source, "the mount"); !sane) return fail(sane, where);
    if (auto sane = check_options(mount); !sane) return fail(sane, where);
    if (auto sane = check_destination(planned); !sane) return fail(sane, where);
    if (mount.type == "bind") {
        if (auto sane = check_path(mount.source, "the source"); !sane) return fail(sane, where);
    }
    drop_unmapped_group(mount, context);
    planned.maker = shows_a_namespace(mount.type) ? MountMaker::init : MountMaker::parent;
    const std::string& target = mount.target;
    planned.plain_target =
        mount.type != "bind" && (target == "/proc" || target == "/sys" || target == "/dev" ||
                                 is_below(target, "/sys") || is_below(target, "/dev"));
    return planned;
}

Result<PlannedMount> plan_driver_mount(const Mount& mount, MountMaker maker) {
    if (auto sane = check_path(mount.target, "the target"); !sane) return fail(sane, "mount of a driver");
    PlannedMount planned{.mount = mount, .maker = maker};
    planned.mount.target = lexical_path(mount.target);
    planned.plain_target = maker == MountMaker::init;
    return planned;
}

void defer_read_only(std::vector<PlannedMount>& mounts) {
    for (std::size_t i = 0; i < mounts.size(); ++i) {
        PlannedMount& planned = mounts[i];
        // Places are only ever made in what is the container's own: not in the source of a bind.
        if (planned.mount.type != "tmpfs" || (planned.mount.flags & MS_RDONLY) == 0) continue;
        planned.late_read_only = std::any_of(
            mounts.begin() + static_cast<std::ptrdiff_t>(i) + 1, mounts.end(),
            [&](const PlannedMount& later) { return is_below(later.mount.target, planned.mount.target); });
    }
}

} // namespace mydocker::runtime
