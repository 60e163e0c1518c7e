// The order of a container's birth, seen from inside.
#include "runtime/init.hpp"

#include "base/sys.hpp"
#include "runtime/init_diagnose.hpp"
#include "runtime/init_stages.hpp"

#include <string>
#include <sys/stat.h>
#include <utility>

namespace mydocker::runtime::init {
namespace {

constexpr std::size_t kMostOrders = std::size_t{64} << 20U;

Result<std::string> read_whole(int fd) {
    auto status = sys::fstat(fd);
    if (!status || !S_ISREG(status->st_mode) || static_cast<std::size_t>(status->st_size) > kMostOrders)
        return fail(Code::not_found, "there are no orders");
    std::string bytes(static_cast<std::size_t>(status->st_size), '\0');
    auto count = sys::pread(fd, bytes, 0);
    if (!count) return fail(count);
    if (*count != bytes.size()) return fail(Code::corrupt, "the orders are incomplete");
    return bytes;
}

Result<std::string> read_orders() {
    auto channel = sys::fstat(protocol::kChannelFd);
    if (!channel || !S_ISSOCK(channel->st_mode)) return fail(Code::not_found, "there is no parent");
    return read_whole(protocol::kOrdersFd);
}

// The rest of the orders, which was not known when this process was begun.
Status receive_plan(Init& init) {
    if (!init.plan_follows) return {};
    auto packet = sys::receive_with_fds(init.channel, protocol::kMessageLimit);
    if (!packet) return fail(packet);
    if (packet->bytes.empty()) return fail(Code::cancelled, "the parent is gone");
    auto message = protocol::decode_message(packet->bytes);
    if (!message) return fail(message);
    if (message->kind != protocol::MessageKind::plan || packet->fds.empty())
        return fail(Code::internal, "expected the plan");
    auto bytes = read_whole(packet->fds.front().get());
    if (!bytes) return fail(bytes);
    auto plan = decode(*bytes);
    if (!plan) return fail(plan);
    init.plan = std::move(*plan);
    init.received_joins.assign(std::make_move_iterator(packet->fds.begin() + 1),
                               std::make_move_iterator(packet->fds.end()));
    return {};
}

Status ready(Init& init) {
    const int terminal = init.terminal_master.get();
    const auto fds = terminal >= 0 ? std::span<const int>(&terminal, 1) : std::span<const int>();
    auto sent = sys::send_with_fds(init.channel,
                                   protocol::encode(protocol::MessageKind::ready, init.take_trace()), fds);
    if (!sent) return fail(sent);
    init.terminal_master.reset();
    auto packet = sys::receive_with_fds(init.channel, protocol::kMessageLimit);
    if (!packet) return fail(packet);
    if (packet->bytes.empty()) return fail(Code::cancelled, "the parent is gone");
    auto message = protocol::decode_message(packet->bytes);
    if (!message) return fail(message);
    if (message->kind != protocol::MessageKind::go) return fail(Code::internal, "expected 'go'");
    return {};
}

struct Stage {
    const char* name;
    Status (*run)(Init&);
    int exit_code = 125; // of a failure
};

constexpr Stage kStages[] = {
    {"refuse to be traced", refuse_tracing}, // before anything else is done among strangers
    {"map ids", await_mappings},
    {"join the cgroups", join_cgroups}, // while single-threaded
    {"join the namespaces", join_namespaces},
    {"make the namespaces", make_namespaces}, // as root of the user namespace: they belong to it
    {"receive the plan", receive_plan},
    {"join the cgroups", join_received_cgroups}, // before the namespace that hides them
    {"leave the host's sessions", leave_host_sessions},
    {"isolate the mounts", isolate_mounts}, // before the first mount
    {"make the mounts", make_own_mounts},   // before the host's proc and sys are out of sight
    {"set the OOM score", set_oom_score},
    {"enter the root filesystem", enter_root},
    {"attach the mounts", attach_mounts},
    {"make the devices", make_devices},
    {"open the terminal", open_terminal},
    {"make the working directory", create_cwd, kCannotBeInvoked},
    {"set the names", name_host},
    {"set the sysctls", write_sysctls}, // before /proc/sys is read-only
    {"hide paths", hide_paths},
    {"finish the root filesystem", finish_root},
    {"wait for the start", ready},
    {"find the user", find_user, kCannotBeInvoked},
    {"hand over the streams", adopt_streams},
    {"set the resource limits", set_limits}, // while there may be privilege to raise them
    {"give up privilege", drop_privilege},
    {"enter the working directory", enter_cwd, kCannotBeInvoked}, // as the user
};

} // namespace

std::string Init::take_trace() {
    if (!trace) return {};
    constexpr std::size_t kMost = protocol::kReportLimit / 2;
    std::string bytes = trace::encode(trace->spans(), kMost);
    trace->forget();
    return bytes;
}

Status take_orders(Init& init) {
    auto bytes = read_orders();
    if (!bytes) return fail(bytes);
    auto orders = protocol::decode_orders(*bytes);
    if (!orders) return fail(orders);
    auto plan = decode(orders->plan);
    if (!plan) return fail(plan);
    init.plan = std::move(*plan);
    if (init.plan.trace) init.trace.emplace("init");
    int next = protocol::kFirstExtraFd;
    for (std::uint32_t i = 0; i < orders->cgroup_joins; ++i)
        init.cgroup_joins.push_back(next++);
    init.plan_follows = orders->plan_follows != 0;
    for (const std::uint32_t kind : orders->joined)
        init.joined.push_back({static_cast<NamespaceKind>(kind), next++});
    if (orders->target != 0) init.target = next++;
    return {};
}

InitFailure run(Init& init) {
    for (const Stage& stage : kStages) {
        const auto done = [&] {
            const trace::Scope scope(init.recorder(), stage.name);
            return stage.run(init);
        }();
        if (done) continue;
        Error error = done.error();
        if (stage.exit_code != kCannotBeInvoked) error.text = std::string(stage.name) + ": " + error.text;
        return {stage.name, std::move(error), init.exit_code.value_or(stage.exit_code)};
    }
    return execute(init);
}

} // namespace mydocker::runtime::init
