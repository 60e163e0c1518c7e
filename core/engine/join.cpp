#include "engine/join.hpp"

#include "base/process.hpp"
#include "engine/finish.hpp"
#include "engine/lifecycle.hpp"
#include "engine/spec_builder.hpp"

#include <vector>

namespace mydocker::engine {
namespace {

Result<bool> runs(Engine& engine, const ContainerRecord& record) {
    if (!record.is_live()) return false;
    auto alive = process::is_alive(record.process);
    if (!alive || !*alive) return alive;
    return was_let_go(engine, record.id);
}

struct JoinKind {
    runtime::NamespaceKind kind;
    std::string_view word; // as the flag says it
    std::string_view file; // below /proc/PID/ns
    std::string ContainerRecord::* mode;
};

constexpr JoinKind kJoinKinds[] = {
    {runtime::NamespaceKind::network, "network", "net", &ContainerRecord::network},
    {runtime::NamespaceKind::pid, "pid", "pid", &ContainerRecord::pid_mode},
    {runtime::NamespaceKind::ipc, "ipc", "ipc", &ContainerRecord::ipc_mode},
    {runtime::NamespaceKind::uts, "uts", "uts", &ContainerRecord::uts_mode},
};

const JoinKind& join_kind(runtime::NamespaceKind kind) {
    for (const JoinKind& known : kJoinKinds)
        if (known.kind == kind) return known;
    return kJoinKinds[0];
}

// The id of the container whose namespace of the kind the record asks for; empty: none's.
std::string joined_id(const ContainerRecord& record, const JoinKind& kind) {
    const std::string& mode = record.*kind.mode;
    return mode.starts_with(kOfContainer) ? mode.substr(kOfContainer.size()) : std::string();
}

} // namespace

Result<std::string> namespace_path(Engine& engine, const std::string& container,
                                   runtime::NamespaceKind kind) {
    const JoinKind& known = join_kind(kind);
    auto other = find_settled(engine, container);
    if (!other) return fail(other, known.word);
    auto running = runs(engine, other->record);
    if (!running) return fail(running, known.word);
    if (!*running)
        return fail(Code::conflict, std::string(known.word) + ": container '" + other->record.name.str() +
                                        "' is not running");
    return "/proc/" + std::to_string(other->record.process.pid) + "/ns/" + std::string(known.file);
}

Status check_joined(Engine& engine, const ContainerRecord& record) {
    for (const JoinKind& kind : kJoinKinds) {
        const std::string id = joined_id(record, kind);
        if (id.empty()) continue;
        auto other = engine.find(id);
        if (!other) return fail(other, kind.word);
        auto running = runs(engine, other->record);
        if (!running) return fail(running, kind.word);
        if (*running) continue;
        return fail(Code::conflict,
                    std::string(kind.word) + ": container '" + other->record.name.str() + "' has just ended");
    }
    return {};
}

Status renew_joined(Engine& engine, const ContainerRecord& record, runtime::ContainerSpec& spec) {
    for (const JoinKind& kind : kJoinKinds) {
        const std::string id = joined_id(record, kind);
        if (id.empty()) continue;
        auto path = namespace_path(engine, id, kind.kind);
        if (!path) return fail(path);
        for (runtime::NamespaceSpec& space : spec.namespaces)
            if (space.kind == kind.kind) space.path = *path;
        if (kind.kind != runtime::NamespaceKind::ipc) continue;
        for (runtime::SpecMount& mount : spec.mounts)
            if (is_shared_shm(mount)) mount.source = shm_source(*path);
    }
    return {};
}

} // namespace mydocker::engine
