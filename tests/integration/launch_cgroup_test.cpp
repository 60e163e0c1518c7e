// Containers in cgroups: in them before they run, by descriptor, and seeing them as their root.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "support/launch_fixture.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

// A cgroup of the test's own, gone at the end.
class OwnCgroup {
  public:
    explicit OwnCgroup(const std::string& hierarchy)
        : path_(hierarchy + "/mydocker-launch-test-" + std::to_string(::getpid())) {
        made_ = ::mkdir(path_.c_str(), 0755) == 0;
    }
    OwnCgroup(const OwnCgroup&) = delete;
    OwnCgroup& operator=(const OwnCgroup&) = delete;
    ~OwnCgroup() {
        for (int tries = 0; made_ && ::rmdir(path_.c_str()) != 0 && errno == EBUSY && tries < 1000; ++tries)
            ::sched_yield(); // The last process is leaving.
    }
    [[nodiscard]] bool made() const { return made_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string name() const { return path_.substr(path_.rfind('/')); }

  private:
    std::string path_;
    bool made_ = false;
};

class LaunchCgroup : public LaunchContainer {
  protected:
    // What the host sees of the waiting container's first process.
    LaunchOptions looking(std::string& seen) {
        LaunchOptions options;
        options.before_go = [&seen](const runtime::Launch& launched) {
            seen = slurp("/proc/" + std::to_string(launched.pid()) + "/cgroup");
        };
        return options;
    }
};

TEST_F(LaunchCgroup, JoinsByDescriptorAndSeesItAsItsRoot) {
    if (auto why = missing(Need::cgroup_v1)) GTEST_SKIP() << *why;
    const OwnCgroup pids("/sys/fs/cgroup/pids");
    const OwnCgroup freezer("/sys/fs/cgroup/freezer");
    ASSERT_TRUE(pids.made() && freezer.made());
    auto one = sys::openat(AT_FDCWD, pids.path() + "/cgroup.procs", O_WRONLY);
    auto other = sys::openat(AT_FDCWD, freezer.path() + "/tasks", O_WRONLY);
    ASSERT_TRUE(one && other);
    std::string seen;
    LaunchOptions options = looking(seen);
    options.change_input = [&](runtime::LaunchInput& input) {
        input.cgroup_joins = {one->get(), other->get()};
    };
    Mount top;
    top.type = "tmpfs";
    top.source = "tmpfs";
    top.target = "/sys/fs/cgroup";
    top.options = {"mode=755"};
    Mount view;
    view.type = "cgroup";
    view.source = "cgroup";
    view.target = "/sys/fs/cgroup/pids";
    view.options = {"pids"};
    options.cgroup_mounts = {top, view};
    spec_.mounts.push_back({"/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid", "noexec", "nodev"}});

    const std::string out = out_of("grep -E ':(pids|freezer):' /proc/self/cgroup | cut -d: -f3; "
                                   "ls /sys/fs/cgroup; cat /sys/fs/cgroup/pids/cgroup.procs | head -n 1; "
                                   "mkdir /sys/fs/cgroup/pids/x 2>/dev/null || echo ro; "
                                   "mkdir /sys/fs/cgroup/x 2>/dev/null || echo ro",
                                   options);

    EXPECT_EQ(out, "/\n/\npids\n1\nro\nro\n");
    EXPECT_NE(seen.find(":pids:" + pids.name() + "\n"), std::string::npos) << seen;
    EXPECT_NE(seen.find(":freezer:" + freezer.name() + "\n"), std::string::npos) << seen;
}

TEST_F(LaunchCgroup, IsBornIntoACgroupOfTheUnifiedTree) {
    const std::string tree =
        ::access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
    if (::access((tree + "/cgroup.procs").c_str(), F_OK) != 0) GTEST_SKIP() << "no cgroup v2 tree is mounted";
    const OwnCgroup cgroup(tree);
    ASSERT_TRUE(cgroup.made());
    auto directory = sys::openat(AT_FDCWD, cgroup.path(), O_RDONLY | O_DIRECTORY);
    std::string seen;
    LaunchOptions options = looking(seen);
    options.change_input = [&](runtime::LaunchInput& input) { input.cgroup_directory = directory->get(); };

    EXPECT_EQ(out_of("grep ^0: /proc/self/cgroup", options), "0::/\n");
    EXPECT_NE(seen.find("0::" + cgroup.name() + "\n"), std::string::npos) << seen;
}

TEST_F(LaunchCgroup, DoesNotStartOutsideACgroupItCannotJoin) {
    auto closed = sys::openat(AT_FDCWD, "/dev/full", O_WRONLY);
    LaunchOptions options;
    options.change_input = [&](runtime::LaunchInput& input) { input.cgroup_joins = {closed->get()}; };

    EXPECT_EQ(text_of(sh("true", options)),
              "join the cgroups: enter a cgroup: write: No space left on device (ENOSPC)");
}

} // namespace
} // namespace mydocker::test
