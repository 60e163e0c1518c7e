#include "driver.hpp"

#include "branch.hpp"
#include "changes.hpp"
#include "description.hpp"
#include "mydocker/export_storage_driver.hpp"
#include "names.hpp"
#include "probe.hpp"
#include "storage/common/tree.hpp"
#include "xino.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::aufs {
namespace {

[[nodiscard]] std::string quoted(const std::string& text) {
    return "'" + text + "'";
}

// What a container that wrote nothing leaves, in the order of removal: aufs's own names, then ours.
constexpr std::array kUsualLeftovers{
    storage::Leftover{"upper/.wh..wh.orph", true},  storage::Leftover{"upper/.wh..wh.plnk", true},
    storage::Leftover{"upper/.wh..wh.aufs", false}, storage::Leftover{kUpper, true},
    storage::Leftover{storage::kRecord, false},
};

[[nodiscard]] std::unexpected<Error> too_long(std::size_t layers) {
    return fail(Code::invalid, "a chain of " + std::to_string(layers) + " layers is too long; aufs takes " +
                                   std::to_string(kMaxLayers));
}

} // namespace

Result<std::unique_ptr<StorageDriver>> Aufs::open(Host host) {
    const auto durability = storage::parse_durability(host.options());
    if (!durability) return fail(durability);
    std::string xino_dir = host.options().string("xino_dir");
    if (auto fits = check_xino_dir(xino_dir); !fits) return fail(fits);
    return std::make_unique<Aufs>(std::move(host), *durability, std::move(xino_dir));
}

Aufs::Aufs(Host host, storage::Durability durability, std::string xino_dir)
    : store_(std::move(host), durability),
      xino_dir_(std::move(xino_dir)) {}

Result<StorageTraits> Aufs::probe() {
    if (auto known = probe_kernel(); !known) return fail(known);
    if (auto fits = probe_filesystem(store_.host().data_dir()); !fits) return fail(fits);
    StorageTraits traits;
    traits.whiteouts = Whiteouts::aufs;
    traits.max_layers = kMaxLayers;
    return traits;
}

Result<std::string> Aufs::create_layer(const LayerId& id, LayerChain below) {
    if (below.size() >= kMaxLayers) return too_long(below.size() + 1);
    const auto tree = store_.create_layer(id, below);
    if (!tree) return fail(tree);
    return store_.staging_path(id);
}

Result<Usage> Aufs::seal_layer(const LayerId& id) {
    if (const auto staged = store_.open_staged(id); staged)
        if (auto made = make_branch(staged->tree.get(), store_.staging_path(id), staged->below, store_);
            !made)
            return fail(made, "layer " + quoted(id.str()));
    return store_.seal_layer(id);
}

Status Aufs::remove_layer(const LayerId& id) {
    return store_.remove_layer(id);
}

Status Aufs::create_rw(const RwId& id, LayerChain below, const RwOptions& options) {
    if (options.size_limit) return fail(Code::unsupported, "aufs cannot limit the size of a writable layer");
    if (below.size() > kMaxLayers) return too_long(below.size());
    return store_.create_rw(id, below, options.lifetime,
                            [&](int directory) { return fill_rw(directory, below, options); });
}

Status Aufs::fill_rw(int directory, LayerChain below, const RwOptions& options) {
    // For aufs's tables (xino.hpp). Without it they lie elsewhere.
    (void)::mkdir(store_.host().run_dir().c_str(), 0700);
    const auto mode = store_.root_mode(below);
    if (!mode) return fail(mode);
    if (::mkdirat(directory, kUpper, 0700) != 0) return fail_errno(errno, "make the writable branch");
    if (::fchownat(directory, kUpper, options.owner_uid, options.owner_gid, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "give the root directory to its owner");
    // After the owner, who is given no bits of an earlier one; and past the umask.
    if (::fchmodat(directory, kUpper, *mode, 0) == 0) return {};
    return fail_errno(errno, "set mode of the root directory");
}

Result<std::vector<Mount>> Aufs::mounts(const RwId& id, Access access) {
    const auto record = store_.read_rw(id);
    if (!record) return fail(record);
    const std::string rw = store_.rw_path(id);
    const std::string xino = xino_path(xino_directory(xino_dir_, store_.host().run_dir()), id, access);
    return std::vector<Mount>{describe_mount({rw, xino, record->below}, access)};
}

Status Aufs::changes(const RwId& id, const ChangeVisitor& visit) {
    const auto record = store_.read_rw(id);
    if (!record) return fail(record);
    const auto upper = store_.open_rw(id, kUpper);
    if (!upper) return fail(upper);
    const auto root = store_.directory().open();
    if (!root) return fail(root);
    const std::string upper_path = store_.rw_path(id) + "/" + kUpper;
    return walk_changes({*root, upper->get(), store_.host().data_dir(), upper_path, record->below}, visit);
}

Result<Usage> Aufs::usage(const RwId& id) {
    if (const auto record = store_.read_rw(id); !record) return fail(record);
    const auto upper = store_.open_rw(id, kUpper);
    if (!upper) return fail(upper);
    return storage::measure_tree(upper->get(), store_.rw_path(id) + "/" + kUpper);
}

Status Aufs::remove_rw(const RwId& id) {
    return store_.remove_rw(id, kUsualLeftovers);
}

Status Aufs::list(const StorageObjectVisitor& visit) {
    return store_.list(visit);
}

Result<std::uint64_t> Aufs::sweep() {
    return store_.sweep();
}

} // namespace mydocker::aufs

MYDOCKER_EXPORT_STORAGE_DRIVER(mydocker::aufs::Aufs, "aufs", "1.0.0",
                               "layers stacked by aufs, on kernels that have it", mydocker::aufs::kOptions);
