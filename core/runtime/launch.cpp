// The parent's side of a container's start; the dance is drawn in protocol.hpp.
#include "runtime/launch.hpp"

#include "base/memory_file.hpp"
#include "base/sys.hpp"
#include "runtime/mount.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <linux/memfd.h>
#include <optional>
#include <sched.h>
#include <span>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <utility>

namespace mydocker::runtime {
namespace {

using protocol::MessageKind;

// The executable as a descriptor that a container cannot write through: a read-only mount of the one
// file, or a sealed copy where the kernel lacks the calls. /proc/PID/exe keeps the mount, so reopening it
// for writing says EROFS (or ETXTBSY while it runs).
Result<UniqueFd> open_executable(const std::string& path) {
    auto tree = sys::open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);
    if (tree) {
        if (auto set = set_read_only(tree->get()); set) return tree;
    } else if (tree.error().sys_errno == ENOENT) {
        return tree;
    }
    auto bytes = files::read_file(path);
    if (!bytes) return fail(bytes);
    auto copy = sys::memfd_create("mydocker-init", MFD_ALLOW_SEALING);
    if (!copy) return copy;
    if (auto written = sys::write_all(copy->get(), *bytes); !written) return fail(written);
    auto sealed = sys::seal(copy->get(), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    if (!sealed) return fail(sealed);
    return copy;
}

Status check_joins(const LaunchPlan& plan, const LaunchInput& input) {
    if (input.target >= 0 && input.joined.empty()) return {};
    const auto given = [&](NamespaceKind kind) {
        return std::ranges::any_of(input.joined, [kind](const auto& joined) { return joined.kind == kind; });
    };
    const bool complete = std::ranges::all_of(plan.join, given) && plan.join.size() == input.joined.size();
    if (complete) return {};
    return fail(Code::internal, "the namespaces to join are not those of the plan");
}

Result<UniqueFd> write_orders(const LaunchPlan& plan, const LaunchInput& input) {
    protocol::Orders orders;
    orders.cgroup_joins = static_cast<std::uint32_t>(input.cgroup_joins.size());
    for (const JoinedNamespace& joined : input.joined)
        if (joined.kind != NamespaceKind::pid)
            orders.joined.push_back(static_cast<std::uint32_t>(joined.kind));
    orders.target = input.target >= 0 ? 1 : 0;
    orders.plan_follows = input.plan_follows ? 1 : 0;
    orders.plan = encode(plan);
    return memory_file("mydocker-orders", protocol::encode(orders));
}

process::SpawnRequest spawn_request(const LaunchPlan& plan, const LaunchInput& input, int orders,
                                    int channel) {
    process::SpawnRequest request;
    request.argv = {"mydocker-init"};
    request.fds = {input.standard[0], input.standard[1], input.standard[2], orders, channel};
    if (plan.terminal) std::fill_n(request.fds.begin(), 3, -1);
    request.fds.insert(request.fds.end(), input.cgroup_joins.begin(), input.cgroup_joins.end());
    for (const JoinedNamespace& joined : input.joined)
        if (joined.kind != NamespaceKind::pid) request.fds.push_back(joined.fd);
    if (input.target >= 0) request.fds.push_back(input.target);
    request.clone_flags = plan.clone_flags & ~protocol::kMadeByInit;
    request.cgroup_fd = input.cgroup_directory;
    request.new_session = true;
    request.parent_death_signal = SIGKILL;
    request.keep_capabilities = (plan.clone_flags & CLONE_NEWUSER) != 0;
    return request;
}

// What leads into the pid namespace to join; -1: none is joined.
int pid_namespace(const LaunchInput& input) {
    if (input.target >= 0) return input.target;
    const auto joined = std::ranges::find(input.joined, NamespaceKind::pid, &JoinedNamespace::kind);
    return joined == input.joined.end() ? -1 : joined->fd;
}

// A pid namespace is entered by children only: the parent names it for its next child, and takes its own
// back. Until its exec the child shares our memory, and is seen by those who are in there already: they may
// not look into it.
Result<process::Child> spawn_in(const process::SpawnRequest& request, const LaunchInput& input) {
    const int space = pid_namespace(input);
    if (space < 0) return process::spawn(request);
    auto own = sys::openat(AT_FDCWD, "/proc/self/ns/pid", O_RDONLY);
    if (!own) return fail(own);
    if (auto hidden = sys::prctl(PR_SET_DUMPABLE, 0); !hidden) return fail(hidden);
    if (auto entered = sys::setns(space, CLONE_NEWPID); !entered)
        return fail(entered, "join the pid namespace");
    auto child = process::spawn(request);
    if (auto shown = sys::prctl(PR_SET_DUMPABLE, 1); !shown && child) return fail(shown);
    if (auto back = sys::setns(own->get(), CLONE_NEWPID); !back && child) return fail(back);
    return child;
}

Status write_map(pid_t pid, const std::string& file, std::span<const IdMapping> mappings) {
    std::string text;
    for (const IdMapping& mapping : mappings)
        text += std::to_string(mapping.container_id) + " " + std::to_string(mapping.host_id) + " " +
                std::to_string(mapping.size) + "\n";
    const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
    auto fd = sys::openat(AT_FDCWD, path, O_WRONLY);
    if (!fd) return fail(fd);
    // The kernel takes a map in one write or not at all.
    if (auto written = sys::write(fd->get(), text); !written) return fail(written, "write '" + path + "'");
    return {};
}

Status write_maps(const LaunchPlan& plan, pid_t pid) {
    if ((plan.clone_flags & CLONE_NEWUSER) == 0) return {};
    if (auto written = write_map(pid, "uid_map", plan.uid_mappings); !written) return written;
    return write_map(pid, "gid_map", plan.gid_mappings);
}

struct Prepared {
    std::string made; // a byte a mount
    std::vector<UniqueFd> mounts;
};

// Kinds of namespaces, as words.
std::string namespace_words(std::uint64_t flags) {
    constexpr std::pair<std::uint64_t, const char*> kWords[] = {
        {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mount"},    {CLONE_NEWPID, "pid"},      {CLONE_NEWIPC, "ipc"},
        {CLONE_NEWUTS, "uts"},   {CLONE_NEWNET, "network"}, {CLONE_NEWCGROUP, "cgroup"}};
    std::string words;
    for (const auto& [flag, word] : kWords)
        if ((flags & flag) != 0) words += (words.empty() ? "" : ", ") + std::string(word);
    return words;
}

Result<std::optional<UniqueFd>> make_noted(const Mount& mount, trace::Recorder* recorder) {
    trace::Scope scope(recorder, "make mount");
    scope.describe([&] { return mount.type + " for " + mount.target; });
    return make_detached(mount);
}

Result<Prepared> make_parents_mounts(const LaunchPlan& plan, trace::Recorder* recorder) {
    Prepared prepared;
    for (const auto* list : {&plan.rootfs, &plan.mounts})
        for (const PlannedMount& planned : *list) {
            prepared.made.push_back('\0');
            if (planned.maker != MountMaker::parent) continue;
            auto mount = make_noted(planned.mount, recorder);
            if (!mount) return fail(mount);
            if (!*mount) continue; // Init makes it, with mount(2).
            prepared.made.back() = '\1';
            prepared.mounts.push_back(std::move(**mount));
        }
    return prepared;
}

Status send_prepared(int channel, const Prepared& prepared) {
    std::vector<int> fds;
    fds.reserve(prepared.mounts.size());
    for (const UniqueFd& mount : prepared.mounts)
        fds.push_back(mount.get());
    std::span<const int> rest = fds;
    std::string_view made = prepared.made;
    do {
        const auto part = rest.first(std::min(rest.size(), protocol::kMountsAMessage));
        rest = rest.subspan(part.size());
        auto sent = sys::send_with_fds(channel, protocol::encode(MessageKind::prepared, made), part);
        if (!sent) return sent;
        made = {};
    } while (!rest.empty());
    return {};
}

// What is said when init is no longer there is what init said before: receive() has it.
bool is_hangup(const Status& sent) {
    return !sent && (sent.error().sys_errno == EPIPE || sent.error().sys_errno == ECONNRESET);
}

} // namespace

struct Launch::State {
    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (!child.pidfd) return;
        (void)sys::pidfd_send_signal(child.pidfd.get(), SIGKILL); // It may be gone already.
        (void)process::reap(child.pidfd.get());
    }

    process::Child child;
    UniqueFd channel;
    // Kept as long as the launch: closing the last descriptor of a detached mount waits for an RCU grace
    // period, and init would be the one to wait, at its exec.
    UniqueFd executable;
    UniqueFd watch;
    std::uint64_t clone_flags = 0; // of the plan it was begun by
    std::vector<NamespaceKind> join;
    bool terminal = false;
    bool executing = false;
    trace::Recorder* trace = nullptr;
};

Launch::Launch(Launch&&) noexcept = default;
Launch& Launch::operator=(Launch&&) noexcept = default;
Launch::~Launch() = default;

Result<Launch> Launch::begin(const LaunchPlan& plan, const LaunchInput& input) {
    if (auto sane = check_joins(plan, input); !sane) return fail(sane);
    auto executable = open_executable(input.init_path);
    if (!executable) return fail(executable, "start mydocker-init");
    auto channel = sys::socketpair(SOCK_SEQPACKET);
    if (!channel) return fail(channel, "start mydocker-init");
    auto orders = write_orders(plan, input);
    if (!orders) return fail(orders, "start mydocker-init");
    process::SpawnRequest request = spawn_request(plan, input, orders->get(), channel->second.get());
    request.executable_fd = executable->get();
    auto child = [&] {
        trace::Scope scope(input.trace, "clone3 mydocker-init");
        scope.describe([&] {
            const std::uint64_t cgroup = plan.new_cgroup_namespace ? CLONE_NEWCGROUP : 0;
            const std::string later = namespace_words((plan.clone_flags & protocol::kMadeByInit) | cgroup);
            return "namespaces " + namespace_words(request.clone_flags) +
                   (later.empty() ? "" : "; init makes " + later);
        });
        return spawn_in(request, input);
    }();
    if (!child) return fail(child);

    Launch launch;
    launch.state_ = std::make_unique<State>();
    launch.state_->child = std::move(*child);
    launch.state_->channel = std::move(channel->first);
    launch.state_->executable = std::move(*executable);
    launch.state_->clone_flags = plan.clone_flags;
    launch.state_->join = plan.join;
    launch.state_->terminal = plan.terminal;
    launch.state_->trace = input.trace;
    return launch;
}

Status Launch::hand_plan(const LaunchPlan& plan, std::span<const int> cgroup_joins) {
    if (plan.clone_flags != state_->clone_flags || plan.join != state_->join ||
        plan.terminal != state_->terminal)
        return fail(Code::internal, "the namespaces of the plan are not those that were begun");
    auto memory = memory_file("mydocker-orders", encode(plan));
    if (!memory) return fail(memory, "hand mydocker-init the plan");
    std::vector<int> fds{memory->get()};
    fds.insert(fds.end(), cgroup_joins.begin(), cgroup_joins.end());
    auto sent = sys::send_with_fds(channel(), protocol::encode(MessageKind::plan), fds);
    if (!sent && !is_hangup(sent)) return fail(sent, "hand mydocker-init the plan");
    return {};
}

Status Launch::make_mounts(const LaunchPlan& plan) {
    // Init works on its own part meanwhile.
    if (auto written = write_maps(plan, pid()); !written) return fail(written, "map ids");
    auto prepared = make_parents_mounts(plan, state_->trace);
    if (!prepared) return fail(prepared);
    auto sent = send_prepared(channel(), *prepared);
    if (!sent && !is_hangup(sent)) return fail(sent, "hand the mounts to mydocker-init");
    return {};
}

pid_t Launch::pid() const {
    return state_->child.pid;
}

int Launch::pidfd() const {
    return state_->child.pidfd.get();
}

int Launch::channel() const {
    return state_->channel.get();
}

namespace {

InitMessage failed(InitFailure failure) {
    InitMessage message;
    message.kind = InitMessage::Kind::failed;
    message.failure = std::move(failure);
    return message;
}

// The channel ended and nothing was said.
InitMessage died(const process::Child& child) {
    InitFailure failure;
    failure.stage = "start";
    failure.error = {Code::internal, 0, "mydocker-init ended before the command was executed"};
    if (auto status = process::reap(child.pidfd.get()); status && status->signal != 0)
        failure.error.text = "mydocker-init was killed by signal " + std::to_string(status->signal) +
                             " before the command was executed";
    return failed(std::move(failure));
}

} // namespace

Result<InitMessage> Launch::receive(const Wait& wait) {
    for (;;) {
        if (const Status ready = wait ? wait() : Status{}; !ready) return fail(ready);
        auto packet = sys::receive_with_fds(channel(), protocol::kReportLimit);
        // Said once when init left without reading all we sent; what it said itself comes after.
        if (!packet && packet.error().sys_errno == ECONNRESET) continue;
        if (!packet) return fail(packet, "hear from mydocker-init");
        InitMessage message;
        if (packet->bytes.empty() && !state_->executing) return died(state_->child);
        if (packet->bytes.empty()) {
            message.kind = InitMessage::Kind::started;
            return message;
        }
        auto decoded = protocol::decode_message(packet->bytes);
        if (!decoded) return fail(decoded);
        if (state_->trace != nullptr && decoded->kind != MessageKind::failed)
            state_->trace->add_all(trace::decode(decoded->payload));
        if (decoded->kind == MessageKind::executing) {
            state_->executing = true;
            if (!packet->fds.empty()) state_->watch = std::move(packet->fds.front());
            continue;
        }
        if (decoded->kind == MessageKind::failed) {
            auto failure = protocol::decode_failure(decoded->payload);
            if (!failure) return fail(failure);
            return failed(std::move(*failure));
        }
        if (decoded->kind != MessageKind::ready || packet->fds.size() != (state_->terminal ? 1U : 0U))
            return fail(Code::internal, "mydocker-init said something unexpected");
        message.kind = InitMessage::Kind::ready;
        if (state_->terminal) message.terminal = std::move(packet->fds.front());
        return message;
    }
}

Status Launch::go() {
    auto sent = sys::send_with_fds(channel(), protocol::encode(MessageKind::go), {});
    if (is_hangup(sent)) return {};
    return sent;
}

UniqueFd Launch::take_watch() {
    return std::move(state_->watch);
}

process::Child Launch::release() {
    process::Child child = std::move(state_->child);
    state_->channel.reset();
    return child;
}

} // namespace mydocker::runtime
