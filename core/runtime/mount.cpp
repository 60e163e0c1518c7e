// Mounts by descriptor, with mount(2) where that cannot be.
#include "runtime/mount.hpp"

#include "base/sys.hpp"
#include "runtime/mount_visit.hpp"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace mydocker::runtime {
namespace {

constexpr std::size_t kLongestOption = 255; // fsconfig(2) takes 256 bytes with the NUL.
constexpr std::size_t kLongestData = 4095;  // mount(2) takes a page with the NUL, and cuts silently.

#ifndef MS_NOSYMFOLLOW
constexpr std::uint64_t MS_NOSYMFOLLOW = 256;
#endif

constexpr std::uint64_t kAtimeFlags = MS_NOATIME | MS_STRICTATIME | MS_RELATIME;

// MS_… of one mount → MOUNT_ATTR_….
std::uint64_t attributes(std::uint64_t flags) {
    constexpr struct {
        std::uint64_t flag;
        std::uint64_t attribute;
    } kTable[] = {
        {MS_RDONLY, MOUNT_ATTR_RDONLY},         {MS_NOSUID, MOUNT_ATTR_NOSUID},
        {MS_NODEV, MOUNT_ATTR_NODEV},           {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
        {MS_NOATIME, MOUNT_ATTR_NOATIME},       {MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
        {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME}, {MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
    };
    std::uint64_t set = 0;
    for (const auto& row : kTable)
        if ((flags & row.flag) != 0) set |= row.attribute;
    // The kinds of atime are one field, not bits.
    if ((flags & MS_NOATIME) != 0) set &= ~std::uint64_t{MOUNT_ATTR_STRICTATIME};
    return set;
}

// MS_… that belong to the filesystem, as its option words.
constexpr struct {
    std::uint64_t flag;
    const char* word;
} kFilesystemFlags[] = {
    {MS_SYNCHRONOUS, "sync"},
    {MS_DIRSYNC, "dirsync"},
    {MS_LAZYTIME, "lazytime"},
};

// A clone of a shared mount is its peer: left so, what the container mounts below it would appear on the
// host. Whoever wants that says so.
std::uint64_t propagation_of(const Mount& mount) {
    switch (mount.propagation) {
    case Propagation::inherit:
    case Propagation::isolated:
        return MS_PRIVATE;
    case Propagation::follower:
        return MS_SLAVE;
    case Propagation::shared:
        return MS_SHARED;
    }
    return MS_PRIVATE;
}

std::string clause(const Mount& mount) {
    const std::string& what = mount.type == "bind" ? mount.source : mount.type;
    return "mount '" + what + "' on '" + mount.target + "'";
}

bool is_unknown_call(const Error& error) {
    return error.sys_errno == ENOSYS;
}

bool fits_fsconfig(const Mount& mount) {
    if (!mount.directory.empty() || !mount.remounts.empty() || mount.source.size() > kLongestOption)
        return false;
    return std::ranges::all_of(mount.options, [](const std::string& option) {
        const auto equals = option.find('=');
        return equals == std::string::npos
                   ? option.size() <= kLongestOption
                   : equals <= kLongestOption && option.size() - equals - 1 <= kLongestOption;
    });
}

// A path in the mount namespace of another process: "/proc/PID/root/PATH".
struct Elsewhere {
    std::string space; // its mount namespace
    std::string path;
};

std::optional<Elsewhere> elsewhere(const std::string& source) {
    constexpr std::string_view kProc = "/proc/";
    constexpr std::string_view kRoot = "/root/";
    if (!source.starts_with(kProc)) return std::nullopt;
    const auto end = source.find_first_not_of("0123456789", kProc.size());
    if (end == kProc.size() || end == std::string::npos || source.compare(end, kRoot.size(), kRoot) != 0)
        return std::nullopt;
    return Elsewhere{source.substr(0, end) + "/ns/mnt", source.substr(end + kRoot.size() - 1)};
}

// The kernel clones mounts of one's own mount namespace only, so another one is entered for a moment: no link
// on the way leads out of it.
Result<UniqueFd> clone_tree(const std::string& source, unsigned flags) {
    const auto other = elsewhere(source);
    if (!other) return sys::open_tree(AT_FDCWD, source, flags);
    const std::string clause = "enter the mount namespace of '" + source + "'";
    auto space = sys::openat(AT_FDCWD, other->space, O_RDONLY);
    if (!space) return fail(space, clause);
    const auto visit = MountVisit::enter(space->get());
    if (!visit) return fail(visit, clause);
    return sys::open_tree(AT_FDCWD, other->path, flags);
}

Result<UniqueFd> make_bind(const Mount& mount) {
    const bool whole = (mount.flags & MS_REC) != 0;
    auto tree = clone_tree(mount.source, OPEN_TREE_CLONE | (whole ? unsigned{AT_RECURSIVE} : 0U));
    if (!tree) return tree;
    sys::MountAttr attr;
    attr.attr_set = attributes(mount.flags);
    attr.attr_clr = (mount.flags & kAtimeFlags) != 0 ? std::uint64_t{MOUNT_ATTR__ATIME} : 0;
    attr.propagation = propagation_of(mount);
    auto set =
        sys::mount_setattr(tree->get(), "", AT_EMPTY_PATH | (whole ? unsigned{AT_RECURSIVE} : 0U), attr);
    if (!set) return fail(set);
    return tree;
}

Status set_option(int fs, const std::string& option) {
    const auto equals = option.find('=');
    if (equals == std::string::npos) return sys::fsconfig_flag(fs, option);
    return sys::fsconfig_string(fs, option.substr(0, equals), option.substr(equals + 1));
}

Status configure(int fs, const Mount& mount) {
    if (!mount.source.empty()) {
        if (auto set = sys::fsconfig_string(fs, "source", mount.source); !set) return set;
    }
    for (const auto& row : kFilesystemFlags)
        if ((mount.flags & row.flag) != 0) {
            if (auto set = sys::fsconfig_flag(fs, row.word); !set) return set;
        }
    for (const std::string& option : mount.options)
        if (auto set = set_option(fs, option); !set) return set;
    return sys::fsconfig_create(fs);
}

// The kernel's own words come last, before the number.
std::unexpected<Error> explained(int fs, Error error) {
    const std::string said = sys::fs_message(fs);
    if (!said.empty()) error.text += ": " + said;
    return std::unexpected<Error>(std::move(error));
}

Result<UniqueFd> make_filesystem(const Mount& mount) {
    auto fs = sys::fsopen(mount.type, 0);
    if (!fs) return fs;
    if (auto made = configure(fs->get(), mount); !made) return explained(fs->get(), made.error());
    auto fd = sys::fsmount(fs->get(), 0, static_cast<unsigned>(attributes(mount.flags)));
    if (!fd) return explained(fs->get(), fd.error());
    if (propagation_of(mount) != MS_SHARED) return fd; // A new mount is private.
    sys::MountAttr attr;
    attr.propagation = MS_SHARED;
    if (auto set = sys::mount_setattr(fd->get(), "", AT_EMPTY_PATH, attr); !set) return fail(set);
    return fd;
}

Status check_data(const std::string& data) {
    if (data.size() <= kLongestData) return {};
    return fail(Code::invalid, "its options take " + std::to_string(data.size()) + " bytes, mount(2) takes " +
                                   std::to_string(kLongestData));
}

Result<std::string> joined_options(const Mount& mount) {
    std::string data;
    for (const std::string& option : mount.options) {
        if (!data.empty()) data += ',';
        data += option;
    }
    if (auto fits = check_data(data); !fits) return fail(fits);
    return data;
}

// `place`: where it is mounted.
Status apply_remounts(const Mount& mount, const std::string& place, std::uint64_t flags) {
    for (const std::string& data : mount.remounts) {
        if (auto fits = check_data(data); !fits) return fits;
        if (auto done = sys::mount(mount.source, place, mount.type, flags | MS_REMOUNT, data); !done)
            return fail(done, "remount it");
    }
    return {};
}

bool same_kind(int mount, int target) {
    const auto one = sys::fstat(mount);
    const auto other = sys::fstat(target);
    return one && other && S_ISDIR(one->st_mode) == S_ISDIR(other->st_mode);
}

constexpr int kMostLinks = 40;    // as the kernel's own limit
constexpr int kMostMissing = 256; // directories made for one place, those of links included

// One call of open_target and those that it makes for what is above.
class Place {
  public:
    Place(int root, Links links) : root_(root), links_(links) {}

    Result<UniqueFd> open(const std::string& path, TargetKind kind) {
        auto there = look(path);
        if (there || there.error().sys_errno != ENOENT) return there;
        if (++missing_ > kMostMissing)
            return fail(Code::invalid, "too many directories are missing above '" + path + "'");
        const auto slash = path.find_last_of('/');
        const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
        const std::string above = slash == std::string::npos ? "" : path.substr(0, slash);
        if (name.empty()) return open(above, TargetKind::directory);
        auto parent = above.empty() ? look(".") : open(above, TargetKind::directory);
        if (!parent) return parent;
        if (auto made = make(parent->get(), name, kind); !made) {
            if (made.error().sys_errno != EEXIST) return fail(made, "make '" + path + "'");
            return through_link(parent->get(), above, name, kind);
        }
        return look(path);
    }

  private:
    Result<UniqueFd> look(const std::string& path) {
        return sys::openat2(root_, path, O_PATH, resolve_in_root(links_));
    }

    static Status make(int parent, const std::string& name, TargetKind kind) {
        if (kind == TargetKind::directory) return sys::mkdirat(parent, name, 0755);
        auto file = sys::openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
        if (!file) return fail(file);
        return {};
    }

    // A name that is there and leads nowhere: a link whose target is made in its stead, inside the root.
    Result<UniqueFd> through_link(int parent, const std::string& above, const std::string& name,
                                  TargetKind kind) {
        if (links_ == Links::refuse || ++followed_ > kMostLinks)
            return fail(Code::invalid, "'" + above + "/" + name + "' is a link that leads nowhere", ELOOP);
        auto target = sys::readlinkat(parent, name);
        if (!target && target.error().sys_errno == EINVAL) return look(above + "/" + name); // Made meanwhile.
        if (!target) return fail(target);
        return open(target->starts_with('/') ? *target : above + "/" + *target, kind);
    }

    int root_;
    Links links_;
    int followed_ = 0;
    int missing_ = 0;
};

} // namespace

Result<std::optional<UniqueFd>> make_detached(const Mount& mount) {
    if (mount.type == "bind") {
        auto made = make_bind(mount);
        if (!made) return fail(made, clause(mount));
        return std::optional(std::move(*made));
    }
    if (!fits_fsconfig(mount)) return std::nullopt;
    auto made = make_filesystem(mount);
    if (!made && is_unknown_call(made.error())) return std::nullopt;
    if (!made) return fail(made, clause(mount));
    return std::optional(std::move(*made));
}

Result<UniqueFd> make_in_place(const Mount& mount) {
    auto data = joined_options(mount);
    if (!data) return fail(data, clause(mount));
    // Any directory will do for the place; the one that relative names start from is at hand.
    const bool relative = !mount.directory.empty();
    if (auto moved = sys::chdir(relative ? mount.directory : "/"); !moved) return fail(moved, clause(mount));
    const std::uint64_t flags = mount.flags & ~std::uint64_t{MS_REC};
    auto mounted = sys::mount(mount.source, ".", mount.type, flags, *data);
    if (!mounted && mounted.error().sys_errno == ENOSPC)
        return fail(mounted, clause(mount) + " (a full disk, or the limit fs.mount-max)");
    if (!mounted) return fail(mounted, clause(mount));
    // What is mounted over the root is reached through "..", not through "/".
    const std::string place = relative ? mount.directory : "/..";
    if (auto done = apply_remounts(mount, place, flags); !done) return fail(done, clause(mount));
    auto copy = sys::open_tree(AT_FDCWD, place, OPEN_TREE_CLONE);
    if (!copy) return fail(copy, clause(mount));
    return copy;
}

Result<UniqueFd> open_target(int root, const std::string& path, TargetKind kind, Links links) {
    auto target = Place(root, links).open(path, kind);
    if (!target && links == Links::refuse && target.error().sys_errno == ELOOP)
        return fail(Code::invalid, "a part of '" + path + "' is a symbolic link in the image");
    return target;
}

Status attach(int mount, int target, const std::string& path) {
    auto attached = sys::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    if (attached) return {};
    const int error = attached.error().sys_errno;
    std::string text = "mount on '" + path + "'";
    if (error == ENOSPC) text += ": the namespace has as many mounts as sysctl fs.mount-max allows";
    if (error == EINVAL && !same_kind(mount, target))
        text += ": a file does not go on a directory, nor a directory on a file";
    return fail_errno(error, std::move(text));
}

Status set_read_only(int mount) {
    sys::MountAttr attr;
    attr.attr_set = MOUNT_ATTR_RDONLY;
    return sys::mount_setattr(mount, "", AT_EMPTY_PATH, attr);
}

} // namespace mydocker::runtime
