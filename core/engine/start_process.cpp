// Starting a container's monitor and, through it, the container.
#include "engine/start_process.hpp"

#include "base/process.hpp"
#include "base/sys.hpp"
#include "engine/monitor_plan.hpp"
#include "engine/session.hpp"
#include "runtime/plan.hpp"
#include "runtime/plan_parts.hpp"
#include "runtime/seccomp.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <utility>

namespace mydocker::engine {
namespace {

// A namespace given by path, opened so that it is the one of exactly the process we mean.
struct Joined {
    std::vector<runtime::NamespaceKind> kinds;
    std::vector<UniqueFd> fds;
};

Result<Joined> open_namespaces(const runtime::ContainerSpec& spec) {
    Joined joined;
    for (const runtime::NamespaceSpec& space : spec.namespaces) {
        if (space.path.empty()) continue;
        auto fd = sys::openat(AT_FDCWD, space.path, O_RDONLY);
        if (!fd) return fail(fd, "join namespace");
        joined.kinds.push_back(space.kind);
        joined.fds.push_back(std::move(*fd));
    }
    return joined;
}

// The filter for what the container may do; none when it is unconfined.
Result<std::vector<sock_filter>> seccomp_program(Context& context) {
    const runtime::ContainerSpec& spec = context.birth->spec;
    if (spec.seccomp.kind == runtime::SeccompSpec::Kind::unconfined) return std::vector<sock_filter>{};
    auto capabilities = runtime::plan_capabilities(spec.process.capabilities);
    if (!capabilities) return fail(capabilities);
    return runtime::default_program({.capabilities = capabilities->bounding});
}

Result<std::string> launch_plan(Context& context) {
    auto program = seccomp_program(context);
    if (!program) return fail(program, "seccomp filter");
    auto cgroup = context.engine.cgroup_choice(context.container.record.drivers.cgroup);
    if (!cgroup) return fail(cgroup);
    auto plan = runtime::make_plan(context.birth->spec, *program, cgroup->traits.mounts);
    if (!plan) return fail(plan);
    return runtime::encode(*plan);
}

Result<SinkPlan> sink_plan(Context& context) {
    const ContainerRecord& record = context.container.record;
    Engine& engine = context.engine;
    auto options = engine.log_options(record.drivers.log, record.log_options);
    if (!options) return fail(options);
    SinkPlan sink;
    sink.driver = record.drivers.log;
    sink.plugin_dirs = engine.plugin_directories();
    sink.data_dir = paths::driver_data(engine.roots(), "log", record.drivers.log);
    sink.run_dir = paths::driver_run(engine.roots(), "log", record.drivers.log);
    sink.options = std::move(*options);
    sink.stream = stream_info(engine, record);
    return sink;
}

Result<MonitorPlan> monitor_plan(Context& context, const CgroupEntry& entry, const Joined& joined) {
    const ContainerRecord& record = context.container.record;
    auto launch = launch_plan(context);
    if (!launch) return fail(launch);
    auto sink = sink_plan(context);
    if (!sink) return fail(sink);
    MonitorPlan plan;
    plan.launch_plan = std::move(*launch);
    plan.init_path = context.engine.installation().init;
    plan.run_directory = paths::run_directory(context.engine.roots(), record.id);
    plan.sink = std::move(*sink);
    plan.terminal = record.terminal;
    plan.interactive = record.interactive;
    plan.foreground = context.attach == Attach::foreground;
    plan.cgroup_by_directory = static_cast<bool>(entry.directory);
    plan.cgroup_fds = entry.directory ? 1 : static_cast<std::uint32_t>(entry.joins.size());
    plan.joined = joined.kinds;
    plan.finish = {context.engine.installation().program};
    for (const std::string& argument : context.engine.global_arguments())
        plan.finish.push_back(argument);
    plan.finish.insert(plan.finish.end(), {"__finish", record.id.str()});
    return plan;
}

Result<UniqueFd> plan_file(const MonitorPlan& plan) {
    auto fd = sys::memfd_create("mydocker-monitor-plan", MFD_CLOEXEC);
    if (!fd) return fail(fd);
    if (auto written = sys::write_all(fd->get(), encode(plan)); !written)
        return fail(written, "monitor's plan");
    return fd;
}

// Starts the monitor; the session's other end is the result.
Result<UniqueFd> spawn_monitor(Context& context) {
    const ContainerRecord& record = context.container.record;
    auto backend = context.engine.cgroup(record.drivers.cgroup);
    if (!backend) return fail(backend);
    auto entry = (*backend)->entry(Locator(record.intents.find("cgroup")->second));
    if (!entry) return fail(entry);
    auto joined = open_namespaces(context.birth->spec);
    if (!joined) return fail(joined);
    auto plan = monitor_plan(context, *entry, *joined);
    if (!plan) return fail(plan);
    auto file = plan_file(*plan);
    if (!file) return fail(file);
    auto session = sys::socketpair(SOCK_SEQPACKET);
    if (!session) return fail(session, "session with the monitor");

    process::SpawnRequest request;
    request.executable = context.engine.installation().monitor;
    request.argv = {"mydocker-monitor", record.name.str()};
    request.fds = {-1, -1, -1, file->get(), session->second.get(), context.baton->fd()};
    if (entry->directory) request.fds.push_back(entry->directory.get());
    for (const UniqueFd& fd : entry->joins)
        request.fds.push_back(fd.get());
    for (const UniqueFd& fd : joined->fds)
        request.fds.push_back(fd.get());
    request.new_session = true;
    auto monitor = process::spawn(request);
    if (!monitor) return fail(monitor, "start '" + request.executable + "'");
    context.baton->let_go(); // From here on the monitor's copy is the baton.
    return std::move(session->first);
}

// The monitor's word that the start failed: the baton is back with it.
Status take_failure(Context& context, Message message) {
    auto report = decode_failed(message.payload);
    if (!report) return fail(report);
    if (!message.fds.empty()) *context.baton = Baton::adopt(std::move(message.fds.front()));
    if (context.failure != nullptr) *context.failure = *report;
    return std::unexpected<Error>(report->error);
}

// The monitor ended without a word, or cannot be spoken with. One that lives gives the start up when its
// asker goes; after `go` it would serve on, so its container is killed. Then the baton comes free: it must
// be taken again before anything is released, and the record may have been written meanwhile.
Status give_up(Context& context, UniqueFd& session, Error error) {
    session.reset();
    const process::ProcessId& process = context.container.record.process;
    if (process.pid != 0)
        if (auto pidfd = process::open_pidfd(process)) (void)kill_and_wait(pidfd->get()); // Else it is gone.
    const ContainerId id = context.container.record.id;
    if (auto baton = Baton::wait(context.engine.roots(), id)) *context.baton = std::move(*baton);
    if (auto now = context.engine.load(id)) context.container = std::move(*now);
    return std::unexpected<Error>(std::move(error));
}

Status await(Context& context, UniqueFd& session, MessageKind expected, std::string& payload) {
    auto message = receive(session.get());
    const bool gone = !message && (message.error().code == Code::not_found ||
                                   message.error().sys_errno == ECONNRESET); // It left something unread.
    if (gone) {
        const bool early = expected == MessageKind::ready;
        return give_up(context, session,
                       {Code::internal, 0,
                        early ? "mydocker-monitor ended while it set up the container"
                              : "mydocker-monitor ended while the command was started"});
    }
    if (!message) return give_up(context, session, fail(message, "hear from mydocker-monitor").error());
    if (message->kind == MessageKind::failed) return take_failure(context, std::move(*message));
    if (message->kind != expected)
        return give_up(context, session, {Code::internal, 0, "unexpected message from mydocker-monitor"});
    payload = std::move(message->payload);
    return {};
}

} // namespace

StreamInfo stream_info(const Engine& engine, const ContainerRecord& record) {
    StreamInfo info;
    info.id = record.id.str();
    info.name = record.name.str();
    info.image = record.image;
    info.directory = paths::logs(engine.roots(), record.id);
    info.labels = record.labels;
    return info;
}

Status kill_and_wait(int pidfd) {
    if (auto sent = sys::pidfd_send_signal(pidfd, SIGKILL); !sent && sent.error().sys_errno != ESRCH)
        return sent;
    std::array<pollfd, 1> gone{pollfd{pidfd, POLLIN, 0}};
    for (;;) {
        auto ready = sys::poll(gone, -1);
        if (!ready) return fail(ready);
        if (*ready > 0) return {};
    }
}

Status start_process(Context& context) {
    ContainerRecord& record = context.container.record;
    auto session = spawn_monitor(context);
    if (!session) return fail(session);
    std::string payload;
    if (auto ready = await(context, *session, MessageKind::ready, payload); !ready) return ready;
    auto report = decode_ready(payload);
    if (!report) return give_up(context, *session, report.error());

    record.process = report->process;
    record.state = State::running;
    record.transition = Transition::active;
    record.started_ns = sys::realtime_ns();
    if (auto saved = context.engine.save(context.container); !saved)
        return give_up(context, *session, saved.error());
    if (auto sent = send(session->get(), MessageKind::go); !sent)
        return give_up(context, *session, fail(sent, "tell mydocker-monitor to go on").error());
    if (auto started = await(context, *session, MessageKind::started, payload); !started) return started;
    context.running->session = std::move(*session);
    return {};
}

} // namespace mydocker::engine
