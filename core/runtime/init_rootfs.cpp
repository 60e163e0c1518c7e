// The container's root filesystem: our own mounts, the change of root, and all that is attached in it.
//
// Everything but the root itself is attached after pivot_root and after the host's tree is gone: from then
// on no path, whatever links an image holds, can lead out of the container.
#include "runtime/init_stages.hpp"

#include "base/sys.hpp"
#include "runtime/mount.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace mydocker::runtime::init {
namespace {

bool has_own_root(const Init& init) {
    return (init.plan.clone_flags & CLONE_NEWNS) != 0;
}

Result<UniqueFd> make(const PlannedMount& planned) {
    Mount mount = planned.mount;
    if (planned.late_read_only) mount.flags &= ~std::uint64_t{MS_RDONLY};
    auto made = make_detached(mount);
    if (!made) return fail(made);
    if (*made) return std::move(**made);
    return make_in_place(mount);
}

Result<TargetKind> kind_of(int mount) {
    auto status = sys::fstat(mount);
    if (!status) return fail(status);
    return S_ISDIR(status->st_mode) ? TargetKind::directory : TargetKind::file;
}

// The place for a mount; what it has to be is only asked when it is not there.
Result<UniqueFd> place_for(int root, const PlannedMount& planned, int mount) {
    const std::string& path = planned.mount.target;
    const Links links = planned.plain_target ? Links::refuse : Links::follow;
    auto there = sys::openat2(root, path, O_PATH, resolve_in_root(links));
    const bool absent = !there && there.error().sys_errno == ENOENT;
    const bool link = !there && there.error().sys_errno == ELOOP; // Said in words below.
    if (!absent && !link) return there;
    auto kind = kind_of(mount);
    if (!kind) return fail(kind);
    return open_target(root, path, *kind, links);
}

// A link of the image may lead a mount into /proc, where a false file would be taken for the kernel's.
Status refuse_proc(const PlannedMount& planned, int target) {
    if (planned.plain_target || planned.may_cover_proc) return {};
    auto type = sys::fstatfs_type(target);
    if (!type) return fail(type);
    if (*type != PROC_SUPER_MAGIC) return {};
    return fail(Code::invalid, "refusing to mount over /proc: '" + planned.mount.target + "' leads there");
}

std::string_view above(std::string_view path) {
    return path.substr(0, path.find_last_of('/'));
}

// The tmpfs of our own that the target of mount `index` lies on directly, by its descriptor; -1: it lies
// elsewhere, or may. Nothing can be in the way there, no link and no file, so the target needs no careful
// walk.
int own_tmpfs_below(const Init& init, std::size_t index) {
    const std::vector<PlannedMount>& mounts = init.plan.mounts;
    const std::string_view place = above(mounts[index].mount.target);
    for (std::size_t i = index; i-- > 0;) {
        // By a link of the image it may be anywhere, over the tmpfs or above it among other places.
        if (!mounts[i].plain_target) return -1;
        const std::string_view target = mounts[i].mount.target;
        if (target == place) {
            const bool ours = mounts[i].maker == MountMaker::init && mounts[i].mount.type == "tmpfs";
            return ours ? init.mounts[init.plan.rootfs.size() + i].get() : -1;
        }
        // What is attached later over a directory above hides it.
        if (place.starts_with(target) && place[target.size()] == '/') return -1;
    }
    return -1;
}

// Errors: exists when the name is taken after all.
Status attach_on_tmpfs(int tmpfs, const PlannedMount& planned, int mount) {
    const std::string name(planned.mount.target.substr(planned.mount.target.find_last_of('/') + 1));
    if (auto made = sys::mkdirat(tmpfs, name, 0755); !made) return made;
    auto target = sys::openat(tmpfs, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!target) return fail(target, "mount on '" + planned.mount.target + "'");
    return attach(mount, target->get(), planned.mount.target);
}

Status attach_at(int root, const PlannedMount& planned, int mount) {
    auto target = place_for(root, planned, mount);
    if (!target) return fail(target, "mount on '" + planned.mount.target + "'");
    if (auto sane = refuse_proc(planned, target->get()); !sane) return sane;
    return attach(mount, target->get(), planned.mount.target);
}

// Over the root itself, and then in its place: no directory is needed for either. The old root is then
// on top of the new one, and goes.
Status change_root(int mount) {
    auto over = sys::move_mount(mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
    if (!over) return fail(over);
    if (auto moved = sys::fchdir(mount); !moved) return moved;
    if (auto pivoted = sys::pivot_root(".", "."); !pivoted) {
        if (pivoted.error().sys_errno == EINVAL)
            return fail(pivoted, "the host's root may be an initramfs, which cannot be left");
        return pivoted;
    }
    if (auto gone = sys::umount2(".", MNT_DETACH); !gone) return gone;
    return sys::chdir("/");
}

} // namespace

Status isolate_mounts(Init& init) {
    if (!has_own_root(init)) return {};
    sys::MountAttr attr;
    attr.propagation = MS_PRIVATE;
    return sys::mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, attr);
}

Status make_own_mounts(Init& init) {
    (void)sys::umask(0); // Modes of what is made are exact; the container's own is set at the end.
    const std::size_t first = init.plan.rootfs.size();
    init.mounts.resize(first + init.plan.mounts.size());
    for (std::size_t i = 0; i < init.plan.mounts.size(); ++i) {
        const PlannedMount& planned = init.plan.mounts[i];
        if (planned.maker != MountMaker::init) continue;
        trace::Scope scope(init.recorder(), "make mount");
        scope.describe([&] { return planned.mount.type + " for " + planned.mount.target; });
        auto mount = make(planned);
        if (!mount) return fail(mount);
        init.mounts[first + i] = std::move(*mount);
    }
    return {};
}

Status enter_root(Init& init) {
    if (auto received = receive_prepared(init); !received) return received;
    if (has_own_root(init)) {
        // What the parent could not make detached, while the host's files are still in sight.
        for (std::size_t i = 0; i < init.mounts.size(); ++i) {
            if (init.mounts[i]) continue;
            const std::size_t first = init.plan.rootfs.size();
            auto made = make(i < first ? init.plan.rootfs[i] : init.plan.mounts[i - first]);
            if (!made) return fail(made);
            init.mounts[i] = std::move(*made);
        }
        if (auto changed = change_root(init.mounts.front().get()); !changed) return changed;
    }
    auto root = sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
    if (!root) return fail(root);
    init.root = std::move(*root);
    return {};
}

Status attach_mounts(Init& init) {
    const std::size_t first = init.plan.rootfs.size();
    for (std::size_t i = 1; i < first; ++i)
        if (auto done = attach_at(init.root.get(), init.plan.rootfs[i], init.mounts[i].get()); !done)
            return done;
    for (std::size_t i = 0; i < init.plan.mounts.size(); ++i) {
        const PlannedMount& planned = init.plan.mounts[i];
        const int mount = init.mounts[first + i].get();
        trace::Scope scope(init.recorder(), "attach mount");
        scope.describe([&] { return planned.mount.target; });
        // A filesystem's root is a directory; what is bound may be a file.
        const int tmpfs = planned.maker == MountMaker::init ? own_tmpfs_below(init, i) : -1;
        if (tmpfs >= 0) {
            auto done = attach_on_tmpfs(tmpfs, planned, mount);
            if (done) continue;
            if (done.error().code != Code::exists)
                return fail(done, "mount on '" + planned.mount.target + "'");
        }
        if (auto done = attach_at(init.root.get(), planned, mount); !done) return done;
    }
    return {};
}

// As docker does: made by root when the image lacks it, and not when it is there.
Status create_cwd(Init& init) {
    if (!init.plan.create_cwd || init.plan.cwd == "/") return {};
    auto made = open_target(init.root.get(), init.plan.cwd, TargetKind::directory, Links::follow);
    // What else is wrong with it is found by entering it, as the user.
    if (!made && (made.error().sys_errno == EROFS || made.error().sys_errno == ENOSPC)) return fail(made);
    return {};
}

Status finish_root(Init& init) {
    if (!has_own_root(init)) return {};
    const std::size_t first = init.plan.rootfs.size();
    for (std::size_t i = 0; i < init.plan.mounts.size(); ++i)
        if (init.plan.mounts[i].late_read_only) {
            if (auto set = set_read_only(init.mounts[first + i].get()); !set)
                return fail(set, "make '" + init.plan.mounts[i].mount.target + "' read-only");
        }
    if (init.plan.root_propagation != 0) {
        sys::MountAttr attr;
        attr.propagation = init.plan.root_propagation;
        if (auto set = sys::mount_setattr(init.mounts.front().get(), "", AT_EMPTY_PATH, attr); !set)
            return set;
    }
    if (!init.plan.root_readonly) return {};
    return set_read_only(init.mounts.front().get());
}

} // namespace mydocker::runtime::init
