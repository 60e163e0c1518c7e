#include "engine/volumes_from.hpp"

#include "engine/shown_mounts.hpp"
#include "engine/steps.hpp"

#include <algorithm>
#include <utility>

namespace mydocker::engine {
namespace {

MountRequest same_mount(const ShownMount& shown, const VolumesFrom& from) {
    MountRequest mount;
    const bool is_volume = shown.kind == ShownMount::Kind::volume;
    mount.kind = is_volume ? MountRequest::Kind::volume : MountRequest::Kind::bind;
    mount.source = is_volume ? shown.name : shown.source;
    mount.target = shown.destination;
    mount.read_only = from.read_only.value_or(shown.read_only);
    if (!is_volume) mount.propagation = shown.propagation;
    mount.options = shown.options;
    if (!mount.read_only) std::erase(mount.options, "rro");
    return mount;
}

} // namespace

Status add_volumes_from(Engine& engine, CreateRequest& request) {
    for (const VolumesFrom& from : request.volumes_from) {
        auto other = engine.find(from.container);
        if (!other) return fail(other, "volumes-from");
        auto spec = read_spec(engine, other->record.id);
        if (!spec) return fail(spec, "volumes-from");
        for (const ShownMount& shown : shown_mounts(*spec, engine.roots(), other->record.id)) {
            const bool taken = std::ranges::find(request.mounts, shown.destination, &MountRequest::target) !=
                               request.mounts.end();
            if (taken || shown.kind == ShownMount::Kind::tmpfs) continue;
            request.mounts.push_back(same_mount(shown, from));
        }
    }
    return {};
}

} // namespace mydocker::engine
