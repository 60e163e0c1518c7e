// LaunchPlan: everything that the monitor and mydocker-init have to do for one container, as flat plain
// values. It is decided and checked here, once: option words, capability and limit names, ids and ranges
// are parsed by make_plan (command line only) and by nothing after it. The monitor and init only decode.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "runtime/spec.hpp"

#include <cstdint>
#include <linux/filter.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::runtime {

// One message to init tells of all mounts (protocol.hpp).
inline constexpr std::size_t kMostMounts = 4096;

// Whose namespaces a mount has to be made in. What lies on the host, or needs the host's privilege, is
// made by the parent and handed over detached; what shows a namespace is made by init.
enum class MountMaker : std::uint32_t { parent = 0, init = 1 };

struct PlannedMount {
    Mount mount; // target absolute, "/" only for the first of `rootfs`
    MountMaker maker = MountMaker::parent;
    bool late_read_only = false; // read-only only when everything below it is attached
    bool plain_target = false;   // no part of the target may be a symbolic link
    bool may_cover_proc = false; // one of the few files of /proc that may be covered
};

struct PlannedDevice {
    std::string path;
    std::uint32_t mode = 0; // with S_IFCHR, S_IFBLK or S_IFIFO
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

struct PlannedLink {
    std::string path;
    std::string target;
};

struct PlannedSysctl {
    std::string path; // below /proc/sys
    std::string value;
};

struct PlannedRlimit {
    int resource = 0;
    std::string name;
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
    bool required = true;
};

// Who the process is. A number is never looked up as a name.
struct PlannedUser {
    bool lookup = false;      // read the container's /etc/passwd and /etc/group
    std::string name;         // with lookup: the user by name, or empty: by `uid`
    std::string group_name;   // with lookup: the group by name, or empty:
    bool group_given = false; // with lookup: `gid` counts; else the user's own group, and groups they are in
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> additional_gids;
    std::vector<std::string> additional_groups; // by name; only with `lookup`
    std::optional<std::uint32_t> umask;
};

// Masks by capability number.
struct PlannedCapabilities {
    std::uint64_t bounding = 0;
    std::uint64_t effective = 0;
    std::uint64_t permitted = 0;
    std::uint64_t inheritable = 0;
    std::uint64_t ambient = 0;
};

struct LaunchPlan {
    std::string id;   // for messages; set by the caller
    std::string name; // for messages; set by the caller

    std::uint64_t clone_flags = 0;       // CLONE_NEW… of the namespaces to make, all but cgroup's
    bool new_cgroup_namespace = false;   // unshared by init once it is in its cgroups
    std::vector<NamespaceKind> join;     // descriptors come in LaunchInput::joined
    std::vector<IdMapping> uid_mappings; // with CLONE_NEWUSER
    std::vector<IdMapping> gid_mappings;

    std::vector<PlannedMount> rootfs; // in order; the first is the root itself
    std::vector<PlannedMount> mounts; // in order
    std::vector<PlannedDevice> devices;
    std::vector<PlannedLink> links;
    std::vector<std::string> masked_paths;
    std::vector<std::string> readonly_paths;
    bool root_readonly = false;
    std::uint64_t root_propagation = 0; // MS_SHARED, MS_UNBINDABLE, or 0: private

    std::string hostname;   // empty: left as it is
    std::string domainname; // empty: left as it is
    std::vector<PlannedSysctl> sysctls;

    PlannedUser user;
    PlannedCapabilities capabilities;
    std::vector<PlannedRlimit> rlimits;
    std::optional<int> oom_score_adj;
    bool no_new_privileges = true;
    std::vector<sock_filter> seccomp; // empty: unconfined
    std::uint32_t seccomp_flags = 0;  // SECCOMP_FILTER_FLAG_…
    std::vector<sock_filter> watch;   // its listener goes to the parent; empty: nothing is watched
    bool die_with_monitor = true;     // parent-death signal
    bool reaper = false;              // init stays, as process 1; the command is its child

    bool terminal = false;
    ConsoleSize console_size; // 0 × 0: the kernel's default
    std::string cwd = "/";
    bool create_cwd = true; // inside the root, when the image lacks it
    std::vector<std::string> args;
    std::vector<std::string> env;
    bool trace = false; // parent and init note what they do, and how long it takes
};

// The part of a plan that init can begin with: the namespaces. Pure. Errors: as make_plan().
[[nodiscard]] Result<LaunchPlan> namespace_plan(const ContainerSpec& spec);

// `seccomp`: compiled for exactly this spec; empty: unconfined. `cgroup_mounts`: what the cgroup backend
// wants seen in place of the spec's mount of type "cgroup". Pure.
// Errors: invalid or unsupported, naming the member or value.
[[nodiscard]] Result<LaunchPlan> make_plan(const ContainerSpec& spec, std::span<const sock_filter> seccomp,
                                           std::span<const Mount> cgroup_mounts);

// The plan of a further process in the running container of that spec: nothing is made, and all of the
// container's namespaces are joined (LaunchInput::target). `process`: what is to run; `seccomp`: compiled
// for it. Pure. Errors: as above.
[[nodiscard]] Result<LaunchPlan> make_exec_plan(const ContainerSpec& spec, const ProcessSpec& process,
                                                std::span<const sock_filter> seccomp);

// Between programs of one build; not stored.
[[nodiscard]] std::string encode(const LaunchPlan& plan);
// Errors: corrupt.
[[nodiscard]] Result<LaunchPlan> decode(std::string_view bytes);

} // namespace mydocker::runtime
