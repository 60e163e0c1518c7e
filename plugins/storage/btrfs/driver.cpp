#include "driver.hpp"

#include "mydocker/export_storage_driver.hpp"
#include "probe.hpp"
#include "subvolume.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::btrfs {

Result<std::unique_ptr<StorageDriver>> Btrfs::open(Host host) {
    const auto durability = storage::parse_durability(host.options());
    if (!durability) return fail(durability);
    return std::make_unique<Btrfs>(std::move(host), *durability);
}

Btrfs::Btrfs(Host host, storage::Durability durability) : store_(std::move(host), durability, &remove_tree) {}

Result<StorageTraits> Btrfs::probe() {
    if (auto fits = probe_filesystem(store_.host().data_dir()); !fits) return fail(fits);
    StorageTraits traits;
    traits.whiteouts = Whiteouts::applied;
    traits.userns_mountable = true; // A bind mount is a privilege of every mount namespace's owner.
    return traits;
}

Status Btrfs::make_tree(int directory, LayerChain below) {
    if (below.empty()) return create_subvolume(directory, storage::kTree);
    const LayerId& top = below.back();
    const auto record = store_.read_layer(top);
    if (!record) return fail(record);
    if (!std::ranges::equal(record->below, below.first(below.size() - 1)))
        return fail(Code::invalid, "layer '" + top.str() + "' was made over other layers than those given");
    const auto base = store_.open_layer(top);
    if (!base) return fail(base);
    // A snapshot of what holds the store has empty directories in the place of its subvolumes.
    if (!is_subvolume(base->get()))
        return fail(Code::corrupt, "'" + store_.layer_path(top) + "' is no subvolume; remove the layer");
    return create_snapshot(base->get(), directory, storage::kTree);
}

Result<std::string> Btrfs::create_layer(const LayerId& id, LayerChain below) {
    if (const auto tree = store_.create_layer(id, below); !tree) return fail(tree);
    std::string path = store_.staging_path(id);
    const auto filled = fill_staging(id, below);
    if (filled) return path;
    return storage::fail_undone(fail(filled, "in '" + path + "'").error(), store_.remove_layer(id));
}

// The store has made a plain directory; it is empty, and held by us.
Status Btrfs::fill_staging(const LayerId& id, LayerChain below) {
    const auto root = store_.directory().open();
    if (!root) return fail(root);
    const auto staging = files::open_at(*root, std::string(storage::kStaging) + "/" + id.str(),
                                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!staging) return fail(staging);
    if (::unlinkat(staging->get(), storage::kTree, AT_REMOVEDIR) != 0)
        return fail_errno(errno, "make room for a subvolume");
    if (auto made = make_tree(staging->get(), below); !made) return made;
    if (!below.empty()) return {}; // The root is that of the layer below.
    const auto mode = store_.root_mode(below);
    if (!mode) return fail(mode);
    if (::fchmodat(staging->get(), storage::kTree, *mode, 0) == 0) return {};
    return fail_errno(errno, "set the mode of the root directory");
}

Result<Usage> Btrfs::seal_layer(const LayerId& id) {
    return store_.seal_layer(id);
}

Status Btrfs::remove_layer(const LayerId& id) {
    return store_.remove_layer(id);
}

Status Btrfs::create_rw(const RwId& id, LayerChain below, const RwOptions& options) {
    if (options.size_limit) return fail(Code::unsupported, "btrfs cannot limit the size of a writable layer");
    return store_.create_rw(id, below, options.lifetime,
                            [&](int directory) { return fill_rw(directory, below, options); });
}

Status Btrfs::fill_rw(int directory, LayerChain below, const RwOptions& options) {
    const auto mode = store_.root_mode(below);
    if (!mode) return fail(mode);
    if (auto made = make_tree(directory, below); !made) return made;
    if (::fchownat(directory, storage::kTree, options.owner_uid, options.owner_gid, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "give the root directory to its owner");
    // After the owner, who is given no bits of an earlier one; and past the umask.
    if (::fchmodat(directory, storage::kTree, *mode, 0) != 0)
        return fail_errno(errno, "set the mode of the root directory");
    return {};
}

Result<std::vector<Mount>> Btrfs::mounts(const RwId& id, Access access) {
    if (const auto record = store_.read_rw(id); !record) return fail(record);
    Mount mount;
    mount.type = "bind";
    mount.source = store_.rw_path(id) + "/" + storage::kTree;
    mount.target = "/";
    mount.flags = access == Access::read_only ? MS_RDONLY : 0;
    return std::vector<Mount>{std::move(mount)};
}

Result<Btrfs::Pair> Btrfs::open_pair(const RwId& id) {
    const auto record = store_.read_rw(id);
    if (!record) return fail(record);
    Pair pair;
    pair.path = store_.rw_path(id) + "/" + storage::kTree;
    auto snapshot = store_.open_rw(id, storage::kTree);
    if (!snapshot) return fail(snapshot);
    pair.snapshot = std::move(*snapshot);
    // The record's end was written when the snapshot was complete.
    struct stat written{};
    if (::stat((store_.rw_path(id) + "/" + storage::kRecord).c_str(), &written) != 0)
        return fail_errno(errno, "look at the record of writable layer '" + id.str() + "'");
    pair.made = written.st_mtim;
    if (record->below.empty()) return pair;
    auto base = store_.open_layer(record->below.back());
    if (!base) return fail(base);
    pair.base = std::move(*base);
    return pair;
}

Status Btrfs::changes(const RwId& id, const ChangeVisitor& visit) {
    const auto pair = open_pair(id);
    if (!pair) return fail(pair);
    return walk_changes(pair->source(), visit);
}

Result<Usage> Btrfs::usage(const RwId& id) {
    const auto pair = open_pair(id);
    if (!pair) return fail(pair);
    return measure_changes(pair->source());
}

Status Btrfs::remove_rw(const RwId& id) {
    return store_.remove_rw(id, {});
}

Status Btrfs::list(const StorageObjectVisitor& visit) {
    return store_.list(visit);
}

Result<std::uint64_t> Btrfs::sweep() {
    return store_.sweep();
}

} // namespace mydocker::btrfs

MYDOCKER_EXPORT_STORAGE_DRIVER(mydocker::btrfs::Btrfs, "btrfs", "1.0.0", "subvolumes and snapshots of btrfs",
                               mydocker::btrfs::kOptions);
