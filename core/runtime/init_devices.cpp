// /dev, and what is hidden or made read-only. All of it inside the container's root, after
// the host's is out of reach.
#include "runtime/init_stages.hpp"

#include "base/sys.hpp"
#include "runtime/mount.hpp"

#include <array>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace mydocker::runtime::init {
namespace {

// Splits a path into its directory, opened and made if absent, and the last name. /dev is opened once for
// all that goes into it.
class Directories {
  public:
    explicit Directories(int root) : root_(root) {}

    Result<int> open(const std::string& path) {
        const std::string above = path.substr(0, path.find_last_of('/'));
        if (directory_ && above == path_) return directory_.get();
        auto opened = above.empty()
                          ? sys::openat2(root_, ".", O_PATH | O_DIRECTORY, resolve_in_root(Links::refuse))
                          : open_target(root_, above, TargetKind::directory,
                                        above == "/dev" ? Links::refuse : Links::follow);
        if (!opened) return fail(opened);
        directory_ = std::move(*opened);
        path_ = above;
        return directory_.get();
    }

  private:
    int root_;
    UniqueFd directory_;
    std::string path_;
};

std::string last_name(const std::string& path) {
    return path.substr(path.find_last_of('/') + 1);
}

Status make_device(Directories& directories, const PlannedDevice& device) {
    auto directory = directories.open(device.path);
    if (!directory) return fail(directory);
    const std::string name = last_name(device.path);
    const dev_t number = makedev(device.major, device.minor);
    auto made = sys::mknodat(*directory, name, device.mode, number);
    // A /dev of the image's own (no tmpfs over it) may have something by that name: it is replaced.
    if (!made && made.error().sys_errno == EEXIST) {
        if (auto gone = sys::unlinkat(*directory, name, 0); !gone) return gone;
        made = sys::mknodat(*directory, name, device.mode, number);
    }
    if (!made || (device.uid == 0 && device.gid == 0)) return made;
    return sys::fchownat(*directory, name, device.uid, device.gid, AT_SYMLINK_NOFOLLOW);
}

Status make_link(Directories& directories, const PlannedLink& link) {
    auto directory = directories.open(link.path);
    if (!directory) return fail(directory);
    auto made = sys::symlinkat(link.target, *directory, last_name(link.path));
    if (!made && made.error().sys_errno == EEXIST) return {}; // The image's own will do.
    return made;
}

// Hides paths: a file behind the null device, a directory behind one empty read-only tmpfs.
class Masks {
  public:
    explicit Masks(const Init& init) : init_(init) {}

    Status hide(const std::string& path) {
        // Links are followed as the mount does it. What is not there needs no hiding.
        auto there = sys::openat2(init_.root.get(), path, O_PATH, resolve_in_root(Links::follow));
        const int error = there ? 0 : there.error().sys_errno;
        if (error == ENOENT || error == ENOTDIR) return {};
        if (!there) return fail(there, "hide '" + path + "'");
        auto status = sys::fstat(there->get());
        if (!status) return fail(status, "hide '" + path + "'");
        auto covered =
            S_ISDIR(status->st_mode) ? cover_with_directory(there->get()) : cover_with_null(there->get());
        if (!covered) return fail(covered, "hide '" + path + "'");
        return {};
    }

  private:
    [[nodiscard]] static Status cover(int mount, int target) {
        return sys::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    }

    // The null device that we made, checked to be one: an image could not put another in its place, but
    // nothing is hidden behind what is not null.
    Status open_null() {
        auto null = sys::openat2(init_.root.get(), "dev/null", O_PATH, resolve_in_root(Links::refuse));
        if (!null) return fail(null);
        auto status = sys::fstat(null->get());
        if (!status) return fail(status);
        if (!S_ISCHR(status->st_mode) || status->st_rdev != makedev(1, 3))
            return fail(Code::invalid, "'/dev/null' is not the null device");
        null_ = std::move(*null);
        return {};
    }

    // Each clone is attached at once: one left over would be waited for when it is closed.
    Status cover_with_null(int target) {
        if (!null_) {
            if (auto opened = open_null(); !opened) return opened;
        }
        auto clone = sys::open_tree(null_.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
        if (!clone) return fail(clone);
        return cover(clone->get(), target);
    }

    Status make_empty() {
        Mount tmpfs;
        tmpfs.type = "tmpfs";
        tmpfs.source = "tmpfs";
        tmpfs.target = "(hidden)";
        tmpfs.flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
        tmpfs.options = {"mode=755", "nr_inodes=2"};
        auto made = make_detached(tmpfs);
        if (!made) return fail(made);
        if (!*made) return fail(Code::unsupported, "this kernel has no fsopen(2)");
        empty_ = std::move(**made);
        return {};
    }

    Status cover_with_directory(int target) {
        if (!empty_) {
            if (auto made = make_empty(); !made) return made;
        }
        // Before Linux 6.15 only an attached mount can be cloned: the first one attached is the model.
        if (!empty_attached_) {
            auto covered = cover(empty_.get(), target);
            empty_attached_ = covered.has_value();
            return covered;
        }
        auto clone = sys::open_tree(empty_.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
        if (!clone) return fail(clone);
        return cover(clone->get(), target);
    }

    const Init& init_;
    UniqueFd null_;
    UniqueFd empty_;
    bool empty_attached_ = false;
};

// "*" stands for any characters; the library's matching would bring locales into this program.
bool matches(std::string_view pattern, std::string_view name) {
    const auto star = pattern.find('*');
    if (star == std::string_view::npos) return pattern == name;
    if (!name.starts_with(pattern.substr(0, star))) return false;
    const std::string_view rest = pattern.substr(star + 1);
    for (std::size_t at = star; at <= name.size(); ++at)
        if (matches(rest, name.substr(at))) return true;
    return false;
}

// A path with "*" in one component, as the paths that are there. An unreadable directory has none.
Result<std::vector<std::string>> expand(const Init& init, const std::string& path) {
    const auto star = path.find('*');
    if (star == std::string::npos) return std::vector{path};
    const auto begin = path.find_last_of('/', star);
    const auto end = std::min(path.find('/', star), path.size());
    const std::string above = path.substr(0, begin);
    const std::string pattern = path.substr(begin + 1, end - begin - 1);
    std::vector<std::string> paths;
    auto directory = sys::openat2(init.root.get(), above.empty() ? "." : above, O_RDONLY | O_DIRECTORY,
                                  resolve_in_root(Links::follow));
    if (!directory) return paths;
    auto names = sys::list_names(directory->get());
    if (!names) return fail(names, "list '" + above + "'");
    for (const std::string& name : *names)
        if (matches(pattern, name)) paths.push_back(above + "/" + name + path.substr(end));
    return paths;
}

// A clone of what is there, read-only, over itself.
Status make_read_only(const Init& init, const std::string& path) {
    auto tree = sys::open_tree(init.root.get(), path.substr(1), OPEN_TREE_CLONE | AT_RECURSIVE);
    if (!tree && (tree.error().sys_errno == ENOENT || tree.error().sys_errno == ENOTDIR)) return {};
    if (!tree) return fail(tree);
    sys::MountAttr attr;
    attr.attr_set = MOUNT_ATTR_RDONLY;
    if (auto set = sys::mount_setattr(tree->get(), "", AT_EMPTY_PATH | AT_RECURSIVE, attr); !set) return set;
    return sys::move_mount(tree->get(), "", init.root.get(), path.substr(1),
                           MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS);
}

} // namespace

Status make_devices(Init& init) {
    Directories directories(init.root.get());
    for (const PlannedDevice& device : init.plan.devices)
        if (auto made = make_device(directories, device); !made) return fail(made, "'" + device.path + "'");
    for (const PlannedLink& link : init.plan.links)
        if (auto made = make_link(directories, link); !made) return fail(made, "'" + link.path + "'");
    return {};
}

Status hide_paths(Init& init) {
    Masks masks(init);
    for (const std::string& pattern : init.plan.masked_paths) {
        auto paths = expand(init, pattern);
        if (!paths) return fail(paths);
        for (const std::string& path : *paths)
            if (auto hidden = masks.hide(path); !hidden) return hidden;
    }
    for (const std::string& path : init.plan.readonly_paths)
        if (auto made = make_read_only(init, path); !made) return fail(made, "make '" + path + "' read-only");
    return {};
}

} // namespace mydocker::runtime::init
