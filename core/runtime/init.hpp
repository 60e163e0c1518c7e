// mydocker-init from inside: what one start has at hand, and its stages in the order in which they run.
// Linked into the static program and, over a recording double of base/sys, into the tests of that order.
// No exceptions, iostream, locale, or name services: a container's root may hold anything.
#pragma once

#include "base/trace.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"
#include "runtime/plan.hpp"
#include "runtime/protocol.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mydocker::runtime::init {

// The ids to run as, and the home directory, once known.
struct Identity {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
    std::string home;
};

// A namespace to join, by descriptor.
struct Joined {
    NamespaceKind kind = NamespaceKind::network;
    int fd = -1;
};

struct Init {
    LaunchPlan plan;
    int channel = protocol::kChannelFd;
    std::vector<int> cgroup_joins;
    std::vector<UniqueFd> received_joins; // that came with the plan
    bool plan_follows = false;            // `plan` holds no more than the namespaces yet
    std::vector<Joined> joined;
    int target = -1; // a pidfd, whose process's namespaces are joined at once; -1: there is none

    // Mounts in the order of rootfs, then mounts: detached until attached; then the attached one.
    std::vector<UniqueFd> mounts;
    bool prepared = false; // the parent's mounts are here
    UniqueFd root;         // the container's root, after pivot_root
    UniqueFd procfs;       // of our own making when the plan has none
    UniqueFd terminal_master;
    UniqueFd terminal;
    UniqueFd watch; // the listener, until it is with the parent
    Identity identity;

    // Of a failure, when it is not the stage's usual one.
    std::optional<int> exit_code;

    std::optional<trace::Recorder> trace; // sent with `ready` and `executing`
    [[nodiscard]] trace::Recorder* recorder() { return trace ? &*trace : nullptr; }
    // What was noted and not sent yet.
    [[nodiscard]] std::string take_trace();
};

// Reads the orders that the parent left on kOrdersFd. Errors: not_found when there are none: somebody
// ran the program by hand.
[[nodiscard]] Status take_orders(Init& init);

// Everything up to the user's command. Returns only when it could not be started; the failure has been
// reported up the channel.
[[nodiscard]] InitFailure run(Init& init);

} // namespace mydocker::runtime::init
