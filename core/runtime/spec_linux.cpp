// Reading config.json: what is Linux's own. Source: OCI runtime-spec, config-linux.md.
#include "runtime/spec_names.hpp"
#include "runtime/spec_parts.hpp"
#include "runtime/spec_seccomp.hpp"

#include <algorithm>

namespace mydocker::runtime {
namespace {

constexpr std::uint32_t kLastMode = 07777;

void read_namespaces(const Member& list, std::vector<NamespaceSpec>& namespaces) {
    for (const Member& member : list.elements()) {
        const Member type = member.at("type");
        const std::string word = type.required().text();
        const auto* known =
            std::ranges::find(kNamespaceKinds, word, [](const auto& pair) { return pair.second; });
        if (known == kNamespaceKinds.end()) {
            type.complain("'" + word + "' is no kind of namespace");
            continue;
        }
        if (std::ranges::find(namespaces, known->first, &NamespaceSpec::kind) != namespaces.end())
            type.complain("'" + word + "' is there twice");
        const Member path = member.at("path");
        NamespaceSpec space{.kind = known->first, .path = path.text()};
        if (!space.path.empty() && space.path.front() != '/') path.complain("is no absolute path");
        namespaces.push_back(std::move(space));
    }
}

std::vector<IdMapping> read_mappings(const Member& list) {
    std::vector<IdMapping> mappings;
    for (const Member& member : list.elements())
        mappings.push_back(
            {.container_id = member.at("containerID").required().number<std::uint32_t>(0, kLastId),
             .host_id = member.at("hostID").required().number<std::uint32_t>(0, kLastId),
             .size = member.at("size").required().number<std::uint32_t>(1)});
    return mappings;
}

DeviceSpec read_device(const Member& member) {
    DeviceSpec device;
    const Member path = member.at("path");
    device.path = path.required().text();
    if (path.present() && !device.path.starts_with('/')) path.complain("is no absolute path");
    const Member type = member.at("type");
    const std::string word = type.required().text();
    const bool known = word == "c" || word == "u" || word == "b" || word == "p";
    if (type.present() && !known) type.complain("'" + word + "' is none of c, u, b, p");
    if (known) device.type = word.front();
    const Member major = member.at("major");
    const Member minor = member.at("minor");
    if (device.type != 'p') {
        (void)major.required();
        (void)minor.required();
    }
    device.major = major.number<std::int64_t>(0, kLastMajor);
    device.minor = minor.number<std::int64_t>(0, kLastMinor);
    device.mode = member.at("fileMode").optional_number<std::uint32_t>(0, kLastMode).value_or(device.mode);
    device.uid = member.at("uid").number<std::uint32_t>(0, kLastId);
    device.gid = member.at("gid").number<std::uint32_t>(0, kLastId);
    return device;
}

} // namespace

void read_linux(const Member& linux_member, ContainerSpec& spec) {
    // What somebody asked for and would not get, security above all, must not pass in silence.
    for (const char* key :
         {"intelRdt", "mountLabel", "personality", "timeOffsets", "netDevices", "memoryPolicy"})
        linux_member.at(key).refuse_if_asked();
    const Member seccomp = linux_member.at("seccomp");
    if (seccomp.present()) {
        spec.seccomp.kind = SeccompSpec::Kind::given;
        spec.seccomp.filter = read_seccomp_filter(seccomp);
    }
    read_namespaces(linux_member.at("namespaces"), spec.namespaces);
    spec.uid_mappings = read_mappings(linux_member.at("uidMappings"));
    spec.gid_mappings = read_mappings(linux_member.at("gidMappings"));
    for (const Member& device : linux_member.at("devices").elements())
        spec.devices.push_back(read_device(device));
    spec.cgroups_path = linux_member.at("cgroupsPath").text();
    spec.resources = read_resources(linux_member.at("resources"));
    spec.sysctl = linux_member.at("sysctl").text_map();
    spec.root_propagation = linux_member.at("rootfsPropagation").text();
    spec.masked_paths = linux_member.at("maskedPaths").texts();
    spec.readonly_paths = linux_member.at("readonlyPaths").texts();
}

} // namespace mydocker::runtime
