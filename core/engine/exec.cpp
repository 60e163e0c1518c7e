// exec: a further process in a running container. The command line is its parent, as crun's is: no monitor
// stands between, and nothing is recorded. The process cannot outlive the container, whose pid namespace it
// is in.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "engine/attach_session.hpp"
#include "engine/exec_process.hpp"
#include "engine/exec_relay.hpp"
#include "engine/exec_wait.hpp"
#include "engine/finish.hpp"
#include "engine/hold.hpp"
#include "engine/lifecycle.hpp"
#include "engine/privileges.hpp"
#include "engine/relay.hpp"
#include "engine/start_process.hpp"
#include "engine/steps.hpp"
#include "runtime/launch.hpp"
#include "runtime/plan.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <span>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

using runtime::InitMessage;

// The container, by exactly its first process.
struct Target {
    ContainerRecord record;
    UniqueFd pidfd;
};

Result<Target> find_target(Engine& engine, std::string_view name) {
    auto container = find_settled(engine, name);
    if (!container) return fail(container);
    const ContainerRecord& record = container->record;
    const std::string what = "container '" + record.name.str() + "'";
    if (record.state == State::paused)
        return fail(Code::conflict, what + " is paused; 'mydocker unpause' lets it run on");
    auto pidfd = record.is_live() ? process::open_pidfd(record.process) : Result<UniqueFd>(UniqueFd());
    if (!pidfd && pidfd.error().code != Code::not_found) return fail(pidfd);
    if (!pidfd || !*pidfd) return fail(Code::conflict, what + " is not running");
    if (auto ready = check_let_go(engine, record); !ready) return fail(ready);
    return Target{record, std::move(*pidfd)};
}

Result<runtime::LaunchPlan> exec_plan(const Engine& engine, const ContainerRecord& record,
                                      const ExecRequest& request) {
    auto spec = read_spec(engine, record.id);
    if (!spec) return fail(spec);
    runtime::ProcessSpec process = exec_process(spec->process, request);
    if (request.privileged) {
        auto all = own_capabilities();
        if (!all) return fail(all);
        process.capabilities = {
            .bounding = *all, .effective = *all, .permitted = *all, .inheritable = {}, .ambient = {}};
        process.no_new_privileges = false;
        spec->process.capabilities = process.capabilities; // What the filter goes by.
    }
    auto program = seccomp_program(*spec);
    if (!program) return fail(program, "seccomp filter");
    if (auto size = request.terminal ? window_size(STDIN_FILENO) : std::nullopt)
        process.console_size = runtime::ConsoleSize{size->rows, size->columns};
    return runtime::make_exec_plan(*spec, process, *program);
}

// Both ends of the command's streams. Pipes of our own: with the caller's descriptors themselves a
// container could reach the caller's terminal and files.
struct Streams {
    ExecStreams ours;
    std::array<UniqueFd, 3> inner; // the command's, until it has them; empty: the null device
};

Status make_pipe(UniqueFd& read, UniqueFd& write) {
    auto pipe = sys::pipe();
    if (!pipe) return fail(pipe);
    read = std::move(pipe->read);
    write = std::move(pipe->write);
    return {};
}

Result<Streams> make_streams(const ExecRequest& request, Attach attach) {
    Streams streams;
    streams.ours.interactive = request.interactive;
    if (request.terminal || attach == Attach::detached) return streams;
    if (request.interactive) {
        if (auto made = make_pipe(streams.inner[0], streams.ours.input); !made) return fail(made);
        if (auto set = sys::set_nonblocking(streams.ours.input.get(), true); !set) return fail(set);
    }
    for (const std::size_t i : {0U, 1U})
        if (auto made = make_pipe(streams.ours.outputs[i], streams.inner[i + 1]); !made) return fail(made);
    return streams;
}

constexpr int kEngineError = 125;
// All of a container are killed before its first process has ended; so long that may take.
constexpr int kEndsWithin_ms = 100;

// Whether the container's first process ends within the time.
bool is_ending(const Target& target, int limit_ms) {
    std::array<pollfd, 1> gone{pollfd{target.pidfd.get(), POLLIN, 0}};
    auto ready = sys::poll(gone, limit_ms);
    return ready && *ready > 0;
}

std::unexpected<RunError> exec_error(Error error, int exit_code = kEngineError) {
    return std::unexpected<RunError>(RunError{std::move(error), exit_code});
}

// Why the command did not run; what a dying container says by itself nobody would understand.
std::unexpected<RunError> not_begun(const Target& target, Error error, int exit_code = kEngineError) {
    // The namespaces of a process that is ending are not there to be joined any more (setns(2)).
    const bool is_gone = error.sys_errno == ESRCH;
    if (!is_gone && !is_ending(target, exit_code == kEngineError ? kEndsWithin_ms : 0))
        return exec_error(std::move(error), exit_code);
    return exec_error({Code::conflict, 0,
                       "container '" + target.record.name.str() + "' ended before the command was executed"});
}

Result<runtime::Launch> begin(Engine& engine, const Target& target, const runtime::LaunchPlan& plan,
                              const Streams& streams) {
    auto cgroup = engine.cgroup_of(target.record);
    if (!cgroup) return fail(cgroup);
    auto entry = cgroup->backend->entry(cgroup->locator);
    if (!entry) return fail(entry);
    // A child born into a frozen cgroup does not get to its exec, and we would wait for that in vfork(2),
    // where no signal reaches us.
    auto thawed = entry->directory ? keep_thawed(engine, target.record) : Result<UniqueFd>(UniqueFd());
    if (!thawed) return fail(thawed);

    runtime::LaunchInput input;
    input.init_path = engine.installation().init;
    input.cgroup_directory = entry->directory.get();
    for (const UniqueFd& join : entry->joins)
        input.cgroup_joins.push_back(join.get());
    input.target = target.pidfd.get();
    for (std::size_t i = 0; i < streams.inner.size(); ++i)
        input.standard[i] = streams.inner[i].get();
    auto launch = runtime::Launch::begin(plan, input);
    if (!launch) return launch;
    if (auto made = launch->make_mounts(plan); !made)
        return fail(made); // There are none, which it waits for.
    return launch;
}

Status leave_to_monitor(const Engine& engine, const ContainerRecord& record, int terminal) {
    auto session = connect_monitor(engine, record);
    if (!session) return fail(session);
    return send(session->get(), MessageKind::keep, {}, std::span(&terminal, 1));
}

// From the signals held to the end of the process, or to the two parting.
ExecResult serve(const Engine& engine, const Target& target, const process::Child& child, ExecStreams streams,
                 int signals) {
    auto end = relay_exec(child.pidfd.get(), std::move(streams), signals);
    if (!end) return exec_error(end.error());
    const std::string name = target.record.name.str();
    if (end->left) {
        // Without somebody to read it the command would hang, or be hung up on.
        if (auto kept = leave_to_monitor(engine, target.record, end->left.get()); !kept)
            return exec_error(fail(kept, "leave the command to the monitor").error());
        return ExecOutcome{.container = name, .parting = Parting::keys};
    }
    ExecOutcome outcome{.container = name, .exit_code = end->status.shell_code()};
    outcome.container_ended = end->status.signal == SIGKILL && is_ending(target, kEndsWithin_ms);
    return outcome;
}

// A command that has been let run.
struct Begun {
    Target target;
    process::Child child;
    ExecStreams streams;
    UniqueFd signals; // foreground: those held
};

// `attach`: background means that nobody reads what it writes.
std::expected<Begun, RunError> begin_command(Engine& engine, std::string_view name,
                                             const ExecRequest& request, Attach attach) {
    auto target = find_target(engine, name);
    if (!target) return exec_error(target.error());
    auto plan = exec_plan(engine, target->record, request);
    if (!plan) return exec_error(plan.error());
    auto streams = make_streams(request, attach);
    if (!streams) return exec_error(streams.error());
    auto launch = begin(engine, *target, *plan, *streams);
    if (!launch) return not_begun(*target, launch.error());

    const auto wait = [&] { return await_word(engine, target->record, *launch); };
    auto message = launch->receive(wait);
    if (!message) return not_begun(*target, message.error());
    if (message->kind == InitMessage::Kind::failed)
        return not_begun(*target, message->failure.error, message->failure.exit_code);
    streams->ours.terminal = std::move(message->terminal);
    // Only now: until init is there a signal is to end us, and init with us.
    auto signals = attach == Attach::foreground ? hold_signals() : Result<UniqueFd>(UniqueFd());
    if (!signals) return exec_error(signals.error());
    if (auto gone = launch->go(); !gone) return not_begun(*target, gone.error());
    message = launch->receive(wait);
    if (!message) return not_begun(*target, message.error());
    if (message->kind == InitMessage::Kind::failed)
        return not_begun(*target, message->failure.error, message->failure.exit_code);
    return Begun{std::move(*target), launch->release(), std::move(streams->ours), std::move(*signals)};
}

// A terminal outlives us with the monitor: what is written there is thrown away, and nobody hangs up.
ExecResult leave_in_background(const Engine& engine, Begun& command) {
    const ContainerRecord& record = command.target.record;
    if (const int terminal = command.streams.terminal.get(); terminal >= 0)
        if (auto kept = leave_to_monitor(engine, record, terminal); !kept)
            return exec_error(fail(kept, "leave the command's terminal to the monitor").error());
    return ExecOutcome{.container = record.name.str()};
}

// Reads what is there. False: it has ended.
bool read_into(std::string& output, UniqueFd& from, std::size_t most) {
    std::array<char, 4096> buffer;
    auto count = sys::read(from.get(), buffer);
    if (!count || *count == 0) {
        from.reset();
        return false;
    }
    output.append(buffer.data(), std::min(*count, most - std::min(most, output.size())));
    return true;
}

// To the end of the process, which may be of our making. Whoever it leaves behind with its output is not
// waited for.
Result<Captured> capture(Begun& command, const CaptureLimits& limits) {
    Captured captured;
    const std::int64_t deadline = sys::monotonic_ns() + limits.timeout.count();
    for (bool ended = false; !ended;) {
        const std::int64_t left_ns = captured.timed_out ? 0 : deadline - sys::monotonic_ns();
        if (left_ns <= 0 && !captured.timed_out) {
            captured.timed_out = true;
            (void)sys::pidfd_send_signal(command.child.pidfd.get(), SIGKILL); // It may have ended.
        }
        std::array<pollfd, 3> fds{pollfd{command.child.pidfd.get(), POLLIN, 0},
                                  pollfd{command.streams.outputs[0].get(), POLLIN, 0},
                                  pollfd{command.streams.outputs[1].get(), POLLIN, 0}};
        const std::int64_t limit_ms = std::min<std::int64_t>(left_ns / 1'000'000 + 1, 1'000'000);
        auto ready = sys::poll(fds, captured.timed_out ? -1 : static_cast<int>(limit_ms));
        if (!ready) return fail(ready);
        for (const std::size_t i : {0U, 1U})
            if (fds[i + 1].revents != 0)
                (void)read_into(captured.output, command.streams.outputs[i], limits.most);
        // Who is left behind may write on and on.
        const bool enough = captured.timed_out || captured.output.size() >= limits.most;
        ended = fds[0].revents != 0 && (enough || (fds[1].revents == 0 && fds[2].revents == 0));
    }
    auto status = process::reap(command.child.pidfd.get());
    if (!status) return fail(status);
    captured.exit_code = status->shell_code();
    return captured;
}

} // namespace

ExecResult exec(Engine& engine, std::string_view name_or_prefix, const ExecRequest& request, Attach attach,
                const Attachment& how) {
    auto begun = begin_command(engine, name_or_prefix, request, attach);
    if (!begun) return std::unexpected<RunError>(begun.error());
    const ContainerRecord& record = begun->target.record;
    engine.note(record, "exec_create: " + command_words(request.command));
    if (attach == Attach::detached) return leave_in_background(engine, *begun);
    begun->streams.detach_keys = how.detach_keys;
    auto outcome =
        serve(engine, begun->target, begun->child, std::move(begun->streams), begun->signals.get());
    // Of one that was parted with nobody sees the end.
    if (outcome && outcome->parting == Parting::none)
        engine.note(record, "exec_die", {{"exitCode", std::to_string(outcome->exit_code)}});
    return outcome;
}

std::expected<Captured, RunError> exec_captured(Engine& engine, std::string_view name_or_prefix,
                                                const ExecRequest& request, const CaptureLimits& limits) {
    // As in the foreground, but for the signals: whoever ends us ends it.
    auto begun = begin_command(engine, name_or_prefix, request, Attach::foreground);
    if (!begun) return std::unexpected<RunError>(begun.error());
    auto captured = capture(*begun, limits);
    if (!captured) return exec_error(captured.error());
    return std::move(*captured);
}

} // namespace mydocker::engine
