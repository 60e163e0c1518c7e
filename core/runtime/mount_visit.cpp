#include "runtime/mount_visit.hpp"

#include "base/sys.hpp"

#include <fcntl.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <unistd.h>

namespace mydocker::runtime {

Result<MountVisit::Home> MountVisit::find_home() {
    auto space = sys::openat(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
    if (!space) return fail(space);
    auto root = sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
    if (!root) return fail(root);
    auto directory = sys::openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY);
    if (!directory) return fail(directory);
    return Home{std::move(*space), std::move(*root), std::move(*directory)};
}

Result<MountVisit> MountVisit::enter(int target) {
    auto home = find_home();
    if (!home) return fail(home);
    if (auto entered = sys::setns(target, CLONE_NEWNS); !entered) return fail(entered);
    return MountVisit(std::move(*home));
}

Result<MountVisit> MountVisit::enter_copy() {
    auto home = find_home();
    if (!home) return fail(home);
    if (auto left = sys::unshare(CLONE_NEWNS); !left) return fail(left);
    MountVisit visit(std::move(*home));
    if (auto alone = sys::mount("", "/", "", MS_REC | MS_PRIVATE, ""); !alone) return fail(alone);
    return visit;
}

// Root and working directory, too: setns(2) sets both to the namespace's own root.
Status MountVisit::go_home() const {
    if (auto entered = sys::setns(home_.space.get(), CLONE_NEWNS); !entered) return entered;
    if (auto moved = sys::fchdir(home_.root.get()); !moved) return moved;
    if (auto rooted = sys::chroot("."); !rooted) return rooted;
    return sys::fchdir(home_.directory.get());
}

MountVisit::~MountVisit() {
    if (!home_.space) return; // moved from
    Status back = go_home();
    if (!back) back = go_home(); // What failed for want of a moment's memory succeeds now.
    if (back) return;
    const std::string words = "mydocker: leave a mount namespace: " + describe(back.error()) + "\n";
    (void)sys::write_all(STDERR_FILENO, words); // The process ends in any case.
    ::_exit(125);
}

} // namespace mydocker::runtime
