#include "engine/root_view.hpp"

#include "base/process.hpp"
#include "base/sys.hpp"
#include "runtime/mount.hpp"
#include "runtime/mount_visit.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>

namespace mydocker::engine {
namespace {

std::unexpected<Error> ended(const ContainerRecord& record) {
    return fail(Code::conflict, "container '" + record.name.str() + "' ended meanwhile; try again");
}

// Of one that does not answer to its identity.
std::unexpected<Error> lost(const ContainerRecord& record, const Error& error) {
    return error.code == Code::not_found ? ended(record) : std::unexpected<Error>(error);
}

// In a mount namespace of its own, which is left at once; for mounts that only mount(2) can make.
Result<UniqueFd> make_aside(const Mount& mount) {
    const auto visit = runtime::MountVisit::enter_copy();
    if (!visit) return fail(visit);
    return runtime::make_in_place(mount);
}

Result<UniqueFd> make_described(Engine& engine, const ContainerRecord& record, Access access) {
    auto driver = engine.storage(record.drivers.storage);
    if (!driver) return fail(driver);
    auto mounts = (*driver)->mounts(RwId(record.id.str()), access);
    if (!mounts) return fail(mounts);
    if (mounts->size() != 1)
        return fail(Code::unsupported, "storage driver " + record.drivers.storage +
                                           " makes the root filesystem of several mounts");
    // A device node in it is a file like others for us, and stays unopenable.
    Mount mount = std::move(mounts->front());
    mount.flags |= MS_NODEV | MS_NOEXEC | MS_NOSUID;
    auto detached = runtime::make_detached(mount);
    if (!detached) return fail(detached);
    return *detached ? std::move(**detached) : make_aside(mount);
}

// The mount namespace of the container's first process. A pidfd is of that process and of no other, however
// long ago it was named.
Result<runtime::MountVisit> visit_container(const ContainerRecord& record) {
    auto process = process::open_pidfd(record.process);
    if (!process) return lost(record, process.error());
    auto visit = runtime::MountVisit::enter(process->get());
    if (!visit && visit.error().sys_errno == ESRCH) return ended(record);
    return visit;
}

// The root mount of a running container, cloned in its own namespace: the kernel clones no mount of another
// one. What hangs in it stays behind, so what lies under a volume shows. Nothing is looked up there but "/".
Result<UniqueFd> clone_root(const ContainerRecord& record) {
    const auto visit = visit_container(record);
    if (!visit) return fail(visit);
    return sys::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

} // namespace

Result<UniqueFd> open_layers(Engine& engine, const ContainerRecord& record, Access access) {
    const std::string clause = "root filesystem of '" + record.name.str() + "'";
    auto view = record.is_live() ? clone_root(record) : make_described(engine, record, access);
    if (!view) return fail(view, clause);
    if (!record.is_live() || access == Access::read_write) return view;
    if (auto set = runtime::set_read_only(view->get()); !set) return fail(set, clause);
    return view;
}

// Not /proc/PID/root: that is where the process has gone with chroot(2), a directory of its choice.
Result<UniqueFd> open_process_root(const ContainerRecord& record) {
    const auto visit = visit_container(record);
    if (!visit) return fail(visit);
    return sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
}

Result<UniqueFd> open_in_root(int root, const std::string& path, int flags) {
    return sys::openat2(root, path, static_cast<std::uint64_t>(flags) | O_CLOEXEC,
                        RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

} // namespace mydocker::engine
