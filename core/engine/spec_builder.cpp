// The spec of a container, from what the image and the user say and what is safe.
#include "engine/spec_builder.hpp"

#include "base/environment.hpp"
#include "engine/mounts.hpp"
#include "engine/security.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace mydocker::engine {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::int64_t kDefaultPids = 2048;
constexpr std::uint32_t kUmask = 0022;

std::vector<std::string> environment(const SpecInput& input, const std::string& hostname) {
    std::vector<std::string> result;
    environment::set_all(result, input.request.host_environment);
    environment::set_all(result, input.image.env);
    if (!environment::has(result, "PATH")) environment::set(result, "PATH=" + std::string(kDefaultPath));
    environment::set(result, "HOSTNAME=" + hostname);
    if (input.request.terminal && !environment::has(result, "TERM")) environment::set(result, "TERM=xterm");
    environment::set_all(result, input.request.environment);
    return result;
}

void add_namespace(std::vector<runtime::NamespaceSpec>& spaces, runtime::NamespaceKind kind,
                   const NamespaceMode& mode, const std::string& path) {
    if (mode.kind == NamespaceMode::Kind::host) return; // Kinds that are not listed are shared.
    spaces.push_back({kind, mode.kind == NamespaceMode::Kind::own ? std::string() : path});
}

std::vector<runtime::NamespaceSpec> namespaces(const SpecInput& input) {
    using runtime::NamespaceKind;
    const CreateRequest& request = input.request;
    std::vector<runtime::NamespaceSpec> result{{NamespaceKind::mount, ""}};
    add_namespace(result, NamespaceKind::pid, request.pid, input.pid_path);
    add_namespace(result, NamespaceKind::ipc, request.ipc, input.ipc_path);
    add_namespace(result, NamespaceKind::uts, request.uts, input.uts_path);
    if (!request.host_cgroups) result.push_back({NamespaceKind::cgroup, ""});
    if (request.network.kind == NetworkMode::Kind::none) result.push_back({NamespaceKind::network, ""});
    if (request.network.kind == NetworkMode::Kind::container)
        result.push_back({NamespaceKind::network, input.network_path});
    return result;
}

void set_shm_size(std::vector<runtime::SpecMount>& mounts, std::uint64_t bytes) {
    for (runtime::SpecMount& mount : mounts) {
        if (mount.destination != "/dev/shm") continue;
        std::erase_if(mount.options, [](const std::string& option) { return option.starts_with("size="); });
        mount.options.push_back("size=" + std::to_string(bytes));
    }
}

// A user's bind mount has "rbind" (mounts.cpp).
constexpr std::array<std::string_view, 5> kSharedShmOptions{"bind", "rprivate", "nosuid", "noexec", "nodev"};

// Shared memory goes with the ipc namespace.
void share_shm(const SpecInput& input, std::vector<runtime::SpecMount>& mounts) {
    const NamespaceMode::Kind kind = input.request.ipc.kind;
    if (kind == NamespaceMode::Kind::own) return;
    for (runtime::SpecMount& mount : mounts)
        if (mount.destination == "/dev/shm")
            mount = {.destination = "/dev/shm",
                     .type = "bind",
                     .source = kind == NamespaceMode::Kind::host ? "/dev/shm" : shm_source(input.ipc_path),
                     .options = {kSharedShmOptions.begin(), kSharedShmOptions.end()}};
}

std::vector<runtime::SpecMount> mounts(const SpecInput& input) {
    std::vector<runtime::SpecMount> result = default_mounts();
    if (input.request.privileged)
        for (runtime::SpecMount& mount : result)
            std::erase(mount.options, "ro");
    share_shm(input, result);
    for (const char* name : {"hostname", "hosts", "resolv.conf"})
        result.push_back(
            {"/etc/" + std::string(name), "bind", input.bundle + "/" + name, {"rbind", "rprivate"}});
    if (input.request.read_only)
        for (runtime::SpecMount& mount : scratch_mounts())
            result.push_back(std::move(mount));
    if (input.request.shm_size) set_shm_size(result, *input.request.shm_size);
    merge_mounts(result, input.mounts);
    return result;
}

std::vector<DeviceRule> device_rules(const CreateRequest& request) {
    if (request.privileged && request.device_rules.empty())
        return {{.allow = true, .type = 'a', .major = -1, .minor = -1, .access = "rwm"}};
    std::vector<DeviceRule> rules = default_device_rules();
    if (request.privileged)
        rules.push_back({.allow = true, .type = 'a', .major = -1, .minor = -1, .access = "rwm"});
    for (const DeviceRequest& device : request.devices)
        // Its node has to be made, whatever may be done with it.
        rules.push_back({true, device.type, device.major, device.minor,
                         device.access.find('m') == std::string::npos ? device.access + "m" : device.access});
    rules.insert(rules.end(), request.device_rules.begin(), request.device_rules.end());
    return rules;
}

// Those asked for by name stand last: at one path the last counts.
std::vector<runtime::DeviceSpec> device_nodes(const SpecInput& input) {
    std::vector<runtime::DeviceSpec> nodes;
    for (const auto* list : {&input.host_devices, &input.request.devices})
        for (const DeviceRequest& device : *list)
            nodes.push_back({.path = device.path,
                             .type = device.type,
                             .major = device.major,
                             .minor = device.minor,
                             .mode = device.mode,
                             .uid = device.uid,
                             .gid = device.gid});
    return nodes;
}

Resources resources(const SpecInput& input) {
    Resources result = input.request.resources;
    if (!result.pids) result.pids = kDefaultPids;
    // Without a limit on swap, one on memory is none: what does not fit is swapped out.
    if (result.memory && *result.memory > 0 && !result.memory_swap && input.swap_limit)
        result.memory_swap = result.memory;
    if (!result.devices) result.devices = device_rules(input.request);
    return result;
}

const std::string& user_name(const SpecInput& input) {
    return !input.request.user.empty() ? input.request.user : input.image.user;
}

// By what is said; another name may stand for root's number in the image, and then it makes no difference.
bool is_root(std::string_view user) {
    const std::string_view name = user.substr(0, user.find(':'));
    return name.empty() || name == "root" || name == "0";
}

runtime::CapabilitiesSpec capabilities(const SpecInput& input) {
    std::vector<std::string> add = input.request.cap_add;
    if (input.request.privileged) add.emplace_back("ALL");
    const std::vector<std::string> granted =
        granted_capabilities(add, input.request.cap_drop, input.all_capabilities);
    // A user who is not root keeps none over an exec(2) but the ambient ones: those asked for are meant for
    // him.
    std::vector<std::string> ambient;
    if (!is_root(user_name(input)) && !input.request.privileged)
        for (const std::string& name : granted)
            if (std::ranges::find(input.request.cap_add, name) != input.request.cap_add.end())
                ambient.push_back(name);
    return {.bounding = granted,
            .effective = granted,
            .permitted = granted,
            .inheritable = ambient,
            .ambient = ambient};
}

std::vector<runtime::RlimitSpec> rlimits(const CreateRequest& request) {
    std::vector<runtime::RlimitSpec> result = default_rlimits();
    for (const Ulimit& limit : request.ulimits) {
        std::erase_if(result, [&](const runtime::RlimitSpec& known) { return known.type == limit.type; });
        result.push_back({.type = limit.type, .soft = limit.soft, .hard = limit.hard, .required = true});
    }
    return result;
}

runtime::UserSpec user(const SpecInput& input) {
    runtime::UserSpec spec;
    spec.name = user_name(input);
    spec.umask = input.request.umask.value_or(kUmask); // Whatever the caller's is.
    spec.additional_groups = input.request.groups;
    // Names are looked up for a user that is; by its number that is root, too.
    if (spec.name.empty() && !spec.additional_groups.empty()) spec.name = "0";
    return spec;
}

void hide_paths(const CreateRequest& request, runtime::ContainerSpec& spec) {
    const bool show_all =
        request.privileged || std::ranges::find(request.unmasked, "ALL") != request.unmasked.end();
    if (!show_all) {
        spec.masked_paths = masked_paths();
        spec.readonly_paths = readonly_paths();
    }
    for (const std::string& path : request.unmasked) {
        std::erase(spec.masked_paths, path);
        std::erase(spec.readonly_paths, path);
    }
    for (const std::string& path : request.masked)
        if (std::ranges::find(spec.masked_paths, path) == spec.masked_paths.end())
            spec.masked_paths.push_back(path);
}

bool is_replaced(const CreateRequest& request, std::string_view line) {
    return (!request.dns.empty() && line.starts_with("nameserver")) ||
           (!request.dns_search.empty() && (line.starts_with("search") || line.starts_with("domain"))) ||
           (!request.dns_options.empty() && line.starts_with("options"));
}

std::string line_of(std::string_view key, const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words)
        line += " " + word;
    return words.empty() ? "" : std::string(key) + line + "\n";
}

// The host's file with what was asked for in place of its own: resolvers, search list, options.
std::string resolv_conf(const CreateRequest& request, std::string_view host) {
    std::string text;
    while (!host.empty()) {
        const std::string_view line = host.substr(0, host.find('\n'));
        host.remove_prefix(std::min(line.size() + 1, host.size()));
        if (!is_replaced(request, line)) text.append(line).append("\n");
    }
    text += line_of("search", request.dns_search);
    for (const std::string& resolver : request.dns)
        text += "nameserver " + resolver + "\n";
    return text + line_of("options", request.dns_options);
}

} // namespace

std::size_t entrypoint_size(const image::ImageConfig& image, const CreateRequest& request) {
    if (request.entrypoint) return request.entrypoint->empty() ? 0 : 1;
    return image.entrypoint.size();
}

std::vector<std::string> effective_command(const image::ImageConfig& image, const CreateRequest& request) {
    std::vector<std::string> result;
    if (request.entrypoint) {
        if (!request.entrypoint->empty()) result.push_back(*request.entrypoint);
        result.insert(result.end(), request.command.begin(), request.command.end());
        return result;
    }
    result = image.entrypoint;
    const std::vector<std::string>& arguments = request.command.empty() ? image.cmd : request.command;
    result.insert(result.end(), arguments.begin(), arguments.end());
    return result;
}

Result<runtime::ContainerSpec> build_spec(const SpecInput& input) {
    const CreateRequest& request = input.request;
    runtime::ContainerSpec spec;
    spec.process.args = effective_command(input.image, request);
    if (spec.process.args.empty())
        return fail(Code::invalid,
                    "image '" + request.image + "' names no command; give one after the image");
    const std::string own_name = request.hostname.empty() ? input.id.substr(0, 12) : request.hostname;
    const bool has_own_name = request.uts.kind == NamespaceMode::Kind::own;
    if (has_own_name) spec.hostname = own_name;
    spec.domainname = request.domainname;
    spec.process.terminal = request.terminal;
    spec.process.env = environment(input, has_own_name ? own_name : input.shared_name);
    spec.process.cwd = !request.working_directory.empty() ? request.working_directory
                       : !input.image.working_dir.empty() ? input.image.working_dir
                                                          : "/";
    spec.process.user = user(input);
    spec.process.capabilities = capabilities(input);
    spec.process.rlimits = rlimits(request);
    spec.process.no_new_privileges = request.no_new_privileges.value_or(!request.privileged);
    spec.process.oom_score_adj = request.oom_score_adj;
    using Filter = FilterChoice::Kind;
    const Filter usual = request.privileged ? Filter::unconfined : Filter::builtin;
    if ((request.filter ? request.filter->kind : usual) == Filter::unconfined)
        spec.seccomp.kind = runtime::SeccompSpec::Kind::unconfined;
    spec.root_readonly = request.read_only;
    spec.mounts = mounts(input);
    spec.namespaces = namespaces(input);
    spec.cgroups_path =
        (request.cgroup_parent.empty() ? std::string(kCgroupParent) : request.cgroup_parent) + "/" + input.id;
    spec.devices = device_nodes(input);
    spec.resources = resources(input);
    hide_paths(request, spec);
    if (request.network.kind == NetworkMode::Kind::none) spec.sysctl = network_sysctls();
    for (const auto& [key, value] : request.sysctls)
        spec.sysctl[key] = value;
    spec.annotations = request.annotations;
    spec.annotations["io.mydocker.image"] = request.image;
    if (request.privileged) spec.annotations[std::string(kPrivilegedNote)] = "true";
    return spec;
}

bool is_shared_shm(const runtime::SpecMount& mount) {
    return mount.destination == "/dev/shm" && mount.type == "bind" &&
           std::ranges::equal(mount.options, kSharedShmOptions);
}

std::string shm_source(const std::string& ipc_path) {
    return ipc_path.substr(0, ipc_path.find("/ns/")) + "/root/dev/shm";
}

std::vector<std::pair<std::string, std::string>>
etc_files(const CreateRequest& request, const std::string& hostname, const std::string& host_resolv_conf) {
    std::string hosts = "127.0.0.1\tlocalhost\n"
                        "::1\tlocalhost ip6-localhost ip6-loopback\n"
                        "fe00::0\tip6-localnet\n"
                        "ff00::0\tip6-mcastprefix\n"
                        "ff02::1\tip6-allnodes\n"
                        "ff02::2\tip6-allrouters\n";
    hosts += "127.0.1.1\t" + hostname + "\n";
    for (const ExtraHost& host : request.extra_hosts)
        hosts += host.address + "\t" + host.name + "\n";
    return {{"hostname", hostname + "\n"},
            {"hosts", hosts},
            {"resolv.conf", resolv_conf(request, host_resolv_conf)}};
}

} // namespace mydocker::engine
