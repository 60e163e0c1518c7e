// Volumes of containers. A volume says itself for which container it was made, and only its own are ever
// removed by a container's record.
#include "engine/container_volumes.hpp"

#include "base/sys.hpp"
#include "engine/bind_sources.hpp"
#include "engine/disk.hpp"
#include "engine/lifecycle.hpp"
#include "engine/mounts.hpp"
#include "engine/prune.hpp"
#include "engine/root_view.hpp"

#include <algorithm>
#include <fcntl.h>
#include <optional>

namespace mydocker::engine {
namespace {

// The directory of the image that a volume is to be filled from; nothing: the image has none there.
Result<std::optional<UniqueFd>> directory_below(int root, const std::string& target) {
    auto directory = open_in_root(root, target, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    if (directory) return std::optional(std::move(*directory));
    const int why = directory.error().sys_errno;
    if (why == ENOENT || why == ENOTDIR || why == ELOOP) return std::nullopt;
    return fail(directory);
}

// Copied here, not by init: a volume must be whole before anybody sees it, and a copy that is cut off must
// be found by whoever comes next.
Status fill_volume(VolumeStore& store, const MountRequest& mount, int root) {
    auto directory = directory_below(root, mount.target);
    if (!directory) return fail(directory);
    if (!*directory) return {};
    return store.fill(mount.source, (*directory)->get());
}

void note_volume(Engine& engine, std::string action, const std::string& name) {
    Event event;
    event.type = "volume";
    event.action = std::move(action);
    event.id = name;
    event.attributes.emplace_back("driver", "local");
    engine.note(std::move(event));
}

Status acquire_volume(Engine& engine, VolumeStore& store, const ContainerRecord& record,
                      const MountRequest& mount, UniqueFd& root) {
    Volume volume;
    volume.name = mount.source;
    volume.created_ns = sys::realtime_ns();
    volume.anonymous = mount.anonymous;
    volume.container = record.id.str();
    auto made = store.create(volume);
    if (!made) return fail(made);
    if (*made) note_volume(engine, "create", volume.name);
    if (!mount.copy) return {};
    auto empty = store.is_empty(mount.source);
    if (!empty) return fail(empty);
    if (!*empty) return {};
    if (!root) {
        auto opened = open_layers(engine, record, Access::read_only);
        if (!opened) return fail(opened);
        root = std::move(*opened);
    }
    return fill_volume(store, mount, root.get());
}

// Whether the container was undone before its command ran: an end is noted, a removal announced.
bool is_unborn(const ContainerRecord& record) {
    return record.transition != Transition::removing && record.state != State::exited;
}

// Brings containers of killed owners to rest, so that they keep no volume. Not with the lock held: what is
// recovered releases its volumes.
Status settle_containers(Engine& engine) {
    auto settled = list(engine);
    if (!settled) return fail(settled);
    return {};
}

} // namespace

std::string volumes_intent(const std::vector<MountRequest>& mounts) {
    std::string names;
    for (const MountRequest& mount : mounts)
        if (mount.kind == MountRequest::Kind::volume) names += (names.empty() ? "" : " ") + mount.source;
    return names;
}

Result<std::vector<MountRequest>> choose_mounts(const Engine& engine, const CreateRequest& request,
                                                const image::ImageConfig& image) {
    auto mounts = settle_mounts(request, image);
    if (!mounts) return mounts;
    for (const MountRequest& mount : *mounts) {
        if (mount.kind != MountRequest::Kind::bind) continue;
        auto checked = check_bind_source(mount, engine.config().create_bind_sources.value);
        if (!checked) return fail(checked, "volume");
    }
    return mounts;
}

Status acquire_mounts(Engine& engine, const ContainerRecord& record,
                      const std::vector<MountRequest>& mounts) {
    for (const MountRequest& mount : mounts)
        if (mount.kind == MountRequest::Kind::bind)
            if (auto made = make_bind_source(mount); !made) return made;
    if (volume_names(record).empty()) return {};
    auto store = VolumeStore::open(engine.roots());
    if (!store) return fail(store);
    UniqueFd root; // opened when the first volume is to be filled
    for (const MountRequest& mount : mounts) {
        if (mount.kind != MountRequest::Kind::volume) continue;
        if (auto acquired = acquire_volume(engine, *store, record, mount, root); !acquired)
            return fail(acquired, "volume '" + mount.source + "'");
    }
    return {};
}

Status release_volumes(Engine& engine, const ContainerRecord& record) {
    const bool unborn = is_unborn(record);
    const std::vector<std::string> names = volume_names(record);
    if (names.empty() || (!unborn && !record.remove_after)) return {};
    auto store = VolumeStore::open(engine.roots());
    if (!store) return fail(store);
    std::optional<VolumeUsers> users; // of all records: read when there is a volume to remove
    for (const std::string& name : names) {
        auto volume = load_volume(engine.roots(), name);
        if (!volume && volume.error().code == Code::not_found) continue;
        if (!volume) return fail(volume);
        const bool own = volume->container == record.id.str() && (unborn || volume->anonymous);
        if (!own) continue;
        if (!users) {
            auto read = volume_users(engine, record.id);
            if (!read) return fail(read);
            users = std::move(*read);
        }
        if (users->by_volume.contains(name)) continue;
        if (!users->damaged.empty()) {
            engine.diagnostics().warning("volume '" + name + "' stays: the record of container '" +
                                         users->damaged +
                                         "' is damaged, and which volumes it uses is unknown");
            continue;
        }
        if (auto removed = store->remove(name); !removed) return removed;
        note_volume(engine, "destroy", name);
    }
    return {};
}

Result<VolumeUsers> volume_users(Engine& engine, const ContainerId& but) {
    auto store = engine.state();
    if (!store) return fail(store);
    VolumeUsers users;
    auto walked = (*store)->list([&](const ListedRecord& listed) -> Status {
        if (listed.id == but) return {};
        auto record =
            listed.record ? parse_record(*listed.record) : Result<ContainerRecord>(fail(listed.record));
        if (!record) {
            users.damaged = paths::short_id(listed.id);
            return {};
        }
        for (const std::string& name : volume_names(*record))
            users.by_volume[name].push_back(listed.record->name);
        return {};
    });
    if (!walked) return fail(walked);
    return users;
}

Status create_volume(Engine& engine, const Volume& volume) {
    auto store = VolumeStore::open(engine.roots());
    if (!store) return fail(store);
    auto made = store->create(volume);
    if (!made) return fail(made);
    if (*made) note_volume(engine, "create", volume.name);
    return {};
}

Status remove_volume(Engine& engine, const std::string& name, Absent absent) {
    if (auto known = paths::parse_volume_name(name); !known) return fail(known);
    if (auto settled = settle_containers(engine); !settled) return settled;
    auto store = VolumeStore::open(engine.roots());
    if (!store) return fail(store);
    // One whose file is damaged can be removed like any other.
    auto volume = load_volume(engine.roots(), name);
    if (!volume && volume.error().code == Code::not_found)
        return absent == Absent::allowed ? Status{} : Status(fail(volume));
    auto users = volume_users(engine);
    if (!users) return fail(users);
    if (const auto used = users->by_volume.find(name); used != users->by_volume.end())
        return fail(Code::conflict,
                    "volume '" + name + "' is used by container '" + used->second.front().str() + "'");
    if (auto removed = store->remove(name); !removed) return removed;
    note_volume(engine, "destroy", name);
    return {};
}

Result<Pruned> prune_volumes(Engine& engine, Prune which, const Chooser<Volume>& chosen) {
    if (auto settled = settle_containers(engine); !settled) return fail(settled);
    auto store = VolumeStore::open(engine.roots());
    if (!store) return fail(store);
    auto volumes = list_volumes(engine.roots());
    if (!volumes) return fail(volumes);
    auto users = volume_users(engine);
    if (!users) return fail(users);
    if (!users->damaged.empty())
        return fail(Code::corrupt, "the record of container '" + users->damaged +
                                       "' is damaged: which volumes it uses is unknown; see `system check`");
    Pruned pruned;
    for (const Volume& volume : *volumes) {
        if (which == Prune::anonymous && !volume.anonymous) continue;
        if (users->by_volume.contains(volume.name) || (chosen && !chosen(volume))) continue;
        const std::uint64_t bytes = tree_bytes(paths::volume_data(engine.roots(), volume.name));
        if (auto gone = store->remove(volume.name); !gone) {
            pruned.failures.push_back(gone.error());
            continue;
        }
        note_volume(engine, "destroy", volume.name);
        pruned.names.push_back(volume.name);
        pruned.freed += bytes;
    }
    return pruned;
}

} // namespace mydocker::engine
