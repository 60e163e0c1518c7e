// The document of a container: its record, and the specification that it is made of.
#include "base/notation.hpp"
#include "base/sys.hpp"
#include "cli/container_words.hpp"
#include "cli/document_parts.hpp"
#include "cli/documents.hpp"
#include "cli/table.hpp"
#include "engine/security.hpp"
#include "engine/shown_mounts.hpp"
#include "engine/spec_builder.hpp"
#include "engine/steps.hpp"
#include "runtime/spec_seccomp.hpp"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mydocker::cli {
namespace {

using engine::ContainerRecord;
using engine::ShownMount;
using runtime::ContainerSpec;

// docker's word for "never", which scripts compare with.
std::string moment(std::int64_t time_ns) {
    return time_ns == 0 ? "0001-01-01T00:00:00Z" : timestamp(time_ns);
}

json::Value health_document(const engine::HealthState& health) {
    json::Value value;
    value.set("Status", engine::to_string(health.status));
    value.set("FailingStreak", health.failing_streak);
    json::Array log;
    for (const engine::HealthResult& result : health.results) {
        json::Value entry;
        entry.set("Start", timestamp(result.start_ns));
        entry.set("End", timestamp(result.end_ns));
        entry.set("ExitCode", result.exit_code);
        entry.set("Output", result.output);
        log.push_back(std::move(entry));
    }
    value.set("Log", std::move(log));
    return value;
}

json::Value restart_document(const engine::RestartPolicy& policy) {
    json::Value value;
    value.set("Name", engine::to_string(policy.kind));
    value.set("MaximumRetryCount", policy.most);
    return value;
}

json::Value state_document(const ContainerRecord& record) {
    json::Value state;
    state.set("Status", state_word(record));
    // docker's: a paused container is a running one, and so is one that waits to be restarted.
    state.set("Running", record.is_live() || record.is_restarting());
    state.set("Paused", record.state == engine::State::paused);
    state.set("Restarting", record.is_restarting());
    state.set("OOMKilled", record.oom_killed);
    state.set("LogDropped", record.log_dropped);
    state.set("Dead", false);
    state.set("Pid", record.is_live() ? static_cast<std::int64_t>(record.process.pid) : std::int64_t{0});
    state.set("ExitCode", record.exit_code);
    state.set("Error", record.reason);
    state.set("StartedAt", moment(record.started_ns));
    state.set("FinishedAt", moment(record.finished_ns));
    state.set("Health", record.health ? health_document(*record.health) : json::Value());
    return state;
}

std::string user_text(const runtime::UserSpec& user) {
    if (!user.name.empty()) return user.name;
    if (user.uid == 0 && user.gid == 0) return {};
    return fmt::format("{}:{}", user.uid, user.gid);
}

json::Value list_or_null(const std::vector<std::string>& words) {
    return words.empty() ? json::Value() : text_list(words);
}

json::Value config_document(const ContainerRecord& record, const ContainerSpec& spec) {
    json::Value config;
    config.set("Hostname", spec.hostname);
    config.set("Domainname", spec.domainname);
    config.set("User", user_text(spec.process.user));
    config.set("Tty", record.terminal);
    config.set("OpenStdin", record.interactive);
    config.set("Env", text_list(spec.process.env));
    // What is executed, Path and Args, in its two parts; null where there is none.
    const auto command = record.command.begin() + record.entrypoint_words;
    config.set("Cmd", list_or_null({command, record.command.end()}));
    config.set("Entrypoint", list_or_null({record.command.begin(), command}));
    config.set("Image", record.image);
    config.set("WorkingDir", spec.process.cwd);
    config.set("Labels", text_object(record.labels));
    config.set("Healthcheck", record.health ? engine::image_document(record.health->check) : json::Value());
    config.set("StopSignal", record.stop_signal);
    config.set("StopTimeout", record.stop_timeout_s);
    return config;
}

// "private", "host", or the namespace's path.
std::string namespace_word(const ContainerSpec& spec, runtime::NamespaceKind kind) {
    for (const runtime::NamespaceSpec& space : spec.namespaces)
        if (space.kind == kind) return space.path.empty() ? "private" : space.path;
    return "host";
}

// What differs from the default ones, as --cap-add and --cap-drop would say it.
void add_capabilities(json::Value& host, const ContainerSpec& spec) {
    const std::vector<std::string> usual = engine::default_capabilities();
    const std::vector<std::string>& given = spec.process.capabilities.bounding;
    const auto without = [](std::vector<std::string> list, const std::vector<std::string>& others) {
        std::erase_if(
            list, [&](const std::string& name) { return std::ranges::find(others, name) != others.end(); });
        return list_or_null(list);
    };
    host.set("CapAdd", without(given, usual));
    host.set("CapDrop", without(usual, given));
}

// What the rules say of it: the last that is its own.
std::string access_of(const runtime::DeviceSpec& device, const std::vector<DeviceRule>& rules) {
    std::string access;
    for (const DeviceRule& rule : rules)
        if (rule.allow && rule.type == device.type && rule.major == device.major &&
            rule.minor == device.minor)
            access = rule.access;
    return access;
}

json::Value devices(const ContainerSpec& spec) {
    json::Array array;
    for (const runtime::DeviceSpec& device : spec.devices) {
        json::Value value;
        value.set("PathOnHost", fmt::format("/dev/{}/{}:{}", device.type == 'b' ? "block" : "char",
                                            device.major, device.minor));
        value.set("PathInContainer", device.path);
        value.set("CgroupPermissions",
                  access_of(device, spec.resources.devices.value_or(std::vector<DeviceRule>{})));
        array.push_back(std::move(value));
    }
    return array;
}

// Empty for the usual one.
std::string cgroup_parent(const ContainerSpec& spec) {
    const std::string parent = spec.cgroups_path.substr(0, spec.cgroups_path.rfind('/'));
    return parent == engine::kCgroupParent ? std::string() : parent;
}

json::Value rates(const std::vector<DeviceRate>& list) {
    json::Array array;
    for (const DeviceRate& one : list) {
        json::Value value;
        value.set("Path", fmt::format("/dev/block/{}:{}", one.major, one.minor));
        value.set("Rate", one.rate);
        array.push_back(std::move(value));
    }
    return array;
}

// 0 is docker's word for what was not limited.
void add_limits(json::Value& host, const Resources& limits) {
    host.set("Memory", limits.memory.value_or(0));
    host.set("MemorySwap", limits.memory_swap.value_or(0));
    host.set("MemoryReservation", limits.memory_reservation.value_or(0));
    host.set("CpuShares", limits.cpu_shares.value_or(0));
    host.set("CpuQuota", limits.cpu_quota_usec.value_or(0));
    host.set("CpuPeriod", limits.cpu_period_usec.value_or(0));
    host.set("NanoCpus", std::int64_t{0}); // --cpus is a quota and a period here.
    host.set("CpusetCpus", limits.cpuset_cpus.value_or(""));
    host.set("CpusetMems", limits.cpuset_mems.value_or(""));
    host.set("PidsLimit", limits.pids.value_or(0));
    host.set("BlkioWeight", static_cast<std::uint64_t>(limits.io_weight.value_or(0)));
    host.set("BlkioDeviceReadBps", rates(limits.io_read_bps));
    host.set("BlkioDeviceWriteBps", rates(limits.io_write_bps));
    host.set("BlkioDeviceReadIOps", rates(limits.io_read_iops));
    host.set("BlkioDeviceWriteIOps", rates(limits.io_write_iops));
}

json::Value ulimits(const std::vector<runtime::RlimitSpec>& list) {
    json::Array array;
    for (const runtime::RlimitSpec& one : list) {
        if (!one.required) continue; // a default of ours
        std::string name = one.type.substr(one.type.find('_') + 1);
        std::ranges::transform(name, name.begin(),
                               [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
        json::Value value;
        value.set("Name", name);
        value.set("Hard", one.hard);
        value.set("Soft", one.soft);
        array.push_back(std::move(value));
    }
    return array;
}

std::uint64_t shm_size(const ContainerSpec& spec) {
    for (const runtime::SpecMount& mount : spec.mounts)
        for (const std::string& option : mount.options)
            if (mount.destination == "/dev/shm" && option.starts_with("size="))
                return notation::parse_size(option.substr(5)).value_or(0);
    return 0;
}

// The third part of -v: "ro", "rro,nosuid", "".
std::string mode_of(const ShownMount& mount) {
    if (mount.kind == ShownMount::Kind::tmpfs) return mount.read_only ? "ro" : "";
    std::vector<std::string> words = mount.options;
    if (mount.read_only && std::ranges::find(words, "rro") == words.end()) words.insert(words.begin(), "ro");
    return fmt::format("{}", fmt::join(words, ","));
}

void add_mounts(json::Value& host, const std::vector<ShownMount>& mounts) {
    json::Array binds;
    json::Object tmpfs;
    for (const ShownMount& mount : mounts) {
        if (mount.kind == ShownMount::Kind::tmpfs) {
            tmpfs.emplace_back(mount.destination, fmt::format("{}", fmt::join(mount.options, ",")));
            continue;
        }
        const std::string& from = mount.name.empty() ? mount.source : mount.name;
        const std::string mode = mode_of(mount);
        binds.emplace_back(from + ":" + mount.destination + (mode.empty() ? "" : ":" + mode));
    }
    host.set("Binds", std::move(binds));
    host.set("Tmpfs", std::move(tmpfs));
}

json::Value log_config(const ContainerRecord& record) {
    json::Object options;
    for (const auto& [key, value] : record.log_options)
        options.emplace_back(key, value);
    json::Value log;
    log.set("Type", record.drivers.log);
    log.set("Config", std::move(options));
    return log;
}

json::Value host_document(const ContainerRecord& record, const ContainerSpec& spec,
                          const std::vector<ShownMount>& mounts) {
    json::Value host;
    add_mounts(host, mounts);
    host.set("LogConfig", log_config(record));
    host.set("NetworkMode", record.network);
    host.set("AutoRemove", record.remove_after);
    host.set("RestartPolicy", restart_document(record.restart.policy));
    host.set("Init", record.reaper);
    host.set("Privileged", spec.annotations.contains(std::string(engine::kPrivilegedNote)));
    host.set("CgroupParent", cgroup_parent(spec));
    add_capabilities(host, spec);
    host.set("Devices", devices(spec));
    host.set("PortBindings", json::Value(json::Object{}));
    host.set("UsernsMode", "");
    host.set("OomKillDisable", false);
    host.set("IpcMode", namespace_word(spec, runtime::NamespaceKind::ipc));
    host.set("PidMode", namespace_word(spec, runtime::NamespaceKind::pid));
    host.set("UTSMode", namespace_word(spec, runtime::NamespaceKind::uts));
    host.set("CgroupnsMode", namespace_word(spec, runtime::NamespaceKind::cgroup));
    host.set("OomScoreAdj", spec.process.oom_score_adj.value_or(0));
    host.set("ReadonlyRootfs", spec.root_readonly);
    json::Array security;
    if (spec.process.no_new_privileges) security.emplace_back("no-new-privileges");
    if (spec.seccomp.kind == runtime::SeccompSpec::Kind::unconfined)
        security.emplace_back("seccomp=unconfined");
    if (spec.seccomp.kind == runtime::SeccompSpec::Kind::given)
        security.emplace_back("seccomp=" + json::dump(runtime::seccomp_filter_json(spec.seccomp.filter)));
    host.set("SecurityOpt", std::move(security));
    host.set("ShmSize", shm_size(spec));
    host.set("Sysctls", text_object({spec.sysctl.begin(), spec.sysctl.end()}));
    host.set("Ulimits", ulimits(spec.process.rlimits));
    add_limits(host, spec.resources);
    host.set("MaskedPaths", text_list(spec.masked_paths));
    host.set("ReadonlyPaths", text_list(spec.readonly_paths));
    return host;
}

json::Value mounts_document(const std::vector<ShownMount>& mounts) {
    json::Array array;
    for (const ShownMount& mount : mounts) {
        json::Value value;
        const bool is_volume = mount.kind == ShownMount::Kind::volume;
        value.set("Type", is_volume ? "volume" : mount.kind == ShownMount::Kind::tmpfs ? "tmpfs" : "bind");
        if (is_volume) value.set("Name", mount.name);
        value.set("Source", mount.source);
        value.set("Destination", mount.destination);
        if (is_volume) value.set("Driver", "local");
        value.set("Mode", mode_of(mount));
        value.set("RW", !mount.read_only);
        value.set("Propagation", mount.propagation);
        array.push_back(std::move(value));
    }
    return array;
}

// "lowerdir+=/x" twice and "upperdir=y" as docker writes them: LowerDir "/x:/x", UpperDir.
json::Value driver_data(const Mount& root) {
    struct Name {
        std::string_view key;
        const char* member;
    };
    constexpr Name kNames[] = {{"lowerdir", "LowerDir"}, {"upperdir", "UpperDir"}, {"workdir", "WorkDir"}};
    json::Object data;
    for (const auto& [key, member] : kNames) {
        std::string text;
        for (const std::string& option : root.options) {
            const auto equals = option.find('=');
            const std::string_view name = std::string_view(option).substr(0, equals);
            if (equals == std::string::npos || (name != key && name != std::string(key) + "+")) continue;
            const std::string path = option.substr(equals + 1);
            const bool relative = !root.directory.empty() && !path.starts_with('/');
            text += (text.empty() ? "" : ":") + (relative ? root.directory + "/" + path : path);
        }
        if (!text.empty()) data.emplace_back(member, text);
    }
    if (data.empty() && root.source.starts_with('/')) data.emplace_back("Dir", root.source);
    return data;
}

// What is not shown because it cannot be read.
void tell_lost(engine::Engine& engine, const ContainerRecord& record, const Error& error) {
    engine.diagnostics().warning(fmt::format("container '{}': {}", record.name.str(), describe(error)));
}

Result<std::vector<Mount>> read_rootfs(const std::string& bundle) {
    auto text = files::read_file(bundle + "/rootfs.json");
    if (!text) return fail(text);
    return runtime::parse_rootfs_json(*text);
}

json::Value graph_driver(engine::Engine& engine, const std::string& bundle, const ContainerRecord& record) {
    json::Value driver;
    driver.set("Name", record.drivers.storage);
    auto rootfs = read_rootfs(bundle);
    // A container that has not been started yet has none.
    if (!rootfs && rootfs.error().code != Code::not_found) tell_lost(engine, record, rootfs.error());
    driver.set("Data", rootfs && !rootfs->empty() ? driver_data(rootfs->front()) : json::Value());
    return driver;
}

json::Value network_document(const ContainerRecord& record) {
    json::Value network;
    network.set("SandboxKey",
                record.is_live() ? fmt::format("/proc/{}/ns/net", record.process.pid) : std::string());
    network.set("Ports", json::Value(json::Object{}));
    network.set("IPAddress", "");
    json::Value endpoint; // A network without addresses: none, the host's, or another container's.
    for (const char* member : {"IPAddress", "Gateway", "MacAddress", "GlobalIPv6Address"})
        endpoint.set(member, "");
    json::Value networks;
    networks.set(record.network, std::move(endpoint));
    network.set("Networks", std::move(networks));
    return network;
}

// docker's one file of a log; "" with a sink that writes none of that name.
std::string log_path(const std::string& directory) {
    const std::string path = directory + "/container.log";
    return sys::fstatat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW) ? path : std::string();
}

void add_sizes(engine::Engine& engine, const ContainerRecord& record, json::Value& value) {
    auto driver = engine.storage(record.drivers.storage);
    auto usage = driver ? (*driver)->usage(RwId(record.id.str())) : Result<Usage>(fail(driver));
    if (usage) value.set("SizeRw", usage->bytes);
    if (!usage) engine.diagnostics().warning("size: " + describe(usage.error()));
}

} // namespace

json::Value container_document(engine::Engine& engine, const ContainerRecord& record, Sizes sizes) {
    const std::string bundle = paths::bundle(engine.roots(), record.id);
    json::Value value;
    value.set("Id", record.id.str());
    value.set("Created", timestamp(record.created_ns));
    value.set("Path", record.command.empty() ? std::string() : record.command.front());
    value.set("Args", record.command.empty() ? json::Value(json::Array{})
                                             : text_list({record.command.begin() + 1, record.command.end()}));
    value.set("State", state_document(record));
    value.set("Image", "sha256:" + record.image_id);
    value.set("ResolvConfPath", bundle + "/resolv.conf");
    value.set("HostnamePath", bundle + "/hostname");
    value.set("HostsPath", bundle + "/hosts");
    value.set("PidFile", record.pid_file);
    value.set("LogDirectory", paths::logs(engine.roots(), record.id));
    value.set("LogPath", log_path(paths::logs(engine.roots(), record.id)));
    value.set("OciConfigPath", bundle + "/config.json");
    value.set("Name", record.name.str());
    value.set("RestartCount", record.restart.count);
    value.set("Driver", record.drivers.storage);
    value.set("CgroupDriver", record.drivers.cgroup);
    value.set("LogDriver", record.drivers.log);
    value.set("Platform", "linux");
    if (sizes == Sizes::yes) add_sizes(engine, record, value);
    value.set("GraphDriver", graph_driver(engine, bundle, record));
    auto spec = engine::read_spec(engine, record.id);
    if (!spec) { // The record is whole; what else there was is said to be lost.
        tell_lost(engine, record, spec.error());
        return value;
    }
    const std::vector<ShownMount> mounts = engine::shown_mounts(*spec, engine.roots(), record.id);
    value.set("EffectiveCaps", text_list(spec->process.capabilities.effective));
    value.set("BoundingCaps", text_list(spec->process.capabilities.bounding));
    value.set("HostConfig", host_document(record, *spec, mounts));
    value.set("Mounts", mounts_document(mounts));
    value.set("Config", config_document(record, *spec));
    value.set("NetworkSettings", network_document(record));
    return value;
}

} // namespace mydocker::cli
