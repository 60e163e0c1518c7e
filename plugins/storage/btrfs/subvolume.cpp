#include "subvolume.hpp"

#include "mount_points.hpp"
#include "mydocker/support/files.hpp"
#include "storage/common/layer_store.hpp"
#include "storage/common/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace mydocker::btrfs {
namespace {

using storage::Descend;
using storage::quoted;
using storage::TreeEntry;

// The root of every subvolume has this inode number, and nothing else has.
[[nodiscard]] bool is_root(const struct stat& status) {
    return S_ISDIR(status.st_mode) && status.st_ino == BTRFS_FIRST_FREE_OBJECTID;
}

// Arguments for ioctls with a name: `Arguments::name` is an array, zeroed. Errors: invalid, when it is too
// long.
template <class Arguments>
[[nodiscard]] Status set_name(Arguments& arguments, const std::string& name) {
    if (name.size() >= sizeof arguments.name) return fail_errno(ENAMETOOLONG, "name " + quoted(name));
    std::ranges::copy(name, arguments.name);
    return {};
}

// Owner and root of a container may make a subvolume read-only; nothing nested in it could go then.
[[nodiscard]] Status make_writable(int subvolume, const std::string& path) {
    std::uint64_t flags = 0;
    if (::ioctl(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) != 0)
        return fail_errno(errno, "look at subvolume " + quoted(path));
    if ((flags & BTRFS_SUBVOL_RDONLY) == 0) return {};
    flags &= ~std::uint64_t{BTRFS_SUBVOL_RDONLY};
    if (::ioctl(subvolume, BTRFS_IOC_SUBVOL_SETFLAGS, &flags) == 0) return {};
    return fail_errno(errno, "make subvolume " + quoted(path) + " writable");
}

// What is nested in it must be gone: the kernel says ENOTEMPTY otherwise.
[[nodiscard]] Status destroy(int directory, const std::string& name, const std::string& path) {
    btrfs_ioctl_vol_args arguments{};
    if (auto named = set_name(arguments, name); !named) return named;
    if (::ioctl(directory, BTRFS_IOC_SNAP_DESTROY, &arguments) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, "remove subvolume " + quoted(path));
}

// Source: Linux 4.18, which has the call.
[[nodiscard]] Result<bool> has_nested(int subvolume, const std::string& path) {
    btrfs_ioctl_get_subvol_rootref_args found{};
    if (::ioctl(subvolume, BTRFS_IOC_GET_SUBVOL_ROOTREF, &found) == 0) return found.num_items > 0;
    if (errno == EOVERFLOW) return true; // More than are told at once.
    return fail_errno(errno, "look for subvolumes in " + quoted(path));
}

// Removes what is nested in a subvolume, innermost first. The walk is no recursion: whoever made them chose
// how deep they lie in one another.
class RemoveNested final : public storage::TreeVisitor {
  public:
    explicit RemoveNested(const std::string& label) : label_(label) {}

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        if (entry.depth == 0 || !is_root(entry.status)) return Descend::yes;
        const auto fd = storage::open_below(entry.directory, entry.name, O_RDONLY | O_DIRECTORY);
        // Gone meanwhile, or a mount point, which is never entered.
        if (!fd && (fd.error().sys_errno == ENOENT || fd.error().sys_errno == EXDEV)) return Descend::no;
        if (!fd) return fail(fd);
        if (auto writable = make_writable(fd->get(), path_of(entry.path)); !writable) return fail(writable);
        return Descend::yes;
    }

    [[nodiscard]] Status leave(int directory, const std::string& path, const struct stat& status) override {
        if (path.empty() || !is_root(status)) return {};
        const auto parent = files::open_at(directory, "..", O_RDONLY | O_DIRECTORY);
        if (!parent) return fail(parent, "return from " + quoted(path_of(path)));
        return destroy(parent->get(), path.substr(path.rfind('/') + 1), path_of(path));
    }

  private:
    [[nodiscard]] std::string path_of(const std::string& path) const { return label_ + "/" + path; }

    const std::string& label_;
};

[[nodiscard]] bool is_absent(const Error& error) {
    return error.sys_errno == ENOENT || error.sys_errno == ENOTDIR || error.sys_errno == ELOOP;
}

// Removes the subvolume at `path`; anything else stays.
[[nodiscard]] Status remove_subvolume(int directory, const std::string& path) {
    const auto fd = files::open_at(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd && is_absent(fd.error())) return {};
    if (!fd) return fail(fd);
    if (!is_subvolume(fd->get())) return {};
    // The kernel would unmount it without a word, as it does in other mount namespaces.
    const auto mounted = find_mount_below(fd->get());
    if (!mounted) return fail(mounted);
    if (*mounted)
        return fail(Code::busy, "remove " + quoted(path + **mounted) + ", which is a mount point", EBUSY);
    if (auto writable = make_writable(fd->get(), path); !writable) return writable;
    const auto nested = has_nested(fd->get(), path);
    if (!nested) return fail(nested);
    RemoveNested visitor(path);
    if (*nested)
        if (auto gone = storage::walk_tree(fd->get(), path, storage::Order::any, visitor); !gone) return gone;
    const auto parent = files::open_at(fd->get(), "..", O_RDONLY | O_DIRECTORY);
    if (!parent) return fail(parent, "in " + quoted(path));
    return destroy(parent->get(), path.substr(path.rfind('/') + 1), path);
}

} // namespace

bool is_subvolume(int directory) {
    struct stat status{};
    struct statfs filesystem{};
    return ::fstat(directory, &status) == 0 && is_root(status) && ::fstatfs(directory, &filesystem) == 0 &&
           filesystem.f_type == BTRFS_SUPER_MAGIC;
}

Status create_subvolume(int directory, const std::string& name) {
    btrfs_ioctl_vol_args_v2 arguments{};
    if (auto named = set_name(arguments, name); !named) return named;
    if (::ioctl(directory, BTRFS_IOC_SUBVOL_CREATE_V2, &arguments) == 0) return {};
    return fail_errno(errno, "make subvolume " + quoted(name));
}

Status create_snapshot(int source, int directory, const std::string& name) {
    btrfs_ioctl_vol_args_v2 arguments{};
    arguments.fd = source;
    if (auto named = set_name(arguments, name); !named) return named;
    if (::ioctl(directory, BTRFS_IOC_SNAP_CREATE_V2, &arguments) == 0) return {};
    return fail_errno(errno, "make snapshot " + quoted(name));
}

Status remove_tree(int directory, const std::string& path) {
    // A layer whose removal met a full disk has its tree under the other name.
    for (const std::string& place : {path, path + "/" + storage::kTree, path + "/" + storage::kRemoved})
        if (auto removed = remove_subvolume(directory, place); !removed) return removed;
    return files::remove_tree(directory, path);
}

} // namespace mydocker::btrfs
