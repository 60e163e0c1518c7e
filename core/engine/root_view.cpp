#include "engine/root_view.hpp"

#include "base/process.hpp"
#include "base/sys.hpp"
#include "runtime/mount.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace mydocker::engine {
namespace {

std::unexpected<Error> ended(const ContainerRecord& record) {
    return fail(Code::conflict, "container '" + record.name.str() + "' ended meanwhile; try again");
}

// Of one that does not answer to its identity.
std::unexpected<Error> lost(const ContainerRecord& record, const Error& error) {
    return error.code == Code::not_found ? ended(record) : std::unexpected<Error>(error);
}

// Where this process is, so that it can come back from another mount namespace.
struct Home {
    UniqueFd space;
    UniqueFd root;
    UniqueFd directory;
};

Result<Home> remember_home() {
    auto space = sys::openat(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
    if (!space) return fail(space);
    auto root = sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
    if (!root) return fail(root);
    auto directory = sys::openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY);
    if (!directory) return fail(directory);
    return Home{std::move(*space), std::move(*root), std::move(*directory)};
}

// Root and working directory, too: setns(2) sets both to the namespace's own root.
Status try_home(const Home& home) {
    if (auto entered = sys::setns(home.space.get(), CLONE_NEWNS); !entered) return entered;
    if (auto moved = sys::fchdir(home.root.get()); !moved) return moved;
    if (auto rooted = sys::chroot("."); !rooted) return rooted;
    return sys::fchdir(home.directory.get());
}

void go_home(const Home& home) {
    Status back = try_home(home);
    if (!back) back = try_home(home); // What failed for want of a moment's memory succeeds now.
    if (back) return;
    // Whatever this process did next, it would do it to the wrong files: it says why, and ends.
    const std::string words = "mydocker: leave a mount namespace: " + describe(back.error()) + "\n";
    (void)sys::write_all(STDERR_FILENO, words);
    ::_exit(125);
}

// In a mount namespace of its own, which is left at once; for mounts that only mount(2) can make.
Result<UniqueFd> make_aside(const Mount& mount) {
    auto home = remember_home();
    if (!home) return fail(home);
    if (auto left = sys::unshare(CLONE_NEWNS); !left) return fail(left);
    auto made = [&]() -> Result<UniqueFd> {
        if (auto alone = sys::mount("", "/", "", MS_REC | MS_PRIVATE, ""); !alone) return fail(alone);
        return runtime::make_in_place(mount);
    }();
    go_home(*home);
    return made;
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

// The root mount of a running container, cloned in its own namespace: the kernel clones no mount of another
// one. What hangs in it stays behind, so what lies under a volume shows. Nothing is looked up there but "/".
Result<UniqueFd> clone_root(const ContainerRecord& record) {
    auto process = process::open_pidfd(record.process);
    if (!process) return lost(record, process.error());
    auto home = remember_home();
    if (!home) return fail(home);
    if (auto entered = sys::setns(process->get(), CLONE_NEWNS); !entered)
        return entered.error().sys_errno == ESRCH ? ended(record) : fail(entered);
    auto clone = sys::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    go_home(*home);
    return clone;
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

Result<UniqueFd> open_process_root(const ContainerRecord& record) {
    auto process = process::open_pidfd(record.process);
    if (!process) return lost(record, process.error());
    const std::string path = "/proc/" + std::to_string(record.process.pid) + "/root";
    auto root = sys::openat(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    // If the process is there still, it was there then, and the number was not another one's.
    auto alive = process::is_alive(record.process);
    if (!alive) return fail(alive);
    if (!*alive) return ended(record);
    return root;
}

Result<UniqueFd> open_in_root(int root, const std::string& path, int flags) {
    return sys::openat2(root, path, static_cast<std::uint64_t>(flags) | O_CLOEXEC,
                        RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

} // namespace mydocker::engine
