// create, run, start: walks forward over the steps.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "engine/finish.hpp"
#include "engine/images.hpp"
#include "engine/lifecycle.hpp"
#include "engine/relay.hpp"
#include "engine/spec_builder.hpp"
#include "engine/steps.hpp"
#include "image/builtin.hpp"
#include "image/ensure.hpp"

#include <algorithm>
#include <linux/capability.h>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

// A name made up by us may be taken by chance; one given by the user is refused when taken.
constexpr int kNameTries = 8;

std::unexpected<RunError> run_error(Error error, int exit_code = 125) {
    return std::unexpected<RunError>(RunError{std::move(error), exit_code});
}

// What no step could do without, said before anything is made.
Status check_privilege() {
    auto sets = sys::capget();
    if (!sets) return fail(sets);
    if ((sets->effective >> CAP_SYS_ADMIN & 1U) == 0)
        return fail(Code::denied, "lacks CAP_SYS_ADMIN, without which there are no namespaces and mounts");
    return {};
}

// What is known of a container before it exists.
struct Draft {
    Loaded container;
    Birth birth;
};

// The network namespace of a running container, by its first process.
Result<std::string> network_path(Engine& engine, const std::string& container) {
    auto other = find_settled(engine, container);
    if (!other) return fail(other, "network");
    if (!other->record.is_live() || !process::is_alive(other->record.process))
        return fail(Code::conflict, "network: container '" + container + "' is not running");
    return "/proc/" + std::to_string(other->record.process.pid) + "/ns/net";
}

constexpr std::string_view kOfContainer = "container:";

// At each start the other container's process may be another one.
Status renew_network(Engine& engine, const ContainerRecord& record, runtime::ContainerSpec& spec) {
    if (!record.network.starts_with(kOfContainer)) return {};
    auto path = network_path(engine, record.network.substr(kOfContainer.size()));
    if (!path) return fail(path);
    for (runtime::NamespaceSpec& space : spec.namespaces)
        if (space.kind == runtime::NamespaceKind::network) space.path = *path;
    return {};
}

std::string network_text(const NetworkMode& mode) {
    switch (mode.kind) {
    case NetworkMode::Kind::host:
        return "host";
    case NetworkMode::Kind::container:
        return std::string(kOfContainer) + mode.container;
    case NetworkMode::Kind::none:
        break;
    }
    return "none";
}

Result<runtime::ContainerSpec> make_spec(Engine& engine, const image::Image& image,
                                         const CreateRequest& request, const ContainerRecord& record,
                                         const CgroupTraits& cgroup) {
    SpecInput input{.image = image.config,
                    .request = request,
                    .id = record.id.str(),
                    .bundle = paths::bundle(engine.roots(), record.id),
                    .network_path = {},
                    .swap_limit = std::ranges::find(cgroup.controllers, "swap") != cgroup.controllers.end()};
    if (request.network.kind == NetworkMode::Kind::container) {
        auto path = network_path(engine, request.network.container);
        if (!path) return fail(path);
        input.network_path = std::move(*path);
    }
    return build_spec(input);
}

// The record shows what runs; a command of megabytes stands whole in config.json alone.
std::vector<std::string> shown_command(std::vector<std::string> words) {
    constexpr std::size_t kMostBytes = 64 * 1024;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        bytes += words[i].size();
        if (bytes <= kMostBytes) continue;
        words.resize(i);
        words.emplace_back("…");
        break;
    }
    return words;
}

ContainerRecord make_record(const CreateRequest& request, const image::Image& image) {
    ContainerRecord record;
    record.image = request.image;
    record.image_id = image.id;
    record.command = shown_command(effective_command(image.config, request));
    record.labels = request.labels;
    record.terminal = request.terminal;
    record.interactive = request.interactive;
    record.remove_after = request.remove_after;
    record.network = network_text(request.network);
    if (!image.config.stop_signal.empty()) record.stop_signal = image.config.stop_signal;
    if (!request.stop_signal.empty()) record.stop_signal = request.stop_signal;
    if (request.stop_timeout) record.stop_timeout_s = request.stop_timeout->count();
    if (request.resources.memory && *request.resources.memory > 0)
        record.memory_limit = request.resources.memory;
    record.created_ns = sys::realtime_ns();
    record.transition = Transition::creating;
    return record;
}

image::EnsureOptions ensure_options(Engine& engine) {
    return {.limits = unpack_limits(engine),
            .warn = [&engine](std::string_view text) { engine.diagnostics().warning(text); }};
}

// The request with the other container's id in place of its name, which may pass to another one.
Result<CreateRequest> with_ids(Engine& engine, CreateRequest request) {
    if (request.network.kind != NetworkMode::Kind::container) return request;
    auto other = engine.find(request.network.container);
    if (!other) return fail(other, "network");
    request.network.container = other->record.id.str();
    return request;
}

// Everything chosen and checked; nothing of the container made yet, but the image's layers are ready.
Result<Draft> draft(Engine& engine, const CreateRequest& asked, const ContainerId& id) {
    auto resolved = with_ids(engine, asked);
    if (!resolved) return fail(resolved);
    const CreateRequest& request = *resolved;
    auto images = engine.images();
    if (!images) return fail(images);
    auto image = image::find_or_load_builtin(**images, request.image, engine.installation().images);
    if (!image) return fail(image);
    auto storage = engine.selected_storage();
    if (!storage) return fail(storage);
    auto cgroup = engine.selected_cgroup();
    if (!cgroup) return fail(cgroup);
    if (auto ready =
            image::ensure_layers(**images, *image, *storage->driver, storage->traits, ensure_options(engine));
        !ready)
        return fail(ready, "image '" + request.image + "'");

    Draft draft;
    ContainerRecord& record = draft.container.record;
    record = make_record(request, *image);
    record.id = id;
    record.drivers = {storage->name, cgroup->name, engine.selected_log()};
    auto spec = make_spec(engine, *image, request, record, cgroup->traits);
    if (!spec) return fail(spec);
    draft.birth.spec = std::move(*spec);
    draft.birth.chain = image->chain;
    draft.birth.lifetime = request.remove_after ? Lifetime::ephemeral : Lifetime::kept;
    // The host's resolvers are a convenience; without the file there are none.
    draft.birth.etc_files =
        etc_files(draft.birth.spec.hostname, files::read_file("/etc/resolv.conf", 65536).value_or(""));
    return draft;
}

// Claims id and name, with every intent written down.
Status reserve(Engine& engine, Loaded& container, const std::string& wanted_name) {
    auto store = engine.state();
    if (!store) return fail(store);
    ContainerRecord& record = container.record;
    for (int i = 0;; ++i) {
        auto name = wanted_name.empty() ? paths::make_name() : paths::parse_name(wanted_name);
        if (!name) return fail(name);
        record.name = *name;
        auto revision = (*store)->reserve(record.id, record.name, to_document(record));
        if (revision) container.revision = *revision;
        if (revision) return {};
        const bool taken = revision.error().code == Code::exists;
        if (!taken || (!wanted_name.empty() && i > 0) || i == kNameTries) return fail(revision);
        // The holder of the name may be what a killed process left.
        if (!wanted_name.empty() && recover_all(engine).value_or(0) == 0) return fail(revision);
    }
}

// The mounts may differ from start to start (another boot, another kernel): asked for each time.
Status describe_rootfs(Engine& engine, const ContainerRecord& record, Birth& birth) {
    auto driver = engine.storage(record.drivers.storage);
    if (!driver) return fail(driver);
    auto rootfs = (*driver)->mounts(RwId(record.id.str()), Access::read_write);
    if (!rootfs) return fail(rootfs);
    birth.spec.rootfs = std::move(*rootfs);
    return files::write_new(paths::bundle(engine.roots(), record.id) + "/rootfs.json",
                            runtime::to_rootfs_json(birth.spec.rootfs), 0600);
}

Status attach_undo(Status failed, const Status& undone) {
    if (undone) return failed;
    Error error = failed.error();
    error.text += "; and while undoing it: " + describe(undone.error());
    return std::unexpected<Error>(std::move(error));
}

// Makes what lasts as long as the container. On failure nothing of it is left.
Result<Draft> give_birth(Engine& engine, const CreateRequest& request, Baton& baton, const ContainerId& id,
                         bool by_run) {
    auto made = draft(engine, request, id);
    if (!made) return fail(made);
    made->container.record.born_by_run = by_run;
    Context context{.engine = engine, .container = made->container, .birth = &made->birth};
    if (auto planned = plan_steps(context); !planned) return fail(planned);
    if (auto reserved = reserve(engine, made->container, request.name); !reserved) return fail(reserved);
    Status acquired = acquire(context, Life::container);
    if (acquired) acquired = describe_rootfs(engine, made->container.record, made->birth);
    if (acquired) return made;
    return fail(attach_undo(acquired, discard(engine, made->container, std::move(baton))));
}

RunResult relay_to_end(Engine& engine, Context& context, int signals) {
    ContainerRecord& record = context.container.record;
    auto end = relay({context.running->session.get(), record.interactive, record.terminal}, signals);
    if (!end) return run_error(end.error());
    if (end->baton) {
        if (auto finished = finish(engine, context.container, end->report, std::move(*end->baton)); !finished)
            return run_error(finished.error());
        return RunOutcome{record, true};
    }
    // The monitor went without handing over: what it left says how the container ended.
    const ContainerId id = record.id;
    record.state = State::exited;
    record.exit_code = 137;
    record.reason = "monitor lost";
    if (auto baton = Baton::wait(engine.roots(), id)) {
        if (auto report = exit_note(engine, id); report && *report)
            record.exit_code = (*report)->status.shell_code();
        if (auto done = finish_with_baton(engine, id, std::move(*baton)); !done)
            return run_error(done.error());
    }
    return RunOutcome{record, true};
}

// Makes what lasts as long as the run, and serves it in the foreground if asked to.
RunResult let_run(Engine& engine, Draft& draft, Baton baton, Attach attach) {
    Running running;
    FailedReport failure;
    Context context{.engine = engine,
                    .container = draft.container,
                    .birth = &draft.birth,
                    .baton = &baton,
                    .attach = attach,
                    .running = &running,
                    .failure = &failure};
    UniqueFd signals;
    if (attach == Attach::foreground) {
        auto held = hold_signals();
        if (!held) return run_error(held.error());
        signals = std::move(*held);
    }
    if (auto acquired = acquire(context, Life::run); !acquired) {
        auto undone = abandon_start(engine, draft.container, std::move(baton));
        return run_error(attach_undo(acquired, undone).error(),
                         failure.error.text.empty() ? 125 : failure.exit_code);
    }
    if (attach == Attach::detached) return RunOutcome{draft.container.record, false};
    return relay_to_end(engine, context, signals.get());
}

} // namespace

Result<ContainerRecord> create(Engine& engine, const CreateRequest& request) {
    if (auto able = check_privilege(); !able) return fail(able);
    auto id = paths::make_id();
    if (!id) return fail(id);
    auto baton = Baton::take(engine.roots(), *id);
    if (!baton) return fail(baton);
    auto made = give_birth(engine, request, *baton, *id, false);
    if (!made) {
        (void)baton->finish(engine.roots(), *id); // Nothing of the container is left but this.
        return fail(made);
    }
    made->container.record.transition = Transition::none;
    if (auto saved = engine.save(made->container); !saved) return fail(saved);
    if (auto done = baton->finish(engine.roots(), *id); !done) return fail(done);
    return made->container.record;
}

RunResult run(Engine& engine, const CreateRequest& request, Attach attach) {
    if (auto able = check_privilege(); !able) return run_error(able.error());
    auto id = paths::make_id();
    if (!id) return run_error(id.error());
    auto baton = Baton::take(engine.roots(), *id);
    if (!baton) return run_error(baton.error());
    auto made = give_birth(engine, request, *baton, *id, true);
    if (!made) {
        (void)baton->finish(engine.roots(), *id); // Nothing of the container is left but this.
        return run_error(made.error());
    }
    return let_run(engine, *made, std::move(*baton), attach);
}

RunResult start(Engine& engine, const ContainerId& id, Attach attach) {
    if (auto able = check_privilege(); !able) return run_error(able.error());
    auto baton = Baton::take(engine.roots(), id);
    if (!baton && baton.error().code == Code::busy)
        return run_error({Code::conflict, 0, "container '" + paths::short_id(id) + "' is running already"});
    if (!baton) return run_error(baton.error());
    auto give_up = [&](const Error& error) {
        (void)baton->finish(engine.roots(), id); // The container is as it was.
        return run_error(error);
    };
    Draft draft;
    auto container = engine.load(id);
    if (!container) return give_up(container.error());
    draft.container = std::move(*container);
    ContainerRecord& record = draft.container.record;
    const std::string bundle = paths::bundle(engine.roots(), id);
    auto config = files::read_file(bundle + "/config.json");
    if (!config) return give_up(config.error());
    auto spec = runtime::parse_config_json(*config);
    if (!spec) return give_up(fail(spec, "'" + bundle + "/config.json'").error());
    draft.birth.spec = std::move(*spec);
    if (auto renewed = renew_network(engine, record, draft.birth.spec); !renewed)
        return give_up(renewed.error());
    if (auto described = describe_rootfs(engine, record, draft.birth); !described)
        return give_up(described.error());

    record.transition = Transition::starting;
    record.born_by_run = false;
    record.reason.clear();
    record.oom_killed = false;
    if (auto saved = engine.save(draft.container); !saved) return give_up(saved.error());
    return let_run(engine, draft, std::move(*baton), attach);
}

} // namespace mydocker::engine
