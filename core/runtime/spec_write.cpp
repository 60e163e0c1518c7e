// Writing config.json, in the order of the specification. What is empty or absent is left out.
#include "base/json.hpp"
#include "runtime/spec.hpp"
#include "runtime/spec_names.hpp"
#include "runtime/spec_seccomp.hpp"

#include <algorithm>

namespace mydocker::runtime {
namespace {

using json::Array;
using json::Object;
using json::Value;

Value list_of(const std::vector<std::string>& texts) {
    return Array(texts.begin(), texts.end());
}

void set_list(Value& object, const char* key, const std::vector<std::string>& texts) {
    if (!texts.empty()) object.set(key, list_of(texts));
}

void set_text(Value& object, const char* key, const std::string& text) {
    if (!text.empty()) object.set(key, text);
}

template <class T>
void set_optional(Value& object, const char* key, const std::optional<T>& value) {
    if (!value) return;
    if constexpr (std::is_convertible_v<T, std::string>) {
        object.set(key, *value);
    } else if constexpr (std::is_unsigned_v<T>) {
        object.set(key, static_cast<std::uint64_t>(*value));
    } else {
        object.set(key, static_cast<std::int64_t>(*value));
    }
}

// Each item by `make`.
template <class Item, class Make>
void set_objects(Value& object, const char* key, const std::vector<Item>& items, const Make& make) {
    if (items.empty()) return;
    Array array;
    for (const Item& item : items)
        array.push_back(make(item));
    object.set(key, std::move(array));
}

void set_map(Value& object, const char* key, const std::map<std::string, std::string>& map) {
    if (map.empty()) return;
    Object members;
    for (const auto& [name, text] : map)
        members.emplace_back(name, text);
    object.set(key, std::move(members));
}

void set_part(Value& object, const char* key, Value part) {
    if (!part.is_null()) object.set(key, std::move(part));
}

template <class Table, class Kind>
std::string_view word_of(const Table& table, Kind kind) {
    return std::ranges::find(table, kind, [](const auto& pair) { return pair.first; })->second;
}

Value user_json(const UserSpec& user) {
    Value value;
    value.set("uid", user.uid).set("gid", user.gid);
    set_optional(value, "umask", user.umask);
    if (!user.additional_gids.empty())
        value.set("additionalGids", Array(user.additional_gids.begin(), user.additional_gids.end()));
    if (!user.additional_groups.empty())
        value.set("additionalGroups", Array(user.additional_groups.begin(), user.additional_groups.end()));
    set_text(value, "username", user.name);
    return value;
}

Value capabilities_json(const CapabilitiesSpec& capabilities) {
    Value value;
    value.set("bounding", list_of(capabilities.bounding));
    value.set("effective", list_of(capabilities.effective));
    value.set("permitted", list_of(capabilities.permitted));
    value.set("inheritable", list_of(capabilities.inheritable));
    value.set("ambient", list_of(capabilities.ambient));
    return value;
}

Value process_json(const ProcessSpec& process) {
    Value value;
    value.set("terminal", process.terminal);
    if (process.console_size)
        value.set("consoleSize", Object{{"height", static_cast<unsigned>(process.console_size->rows)},
                                        {"width", static_cast<unsigned>(process.console_size->columns)}});
    value.set("user", user_json(process.user));
    value.set("args", list_of(process.args));
    set_list(value, "env", process.env);
    value.set("cwd", process.cwd);
    value.set("capabilities", capabilities_json(process.capabilities));
    set_objects(value, "rlimits", process.rlimits, [](const RlimitSpec& limit) {
        return Object{{"type", limit.type}, {"hard", limit.hard}, {"soft", limit.soft}};
    });
    value.set("noNewPrivileges", process.no_new_privileges);
    set_optional(value, "oomScoreAdj", process.oom_score_adj);
    return value;
}

Value spec_mount_json(const SpecMount& mount) {
    Value value;
    value.set("destination", mount.destination);
    set_text(value, "type", mount.type);
    set_text(value, "source", mount.source);
    set_list(value, "options", mount.options);
    return value;
}

Value rule_json(const DeviceRule& rule) {
    Value value;
    value.set("allow", rule.allow).set("type", std::string(1, rule.type));
    if (rule.major >= 0) value.set("major", rule.major);
    if (rule.minor >= 0) value.set("minor", rule.minor);
    value.set("access", rule.access);
    return value;
}

Value rate_json(const DeviceRate& rate) {
    return Object{{"major", rate.major}, {"minor", rate.minor}, {"rate", rate.rate}};
}

Value resources_json(const Resources& resources) {
    Value memory;
    set_optional(memory, "limit", resources.memory);
    set_optional(memory, "reservation", resources.memory_reservation);
    set_optional(memory, "swap", resources.memory_swap);
    Value cpu;
    set_optional(cpu, "shares", resources.cpu_shares);
    set_optional(cpu, "quota", resources.cpu_quota_usec);
    set_optional(cpu, "period", resources.cpu_period_usec);
    set_optional(cpu, "cpus", resources.cpuset_cpus);
    set_optional(cpu, "mems", resources.cpuset_mems);
    Value pids;
    set_optional(pids, "limit", resources.pids);
    Value block_io;
    set_optional(block_io, "weight", resources.io_weight);
    set_objects(block_io, "throttleReadBpsDevice", resources.io_read_bps, rate_json);
    set_objects(block_io, "throttleWriteBpsDevice", resources.io_write_bps, rate_json);
    set_objects(block_io, "throttleReadIOPSDevice", resources.io_read_iops, rate_json);
    set_objects(block_io, "throttleWriteIOPSDevice", resources.io_write_iops, rate_json);

    Value value;
    // An empty list is not the same as none: it says that there is no filter any more.
    if (resources.devices) {
        Array rules;
        for (const DeviceRule& rule : *resources.devices)
            rules.push_back(rule_json(rule));
        value.set("devices", std::move(rules));
    }
    set_part(value, "memory", std::move(memory));
    set_part(value, "cpu", std::move(cpu));
    set_part(value, "pids", std::move(pids));
    set_part(value, "blockIO", std::move(block_io));
    set_objects(value, "hugepageLimits", resources.hugepages, [](const HugepageLimit& limit) {
        return Object{{"pageSize", limit.page_size}, {"limit", limit.bytes}};
    });
    return value;
}

Value device_json(const DeviceSpec& device) {
    Value value;
    value.set("path", device.path).set("type", std::string(1, device.type));
    value.set("major", device.major).set("minor", device.minor);
    value.set("fileMode", device.mode).set("uid", device.uid).set("gid", device.gid);
    return value;
}

Value mapping_json(const IdMapping& mapping) {
    return Object{{"containerID", mapping.container_id}, {"hostID", mapping.host_id}, {"size", mapping.size}};
}

Value linux_json(const ContainerSpec& spec) {
    Value value;
    set_objects(value, "namespaces", spec.namespaces, [](const NamespaceSpec& space) {
        Value item;
        item.set("type", word_of(kNamespaceKinds, space.kind));
        set_text(item, "path", space.path);
        return item;
    });
    set_objects(value, "uidMappings", spec.uid_mappings, mapping_json);
    set_objects(value, "gidMappings", spec.gid_mappings, mapping_json);
    set_objects(value, "devices", spec.devices, device_json);
    set_text(value, "cgroupsPath", spec.cgroups_path);
    set_part(value, "resources", resources_json(spec.resources));
    set_text(value, "rootfsPropagation", spec.root_propagation);
    set_map(value, "sysctl", spec.sysctl);
    set_list(value, "maskedPaths", spec.masked_paths);
    set_list(value, "readonlyPaths", spec.readonly_paths);
    if (spec.seccomp.kind == SeccompSpec::Kind::given)
        value.set("seccomp", seccomp_filter_json(spec.seccomp.filter));
    return value;
}

std::map<std::string, std::string> annotations_of(const ContainerSpec& spec) {
    std::map<std::string, std::string> annotations = spec.annotations;
    annotations.erase(kSeccompAnnotation);
    if (spec.seccomp.kind != SeccompSpec::Kind::given)
        annotations[kSeccompAnnotation] = word_of(kSeccompKinds, spec.seccomp.kind);
    annotations.erase(kBestEffortAnnotation);
    std::string best_effort;
    for (const RlimitSpec& limit : spec.process.rlimits)
        if (!limit.required) best_effort += (best_effort.empty() ? "" : ",") + limit.type;
    if (!best_effort.empty()) annotations[kBestEffortAnnotation] = best_effort;
    return annotations;
}

} // namespace

std::string to_config_json(const ContainerSpec& spec) {
    Value document;
    document.set("ociVersion", kOciVersion);
    document.set("process", process_json(spec.process));
    document.set("root", Object{{"path", spec.root_path}, {"readonly", spec.root_readonly}});
    set_text(document, "hostname", spec.hostname);
    set_text(document, "domainname", spec.domainname);
    set_objects(document, "mounts", spec.mounts, spec_mount_json);
    set_part(document, "linux", linux_json(spec));
    set_map(document, "annotations", annotations_of(spec));
    return json::dump(document) + "\n";
}

} // namespace mydocker::runtime
