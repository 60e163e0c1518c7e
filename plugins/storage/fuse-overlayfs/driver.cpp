#include "driver.hpp"

#include "changes.hpp"
#include "description.hpp"
#include "mydocker/export_storage_driver.hpp"
#include "server.hpp"
#include "storage/common/tree.hpp"
#include "token.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::fuse_overlayfs {
namespace {

using storage::quoted;

// Until a daemon whose mount has just gone is gone, too: milliseconds, unless it copies a large file.
constexpr std::chrono::seconds kLongestFarewell{10};

// What a container that wrote nothing leaves, in the order of removal.
constexpr std::array kUsualLeftovers{
    storage::Leftover{kInnerWork, true},
    storage::Leftover{kWork, true},
    storage::Leftover{kUpper, true},
    storage::Leftover{kToken, false},
    storage::Leftover{storage::kRecord, false},
};

[[nodiscard]] std::unexpected<Error> too_long(std::size_t layers) {
    return fail(Code::invalid, "a chain of " + std::to_string(layers) +
                                   " layers is too long; fuse-overlayfs takes " + std::to_string(kMaxLayers));
}

[[nodiscard]] Mount describe_mount(std::string source, Access access) {
    Mount mount;
    mount.type = "bind";
    mount.source = std::move(source);
    mount.target = "/";
    mount.flags = access == Access::read_only ? MS_RDONLY : 0;
    return mount;
}

} // namespace

Result<std::unique_ptr<StorageDriver>> FuseOverlayfs::open(Host host) {
    const auto durability = storage::parse_durability(host.options());
    if (!durability) return fail(durability);
    std::string program = host.options().string("program");
    if (program.empty()) program = kOptions[1].default_value;
    if (!program.starts_with('/'))
        return fail(Code::invalid, "option program is " + quoted(program) + "; it takes an absolute path");
    // It takes the path of the writable layer, made absolute, for several.
    if (host.data_dir().contains(':'))
        return fail(Code::invalid, "fuse-overlayfs cannot work in " + quoted(host.data_dir()) +
                                       ", for the ':' in it; use another root (--root, mydocker.toml)");
    return std::make_unique<FuseOverlayfs>(std::move(host), *durability, std::move(program));
}

FuseOverlayfs::FuseOverlayfs(Host host, storage::Durability durability, std::string program)
    : store_(std::move(host), durability),
      program_(std::move(program)) {}

Result<StorageTraits> FuseOverlayfs::probe() {
    if (::access(program_.c_str(), X_OK) != 0) {
        const int error = errno;
        return fail(Code::unsupported,
                    "fuse-overlayfs cannot be used here: no program " + quoted(program_) +
                        " can be run (install the package fuse-overlayfs, or say in mydocker.toml where it "
                        "is: [storage.fuse-overlayfs] program)",
                    error);
    }
    if (auto known = probe_kernel(); !known) return fail(known);
    StorageTraits traits;
    traits.whiteouts = Whiteouts::aufs; // Plain files: no right and no kind of filesystem is needed for them.
    traits.max_layers = kMaxLayers;
    return traits;
}

Result<std::string> FuseOverlayfs::create_layer(const LayerId& id, LayerChain below) {
    if (below.size() >= kMaxLayers) return too_long(below.size() + 1);
    const auto tree = store_.create_layer(id, below);
    if (!tree) return fail(tree);
    return store_.staging_path(id);
}

Result<Usage> FuseOverlayfs::seal_layer(const LayerId& id) {
    return store_.seal_layer(id);
}

Status FuseOverlayfs::remove_layer(const LayerId& id) {
    return store_.remove_layer(id);
}

Status FuseOverlayfs::create_rw(const RwId& id, LayerChain below, const RwOptions& options) {
    if (options.size_limit)
        return fail(Code::unsupported, "fuse-overlayfs cannot limit the size of a writable layer");
    if (below.size() > kMaxLayers) return too_long(below.size());
    return store_.create_rw(id, below, options.lifetime,
                            [&](int directory) { return fill_rw(directory, below, options); });
}

Status FuseOverlayfs::fill_rw(int directory, LayerChain below, const RwOptions& options) {
    const auto mode = store_.root_mode(below);
    if (!mode) return fail(mode);
    for (const char* name : {kWork, kInnerWork, kUpper})
        if (::mkdirat(directory, name, 0700) != 0)
            return fail_errno(errno, "make directory '" + std::string(name) + "'");
    if (auto made = make_token(directory); !made) return made;
    if (::fchownat(directory, kUpper, options.owner_uid, options.owner_gid, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "give the root directory to its owner");
    // After the owner, who is given no bits of an earlier one; and past the umask.
    if (::fchmodat(directory, kUpper, *mode, 0) != 0)
        return fail_errno(errno, "set mode of the root directory");
    return {};
}

Result<std::vector<Mount>> FuseOverlayfs::mounts(const RwId& id, Access access) {
    const auto record = store_.read_rw(id);
    if (!record) return fail(record);
    const std::string rw = store_.rw_path(id);
    // Without a layer below, the writable one is the whole tree.
    if (record->below.empty()) return std::vector<Mount>{describe_mount(rw + "/" + kUpper, access)};
    auto mount = start(id, *record, access);
    if (!mount) return fail(mount, "in " + quoted(rw));
    const UniqueFd& offered = offered_[{id, access}] = std::move(*mount);
    const std::string source = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(offered.get());
    return std::vector<Mount>{describe_mount(source, access)};
}

Result<UniqueFd> FuseOverlayfs::start(const RwId& id, const storage::ChainRecord& record, Access access) {
    const auto rw = store_.open_rw(id, ".");
    if (!rw) return fail(rw);
    offered_.erase({id, access});
    UniqueFd token;
    if (access == Access::read_write) {
        auto prepared = prepare_writing(rw->get());
        if (!prepared) return fail(prepared);
        token = std::move(*prepared);
    }
    return serve({.program = program_,
                  .directory = rw->get(),
                  .options = describe_options(id, record.below, record.lifetime, access),
                  .token = token.get()},
                 store_.host());
}

// Nobody else writes there, and nothing is in the way: fuse-overlayfs numbers what it puts into its work
// directory from 1 on at each start, and does not clear away what an earlier one left.
Result<UniqueFd> FuseOverlayfs::prepare_writing(int rw) {
    const auto watch = watch_token(rw);
    if (!watch) return fail(watch);
    if (auto ended = await_end(watch->get(), kLongestFarewell, store_.host()); !ended) return fail(ended);
    const auto work = files::open_at(rw, kInnerWork, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!work) return fail(work);
    const auto left = files::list_directory(work->get(), kInnerWork);
    if (!left) return fail(left);
    for (const files::DirectoryEntry& entry : *left)
        if (auto removed = files::remove_tree(work->get(), entry.name); !removed) return fail(removed);
    return open_token(rw);
}

Status FuseOverlayfs::changes(const RwId& id, const ChangeVisitor& visit) {
    const auto record = store_.read_rw(id);
    if (!record) return fail(record);
    const auto upper = store_.open_rw(id, kUpper);
    if (!upper) return fail(upper);
    const auto root = store_.directory().open();
    if (!root) return fail(root);
    const std::string upper_path = store_.rw_path(id) + "/" + kUpper;
    return walk_changes({*root, upper->get(), store_.host().data_dir(), upper_path, record->below}, visit);
}

Result<Usage> FuseOverlayfs::usage(const RwId& id) {
    if (const auto record = store_.read_rw(id); !record) return fail(record);
    const auto upper = store_.open_rw(id, kUpper);
    if (!upper) return fail(upper);
    return storage::measure_tree(upper->get(), store_.rw_path(id) + "/" + kUpper);
}

Status FuseOverlayfs::remove_rw(const RwId& id) {
    offered_.erase({id, Access::read_only});
    offered_.erase({id, Access::read_write});
    if (auto fits = storage::check_id(id.str(), "writable layer"); !fits) return fits;
    const auto rw = store_.open_rw(id, ".");
    const auto watch = rw ? watch_token(rw->get()) : Result<UniqueFd>(fail(rw));
    auto removed = store_.remove_rw(id, kUsualLeftovers);
    if (removed || removed.error().sys_errno != ENOTEMPTY || !watch) return removed;
    // A daemon whose mount has just gone has done the last thing that it was asked for, in a directory that
    // was being emptied.
    if (auto ended = await_end(watch->get(), kLongestFarewell, store_.host()); !ended) return ended;
    return store_.remove_rw(id, kUsualLeftovers);
}

Status FuseOverlayfs::list(const StorageObjectVisitor& visit) {
    return store_.list(visit);
}

Result<std::uint64_t> FuseOverlayfs::sweep() {
    return store_.sweep();
}

} // namespace mydocker::fuse_overlayfs

MYDOCKER_EXPORT_STORAGE_DRIVER(mydocker::fuse_overlayfs::FuseOverlayfs, "fuse-overlayfs", "1.0.0",
                               "layers stacked by the program fuse-overlayfs",
                               mydocker::fuse_overlayfs::kOptions);
