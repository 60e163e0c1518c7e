// Namespaces, cgroups and kernel settings of the container, from inside.
#include "runtime/init_stages.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>

namespace mydocker::runtime::init {
namespace {

int setns_type(NamespaceKind kind) {
    constexpr int kNewTime = 0x80; // CLONE_NEWTIME
    switch (kind) {
    case NamespaceKind::mount:
        return CLONE_NEWNS;
    case NamespaceKind::pid:
        return CLONE_NEWPID;
    case NamespaceKind::network:
        return CLONE_NEWNET;
    case NamespaceKind::ipc:
        return CLONE_NEWIPC;
    case NamespaceKind::uts:
        return CLONE_NEWUTS;
    case NamespaceKind::user:
        return CLONE_NEWUSER;
    case NamespaceKind::cgroup:
        return CLONE_NEWCGROUP;
    case NamespaceKind::time:
        return kNewTime;
    }
    return -1;
}

const char* name_of(NamespaceKind kind) {
    constexpr const char* kNames[] = {"mount", "pid", "network", "ipc", "uts", "user", "cgroup", "time"};
    return kNames[static_cast<std::size_t>(kind)];
}

bool joins(const Init& init, NamespaceKind kind) {
    return std::ranges::any_of(init.joined, [kind](const Joined& joined) { return joined.kind == kind; });
}

Status join(const Joined& joined) {
    if (auto done = sys::setns(joined.fd, setns_type(joined.kind)); !done)
        return fail(done, std::string("the ") + name_of(joined.kind) + " namespace");
    return {};
}

// Opened below our own procfs, and nowhere else: no link, no other mount on the way.
Result<UniqueFd> open_proc(Init& init, const std::string& path) {
    auto proc = procfs(init);
    if (!proc) return fail(proc);
    return sys::openat2(*proc, path, O_WRONLY | O_NOFOLLOW,
                        RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
}

Status write_proc(Init& init, const std::string& path, std::string_view text) {
    auto file = open_proc(init, path);
    if (!file) return fail(file);
    auto written = sys::write(file->get(), text);
    if (!written) return fail(written, "write '" + std::string(text) + "' to '/proc/" + path + "'");
    return {};
}

// The ids of a process in a new user namespace are of nobody until it takes mapped ones.
Status become_root_of_namespace() {
    if (auto set = sys::setresgid(0, 0, 0); !set) return fail(set, "group 0 is not mapped");
    if (auto set = sys::setresuid(0, 0, 0); !set) return fail(set, "user 0 is not mapped");
    return {};
}

// The kernel takes "0" as the writer; by descriptor, because the cgroup's path may be hidden here. While
// there is one thread no other process has to be waited for.
Status enter_cgroup(int fd) {
    if (auto written = sys::write(fd, "0"); !written) return fail(written, "enter a cgroup");
    return {};
}

// One call enters all of them or none: no order can leave one out, and no path is looked up.
Status join_target(Init& init) {
    int types = 0;
    for (const NamespaceKind kind : init.plan.join)
        types |= setns_type(kind);
    if (auto done = sys::setns(init.target, types); !done) return fail(done, "those of the container");
    if ((types & CLONE_NEWUSER) == 0) return {};
    return become_root_of_namespace();
}

} // namespace

// Who may trace a process, or open what is in its /proc directory, could make it act with our privilege.
Status refuse_tracing(Init& init) {
    if (std::ranges::find(init.plan.join, NamespaceKind::pid) == init.plan.join.end()) return {};
    return sys::prctl(PR_SET_DUMPABLE, 0); // The exec of the command takes it back.
}

Status receive_prepared(Init& init) {
    if (init.prepared) return {};
    const std::size_t count = init.plan.rootfs.size() + init.plan.mounts.size();
    init.mounts.resize(count);
    std::string made;
    std::size_t next = 0;
    do {
        auto packet = sys::receive_with_fds(init.channel, protocol::kMessageLimit);
        if (!packet) return fail(packet);
        if (packet->bytes.empty()) return fail(Code::cancelled, "the parent is gone");
        auto message = protocol::decode_message(packet->bytes);
        if (!message) return fail(message);
        if (message->kind != protocol::MessageKind::prepared)
            return fail(Code::internal, "expected the mounts");
        if (made.empty()) made = message->payload;
        if (made.size() != count) return fail(Code::internal, "the mounts are not those of the plan");
        for (UniqueFd& fd : packet->fds) {
            next = std::min(made.find('\1', next), count);
            if (next == count) return fail(Code::internal, "there are more mounts than planned");
            init.mounts[next++] = std::move(fd);
        }
    } while (made.find('\1', next) != std::string::npos);
    init.prepared = true;
    return {};
}

Status await_mappings(Init& init) {
    if ((init.plan.clone_flags & CLONE_NEWUSER) == 0) return {};
    // The parent sends the mounts once it has written the maps.
    if (auto received = receive_prepared(init); !received) return received;
    return become_root_of_namespace();
}

Status join_cgroups(Init& init) {
    for (const int fd : init.cgroup_joins)
        if (auto entered = enter_cgroup(fd); !entered) return entered;
    return {};
}

// What was made of namespaces before is charged to the host: it is the same for every container.
Status join_received_cgroups(Init& init) {
    for (const UniqueFd& fd : init.received_joins)
        if (auto entered = enter_cgroup(fd.get()); !entered) return entered;
    init.received_joins.clear();
    return {};
}

// The user namespace first: it gives the right to enter those that it owns.
Status join_namespaces(Init& init) {
    if (init.target >= 0) return join_target(init);
    for (const Joined& joined : init.joined)
        if (joined.kind == NamespaceKind::user) {
            if (auto done = join(joined); !done) return done;
            if (auto done = become_root_of_namespace(); !done) return done;
        }
    for (const Joined& joined : init.joined)
        if (joined.kind != NamespaceKind::user) {
            if (auto done = join(joined); !done) return done;
        }
    return {};
}

Status make_namespaces(Init& init) {
    const std::uint64_t flags = init.plan.clone_flags & protocol::kMadeByInit;
    if (flags == 0) return {};
    return sys::unshare(static_cast<int>(flags));
}

Status leave_host_sessions(Init& init) {
    if (init.plan.new_cgroup_namespace) {
        if (auto done = sys::unshare(CLONE_NEWCGROUP); !done) return fail(done, "the cgroup namespace");
    }
    auto keyring = sys::join_session_keyring();
    // A kernel without keys has none to leak; a filter around us may forbid the call, with the same effect.
    if (!keyring && keyring.error().sys_errno != ENOSYS && keyring.error().sys_errno != EPERM) return keyring;
    return {};
}

Result<int> procfs(Init& init) {
    if (init.procfs) return init.procfs.get();
    const std::size_t first = init.plan.rootfs.size();
    for (std::size_t i = 0; i < init.plan.mounts.size(); ++i)
        if (init.plan.mounts[i].mount.type == "proc" && init.plan.mounts[i].maker == MountMaker::init &&
            first + i < init.mounts.size() && init.mounts[first + i])
            return init.mounts[first + i].get();
    auto fs = sys::fsopen("proc", 0);
    if (!fs) return fail(fs);
    if (auto made = sys::fsconfig_create(fs->get()); !made) return fail(made, "procfs");
    auto mount = sys::fsmount(fs->get(), 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (!mount) return fail(mount, "procfs");
    init.procfs = std::move(*mount);
    return init.procfs.get();
}

Status set_oom_score(Init& init) {
    if (!init.plan.oom_score_adj) return {};
    return write_proc(init, "self/oom_score_adj", std::to_string(*init.plan.oom_score_adj));
}

Status name_host(Init& init) {
    if (!init.plan.hostname.empty()) {
        if (auto set = sys::sethostname(init.plan.hostname); !set) return set;
    }
    if (!init.plan.domainname.empty()) {
        if (auto set = sys::setdomainname(init.plan.domainname); !set) return set;
    }
    if ((init.plan.clone_flags & CLONE_NEWNET) == 0 || joins(init, NamespaceKind::network)) return {};
    return sys::interface_up("lo");
}

Status write_sysctls(Init& init) {
    if (init.plan.sysctls.empty()) return {};
    auto proc = procfs(init);
    if (!proc) return fail(proc);
    auto type = sys::fstatfs_type(*proc);
    if (!type) return fail(type);
    if (*type != PROC_SUPER_MAGIC) return fail(Code::internal, "what should be procfs is not");
    for (const PlannedSysctl& sysctl : init.plan.sysctls)
        if (auto written = write_proc(init, "sys/" + sysctl.path, sysctl.value); !written) return written;
    return {};
}

} // namespace mydocker::runtime::init
