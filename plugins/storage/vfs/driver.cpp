#include "driver.hpp"

#include "changes.hpp"
#include "copy.hpp"
#include "mydocker/export_storage_driver.hpp"
#include "storage/common/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::vfs {

Result<std::unique_ptr<StorageDriver>> Vfs::open(Host host) {
    const auto durability = storage::parse_durability(host.options());
    if (!durability) return fail(durability);
    return std::make_unique<Vfs>(std::move(host), *durability);
}

Vfs::Vfs(Host host, storage::Durability durability) : store_(std::move(host), durability) {}

Result<StorageTraits> Vfs::probe() {
    StorageTraits traits;
    traits.whiteouts = Whiteouts::applied;
    traits.userns_mountable = true; // A bind mount is a privilege of every mount namespace's owner.
    return traits;
}

Status Vfs::copy_chain(LayerChain below, int to, const std::string& path) {
    if (below.empty()) return {};
    const LayerId& top = below.back();
    const auto record = store_.read_layer(top);
    if (!record) return fail(record);
    if (!std::ranges::equal(record->below, below.first(below.size() - 1)))
        return fail(Code::invalid, "layer '" + top.str() + "' was made over other layers than those given");
    const auto from = store_.open_layer(top);
    if (!from) return fail(from);
    const std::string from_path = store_.layer_path(top);
    return copy_tree({from->get(), from_path}, {to, path}, store_.host());
}

Result<std::string> Vfs::create_layer(const LayerId& id, LayerChain below) {
    const auto tree = store_.create_layer(id, below);
    if (!tree) return fail(tree);
    std::string path = store_.staging_path(id);
    const auto copied = copy_chain(below, tree->get(), path);
    if (copied) return path;
    return storage::fail_undone(copied.error(), store_.remove_layer(id));
}

Result<Usage> Vfs::seal_layer(const LayerId& id) {
    return store_.seal_layer(id);
}

Status Vfs::remove_layer(const LayerId& id) {
    return store_.remove_layer(id);
}

Status Vfs::create_rw(const RwId& id, LayerChain below, const RwOptions& options) {
    if (options.size_limit) return fail(Code::unsupported, "vfs cannot limit the size of a writable layer");
    const std::string path = store_.rw_path(id) + "/" + storage::kTree;
    return store_.create_rw(id, below, options.lifetime,
                            [&](int directory) { return fill_rw(directory, path, below, options); });
}

Status Vfs::fill_rw(int directory, const std::string& path, LayerChain below, const RwOptions& options) {
    const auto mode = store_.root_mode(below);
    if (!mode) return fail(mode);
    if (::mkdirat(directory, storage::kTree, 0700) != 0)
        return fail_errno(errno, "make directory '" + path + "'");
    const auto tree = files::open_at(directory, storage::kTree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!tree) return fail(tree);
    if (auto copied = copy_chain(below, tree->get(), path); !copied) return copied;
    if (::fchown(tree->get(), options.owner_uid, options.owner_gid) != 0)
        return fail_errno(errno, "give '" + path + "' to its owner");
    // After the owner, who is given no bits of an earlier one; and past the umask.
    if (::fchmod(tree->get(), *mode) != 0) return fail_errno(errno, "set the mode of '" + path + "'");
    return {};
}

Result<std::vector<Mount>> Vfs::mounts(const RwId& id, Access access) {
    if (const auto record = store_.read_rw(id); !record) return fail(record);
    Mount mount;
    mount.type = "bind";
    mount.source = store_.rw_path(id) + "/" + storage::kTree;
    mount.target = "/";
    mount.flags = access == Access::read_only ? MS_RDONLY : 0;
    return std::vector<Mount>{std::move(mount)};
}

Status Vfs::changes(const RwId& id, const ChangeVisitor& visit) {
    const auto record = store_.read_rw(id);
    if (!record) return fail(record);
    const std::string path = store_.rw_path(id) + "/" + storage::kTree;
    const auto copy = store_.open_rw(id, storage::kTree);
    if (!copy) return fail(copy);
    // The record's end was written when the copy was complete.
    struct stat made{};
    if (::stat((store_.rw_path(id) + "/" + storage::kRecord).c_str(), &made) != 0)
        return fail_errno(errno, "look at the record of writable layer '" + id.str() + "'");
    UniqueFd base;
    std::string base_path;
    if (!record->below.empty()) {
        auto layer = store_.open_layer(record->below.back());
        if (!layer) return fail(layer);
        base = std::move(*layer);
        base_path = store_.layer_path(record->below.back());
    }
    return walk_changes({base.get(), base_path, copy->get(), path, made.st_mtim}, visit);
}

Result<Usage> Vfs::usage(const RwId& id) {
    if (const auto record = store_.read_rw(id); !record) return fail(record);
    const auto copy = store_.open_rw(id, storage::kTree);
    if (!copy) return fail(copy);
    return storage::measure_tree(copy->get(), store_.rw_path(id) + "/" + storage::kTree);
}

Status Vfs::remove_rw(const RwId& id) {
    return store_.remove_rw(id, {});
}

Status Vfs::list(const StorageObjectVisitor& visit) {
    return store_.list(visit);
}

Result<std::uint64_t> Vfs::sweep() {
    return store_.sweep();
}

} // namespace mydocker::vfs

MYDOCKER_EXPORT_STORAGE_DRIVER(mydocker::vfs::Vfs, "vfs", "1.0.0", "whole copies, on any filesystem",
                               mydocker::vfs::kOptions);
