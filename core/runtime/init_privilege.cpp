// Giving up privilege: limits, ids, capabilities; then the working directory, as the user.
#include "runtime/init_stages.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <utility>

namespace mydocker::runtime::init {
namespace {

constexpr unsigned kCapabilities = 64; // more than there are; the kernel says where they end

bool has(std::uint64_t mask, unsigned capability) {
    return (mask >> capability & 1U) != 0;
}

// A default of ours that this host does not allow is lowered to what it does.
Status lower_limit(const PlannedRlimit& limit) {
    auto current = sys::getrlimit(limit.resource);
    if (!current) return fail(current);
    const rlimit64 lowered{std::min(limit.soft, current->rlim_max), std::min(limit.hard, current->rlim_max)};
    return sys::setrlimit(limit.resource, lowered);
}

Status drop_bounding(std::uint64_t keep) {
    for (unsigned capability = 0; capability < kCapabilities; ++capability) {
        if (has(keep, capability)) continue;
        auto dropped = sys::prctl(PR_CAPBSET_DROP, capability);
        if (!dropped && dropped.error().sys_errno == EINVAL) return {}; // Beyond the last one.
        if (!dropped) return fail(dropped, "drop capability " + std::to_string(capability));
    }
    return {};
}

Status set_ids(const Identity& identity) {
    // Kept until the sets are written: what the user is to have is taken from them.
    if (auto done = sys::prctl(PR_SET_KEEPCAPS, 1); !done) return done;
    if (auto done = sys::setgroups(identity.groups); !done) return done;
    if (auto done = sys::setresgid(identity.gid, identity.gid, identity.gid); !done)
        return fail(done, "group " + std::to_string(identity.gid));
    if (auto done = sys::setresuid(identity.uid, identity.uid, identity.uid); !done)
        return fail(done, "user " + std::to_string(identity.uid));
    return {};
}

// Below a filter that listens already it cannot be, nor when the kernel is short of something: then the
// kernel's own rule stands, which costs the user no safety.
void watch(Init& init) {
    if (init.plan.watch.empty()) return;
    if (auto listener = sys::seccomp_listen(init.plan.watch)) init.watch = std::move(*listener);
}

// Without no_new_privileges only CAP_SYS_ADMIN may load a filter: before it is given up.
Status load_filter_as_admin(Init& init) {
    if (init.plan.no_new_privileges || init.plan.seccomp.empty()) return {};
    auto sets = sys::capget();
    if (!sets) return fail(sets);
    sets->effective = sets->permitted;
    if (auto set = sys::capset(*sets); !set) return set;
    watch(init);
    return sys::seccomp_load(init.plan.seccomp, init.plan.seccomp_flags);
}

Status set_capabilities(PlannedCapabilities wanted, std::uint32_t uid) {
    // The exec leaves a user who is not root the ambient ones alone. They go now, so that directory and
    // command are looked up with the user's rights and no more.
    if (uid != 0) {
        wanted.effective &= wanted.ambient;
        wanted.permitted &= wanted.ambient;
    }
    auto set = sys::capset({wanted.effective, wanted.permitted, wanted.inheritable});
    if (!set && set.error().sys_errno == EPERM)
        return fail(set, "the container is to have capabilities that we do not have ourselves");
    if (!set) return set;
    for (unsigned capability = 0; capability < kCapabilities; ++capability) {
        if (!has(wanted.ambient, capability)) continue;
        if (auto raised = sys::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability); !raised)
            return fail(raised, "raise ambient capability " + std::to_string(capability));
    }
    return {};
}

} // namespace

Status set_limits(Init& init) {
    for (const PlannedRlimit& limit : init.plan.rlimits) {
        auto set = sys::setrlimit(limit.resource, {limit.soft, limit.hard});
        if (!set && !limit.required && set.error().sys_errno == EPERM) set = lower_limit(limit);
        if (!set && limit.required) return fail(set, limit.name);
    }
    return {};
}

// A pipe or terminal made for this container belongs to its user, so that /dev/stdout can be opened. What
// was given from outside (a file, the null device) keeps its owner.
Status adopt_streams(Init& init) {
    if (init.identity.uid != 0) {
        for (int stream = 0; stream < 3; ++stream) {
            auto status = sys::fstat(stream);
            if (!status || !(S_ISFIFO(status->st_mode) || init.terminal)) continue;
            (void)sys::fchown(stream, init.identity.uid, static_cast<gid_t>(-1)); // A convenience only.
        }
    }
    init.terminal.reset();
    return sys::umask(init.plan.user.umask.value_or(022));
}

Status drop_privilege(Init& init) {
    if (auto done = drop_bounding(init.plan.capabilities.bounding); !done) return done;
    if (auto done = set_ids(init.identity); !done) return done;
    if (auto done = load_filter_as_admin(init); !done) return done;
    if (auto done = set_capabilities(init.plan.capabilities, init.identity.uid); !done) return done;
    if (init.plan.no_new_privileges) {
        if (auto done = sys::prctl(PR_SET_NO_NEW_PRIVS, 1); !done) return fail(done, "no_new_privileges");
        watch(init);
    }
    // A change of ids clears it. Whether the parent died before is found out by the next message to it.
    return sys::prctl(PR_SET_PDEATHSIG, init.plan.die_with_monitor ? SIGKILL : 0);
}

Status enter_cwd(Init& init) {
    const std::string& cwd = init.plan.cwd;
    const std::string what = "working directory '" + cwd + "'";
    // A magic link (/proc/self/fd/N) is the one thing that could lead out.
    auto directory =
        sys::openat2(init.root.get(), cwd, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (!directory && directory.error().sys_errno == ELOOP) {
        init.exit_code = 125;
        return fail(Code::invalid, what + " is outside the container, or a loop of links");
    }
    if (!directory) return fail_errno(directory.error().sys_errno, what);
    if (auto entered = sys::fchdir(directory->get()); !entered)
        return fail_errno(entered.error().sys_errno, what);
    auto where = sys::getcwd();
    if (where && where->starts_with('/')) return {};
    init.exit_code = 125;
    return fail(Code::invalid, what + " is outside the container");
}

} // namespace mydocker::runtime::init
