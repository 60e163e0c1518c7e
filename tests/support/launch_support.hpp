// Real launches for tests: a small root filesystem of busybox, a ContainerSpec with everything a default
// container has, and a run from begin to the exit status with what was printed.
#pragma once

#include "mydocker/result.hpp"
#include "runtime/launch.hpp"
#include "runtime/plan.hpp"
#include "runtime/spec.hpp"
#include "support/support.hpp"

#include <functional>
#include <linux/filter.h>
#include <string>
#include <vector>

namespace mydocker::test {

// The program under test, from the environment (MYDOCKER_INIT) or as built.
[[nodiscard]] std::string init_path();

// A directory with /bin/busybox and its usual names; the file /etc/passwd and a few more.
class TinyRoot {
  public:
    TinyRoot();
    [[nodiscard]] const std::string& path() const { return directory_.path(); }
    [[nodiscard]] std::string operator/(const std::string& name) const { return directory_ / name; }
    // Writes a file below the root.
    void write(const std::string& name, const std::string& bytes, mode_t mode = 0644);

  private:
    TempDir directory_;
};

// As the command line makes it: namespaces, mounts, hidden paths, 11 capabilities, no_new_privileges.
[[nodiscard]] runtime::ContainerSpec default_spec(const TinyRoot& root);

// What became of a start.
struct Launched {
    Result<void> begun;           // of make_plan, begin or receive
    runtime::InitFailure failure; // when init said so
    bool started = false;
    int exit_code = -1; // as a shell shows it
    std::string out;    // standard output and error, or the terminal's
};

struct LaunchOptions {
    std::vector<sock_filter> seccomp;
    std::vector<Mount> cgroup_mounts;
    std::function<void(runtime::LaunchPlan&)> change_plan;
    std::function<void(runtime::LaunchInput&)> change_input;
    std::function<void(const runtime::Launch&)> before_go; // init waits
};

[[nodiscard]] Launched launch(const runtime::ContainerSpec& spec, const LaunchOptions& options = {});
// The same for a plan that is made already.
[[nodiscard]] Launched launch(const runtime::LaunchPlan& plan, const LaunchOptions& options);

} // namespace mydocker::test
