#include "image/layer_tree.hpp"

#include "base/sys.hpp"
#include "image/entry_path.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace mydocker::image {

namespace {

constexpr mode_t kImplicitMode = 0755;
constexpr std::string_view kAufsMarker = ".wh.";
constexpr const char* kAufsOpaque = ".wh..wh..opq";
constexpr const char* kOverlayOpaque = "trusted.overlay.opaque";
constexpr std::uint64_t kInside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

std::unexpected<Error> failed(std::string_view what, std::string_view name) {
    const int error = errno;
    return fail_errno(error, std::string(what) + " " + shown(name));
}

} // namespace

Result<LayerTree> LayerTree::open(const std::string& staging, Whiteouts form) {
    auto root = files::open(staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!root) return fail(root);
    return LayerTree(std::move(*root), form);
}

LayerTree LayerTree::in_use(UniqueFd root) {
    LayerTree tree(std::move(root), Whiteouts::applied);
    tree.crosses_mounts_ = true;
    return tree;
}

std::uint64_t LayerTree::inside() const {
    return crosses_mounts_ ? kInside : kInside | RESOLVE_NO_XDEV;
}

Result<bool> LayerTree::is_empty() const {
    auto entries = files::list_directory(root_.get(), "staging directory");
    if (!entries) return fail(entries);
    return entries->empty();
}

Result<UniqueFd> LayerTree::resolve(const std::string& path) const {
    return sys::openat2(root_.get(), path, O_PATH | O_DIRECTORY | O_CLOEXEC, inside());
}

Result<UniqueFd> LayerTree::open_directory(std::string_view path) const {
    if (path.empty()) return files::open_at(root_.get(), ".", O_RDONLY | O_DIRECTORY);
    return sys::openat2(root_.get(), std::string(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                        inside());
}

Result<Place> LayerTree::place(std::string_view path, Missing missing) {
    const PathParts parts = split_path(path);
    if (parts.parent.empty()) return Place{root_.get(), std::string(parts.name)};
    // Archives keep a directory's entries together: the last parent is nearly always the next one.
    if (parent_known_ && parent_path_ == parts.parent) return Place{parent_.get(), std::string(parts.name)};
    std::string wanted(parts.parent);
    auto parent = resolve(wanted);
    const int error = parent ? 0 : parent.error().sys_errno;
    if (missing == Missing::create && (error == ENOENT || error == ENOTDIR)) {
        parent = make_parents(wanted);
        if (!parent) return fail(parent);
    }
    if (!parent) return fail_errno(error, "open directory " + shown(wanted));
    parent_ = std::move(*parent);
    parent_path_ = std::move(wanted);
    parent_known_ = true;
    return Place{parent_.get(), std::string(parts.name)};
}

// Makes each missing directory on the way to `path`, and opens it.
Result<UniqueFd> LayerTree::make_parents(const std::string& path) {
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
        const std::string prefix = path.substr(0, end);
        if (auto made = make_parent(prefix); !made) return fail(made);
        if (end == std::string::npos) return resolve(path);
    }
}

Status LayerTree::make_parent(const std::string& path) {
    auto there = resolve(path);
    if (there) return {};
    const int error = there.error().sys_errno;
    if (error != ENOENT && error != ENOTDIR) return fail(there);
    const PathParts parts = split_path(path);
    auto parent = parts.parent.empty() ? sys::dup(root_.get()) : resolve(std::string(parts.parent));
    if (!parent) return fail(parent);
    const Place place{parent->get(), std::string(parts.name)};
    struct stat status{};
    if (::fstatat(place.directory, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        // A whiteout of ours gives way; a link that leads nowhere and a file do not.
        const bool whiteout = form_ == Whiteouts::overlay && S_ISCHR(status.st_mode) && status.st_rdev == 0;
        if (!whiteout) return fail(Code::invalid, shown(path) + " is no directory", ENOTDIR);
    }
    auto made = make_directory(place, kImplicitMode);
    if (!made) return fail(made);
    ++implicit_;
    return {};
}

// Clears a name for something new. True: what lies below under it is to stay hidden.
Result<bool> LayerTree::free_name(const Place& place) {
    struct stat status{};
    if (::fstatat(place.directory, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return false;
        return failed("look at", place.name);
    }
    if (form_ == Whiteouts::overlay && S_ISCHR(status.st_mode) && status.st_rdev == 0) --markers_;
    // A parent that was found through what goes now must be looked for again.
    if (!S_ISREG(status.st_mode)) parent_known_ = false;
    // The borrowed descriptor of `place` stays open: parent_ is only replaced by the next place().
    if (auto removed = files::remove_tree(place.directory, place.name); !removed) return fail(removed);
    return true;
}

// aufs: removes the whiteout beside the name. True: there was one.
Result<bool> LayerTree::take_marker(const Place& place) {
    if (form_ != Whiteouts::aufs || markers_ == 0) return false;
    if (::unlinkat(place.directory, (std::string(kAufsMarker) + place.name).c_str(), 0) == 0) {
        --markers_;
        return true;
    }
    if (errno == ENOENT || errno == ENAMETOOLONG) return false;
    return failed("remove the whiteout of", place.name);
}

Result<bool> LayerTree::make_directory(const Place& place, mode_t mode) {
    const auto make = [&] { return ::mkdirat(place.directory, place.name.c_str(), mode); };
    bool hidden = false;
    if (make() != 0) {
        if (errno != EEXIST) return failed("make directory", place.name);
        struct stat status{};
        if (::fstatat(place.directory, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return failed("look at", place.name);
        if (S_ISDIR(status.st_mode)) return false;
        auto freed = free_name(place);
        if (!freed) return fail(freed);
        hidden = *freed;
        if (make() != 0) return failed("make directory", place.name);
    }
    auto marked = take_marker(place);
    if (!marked) return fail(marked);
    // A directory after a whiteout, or after something else of that name: what is below stays gone.
    if ((hidden || *marked) && form_ != Whiteouts::applied)
        if (auto done = set_opaque(place.directory, place.name); !done) return fail(done);
    return true;
}

Status LayerTree::retry_free(const Place& place, const std::function<int()>& make, std::string_view what) {
    if (make() != 0) {
        if (errno != EEXIST) return failed(what, place.name);
        if (auto freed = free_name(place); !freed) return fail(freed);
        if (make() != 0) return failed(what, place.name);
    }
    auto marked = take_marker(place);
    if (!marked) return fail(marked);
    return {};
}

Result<UniqueFd> LayerTree::make_file(const Place& place, mode_t mode) {
    UniqueFd fd;
    const auto make = [&] {
        fd.reset(::openat(place.directory, place.name.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
        return fd ? 0 : -1;
    };
    if (auto made = retry_free(place, make, "create"); !made) return fail(made);
    return fd;
}

Status LayerTree::make_symlink(const Place& place, const std::string& target) {
    return retry_free(
        place, [&] { return ::symlinkat(target.c_str(), place.directory, place.name.c_str()); }, "make link");
}

Status LayerTree::make_node(const Place& place, mode_t type_and_mode, dev_t device) {
    return retry_free(
        place, [&] { return ::mknodat(place.directory, place.name.c_str(), type_and_mode, device); },
        "make node");
}

Status LayerTree::make_hard_link(std::string_view path, std::string_view target) {
    const std::string complaint = "hard link " + shown(path) + " to " + shown(target);
    if (target.empty()) return fail(Code::invalid, complaint + ": the target is a directory");
    const PathParts parts = split_path(target);
    auto parent = parts.parent.empty() ? sys::dup(root_.get()) : resolve(std::string(parts.parent));
    struct stat status{};
    const std::string name(parts.name);
    if (!parent || ::fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return fail(Code::not_found, complaint + ": the target is not in this layer");
    if (S_ISDIR(status.st_mode)) return fail(Code::invalid, complaint + ": the target is a directory");
    if (form_ == Whiteouts::overlay && S_ISCHR(status.st_mode) && status.st_rdev == 0)
        return fail(Code::not_found, complaint + ": the target is not in this layer");
    auto to = place(path, Missing::create);
    if (!to) return fail(to);
    struct stat old{};
    if (::fstatat(to->directory, to->name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 &&
        old.st_dev == status.st_dev && old.st_ino == status.st_ino)
        return {}; // It is that file already; clearing the name first could lose it.
    auto made = retry_free(
        *to, [&] { return ::linkat(parent->get(), name.c_str(), to->directory, to->name.c_str(), 0); },
        "link");
    if (!made) return fail(made.error(), complaint);
    return {};
}

Status LayerTree::set_opaque(int directory, const std::string& name) {
    auto fd = files::open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd) return fail(fd);
    if (form_ == Whiteouts::overlay) {
        if (::fsetxattr(fd->get(), kOverlayOpaque, "y", 1, 0) == 0) return {};
        return failed("mark as opaque", name);
    }
    auto marker = files::open_at(fd->get(), kAufsOpaque, O_WRONLY | O_CREAT | O_NOFOLLOW, 0444);
    if (!marker) return fail(marker);
    return {};
}

Status LayerTree::whiteout(const Place& place) {
    struct stat status{};
    if (::fstatat(place.directory, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        // A whiteout is about layers below only: what this layer brings stays, and hides what is below.
        if (S_ISDIR(status.st_mode)) return set_opaque(place.directory, place.name);
        return {};
    }
    if (errno != ENOENT) return failed("look at", place.name);
    if (form_ == Whiteouts::overlay) {
        if (::mknodat(place.directory, place.name.c_str(), S_IFCHR, makedev(0, 0)) != 0)
            return failed("make the whiteout of", place.name);
    } else {
        auto marker = files::open_at(place.directory, std::string(kAufsMarker) + place.name,
                                     O_WRONLY | O_CREAT | O_NOFOLLOW, 0444);
        if (!marker) return fail(marker);
    }
    ++markers_;
    return {};
}

Status LayerTree::opaque(std::string_view directory) {
    if (directory.empty()) {
        // overlayfs merges the roots of its layers whatever their xattrs say: it would show what
        // this layer says is gone.
        if (form_ == Whiteouts::overlay)
            return fail(Code::unsupported, "the layer hides all that is below its root, which overlayfs "
                                           "cannot express; use another storage driver");
        return set_opaque(root_.get(), ".");
    }
    auto at = place(directory, Missing::create);
    if (!at) return fail(at);
    auto made = make_directory(*at, kImplicitMode);
    if (!made) return fail(made);
    if (*made) ++implicit_;
    return set_opaque(at->directory, at->name);
}

Status LayerTree::remove(std::string_view path) {
    auto at = place(path, Missing::refuse);
    if (!at && (at.error().sys_errno == ENOENT || at.error().sys_errno == ENOTDIR)) return {};
    if (!at) return fail(at);
    parent_known_ = false;
    return files::remove_tree(at->directory, at->name);
}

Status LayerTree::remove_children(std::string_view directory) {
    auto fd = open_directory(directory);
    if (!fd &&
        (fd.error().sys_errno == ENOENT || fd.error().sys_errno == ENOTDIR || fd.error().sys_errno == ELOOP))
        return {}; // Nothing is below, or only a link.
    if (!fd) return fail(fd);
    auto entries = files::list_directory(fd->get(), directory);
    if (!entries) return fail(entries);
    parent_known_ = false;
    for (const auto& entry : *entries)
        if (auto removed = files::remove_tree(fd->get(), entry.name); !removed) return removed;
    return {};
}

} // namespace mydocker::image
