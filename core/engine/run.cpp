// create, run, start: walks forward over the steps.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "engine/draft.hpp"
#include "engine/exits.hpp"
#include "engine/finish.hpp"
#include "engine/join.hpp"
#include "engine/lifecycle.hpp"
#include "engine/privileges.hpp"
#include "engine/relay.hpp"
#include "engine/restart.hpp"
#include "engine/start_process.hpp"
#include "engine/steps.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

// A name made up by us may be taken by chance; one given by the user is refused when taken.
constexpr int kNameTries = 8;

std::unexpected<RunError> run_error(Error error, int exit_code = 125) {
    return std::unexpected<RunError>(RunError{std::move(error), exit_code});
}

// A record grows by what a container does and says (results of its health checks, how it ended), and has to
// be kept to the end: stores take 1 MiB (state_store.hpp). So much may be there at birth, by image and user.
constexpr std::size_t kMostAtBirth = std::size_t{512} << 10U;

Status check_size(const std::string& document) {
    if (document.size() <= kMostAtBirth) return {};
    return fail(Code::invalid, "labels, volumes and health check take " + std::to_string(document.size()) +
                                   " bytes; at most " + std::to_string(kMostAtBirth) + " are kept");
}

// Claims id and name, with every intent written down.
Status reserve(Engine& engine, Loaded& container, const std::string& wanted_name) {
    auto store = engine.state();
    if (!store) return fail(store);
    ContainerRecord& record = container.record;
    for (int i = 0;; ++i) {
        const std::string document = to_document(record);
        if (auto fits = check_size(document); !fits) return fits;
        auto revision = (*store)->reserve(record.id, record.name, document);
        if (revision) container.revision = *revision;
        if (revision) return {};
        const bool taken = revision.error().code == Code::exists;
        if (!taken || (!wanted_name.empty() && i > 0) || i == kNameTries) return fail(revision);
        // The holder of the name may be what a killed process left.
        if (!wanted_name.empty() && recover_all(engine).value_or(0) == 0) return fail(revision);
        auto name = choose_name(wanted_name);
        if (!name) return fail(name);
        record.name = *name;
    }
}

// The mounts may differ from start to start (another boot, another kernel): asked for each time.
Status describe_rootfs(Engine& engine, const ContainerRecord& record, Birth& birth) {
    auto driver = engine.storage(record.drivers.storage);
    if (!driver) return fail(driver);
    auto rootfs = (*driver)->mounts(RwId(record.id.str()), Access::read_write);
    if (!rootfs) return fail(rootfs);
    birth.spec.rootfs = std::move(*rootfs);
    return {};
}

Status attach_undo(Status failed, const Status& undone) {
    if (undone) return failed;
    Error error = failed.error();
    error.text += "; and while undoing it: " + describe(undone.error());
    return std::unexpected<Error>(std::move(error));
}

// Makes what lasts as long as the container. On failure nothing of it is left.
// `running`: absent when it is not to run at once.
Result<Draft> give_birth(Engine& engine, const CreateRequest& request, Baton& baton, const ContainerId& id,
                         Running* running) {
    auto made = make_draft(engine, request, id, running);
    if (!made) return fail(made);
    made->container.record.born_by_run = running != nullptr;
    Context context{.engine = engine, .container = made->container, .birth = &made->birth};
    if (auto planned = plan_steps(context); !planned) return fail(planned);
    const auto reserved = [&] {
        trace::Scope scope(engine.trace(), "reserve");
        const ContainerName& name = made->container.record.name;
        scope.describe([&] { return "the name " + name.str() + ", and the record with every intent"; });
        return reserve(engine, made->container, request.name);
    }();
    if (!reserved) return fail(reserved);
    // Whatever comes of it: what is discarded below is destroyed.
    engine.note(made->container.record, "create");
    Status acquired = acquire(context, Life::container);
    if (acquired && made->stand_in)
        acquired = check_stand_in(engine, made->container.record, made->birth.spec.process, *made->stand_in);
    if (acquired) acquired = describe_rootfs(engine, made->container.record, made->birth);
    if (acquired && request.id_file >= 0) acquired = sys::write_all(request.id_file, id.str());
    if (acquired) return made;
    return fail(attach_undo(acquired, discard(engine, made->container, std::move(baton))));
}

// The exit code of a container that somebody else has brought to rest; `otherwise`: nobody knows it.
int known_exit_code(Engine& engine, const ContainerId& id, int otherwise) {
    if (auto now = engine.load(id))
        return now->record.state == State::exited ? now->record.exit_code : otherwise;
    auto left = recall_exit(engine.roots(), id.str());
    return left && *left ? (*left)->exit_code : otherwise;
}

RunResult relay_to_end(Engine& engine, Context& context, const Attachment& how, int signals) {
    ContainerRecord& record = context.container.record;
    RelaySetup setup{.session = context.running->session.get(), .terminal = record.terminal, .how = how};
    setup.how.input = how.input && record.interactive;
    auto end = [&] {
        trace::Scope scope(engine.trace(), "the command runs");
        scope.describe([&] { return "process " + std::to_string(record.process.pid); });
        return relay(setup, signals);
    }();
    if (!end) return run_error(end.error());
    if (end->parting != Parting::none)
        return RunOutcome{
            .record = record, .parting = end->parting, .signal = end->signal, .unwritten = end->unwritten};
    if (end->baton) {
        // Its name, its health or its limits may have been written meanwhile.
        if (auto now = engine.load(record.id)) context.container = std::move(*now);
        if (auto finished = finish(engine, context.container, end->report, std::move(*end->baton)); !finished)
            return run_error(finished.error());
        return RunOutcome{.record = record, .waited = true, .unwritten = end->unwritten};
    }
    // The monitor went without handing over: what it left says how the container ended.
    const ContainerId id = record.id;
    record.state = State::exited;
    record.exit_code = 137;
    record.reason = "monitor lost";
    auto baton = Baton::wait(engine.roots(), id, kSettleLimit);
    // Whoever else has it, sees to the end, and may keep it through the runs that follow by a policy.
    if (!baton && baton.error().code != Code::timeout) return run_error(baton.error());
    auto report = exit_note(engine, id);
    if (!report) return run_error(report.error());
    if (baton)
        if (auto done = finish_with_baton(engine, id, std::move(*baton)); !done)
            return run_error(done.error());
    record.exit_code = *report ? (*report)->status.shell_code() : known_exit_code(engine, id, 137);
    return RunOutcome{.record = record, .waited = true, .unwritten = end->unwritten};
}

// Both kinds of foreground signals, from here on: those for the relay, and those that end a start.
struct HeldSignals {
    UniqueFd all;
    UniqueFd interrupts;
};

Result<HeldSignals> hold_for(Attach attach) {
    HeldSignals held;
    if (attach == Attach::detached) return held;
    auto all = hold_signals();
    if (!all) return fail(all);
    auto interrupts = watch_interrupts();
    if (!interrupts) return fail(interrupts);
    held.all = std::move(*all);
    held.interrupts = std::move(*interrupts);
    return held;
}

// As docker does, whether it ran before or not.
void note_failed_start(ContainerRecord& record, const Error& error, int code) {
    record.reason = describe(error);
    record.exit_code = code;
    record.oom_killed = false;
}

// Nobody is there to be told. Whether it is tried again, the policy says.
Status fail_restart(Engine& engine, Loaded& container, Baton baton, const RunError& failure) {
    note_failed_start(container.record, failure.error, failure.exit_code);
    container.record.reason.insert(0, "restart: ");
    container.record.restart.begun = false;
    container.record.state = State::exited;
    if (failure.exit_code == 125 && may_pass(failure.error))
        return try_restart_again(engine, container, std::move(baton));
    return give_restart_up(engine, container, std::move(baton));
}

// Makes what lasts as long as the run, and serves it in the foreground if asked to.
RunResult let_run(Engine& engine, Draft& draft, Baton baton, Running& running, Attach attach,
                  const Attachment& how) {
    FailedReport failure;
    Context context{.engine = engine,
                    .container = draft.container,
                    .birth = &draft.birth,
                    .baton = &baton,
                    .attach = attach,
                    .feeds = how.input,
                    .running = &running,
                    .failure = &failure};
    const ContainerRecord before = draft.container.record;
    // Before the command can ask for it; later changes are the relay's.
    if (attach != Attach::detached && before.terminal)
        if (auto size = window_size(STDIN_FILENO))
            draft.birth.spec.process.console_size = runtime::ConsoleSize{size->rows, size->columns};
    auto signals = hold_for(attach);
    if (signals) context.interrupts = signals->interrupts.get();
    const Status acquired = signals ? acquire(context, Life::run) : Status(fail(signals));
    if (!acquired) {
        const int code = failure.error.text.empty() ? 125 : failure.exit_code;
        if (!baton.is_ours()) return run_error(acquired.error(), code); // Its holder puts things right.
        draft.container.record.started_ns = before.started_ns;
        Status undone;
        if (before.restart.begun) {
            undone = fail_restart(engine, draft.container, std::move(baton), {acquired.error(), code});
        } else {
            note_failed_start(draft.container.record, acquired.error(), code);
            undone = abandon_start(engine, draft.container, std::move(baton));
        }
        return run_error(attach_undo(acquired, undone).error(), code);
    }
    engine.note(draft.container.record, "start");
    if (attach == Attach::detached) return RunOutcome{.record = draft.container.record};
    signals->interrupts.reset();
    // What the end will need is loaded while there is nothing else to do.
    if (draft.container.record.remove_after)
        (void)engine.log(draft.container.record.drivers.log, draft.container.record.log_options);
    return relay_to_end(engine, context, how, signals->all.get());
}

// A machine that is restored from a snapshot may draw numbers that it drew before.
Result<ContainerId> new_id(Engine& engine) {
    constexpr int kTries = 8;
    for (int i = 0; i < kTries; ++i) {
        auto id = paths::make_id();
        if (!id) return id;
        auto bundle = sys::fstatat(AT_FDCWD, paths::bundle(engine.roots(), *id), AT_SYMLINK_NOFOLLOW);
        if (!bundle && bundle.error().sys_errno == ENOENT) return id;
        if (!bundle) return fail(bundle);
    }
    return fail(Code::exists, "draw an id: the machine's random numbers repeat themselves");
}

// A new id is nobody else's; but who looks for something to recover may try its lock just now.
constexpr std::chrono::seconds kNewbornLimit{10};

// Nothing of the container is left but its run directory, unless its undoing failed: then the baton is gone,
// and the next command goes on from there.
void leave_nothing(Engine& engine, const ContainerId& id, Baton& baton) {
    if (baton.is_ours()) (void)baton.finish(engine.roots(), id);
}

Error why_not_ours(Engine& engine, const ContainerId& id, const Error& error) {
    if (error.code != Code::busy) return error;
    auto now = engine.load(id);
    if (!now || !now->record.is_live()) return error;
    return {Code::conflict, 0, "container '" + now->record.name.str() + "' is running already"};
}

// Marks that a killed owner left: of this start they would say what is not so.
void forget_last_run(Engine& engine, const ContainerId& id) {
    for (const char* mark : {"/exit", "/attach.sock"})
        (void)::unlink((paths::run_directory(engine.roots(), id) + mark).c_str()); // Usually not there.
}

// What a start makes anew, by the container's own spec.
Result<Draft> redraft(Engine& engine, Loaded container, Running& running) {
    Draft draft;
    draft.container = std::move(container);
    const ContainerRecord& record = draft.container.record;
    if (auto ahead = start_ahead(engine, record, &running); !ahead) return fail(ahead);
    auto spec = read_spec(engine, record.id);
    if (!spec) return fail(spec);
    draft.birth.spec = std::move(*spec);
    draft.birth.new_spec = false;
    if (auto renewed = renew_joined(engine, record, draft.birth.spec); !renewed) return fail(renewed);
    if (auto begun = begin_birth(engine, record, draft.birth.spec, *running.ahead); !begun)
        return fail(begun);
    if (auto described = describe_rootfs(engine, record, draft.birth); !described) return fail(described);
    draft.container.record.transition = Transition::starting;
    draft.container.record.born_by_run = false;
    return draft;
}

} // namespace

Result<ContainerRecord> create(Engine& engine, const CreateRequest& request) {
    if (auto able = check_privilege(); !able) return fail(able);
    auto id = new_id(engine);
    if (!id) return fail(id);
    auto baton = Baton::wait(engine.roots(), *id, kNewbornLimit);
    if (!baton) return fail(baton);
    auto made = give_birth(engine, request, *baton, *id, nullptr);
    if (!made) {
        leave_nothing(engine, *id, *baton);
        return fail(made);
    }
    const Context context{.engine = engine, .container = made->container, .birth = &made->birth};
    made->container.record.transition = Transition::none;
    Status done = write_specs(context);
    if (done) done = engine.save(made->container);
    if (!done) return fail(attach_undo(done, discard(engine, made->container, std::move(*baton))));
    if (auto finished = baton->finish(engine.roots(), *id); !finished) return fail(finished);
    return made->container.record;
}

RunResult run(Engine& engine, const CreateRequest& request, Attach attach, const Attachment& how) {
    if (auto able = check_privilege(); !able) return run_error(able.error());
    auto id = new_id(engine);
    if (!id) return run_error(id.error());
    auto baton = [&] {
        trace::Scope scope(engine.trace(), "take the baton");
        scope.describe([&] { return paths::run_directory(engine.roots(), *id); });
        return Baton::wait(engine.roots(), *id, kNewbornLimit);
    }();
    if (!baton) return run_error(baton.error());
    Running running;
    auto made = give_birth(engine, request, *baton, *id, &running);
    if (!made) {
        leave_nothing(engine, *id, *baton);
        return run_error(made.error());
    }
    return let_run(engine, *made, std::move(*baton), running, attach, how);
}

RunResult start(Engine& engine, const ContainerId& id, Attach attach, const Attachment& how) {
    if (auto able = check_privilege(); !able) return run_error(able.error());
    auto baton = Baton::take(engine.roots(), id);
    if (!baton) return run_error(why_not_ours(engine, id, baton.error()));
    forget_last_run(engine, id);
    (void)::unlink((paths::run_directory(engine.roots(), id) + "/stop").c_str()); // Usually not there.
    auto give_up = [&](const Error& error) {
        (void)baton->finish(engine.roots(), id); // The container is as it was.
        return run_error(error);
    };
    auto container = engine.load(id);
    if (!container) return give_up(container.error());
    Running running;
    auto draft = redraft(engine, std::move(*container), running);
    if (!draft) return give_up(draft.error());
    draft->container.record.restart = {.policy = draft->container.record.restart.policy};
    if (auto saved = engine.save_over(draft->container); !saved) return give_up(saved.error());
    return let_run(engine, *draft, std::move(*baton), running, attach, how);
}

RunResult start_again(Engine& engine, Loaded container, Baton baton) {
    forget_last_run(engine, container.record.id);
    auto give_up = [&](Loaded& failed, const Error& error) {
        // If not even that can be noted, the next command tries.
        (void)fail_restart(engine, failed, std::move(baton), {error, 125});
        return run_error(error);
    };
    Running running;
    auto draft = redraft(engine, container, running);
    if (!draft) return give_up(container, draft.error());
    draft->container.record.restart.begun = true;
    if (auto saved = engine.save_over(draft->container); !saved) return give_up(container, saved.error());
    return let_run(engine, *draft, std::move(baton), running, Attach::detached, {});
}

} // namespace mydocker::engine
