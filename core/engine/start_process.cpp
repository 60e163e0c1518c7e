// Starting a container's monitor and, through it, the container.
#include "engine/start_process.hpp"

#include "engine/start_mark.hpp"

#include "base/memory_file.hpp"
#include "base/process.hpp"
#include "base/signals.hpp"
#include "base/sys.hpp"
#include "engine/finish.hpp"
#include "engine/join.hpp"
#include "engine/monitor_plan.hpp"
#include "engine/session.hpp"
#include "runtime/plan.hpp"
#include "runtime/plan_parts.hpp"
#include "runtime/seccomp.hpp"
#include "runtime/seccomp_compile.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

// A namespace given by path, opened so that it is the one of exactly the process we mean.
struct Joined {
    std::vector<runtime::NamespaceKind> kinds;
    std::vector<UniqueFd> fds;
};

Result<Joined> open_namespaces(Engine& engine, const ContainerRecord& record,
                               const runtime::ContainerSpec& spec) {
    Joined joined;
    for (const runtime::NamespaceSpec& space : spec.namespaces) {
        if (space.path.empty()) continue;
        auto fd = sys::openat(AT_FDCWD, space.path, O_RDONLY);
        if (!fd) return fail(fd, "join namespace");
        joined.kinds.push_back(space.kind);
        joined.fds.push_back(std::move(*fd));
    }
    // Asked once they are open: had the process gone before, the path might have led to another one's.
    if (auto still = check_joined(engine, record); !still) return fail(still);
    return joined;
}

Result<std::string> launch_plan(Context& context) {
    auto program = seccomp_program(context.birth->spec);
    if (!program) return fail(program, "seccomp filter");
    auto cgroup = context.engine.cgroup_choice(context.container.record.drivers.cgroup);
    if (!cgroup) return fail(cgroup);
    auto plan = runtime::make_plan(context.birth->spec, *program, cgroup->traits.mounts);
    if (!plan) return fail(plan);
    // An unconfined container may want a listener of its own, and there can be only one. Only in a pid
    // namespace of its own is the first process number 1.
    const bool own_pids = (plan->clone_flags & CLONE_NEWPID) != 0;
    plan->reaper = context.container.record.reaper;
    if (own_pids && !program->empty() && !plan->reaper) plan->watch = runtime::self_kill_program();
    plan->trace = context.engine.trace() != nullptr;
    return runtime::encode(*plan);
}

Result<SinkPlan> sink_plan(Engine& engine, const ContainerRecord& record) {
    auto options = engine.log_options(record.drivers.log, record.log_options);
    if (!options) return fail(options);
    SinkPlan sink;
    sink.driver = record.drivers.log;
    sink.plugin_dirs = engine.plugin_directories();
    sink.data_dir = paths::driver_data(engine.roots(), "log", record.drivers.log);
    sink.run_dir = paths::driver_run(engine.roots(), "log", record.drivers.log);
    sink.options = std::move(*options);
    return sink;
}

Result<MonitorPlan> monitor_plan(Context& context, const CgroupEntry& entry) {
    const ContainerRecord& record = context.container.record;
    auto launch = launch_plan(context);
    if (!launch) return fail(launch);
    MonitorPlan plan;
    plan.launch_plan = std::move(*launch);
    plan.run_directory = paths::run_directory(context.engine.roots(), record.id);
    plan.stream = stream_info(context.engine, record);
    plan.foreground = context.attach == Attach::foreground;
    plan.feeds = context.feeds && record.interactive;
    plan.input_once = record.input_once;
    plan.cgroup_by_directory = static_cast<bool>(entry.directory);
    plan.cgroup_fds = entry.directory ? 1 : static_cast<std::uint32_t>(entry.joins.size());
    plan.finish = own_command(context.engine, "__finish", record.id);
    if (!record.health) return plan;
    plan.health = own_command(context.engine, "__health", record.id);
    const HealthCheck& check = record.health->check;
    using std::chrono::milliseconds;
    plan.health_times = {.interval = std::chrono::ceil<milliseconds>(check.interval),
                         .start_interval = std::chrono::ceil<milliseconds>(check.start_interval),
                         .start_period = std::chrono::ceil<milliseconds>(check.start_period)};
    return plan;
}

// A monitor that has ended said why, or is missed when it is listened to.
bool is_gone(const Status& sent) {
    return sent.error().sys_errno == EPIPE || sent.error().sys_errno == ECONNRESET;
}

// What the monitor makes the container of, with the baton: from here on its copy is the baton.
Status send_plan(Context& context, int session) {
    auto cgroup = context.engine.cgroup_of(context.container.record);
    if (!cgroup) return fail(cgroup);
    auto entry = cgroup->backend->entry(cgroup->locator);
    if (!entry) return fail(entry);
    auto plan = monitor_plan(context, *entry);
    if (!plan) return fail(plan);
    auto file = memory_file("mydocker-monitor-plan", encode(*plan));
    if (!file) return fail(file);

    if (auto marked = set_start_mark(context.baton->fd(), StartMark::starting); !marked) return marked;
    std::vector<int> fds{file->get(), context.baton->fd()};
    if (entry->directory) fds.push_back(entry->directory.get());
    for (const UniqueFd& fd : entry->joins)
        fds.push_back(fd.get());
    auto sent = send(session, MessageKind::plan, {}, fds);
    if (sent) context.baton->let_go();
    if (!sent && !is_gone(sent)) return fail(sent, "send mydocker-monitor its plan");
    return {};
}

// The monitor is gone or going: it must be ours again before anything is released. If that cannot be, nothing
// is (acquire() in steps.cpp).
void take_baton_back(Context& context) {
    if (context.baton->is_ours()) return;
    if (auto baton = Baton::wait(context.engine.roots(), context.container.record.id))
        *context.baton = std::move(*baton);
}

// The monitor's word that the start failed; the baton comes with it.
Status take_failure(Context& context, Message message) {
    if (!message.fds.empty()) *context.baton = Baton::adopt(std::move(message.fds.front()));
    take_baton_back(context);
    auto report = decode_failed(message.payload);
    if (!report) return fail(report);
    if (context.failure != nullptr) *context.failure = *report;
    return std::unexpected<Error>(report->error);
}

// The monitor ended without a word, or cannot be spoken with. One that lives gives the start up when its
// asker goes; after `go` it would serve on, so its container is killed. Then the baton comes free, and
// the record may have been written meanwhile.
Status give_up(Context& context, Error error) {
    context.running->session.reset();
    const process::ProcessId& process = context.container.record.process;
    if (process.pid != 0)
        if (auto pidfd = process::open_pidfd(process)) (void)kill_and_wait(pidfd->get()); // Else it is gone.
    take_baton_back(context);
    if (auto now = context.engine.load(context.container.record.id)) context.container = std::move(*now);
    return std::unexpected<Error>(std::move(error));
}

// The signal that came instead of the monitor's next word, if one did.
Result<int> interrupted(const Context& context) {
    std::array<pollfd, 2> fds{pollfd{context.running->session.get(), POLLIN, 0},
                              pollfd{context.interrupts, POLLIN, 0}};
    while (context.interrupts >= 0) {
        if (auto ready = sys::poll(fds, -1); !ready) return fail(ready);
        if (fds[0].revents != 0) break;
        signalfd_siginfo info{};
        if (::read(context.interrupts, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
            return static_cast<int>(info.ssi_signo);
    }
    return 0;
}

Status await(Context& context, MessageKind expected, std::string& payload) {
    auto signal = interrupted(context);
    if (!signal) return give_up(context, signal.error());
    if (*signal != 0) {
        const Error error{Code::cancelled, 0, signals::name_of(*signal) + " before the command was executed"};
        if (context.failure != nullptr) *context.failure = {error, 128 + *signal};
        context.running->ahead->kill(); // What it waits for may never come.
        return give_up(context, error);
    }
    auto message = receive(context.running->session.get());
    if (!message && message.error().code == Code::not_found)
        return give_up(context, {Code::internal, 0,
                                 expected == MessageKind::spawned
                                     ? "mydocker-monitor ended before it made the container"
                                     : "mydocker-monitor ended while the container was started"});
    if (!message) return give_up(context, fail(message, "hear from mydocker-monitor").error());
    if (message->kind == MessageKind::failed) return take_failure(context, std::move(*message));
    if (message->kind != expected)
        return give_up(context, {Code::internal, 0, "unexpected message from mydocker-monitor"});
    payload = std::move(message->payload);
    return {};
}

Status await_noted(Context& context, MessageKind expected, std::string_view what, std::string& payload) {
    const trace::Scope scope(context.engine.trace(), what);
    return await(context, expected, payload);
}

// The directory may be others' to write: nothing of theirs is written to, waited for, or replaced but a file.
Status write_pid_file(const ContainerRecord& record) {
    const std::string& path = record.pid_file;
    if (path.empty()) return {};
    auto there = sys::fstatat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
    if (there && !S_ISREG(there->st_mode)) return fail(Code::invalid, "'" + path + "' is no regular file");
    auto random = paths::make_id();
    if (!random) return fail(random);
    const std::string draft = path + "." + paths::short_id(*random);
    auto fd = files::open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (!fd) return fail(fd);
    Status done;
    if (::fchmod(fd->get(), 0644) != 0) done = fail_errno(errno, "chmod '" + draft + "'");
    if (done) done = files::write_all(fd->get(), std::to_string(record.process.pid) + "\n", draft);
    if (done && ::rename(draft.c_str(), path.c_str()) != 0) done = fail_errno(errno, "make '" + path + "'");
    if (!done) (void)::unlink(draft.c_str()); // The first error is the one to report.
    return done;
}

// The record names the process before anything of the user's runs.
Status record_process(Context& context, process::ProcessId process) {
    ContainerRecord& record = context.container.record;
    record.process = std::move(process);
    record.state = State::running;
    record.transition = Transition::active;
    record.started_ns = sys::realtime_ns();
    record.reason.clear();
    record.oom_killed = false;
    if (record.health) {
        HealthState fresh;
        fresh.check = record.health->check;
        record.health = std::move(fresh);
    }
    if (auto saved = context.engine.save_over(context.container); !saved) return saved;
    auto written = write_pid_file(record);
    return written ? written : Status(fail(written, "pidfile"));
}

} // namespace

Result<std::vector<sock_filter>> seccomp_program(const runtime::ContainerSpec& spec) {
    if (spec.seccomp.kind == runtime::SeccompSpec::Kind::unconfined) return std::vector<sock_filter>{};
    if (spec.seccomp.kind == runtime::SeccompSpec::Kind::given)
        return runtime::compile_filter(spec.seccomp.filter);
    auto capabilities = runtime::plan_capabilities(spec.process.capabilities);
    if (!capabilities) return fail(capabilities);
    return runtime::default_program({.capabilities = capabilities->bounding});
}

std::vector<std::string> own_command(const Engine& engine, const char* verb, const ContainerId& id) {
    std::vector<std::string> words{engine.installation().program};
    words.insert(words.end(), engine.global_arguments().begin(), engine.global_arguments().end());
    words.insert(words.end(), {verb, id.str()});
    return words;
}

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

Result<MonitorProcess> MonitorProcess::spawn(Engine& engine, const ContainerRecord& record) {
    auto sink = sink_plan(engine, record);
    if (!sink) return fail(sink);
    auto file = memory_file("mydocker-monitor-sink", encode(*sink));
    if (!file) return fail(file);
    auto session = sys::socketpair(SOCK_SEQPACKET);
    if (!session) return fail(session, "session with the monitor");
    process::SpawnRequest request;
    request.executable = engine.installation().monitor;
    request.argv = {"mydocker-monitor", paths::short_id(record.id)}; // The name may change while it runs.
    request.fds = {-1, -1, -1, file->get(), session->second.get(), file->get()};
    request.new_session = true;
    auto child = process::spawn(request);
    if (!child) return fail(child);
    return MonitorProcess(std::move(*child), std::move(session->first));
}

MonitorProcess::~MonitorProcess() {
    // It holds nothing before it has its plan, and may be busy loading a plugin.
    if (session_) kill();
}

void MonitorProcess::kill() {
    (void)sys::pidfd_send_signal(child_.pidfd.get(), SIGKILL); // It may have ended.
    (void)process::reap(child_.pidfd.get());
}

UniqueFd MonitorProcess::take_session() {
    return std::move(session_);
}

Status begin_birth(Engine& engine, const ContainerRecord& record, const runtime::ContainerSpec& spec,
                   const MonitorProcess& monitor) {
    const trace::Scope scope(engine.trace(), "begin the namespaces");
    auto joined = open_namespaces(engine, record, spec);
    if (!joined) return fail(joined);
    auto namespaces = runtime::namespace_plan(spec);
    if (!namespaces) return fail(namespaces);
    namespaces->trace = engine.trace() != nullptr;
    auto cgroup = engine.cgroup_choice(record.drivers.cgroup);
    if (!cgroup) return fail(cgroup);
    BirthPlan plan;
    plan.namespaces = runtime::encode(*namespaces);
    plan.init_path = engine.installation().init;
    plan.terminal = record.terminal;
    plan.interactive = record.interactive;
    plan.waits = cgroup->traits.entry_at_clone || (namespaces->clone_flags & CLONE_NEWUSER) != 0;
    plan.joined = joined->kinds;
    std::vector<int> fds;
    for (const UniqueFd& fd : joined->fds)
        fds.push_back(fd.get());
    auto sent = send(monitor.session(), MessageKind::begin, encode(plan), fds);
    if (!sent && !is_gone(sent)) return fail(sent, "send mydocker-monitor the namespaces");
    return {};
}

Status start_process(Context& context) {
    Running& running = *context.running;
    trace::Recorder* const recorder = context.engine.trace();
    if (auto sent = send_plan(context, running.ahead->session()); !sent) return sent;
    running.session = running.ahead->take_session();
    // Nobody needs these before the command runs, and the monitor is at work meanwhile.
    if (auto written = write_specs(context); !written) return give_up(context, written.error());

    std::string payload;
    if (auto spawned = await_noted(context, MessageKind::spawned, "wait for init", payload); !spawned)
        return spawned;
    auto report = decode_spawned(payload);
    if (!report) return give_up(context, report.error());
    if (auto saved = record_process(context, std::move(report->process)); !saved)
        return give_up(context, saved.error());
    auto go = send(running.session.get(), MessageKind::go);
    if (!go && !is_gone(go)) return give_up(context, fail(go, "tell mydocker-monitor to go on").error());
    auto started = await_noted(context, MessageKind::started, "wait for the command", payload);
    if (started && recorder != nullptr) recorder->add_all(trace::decode(payload));
    return started;
}

} // namespace mydocker::engine
