#include "engine/draft.hpp"

#include "base/sys.hpp"
#include "engine/container_volumes.hpp"
#include "engine/devices.hpp"
#include "engine/health_record.hpp"
#include "engine/images.hpp"
#include "engine/join.hpp"
#include "engine/limits.hpp"
#include "engine/mounts.hpp"
#include "engine/privileges.hpp"
#include "engine/spec_builder.hpp"
#include "engine/start_process.hpp"
#include "engine/volumes_from.hpp"
#include "image/ensure.hpp"
#include "runtime/seccomp_compile.hpp"
#include "runtime/seccomp_profile.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>
#include <utility>

namespace mydocker::engine {
namespace {

// That of the host or container whose uts namespace it has; empty: it has its own.
Result<std::string> shared_host_name(Engine& engine, const CreateRequest& request) {
    if (request.uts.kind == NamespaceMode::Kind::own) return "";
    if (request.uts.kind == NamespaceMode::Kind::host) {
        utsname host{};
        (void)::uname(&host); // It cannot fail on valid memory.
        return host.nodename;
    }
    auto other = read_spec(engine, ContainerId(request.uts.container));
    if (!other) return fail(other, "uts");
    return other->hostname;
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

std::string mode_text(const NamespaceMode& mode) {
    switch (mode.kind) {
    case NamespaceMode::Kind::host:
        return "host";
    case NamespaceMode::Kind::container:
        return std::string(kOfContainer) + mode.container;
    case NamespaceMode::Kind::own:
        break;
    }
    return "";
}

Status set_joined_paths(Engine& engine, const CreateRequest& request, SpecInput& input) {
    const auto set = [&](bool asked, const std::string& container, runtime::NamespaceKind kind,
                         std::string& path) -> Status {
        if (!asked) return {};
        auto found = namespace_path(engine, container, kind);
        if (!found) return fail(found);
        path = std::move(*found);
        return {};
    };
    using Kind = NamespaceMode::Kind;
    if (auto done = set(request.network.kind == NetworkMode::Kind::container, request.network.container,
                        runtime::NamespaceKind::network, input.network_path);
        !done)
        return done;
    if (auto done = set(request.pid.kind == Kind::container, request.pid.container,
                        runtime::NamespaceKind::pid, input.pid_path);
        !done)
        return done;
    if (auto done = set(request.ipc.kind == Kind::container, request.ipc.container,
                        runtime::NamespaceKind::ipc, input.ipc_path);
        !done)
        return done;
    return set(request.uts.kind == Kind::container, request.uts.container, runtime::NamespaceKind::uts,
               input.uts_path);
}

// What a privileged container has more than others; said, since nobody sees it.
Status set_privileges(Engine& engine, SpecInput& input) {
    auto capabilities = own_capabilities();
    if (!capabilities) return fail(capabilities);
    input.all_capabilities = std::move(*capabilities);
    if (!input.request.privileged) return {};
    auto devices = find_devices("/dev");
    if (!devices) return fail(devices);
    input.host_devices = std::move(*devices);
    engine.diagnostics().info(
        fmt::format("privileged: {} capabilities, {} devices of the host, no system call filter, nothing in "
                    "/proc and /sys hidden or read-only",
                    input.all_capabilities.size(), input.host_devices.size()));
    return {};
}

// A filter of the user's own stands in the specification, so that every start has the same, whatever becomes
// of the file.
Status set_filter(Engine& engine, const FilterChoice& choice, runtime::ContainerSpec& spec) {
    if (choice.kind != FilterChoice::Kind::profile) return {};
    const std::string what = "seccomp profile '" + choice.file + "'";
    const auto setting = runtime::profile_setting(spec.process.capabilities.bounding);
    auto filter = runtime::parse_seccomp_profile(choice.text, setting);
    if (!filter) return fail(filter, what);
    if (auto compiled = runtime::compile_filter(*filter); !compiled) return fail(compiled, what);
    if (const auto unknown = runtime::unknown_calls(*filter); !unknown.empty())
        engine.diagnostics().warning(fmt::format(
            "{}: ignored, since this version knows no such system call: {}", what, fmt::join(unknown, ", ")));
    spec.seccomp = {runtime::SeccompSpec::Kind::given, std::move(*filter)};
    return {};
}

Result<runtime::ContainerSpec> make_spec(Engine& engine, const image::Image& image,
                                         const CreateRequest& request, const ContainerRecord& record,
                                         const std::vector<MountRequest>& mounts, const CgroupTraits& cgroup,
                                         const std::string& shared_name) {
    SpecInput input{.image = image.config,
                    .request = request,
                    .id = record.id.str(),
                    .bundle = paths::bundle(engine.roots(), record.id),
                    .network_path = {},
                    .pid_path = {},
                    .ipc_path = {},
                    .uts_path = {},
                    .shared_name = shared_name,
                    .swap_limit = std::ranges::find(cgroup.controllers, "swap") != cgroup.controllers.end(),
                    .all_capabilities = {},
                    .mounts = {},
                    .host_devices = {}};
    if (request.privileged || std::ranges::find(request.cap_add, "ALL") != request.cap_add.end())
        if (auto set = set_privileges(engine, input); !set) return fail(set);
    for (const MountRequest& mount : mounts)
        input.mounts.push_back(to_spec(mount, engine.roots()));
    if (auto set = set_joined_paths(engine, request, input); !set) return fail(set);
    auto spec = build_spec(input);
    if (spec && request.filter)
        if (auto set = set_filter(engine, *request.filter, *spec); !set) return fail(set);
    return spec;
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

// The image's, too, as docker has it: filters and events go by them. What was asked for wins.
std::vector<std::pair<std::string, std::string>> all_labels(const image::ImageConfig& image,
                                                            const CreateRequest& request) {
    auto labels = image.labels;
    std::erase_if(labels, [&](const auto& label) {
        return std::ranges::any_of(request.labels,
                                   [&](const auto& asked) { return asked.first == label.first; });
    });
    labels.insert(labels.end(), request.labels.begin(), request.labels.end());
    return labels;
}

ContainerRecord make_record(const CreateRequest& request, const image::Image& image) {
    ContainerRecord record;
    record.image = request.image;
    record.image_id = image.id;
    record.command = shown_command(effective_command(image.config, request));
    const auto entrypoint = static_cast<std::int64_t>(entrypoint_size(image.config, request));
    record.entrypoint_words = std::min(entrypoint, static_cast<std::int64_t>(record.command.size()));
    record.labels = all_labels(image.config, request);
    record.terminal = request.terminal;
    record.interactive = request.interactive;
    record.input_once = request.input_once;
    record.pid_file = request.pid_file;
    record.remove_after = request.remove_after;
    record.reaper = request.init;
    record.restart.policy = request.restart;
    record.network = network_text(request.network);
    record.pid_mode = mode_text(request.pid);
    record.ipc_mode = mode_text(request.ipc);
    record.uts_mode = mode_text(request.uts);
    record.log_options = request.log_options;
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

// The request with the other containers' ids in place of their names, which may pass to others.
Result<CreateRequest> with_ids(Engine& engine, CreateRequest request) {
    const auto settle = [&](bool asked, std::string& container, std::string_view flag) -> Status {
        if (!asked) return {};
        auto other = engine.find(container);
        if (!other) return fail(other, flag);
        container = other->record.id.str();
        return {};
    };
    using Kind = NamespaceMode::Kind;
    if (auto done = settle(request.network.kind == NetworkMode::Kind::container, request.network.container,
                           "network");
        !done)
        return fail(done);
    if (auto done = settle(request.pid.kind == Kind::container, request.pid.container, "pid"); !done)
        return fail(done);
    if (auto done = settle(request.ipc.kind == Kind::container, request.ipc.container, "ipc"); !done)
        return fail(done);
    if (auto done = settle(request.uts.kind == Kind::container, request.uts.container, "uts"); !done)
        return fail(done);
    return request;
}

// A driver, loaded and asked whether it works here.
template <class Open>
auto open_noted(Engine& engine, std::string_view kind, const Open& open) {
    trace::Scope scope(engine.trace(), "open driver");
    auto choice = open();
    scope.describe([&] { return std::string(kind) + (choice ? " " + choice->name : std::string()); });
    return choice;
}

} // namespace

Result<ContainerName> choose_name(const std::string& wanted) {
    return wanted.empty() ? paths::make_name() : paths::parse_name(wanted);
}

Status start_ahead(Engine& engine, const ContainerRecord& record, Running* running) {
    if (running == nullptr) return {};
    const trace::Scope scope(engine.trace(), "start mydocker-monitor");
    auto monitor = MonitorProcess::spawn(engine, record);
    if (!monitor) return fail(monitor);
    running->ahead.emplace(std::move(*monitor));
    return {};
}

namespace {

Status fill_record(Engine& engine, const CreateRequest& request, const image::Image& image,
                   ContainerRecord& record) {
    record = make_record(request, image);
    auto health = choose_health(image.config.healthcheck, request.health);
    if (!health) return fail(health);
    if (*health) record.health.emplace().check = std::move(**health);
    auto name = choose_name(request.name);
    if (!name) return fail(name);
    record.name = *name;
    record.drivers.log = engine.selected_log();
    return {};
}

Result<CreateRequest> resolve_request(Engine& engine, const CreateRequest& asked) {
    auto resolved = with_ids(engine, asked);
    if (!resolved) return resolved;
    if (auto added = add_volumes_from(engine, *resolved); !added) return fail(added);
    return resolved;
}

auto find_image(Engine& engine, image::Store& images, CreateRequest& request,
                std::optional<StandIn>& stand_in) {
    trace::Scope scope(engine.trace(), "find image");
    scope.describe([&] { return request.image; });
    return choose_image(engine, images, request, stand_in);
}

auto ensure_layers(Engine& engine, image::Store& images, const image::Image& image,
                   const StorageChoice& storage) {
    trace::Scope scope(engine.trace(), "ensure layers");
    scope.describe([&] { return std::to_string(image.chain.size()) + " in " + storage.name; });
    return image::ensure_layers(images, image, *storage.driver, storage.traits, ensure_options(engine));
}

// What is made of the image and the request for this container alone.
Status fill_birth(Engine& engine, const image::Image& image, const CreateRequest& request,
                  const CgroupTraits& cgroup, Draft& draft) {
    auto shared_name = shared_host_name(engine, request);
    if (!shared_name) return fail(shared_name);
    auto spec =
        make_spec(engine, image, request, draft.container.record, draft.birth.mounts, cgroup, *shared_name);
    if (!spec) return fail(spec);
    draft.birth.spec = std::move(*spec);
    draft.birth.chain = image.chain;
    draft.birth.lifetime = request.remove_after ? Lifetime::ephemeral : Lifetime::kept;
    // The host's resolvers are a convenience; without the file there are none.
    const std::string& name = draft.birth.spec.hostname;
    draft.birth.etc_files = etc_files(request, name.empty() ? *shared_name : name,
                                      files::read_file("/etc/resolv.conf", 65536).value_or(""));
    return {};
}

} // namespace

Result<Draft> make_draft(Engine& engine, const CreateRequest& asked, const ContainerId& id,
                         Running* running) {
    auto resolved = resolve_request(engine, asked);
    if (!resolved) return fail(resolved);
    auto images = engine.images();
    if (!images) return fail(images);
    Draft draft;
    auto image = find_image(engine, **images, *resolved, draft.stand_in);
    if (!image) return fail(image);
    const CreateRequest& request = *resolved;
    if (const auto doubt = doubtful_limit(request.resources)) engine.diagnostics().warning(*doubt);

    ContainerRecord& record = draft.container.record;
    if (auto made = fill_record(engine, request, *image, record); !made) return fail(made);
    record.id = id;
    auto mounts = choose_mounts(engine, request, image->config);
    if (!mounts) return fail(mounts);
    draft.birth.mounts = std::move(*mounts);
    if (auto ahead = start_ahead(engine, record, running); !ahead) return fail(ahead);

    auto storage = open_noted(engine, "storage", [&] { return engine.selected_storage(); });
    if (!storage) return fail(storage);
    auto cgroup = open_noted(engine, "cgroup", [&] { return engine.selected_cgroup(); });
    if (!cgroup) return fail(cgroup);
    auto ready = ensure_layers(engine, **images, *image, *storage);
    if (!ready) return fail(ready, "image '" + request.image + "'");

    record.drivers.storage = storage->name;
    record.drivers.cgroup = cgroup->name;
    if (auto filled = fill_birth(engine, *image, request, cgroup->traits, draft); !filled)
        return fail(filled);
    if (running != nullptr)
        if (auto begun = begin_birth(engine, record, draft.birth.spec, *running->ahead); !begun)
            return fail(begun);
    return draft;
}

} // namespace mydocker::engine
