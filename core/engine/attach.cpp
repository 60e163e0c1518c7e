// attach: a further command line at a container that runs.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "engine/attach_session.hpp"
#include "engine/finish.hpp"
#include "engine/lifecycle.hpp"
#include "engine/relay.hpp"

#include <cerrno>
#include <fcntl.h>
#include <utility>

namespace mydocker::engine {
namespace {

std::unexpected<RunError> attach_error(Error error, int exit_code = 125) {
    return std::unexpected<RunError>(RunError{std::move(error), exit_code});
}

Result<ContainerRecord> find_attachable(Engine& engine, std::string_view name) {
    auto container = find_settled(engine, name);
    if (!container) return fail(container);
    const ContainerRecord& record = container->record;
    const std::string what = "container '" + record.name.str() + "'";
    if (record.state == State::paused)
        return fail(Code::conflict, what + " is paused; 'mydocker unpause' lets it run on");
    const auto alive = process::is_alive(record.process);
    if (!alive) return fail(alive);
    if (!record.is_live() || !*alive)
        return fail(Code::conflict, what + " is not running; 'mydocker start -a' starts it");
    if (auto ready = check_let_go(engine, record); !ready) return fail(ready);
    return record;
}

// What is known of the end once the container is at rest; its exit code at least, whoever took the rest away.
ContainerRecord ended(Engine& engine, ContainerRecord record, const RelayEnd& end) {
    record.state = State::exited;
    record.exit_code = end.report ? end.report->status.shell_code() : 137;
    if (auto settled = await_rest(engine, record.id, kSettleLimit); !settled) return record;
    if (auto now = engine.load(record.id)) return std::move(now->record);
    return record;
}

} // namespace

Result<UniqueFd> connect_monitor(const Engine& engine, const ContainerRecord& record) {
    auto directory =
        files::open(paths::run_directory(engine.roots(), record.id), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    auto socket = directory ? sys::unix_connect(directory->get(), kAttachSocket) : fail(directory);
    if (socket) return socket;
    const int error = socket.error().sys_errno;
    if (error == ENOENT || error == ECONNREFUSED)
        return fail(Code::conflict, "container '" + record.name.str() + "' has just ended");
    return fail(socket, "reach the monitor of '" + record.name.str() + "'");
}

RunResult attach(Engine& engine, std::string_view name_or_prefix, const Attachment& how) {
    auto record = find_attachable(engine, name_or_prefix);
    if (!record) return attach_error(record.error(), 1);
    RelaySetup setup{.session = -1, .terminal = record->terminal, .starter = false, .how = how};
    setup.how.input = how.input && record->interactive;
    auto session = connect_monitor(engine, *record);
    if (!session) return attach_error(session.error(), 1);
    auto signals = hold_signals();
    if (!signals) return attach_error(signals.error());
    const AttachWishes wishes{.output = true, .input = setup.how.input};
    if (auto sent = send(session->get(), MessageKind::attach, encode(wishes)); !sent)
        return attach_error(sent.error(), 1);

    setup.session = session->get();
    auto end = relay(setup, signals->get());
    if (!end) return attach_error(end.error());
    RunOutcome outcome{.record = std::move(*record), .parting = end->parting, .signal = end->signal};
    outcome.missed = end->missed;
    outcome.unwritten = end->unwritten;
    if (end->parting != Parting::none) return outcome;
    session->reset(); // Its monitor waits for nobody any more.
    outcome.record = ended(engine, std::move(outcome.record), *end);
    outcome.waited = true;
    return outcome;
}

} // namespace mydocker::engine
