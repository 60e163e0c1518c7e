// mydocker-init from inside: what one start has at hand, and its stages in the order in which they run.
// Linked into the static program and, over a recording double of base/sys, into the tests of that order.
// No exceptions, iostream, locale, or name services: a container's root may hold anything.
#pragma once

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
    std::vector<Joined> joined;

    // Mounts in the order of rootfs, then mounts: detached until attached; then the attached one.
    std::vector<UniqueFd> mounts;
    bool prepared = false; // the parent's mounts are here
    UniqueFd root;         // the container's root, after pivot_root
    UniqueFd procfs;       // of our own making when the plan has none
    UniqueFd terminal_master;
    UniqueFd terminal;
    Identity identity;

    // Of a failure, when it is not the stage's usual one.
    std::optional<int> exit_code;
};

// Reads the orders that the parent left on kOrdersFd. Errors: not_found when there are none: somebody
// ran the program by hand.
[[nodiscard]] Status take_orders(Init& init);

// Everything up to the user's command. Returns only when it could not be started; the failure has been
// reported up the channel.
[[nodiscard]] InitFailure run(Init& init);

} // namespace mydocker::runtime::init
