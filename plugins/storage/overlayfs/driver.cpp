#include "driver.hpp"

#include "changes.hpp"
#include "mydocker/export_storage_driver.hpp"
#include "opaque_root.hpp"
#include "probe.hpp"
#include "storage/common/tree.hpp"
#include "volatile_mark.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::overlayfs {
namespace {

[[nodiscard]] std::string quoted(const std::string& text) {
    return "'" + text + "'";
}

// What a container that wrote nothing leaves, in the order of removal: the kernel's own directories
// (the longer ones only of an ephemeral layer), then ours.
constexpr std::array kUsualLeftovers{
    storage::Leftover{kVolatileFile, false},
    storage::Leftover{kVolatileMark, true},
    storage::Leftover{"work/work/incompat", true},
    storage::Leftover{"work/work", true},
    storage::Leftover{kWork, true},
    storage::Leftover{kUpper, true},
    storage::Leftover{kBootLink, false}, // of an ephemeral layer
    storage::Leftover{storage::kRecord, false},
};

[[nodiscard]] Status make_links(int directory, LayerChain below) {
    if (::mkdirat(directory, kLinks, 0700) != 0) return fail_errno(errno, "make directory for layer links");
    for (std::size_t i = 0; i < below.size(); ++i) {
        const LayerId& layer = below[below.size() - 1 - i];
        if (::symlinkat(link_target(layer).c_str(), directory, link_name(i).c_str()) != 0)
            return fail_errno(errno, "make a link to layer " + quoted(layer.str()));
    }
    return {};
}

[[nodiscard]] std::unexpected<Error> too_long(std::size_t layers) {
    return fail(Code::invalid, "a chain of " + std::to_string(layers) +
                                   " layers is too long; overlayfs takes " + std::to_string(kMaxLayers));
}

} // namespace

Result<std::unique_ptr<StorageDriver>> Overlayfs::open(Host host) {
    const auto durability = storage::parse_durability(host.options());
    if (!durability) return fail(durability);
    const std::string word = host.options().string("lowerdir_syntax");
    std::optional<Syntax> syntax;
    if (word == "append") syntax = Syntax::append;
    if (word == "list") syntax = Syntax::list;
    if (!syntax && !word.empty() && word != "auto")
        return fail(Code::invalid,
                    "option lowerdir_syntax is " + quoted(word) + "; it takes auto, append or list");
    if (syntax == Syntax::append && !fits_append(host.data_dir()))
        return fail(Code::invalid, "option lowerdir_syntax cannot be append with " + quoted(host.data_dir()) +
                                       ": the path is too long for it, or has one of : , \\ in it");
    return std::make_unique<Overlayfs>(std::move(host), *durability, syntax);
}

Overlayfs::Overlayfs(Host host, storage::Durability durability, std::optional<Syntax> syntax)
    : store_(std::move(host), durability),
      syntax_(syntax) {}

Syntax Overlayfs::syntax() {
    if (!syntax_)
        syntax_ =
            fits_append(store_.host().data_dir()) && has_lowerdir_append() ? Syntax::append : Syntax::list;
    return *syntax_;
}

Result<StorageTraits> Overlayfs::probe() {
    if (auto known = probe_kernel(); !known) return fail(known);
    if (auto fits = probe_filesystem(store_.host().data_dir()); !fits) return fail(fits);
    StorageTraits traits;
    traits.whiteouts = Whiteouts::overlay;
    traits.max_layers = kMaxLayers;
    return traits;
}

Result<std::string> Overlayfs::create_layer(const LayerId& id, LayerChain below) {
    if (below.size() >= kMaxLayers) return too_long(below.size() + 1);
    const auto tree = store_.create_layer(id, below);
    if (!tree) return fail(tree);
    return store_.staging_path(id);
}

Result<Usage> Overlayfs::seal_layer(const LayerId& id) {
    if (const auto staged = store_.open_staged(id); staged && is_opaque_root(staged->tree.get()))
        if (auto hidden = hide_below(staged->tree.get(), staged->below, store_); !hidden)
            return fail(hidden, "layer " + quoted(id.str()));
    return store_.seal_layer(id);
}

Status Overlayfs::remove_layer(const LayerId& id) {
    return store_.remove_layer(id);
}

Status Overlayfs::create_rw(const RwId& id, LayerChain below, const RwOptions& options) {
    if (options.size_limit)
        return fail(Code::unsupported, "overlayfs cannot limit the size of a writable layer");
    if (below.size() > kMaxLayers) return too_long(below.size());
    return store_.create_rw(id, below, options.lifetime,
                            [&](int directory) { return fill_rw(directory, below, options); });
}

Status Overlayfs::fill_rw(int directory, LayerChain below, const RwOptions& options) {
    const auto mode = store_.root_mode(below);
    if (!mode) return fail(mode);
    if (::mkdirat(directory, kWork, 0700) != 0 || ::mkdirat(directory, kUpper, 0700) != 0)
        return fail_errno(errno, "make upper and work directory");
    const bool owned = options.owner_uid != 0 || options.owner_gid != 0;
    if (owned &&
        ::fchownat(directory, kUpper, options.owner_uid, options.owner_gid, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "give the root directory to its owner");
    // After the owner, who is given no bits of an earlier one; and past the umask.
    if (::fchmodat(directory, kUpper, *mode, 0) != 0)
        return fail_errno(errno, "set mode of the root directory");
    if (!needs_links(below) || syntax() == Syntax::append) return {};
    return make_links(directory, below);
}

Result<std::vector<Mount>> Overlayfs::mounts(const RwId& id, Access access) {
    const auto record = store_.read_rw(id);
    if (!record) return fail(record);
    const std::string rw = store_.rw_path(id);
    const bool links = syntax() == Syntax::list && needs_links(record->below);
    if (links && ::access((rw + "/" + kLinks).c_str(), F_OK) != 0)
        return fail(Code::unsupported,
                    "writable layer " + quoted(id.str()) + " lies on " +
                        std::to_string(record->below.size()) +
                        " layers and was made with lowerdir_syntax append, which this kernel or "
                        "the path of the data directory does not allow");
    if (record->lifetime == Lifetime::ephemeral && access == Access::read_write)
        if (auto prepared = prepare(id); !prepared) return fail(prepared, "in " + quoted(rw));
    const Stack stack{store_.host().data_dir(), rw, record->below, record->lifetime};
    return std::vector<Mount>{describe_mount(stack, access, syntax())};
}

// A mount with the option "volatile" comes next.
Status Overlayfs::prepare(const RwId& id) {
    const auto directory = store_.open_rw(id, ".");
    if (!directory) return fail(directory);
    return prepare_volatile(directory->get());
}

Status Overlayfs::changes(const RwId& id, const ChangeVisitor& visit) {
    const auto record = store_.read_rw(id);
    if (!record) return fail(record);
    const auto upper = store_.open_rw(id, kUpper);
    if (!upper) return fail(upper);
    const auto root = store_.directory().open();
    if (!root) return fail(root);
    const std::string upper_path = store_.rw_path(id) + "/" + kUpper;
    return walk_changes({*root, upper->get(), store_.host().data_dir(), upper_path, record->below}, visit);
}

Result<Usage> Overlayfs::usage(const RwId& id) {
    if (const auto record = store_.read_rw(id); !record) return fail(record);
    const auto upper = store_.open_rw(id, kUpper);
    if (!upper) return fail(upper);
    return storage::measure_tree(upper->get(), store_.rw_path(id) + "/" + kUpper);
}

Status Overlayfs::remove_rw(const RwId& id) {
    return store_.remove_rw(id, kUsualLeftovers);
}

Status Overlayfs::list(const StorageObjectVisitor& visit) {
    return store_.list(visit);
}

Result<std::uint64_t> Overlayfs::sweep() {
    return store_.sweep();
}

} // namespace mydocker::overlayfs

MYDOCKER_EXPORT_STORAGE_DRIVER(mydocker::overlayfs::Overlayfs, "overlayfs", "1.0.0",
                               "layers stacked by the kernel's overlayfs", mydocker::overlayfs::kOptions);
