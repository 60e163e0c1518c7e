// The writable layers of a LayerStore, and the walks over all that it keeps.
#include "layer_store.hpp"

#include "tree.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::storage {
namespace {

[[nodiscard]] std::string in_rw(const RwId& id) {
    return std::string(kWritable) + "/" + id.str();
}

[[nodiscard]] std::unexpected<Error> no_such_rw(const RwId& id) {
    return fail(Code::not_found, "there is no writable layer " + quoted(id.str()));
}

} // namespace

// --- writable layers ----------------------------------------------------------------------------------

Status LayerStore::create_rw(const RwId& id, LayerChain chain, Lifetime lifetime, const Fill& fill) {
    if (auto fits = check_id(id.str(), "writable layer"); !fits) return fits;
    for (const LayerId& layer : chain)
        if (auto fits = check_id(layer.str(), "layer"); !fits) return fits;
    auto entered = enter_rw(id, chain, lifetime);
    while (!entered && entered.error().code == Code::exists) {
        // The same one, another, or a half-made one, on which nobody else works.
        const auto record = read_rw(id);
        if (record && std::ranges::equal(record->below, chain)) return {};
        if (record) return fail(Code::exists, "writable layer " + quoted(id.str()) + " lies on other layers");
        if (record.error().code != Code::not_found) return fail(record);
        if (auto gone = remove_rw(id, {}); !gone) return fail(gone, "remove the half-made " + in_rw(id));
        entered = enter_rw(id, chain, lifetime);
    }
    if (!entered) return fail(entered);
    auto made = fill(entered->directory.get());
    if (made) made = files::write_all(entered->record.get(), kRecordEnd, rw_path(id) + "/" + kRecord);
    if (made) return made;
    return fail_undone(made.error(), remove_rw(id, {}));
}

// Makes rw/ID with a record, which keeps the layers from removal from then on.
Result<LayerStore::Entered> LayerStore::enter_rw(const RwId& id, LayerChain chain, Lifetime lifetime) {
    auto root = directory_.open();
    if (!root && root.error().code == Code::not_found) root = directory_.make();
    if (!root) return fail(root);
    const auto lock = directory_.lock(StoreDirectory::Mode::shared);
    if (!lock) return fail(lock);
    if (auto there = check_layers(chain); !there) return fail(there);
    const std::string name = in_rw(id);
    int failed = ::mkdirat(*root, name.c_str(), 0700) == 0 ? 0 : errno;
    if (failed == ENOENT) { // Nothing was kept here yet.
        if (root = directory_.make(); !root) return fail(root);
        failed = ::mkdirat(*root, name.c_str(), 0700) == 0 ? 0 : errno;
    }
    if (failed != 0) return fail_errno(failed, "make directory " + quoted(rw_path(id)));
    auto directory = files::open_at(*root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return fail(directory, "in " + quoted(directory_.path()));
    auto record = files::open_at(directory->get(), kRecord, O_WRONLY | O_CREAT | O_EXCL, 0600);
    const Status written = record ? files::write_all(record->get(), format_head(chain, lifetime), kRecord)
                                  : Status(std::unexpected(record.error()));
    if (written) return Entered{std::move(*directory), std::move(*record)};
    return fail_undone(fail(written, "in " + quoted(rw_path(id))).error(), directory_.discard(name));
}

Result<ChainRecord> LayerStore::read_rw(const RwId& id) {
    if (auto fits = check_id(id.str(), "writable layer"); !fits) return fail(fits);
    const auto root = directory_.open();
    if (!root && root.error().code == Code::not_found) return no_such_rw(id);
    if (!root) return fail(root);
    auto record = read_record(*root, in_rw(id) + "/" + kRecord);
    if (!record && record.error().code == Code::not_found) return no_such_rw(id);
    if (!record) return fail(record, "in " + quoted(directory_.path()));
    if (!record->complete)
        return fail(Code::not_found, "writable layer " + quoted(id.str()) + " is half-made");
    return record;
}

Result<UniqueFd> LayerStore::open_rw(const RwId& id, const std::string& name) {
    const auto root = directory_.open();
    if (!root) return fail(root);
    auto fd = files::open_at(*root, in_rw(id) + "/" + name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd) return fail(fd, "in " + quoted(directory_.path()));
    return fd;
}

Status LayerStore::remove_rw(const RwId& id, std::span<const Leftover> usual) {
    if (auto fits = check_id(id.str(), "writable layer"); !fits) return fits;
    const std::string name = in_rw(id);
    const auto moved = directory_.move_out(name);
    if (!moved && moved.error().code == Code::not_found) return {};
    if (!moved) return fail(moved);
    auto gone = directory_.discard(*moved, usual);
    if (gone || gone.error().code != Code::busy || *moved == name) return gone;
    // Something is mounted in it. Back with what is left, so that the next call finds it, and the
    // message names a place that is there.
    const auto root = directory_.open();
    if (!root || ::renameat(*root, moved->c_str(), *root, name.c_str()) != 0) return gone;
    Error busy = std::move(gone.error());
    const std::string hidden = directory_.path_of(*moved);
    if (const auto at = busy.text.find(hidden); at != std::string::npos)
        busy.text.replace(at, hidden.size(), rw_path(id));
    return std::unexpected(std::move(busy));
}

// --- walks --------------------------------------------------------------------------------------------

// What is in one of the store's directories; nothing, where it was never made.
Result<std::vector<files::DirectoryEntry>> LayerStore::entries_of(const char* where) {
    const auto root = directory_.open();
    if (!root && root.error().code == Code::not_found) return {};
    if (!root) return fail(root);
    const auto directory = files::open_at(*root, where, O_RDONLY | O_DIRECTORY);
    if (!directory && directory.error().code == Code::not_found) return {};
    if (!directory) return fail(directory, "in " + quoted(directory_.path()));
    return files::list_directory(directory->get(), directory_.path_of(where));
}

Status LayerStore::list_one(const char* where, StorageObjectKind kind, const StorageObjectVisitor& visit) {
    const auto entries = entries_of(where);
    if (!entries) return fail(entries);
    for (const auto& entry : *entries) {
        if (!check_id(entry.name, "object")) continue; // Not ours: no id of ours looks so.
        if (auto visited = visit({kind, entry.name}); !visited) return visited;
    }
    return {};
}

Status LayerStore::list(const StorageObjectVisitor& visit) {
    if (auto listed = list_one(kLayers, StorageObjectKind::layer, visit); !listed) return listed;
    if (auto listed = list_one(kStaging, StorageObjectKind::staging, visit); !listed) return listed;
    return list_one(kWritable, StorageObjectKind::rw, visit);
}

// Staging that nobody holds: its process was killed.
Status LayerStore::move_staging_out() {
    const auto entries = entries_of(kStaging);
    if (!entries) return fail(entries);
    for (const auto& entry : *entries) {
        const std::string name = std::string(kStaging) + "/" + entry.name;
        const auto fd = files::open_at(*directory_.open(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!fd || ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) continue;
        // Whoever waits for the lock finds the directory gone once it is closed, and makes a new one.
        if (!is_still_there(*directory_.open(), name, fd->get())) continue;
        const auto moved = directory_.move_out(name);
        if (!moved && moved.error().code != Code::not_found) return fail(moved);
        if (moved && *moved == name) // No room for another name: it goes where it is.
            if (auto gone = directory_.discard(name); !gone) return gone;
    }
    return {};
}

// Layers that a removal on a full disk left where they were.
Status LayerStore::move_unsealed_out() {
    const auto entries = entries_of(kLayers);
    if (!entries) return fail(entries);
    for (const auto& entry : *entries) {
        const auto sealed = is_sealed(LayerId(entry.name));
        if (!sealed) return fail(sealed);
        if (*sealed) continue;
        const auto moved = directory_.move_out(std::string(kLayers) + "/" + entry.name);
        if (!moved && moved.error().code != Code::not_found) return fail(moved);
        if (!moved) continue;
        if (auto gone = directory_.discard(*moved); !gone) return gone;
    }
    return {};
}

Result<std::uint64_t> LayerStore::measure_removed(const std::string& name) {
    const auto fd = files::open_at(*directory_.open(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd) return fail(fd);
    const auto usage = measure_tree(fd->get(), directory_.path_of(name));
    if (!usage) return fail(usage);
    return usage->bytes;
}

Result<std::uint64_t> LayerStore::sweep() {
    std::uint64_t freed = 0;
    if (auto moved = move_staging_out(); !moved) return fail(moved);
    if (auto moved = move_unsealed_out(); !moved) return fail(moved);
    const auto entries = entries_of(kRemoved);
    if (!entries) return fail(entries);
    Status first;
    for (const auto& entry : *entries) {
        if (host_.cancelled()) return fail(Code::cancelled, "sweep " + quoted(directory_.path()));
        const std::string name = std::string(kRemoved) + "/" + entry.name;
        const std::uint64_t bytes = measure_removed(name).value_or(0); // Only a figure to tell.
        const auto gone = directory_.discard(name);
        if (gone) freed += bytes;
        if (!gone && first) first = gone; // The rest can go all the same.
    }
    if (!first) return fail(first);
    return freed;
}

} // namespace mydocker::storage
