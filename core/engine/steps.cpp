// The list of steps, and the two walks over it.
#include "engine/steps.hpp"

#include "engine/container_volumes.hpp"
#include "engine/limits.hpp"
#include "engine/rebuild.hpp"
#include "engine/start_process.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <ranges>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::engine {
namespace {

std::string intent(const Context& context, std::string_view step) {
    const auto& intents = context.container.record.intents;
    const auto found = intents.find(step);
    return found != intents.end() ? found->second : std::string();
}

// --- storage -------------------------------------------------------------------------------------

Status plan_storage(Context& context) {
    context.container.record.intents["storage"] = context.container.record.id.str();
    return {};
}

Status acquire_storage(Context& context) {
    auto driver = context.engine.storage(context.container.record.drivers.storage);
    if (!driver) return fail(driver);
    RwOptions options;
    options.lifetime = context.birth->lifetime;
    return (*driver)->create_rw(RwId(intent(context, "storage")), context.birth->chain, options);
}

Status release_storage(Context& context) {
    const std::string id = intent(context, "storage");
    if (id.empty()) return {};
    auto driver = context.engine.storage(context.container.record.drivers.storage);
    if (!driver) return fail(driver);
    return (*driver)->remove_rw(RwId(id));
}

// --- volumes -------------------------------------------------------------------------------------

Status plan_volumes(Context& context) {
    std::string names = volumes_intent(context.birth->mounts);
    if (!names.empty()) context.container.record.intents["volumes"] = std::move(names);
    return {};
}

Status acquire_volumes(Context& context) {
    return acquire_mounts(context.engine, context.container.record, context.birth->mounts);
}

Status release_volumes_step(Context& context) {
    return release_volumes(context.engine, context.container.record);
}

// --- bundle --------------------------------------------------------------------------------------

Status plan_bundle(Context& context) {
    context.container.record.intents["bundle"] =
        paths::bundle(context.engine.roots(), context.container.record.id);
    return {};
}

Status acquire_bundle(Context& context) {
    const std::string bundle = intent(context, "bundle");
    auto parent = files::open(paths::containers(context.engine.roots()), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!parent) return fail(parent);
    for (const char* below : {"", "/logs"})
        if (::mkdir((bundle + below).c_str(), 0700) != 0 && errno != EEXIST)
            return fail_errno(errno, "make directory '" + bundle + below + "'");
    for (const auto& [name, content] : context.birth->etc_files)
        if (auto written = files::write_new(bundle + "/" + name, content, 0644); !written) return written;
    return {};
}

Status release_bundle(Context& context) {
    const std::string bundle = intent(context, "bundle");
    return bundle.empty() ? Status{} : files::remove_tree(bundle);
}

// --- log -----------------------------------------------------------------------------------------

Status plan_log(Context& context) {
    context.container.record.intents["log"] =
        paths::logs(context.engine.roots(), context.container.record.id);
    return {};
}

// The stream itself is opened by the monitor, before the container exists: a full disk is an error of
// the start. Options are checked here.
Status acquire_log(Context& context) {
    const ContainerRecord& record = context.container.record;
    auto options = context.engine.log_options(record.drivers.log, record.log_options);
    if (!options) return fail(options);
    return {};
}

Status release_log(Context& context) {
    const ContainerRecord& record = context.container.record;
    if (intent(context, "log").empty() || !record.has_run()) return {};
    auto sink = context.engine.log(record.drivers.log, record.log_options);
    if (!sink) return fail(sink);
    return (*sink)->remove(stream_info(context.engine, record));
}

// --- cgroup --------------------------------------------------------------------------------------

Status plan_cgroup(Context& context) {
    ContainerRecord& record = context.container.record;
    auto backend = context.engine.cgroup(record.drivers.cgroup);
    if (!backend) return fail(backend);
    auto locator = (*backend)->locate(CgroupName(context.birth->spec.cgroups_path));
    if (!locator) return fail(locator);
    record.intents["cgroup"] = locator->str();
    return {};
}

Status acquire_cgroup(Context& context) {
    auto backend = context.engine.cgroup(context.container.record.drivers.cgroup);
    if (!backend) return fail(backend);
    return (*backend)->create(Locator(intent(context, "cgroup")), context.birth->spec.resources);
}

Status release_cgroup(Context& context) {
    const std::string locator = intent(context, "cgroup");
    if (locator.empty()) return {};
    auto backend = context.engine.cgroup(context.container.record.drivers.cgroup);
    if (!backend) return fail(backend);
    return (*backend)->remove(Locator(locator));
}

// --- process -------------------------------------------------------------------------------------

Status plan_process(Context& context) {
    context.container.record.intents["process"] = "monitor";
    return {};
}

// Kills what is left of the container's processes, and its monitor if that hangs on; usually nothing.
Status release_process(Context& context) {
    const ContainerRecord& record = context.container.record;
    if (record.process.pid == 0) return {};
    const std::string locator = intent(context, "cgroup");
    // They do not die with the first one where the pid namespace is not its own.
    if (!record.pid_mode.empty() && !locator.empty()) {
        auto backend = context.engine.cgroup(record.drivers.cgroup);
        if (!backend) return fail(backend);
        if (auto killed = (*backend)->kill(Locator(locator), SIGKILL); !killed) return killed;
    }
    auto pidfd = process::open_pidfd(record.process);
    if (!pidfd) // Gone, or the pid is another process's now.
        return pidfd.error().code == Code::not_found ? Status{} : Status(fail(pidfd));
    if (auto backend = context.engine.cgroup(record.drivers.cgroup); backend && !locator.empty())
        (void)(*backend)->kill(Locator(locator), SIGKILL); // What it misses dies with the first process.
    return kill_and_wait(pidfd->get());
}

constexpr std::array kSteps{
    Step{"storage", Life::container, plan_storage, acquire_storage, release_storage},
    Step{"volumes", Life::container, plan_volumes, acquire_volumes, release_volumes_step},
    Step{"bundle", Life::container, plan_bundle, acquire_bundle, release_bundle},
    Step{"log", Life::container, plan_log, acquire_log, release_log},
    Step{"cgroup", Life::run, plan_cgroup, acquire_cgroup, release_cgroup},
    Step{"process", Life::run, plan_process, start_process, release_process},
};

// What a step does, for whoever wants to see it: the name of its effect, and of a cgroup its limits.
std::string effect_of(const Context& context, std::string_view step) {
    std::string text = intent(context, step);
    if (step == "cgroup" && context.birth != nullptr)
        if (const std::string limits = limits_text(context.birth->spec.resources); !limits.empty())
            text += " with " + limits;
    return text;
}

Status acquire_noted(Context& context, const Step& step) {
    trace::Scope scope(context.engine.trace(), step.name);
    scope.describe([&] { return effect_of(context, step.name); });
    return step.acquire(context);
}

Status release_noted(Context& context, const Step& step) {
    trace::Scope scope(context.engine.trace(), "release");
    scope.describe([&] { return std::string(step.name); });
    return step.release(context);
}

void attach_error(Error& first, const Error& second) {
    first.text += "; and while undoing it: " + describe(second);
}

Status release_from(Context& context, std::span<const Step> done) {
    Status first;
    for (const Step& step : done | std::views::reverse) {
        auto released = release_noted(context, step);
        if (!released && first) first = fail(released, step.name);
    }
    return first;
}

} // namespace

std::span<const Step> steps() {
    return kSteps;
}

Status write_specs(const Context& context) {
    const std::string bundle = intent(context, "bundle");
    const runtime::ContainerSpec& spec = context.birth->spec;
    if (context.birth->new_spec) {
        runtime::ContainerSpec noted = spec;
        noted.annotations[std::string(kBirthNote)] = to_document(context.container.record);
        noted.annotations[std::string(kStoreNote)] = context.engine.selected_state();
        auto written = files::write_new(bundle + "/config.json", runtime::to_config_json(noted), 0600);
        if (!written) return written;
    }
    return files::write_new(bundle + "/rootfs.json", runtime::to_rootfs_json(spec.rootfs), 0600);
}

Result<runtime::ContainerSpec> read_spec(const Engine& engine, const ContainerId& id) {
    const std::string path = paths::bundle(engine.roots(), id) + "/config.json";
    auto config = files::read_file(path);
    if (!config) return fail(config);
    auto spec = runtime::parse_config_json(*config);
    if (!spec) return fail(spec, "'" + path + "'");
    return spec;
}

Status plan_steps(Context& context) {
    for (const Step& step : kSteps)
        if (auto planned = step.plan(context); !planned) return fail(planned, step.name);
    return {};
}

Status acquire(Context& context, Life life) {
    for (std::size_t i = 0; i < kSteps.size(); ++i) {
        if (kSteps[i].life != life) continue;
        auto acquired = acquire_noted(context, kSteps[i]);
        if (acquired) continue;
        Error error = acquired.error();
        // Somebody else has the baton: what there is to undo is undone by its holder, or by recovery.
        if (context.baton != nullptr && !context.baton->is_ours()) return std::unexpected<Error>(error);
        std::vector<Step> done;
        for (std::size_t j = 0; j <= i; ++j)
            if (kSteps[j].life == life) done.push_back(kSteps[j]);
        if (auto undone = release_from(context, done); !undone) attach_error(error, undone.error());
        return std::unexpected<Error>(std::move(error));
    }
    return {};
}

Status release(Context& context, Life life) {
    std::vector<Step> mine;
    for (const Step& step : kSteps)
        if (step.life == life) mine.push_back(step);
    return release_from(context, mine);
}

} // namespace mydocker::engine
