// The spec of a container, from what the image and the user say and what is safe.
#include "engine/spec_builder.hpp"

#include "engine/security.hpp"

#include <algorithm>
#include <ranges>
#include <string_view>

namespace mydocker::engine {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::int64_t kDefaultPids = 2048;
constexpr std::uint32_t kUmask = 0022;

std::string_view key_of(std::string_view variable) {
    return variable.substr(0, variable.find('='));
}

bool has_key(const std::vector<std::string>& environment, std::string_view key) {
    return std::ranges::any_of(environment,
                               [&](const std::string& variable) { return key_of(variable) == key; });
}

// A later variable of the same name replaces the earlier one, in its place.
void set_variable(std::vector<std::string>& environment, std::string variable) {
    for (std::string& known : environment) {
        if (key_of(known) != key_of(variable)) continue;
        known = std::move(variable);
        return;
    }
    environment.push_back(std::move(variable));
}

std::vector<std::string> environment(const SpecInput& input, const std::string& hostname) {
    std::vector<std::string> result;
    for (const std::string& variable : input.image.env)
        set_variable(result, variable);
    if (!has_key(result, "PATH")) set_variable(result, "PATH=" + std::string(kDefaultPath));
    set_variable(result, "HOSTNAME=" + hostname);
    if (input.request.terminal && !has_key(result, "TERM")) set_variable(result, "TERM=xterm");
    for (const std::string& variable : input.request.environment)
        set_variable(result, variable);
    return result;
}

std::vector<runtime::NamespaceSpec> namespaces(const SpecInput& input) {
    using runtime::NamespaceKind;
    std::vector<runtime::NamespaceSpec> result;
    for (const NamespaceKind kind : {NamespaceKind::mount, NamespaceKind::pid, NamespaceKind::ipc,
                                     NamespaceKind::uts, NamespaceKind::cgroup})
        result.push_back({kind, ""});
    if (input.request.network.kind == NetworkMode::Kind::none) result.push_back({NamespaceKind::network, ""});
    if (input.request.network.kind == NetworkMode::Kind::container)
        result.push_back({NamespaceKind::network, input.network_path});
    return result;
}

std::vector<runtime::SpecMount> mounts(const SpecInput& input) {
    std::vector<runtime::SpecMount> result = default_mounts();
    for (const char* name : {"hostname", "hosts", "resolv.conf"})
        result.push_back(
            {"/etc/" + std::string(name), "bind", input.bundle + "/etc/" + name, {"rbind", "rprivate"}});
    if (!input.request.read_only) return result;
    // Programs expect a few places to write to even then.
    for (const char* path : {"/run", "/tmp", "/var/tmp"})
        result.push_back({path, "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777"}});
    return result;
}

Resources resources(const SpecInput& input) {
    Resources result = input.request.resources;
    if (!result.pids) result.pids = kDefaultPids;
    // Without a limit on swap, one on memory is none: what does not fit is swapped out.
    if (result.memory && *result.memory > 0 && !result.memory_swap && input.swap_limit)
        result.memory_swap = *result.memory;
    if (!result.devices) result.devices = default_device_rules();
    return result;
}

runtime::CapabilitiesSpec capabilities() {
    const std::vector<std::string> granted = default_capabilities();
    return {
        .bounding = granted, .effective = granted, .permitted = granted, .inheritable = {}, .ambient = {}};
}

} // namespace

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
    spec.hostname = request.hostname.empty() ? input.id.substr(0, 12) : request.hostname;
    spec.process.terminal = request.terminal;
    spec.process.env = environment(input, spec.hostname);
    spec.process.cwd = !request.working_directory.empty() ? request.working_directory
                       : !input.image.working_dir.empty() ? input.image.working_dir
                                                          : "/";
    spec.process.user.name = !request.user.empty() ? request.user : input.image.user;
    spec.process.user.umask = kUmask; // Whatever the caller's is.
    spec.process.capabilities = capabilities();
    spec.process.rlimits = default_rlimits();
    spec.process.no_new_privileges = true;
    spec.root_readonly = request.read_only;
    spec.mounts = mounts(input);
    spec.namespaces = namespaces(input);
    spec.cgroups_path = (request.cgroup_parent.empty() ? "mydocker" : request.cgroup_parent) + "/" + input.id;
    spec.resources = resources(input);
    spec.masked_paths = masked_paths();
    spec.readonly_paths = readonly_paths();
    if (request.network.kind == NetworkMode::Kind::none) spec.sysctl = network_sysctls();
    spec.annotations["io.mydocker.image"] = request.image;
    return spec;
}

std::vector<std::pair<std::string, std::string>> etc_files(const std::string& hostname,
                                                           const std::string& host_resolv_conf) {
    std::string hosts = "127.0.0.1\tlocalhost\n"
                        "::1\tlocalhost ip6-localhost ip6-loopback\n"
                        "fe00::0\tip6-localnet\n"
                        "ff00::0\tip6-mcastprefix\n"
                        "ff02::1\tip6-allnodes\n"
                        "ff02::2\tip6-allrouters\n";
    hosts += "127.0.1.1\t" + hostname + "\n";
    return {{"hostname", hostname + "\n"}, {"hosts", hosts}, {"resolv.conf", host_resolv_conf}};
}

} // namespace mydocker::engine
