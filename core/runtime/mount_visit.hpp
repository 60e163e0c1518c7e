// A stay in another mount namespace, for what the kernel does only for those who are in it: cloning a mount
// of it, mounting without being seen on the host. Not for staying: whoever lives there is started in it.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <utility>

namespace mydocker::runtime {

// While it lives this process is in the other namespace, in that namespace's own root: wherever the processes
// in there have moved their root to. Its end brings the process home, to its mount namespace, root and
// working directory. Where that cannot be, the process says so and ends (125): whatever it did next, it would
// do to the wrong files. Source: setns(2), "Mount namespaces".
class MountVisit final {
  public:
    // Enters the mount namespace of a process (`target`: a pidfd), or the one that an open /proc/PID/ns/mnt
    // is. Errors: what setns(2) says, ESRCH among it for a process that is gone; nothing has changed then.
    [[nodiscard]] static Result<MountVisit> enter(int target);
    // Enters a copy of the process's own, out of which no mount is seen.
    [[nodiscard]] static Result<MountVisit> enter_copy();

    MountVisit(MountVisit&&) noexcept = default;
    MountVisit& operator=(MountVisit&&) = delete;
    MountVisit(const MountVisit&) = delete;
    MountVisit& operator=(const MountVisit&) = delete;
    ~MountVisit();

  private:
    struct Home {
        UniqueFd space;
        UniqueFd root;
        UniqueFd directory;
    };
    explicit MountVisit(Home home) noexcept : home_(std::move(home)) {}
    [[nodiscard]] static Result<Home> find_home();
    [[nodiscard]] Status go_home() const;

    Home home_;
};

} // namespace mydocker::runtime
