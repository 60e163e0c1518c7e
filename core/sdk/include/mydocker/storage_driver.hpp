// The face of a storage driver: keeps unpacked image layers and writable layers, and describes the
// mounts that make a root filesystem of them. It does not mount, and knows nothing of images.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mydocker {

using LayerId = Id<struct LayerTag>; // 64 hex digits: the layer's chain id
using RwId = Id<struct RwTag>;       // 64 hex digits: the container's id

// The layers below, lowest (base) first.
using LayerChain = std::span<const LayerId>;

// How a layer says that a name below is gone, in the staging directory that create_layer returns.
enum class Whiteouts : std::uint32_t {
    overlay = 1, // character device 0:0; directory xattr trusted.overlay.opaque=y
    aufs = 2,    // empty file .wh.NAME; .wh..wh..opq
    applied = 3, // the staging directory holds a full copy of what is below: delete the name there
};

struct StorageTraits {
    Whiteouts whiteouts = Whiteouts::applied;
    std::uint32_t max_layers = 0; // longest chain that can be mounted writable; 0: no limit
    bool id_map = false;          // mounts can be id-mapped
    bool quota = false;           // RwOptions::size_limit is enforced
    bool userns_mountable = false;
};

// What a layer or writable layer takes up on disk.
struct Usage {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 0;
};

enum class Access : std::uint32_t { read_only = 0, read_write = 1 };

enum class Propagation : std::uint32_t { inherit = 0, isolated = 1, follower = 2, shared = 3 };

// One mount, as mount(2) and mount_setattr(2) know it. Source: mount(2).
struct Mount {
    std::string type;        // filesystem type, or "bind" (then `source` is a directory or file)
    std::string source;      // absolute path, or the type's own idea of a source
    std::string target;      // absolute inside the root filesystem; "/" is the root itself
    std::uint64_t flags = 0; // MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC…
    Propagation propagation = Propagation::inherit;
    std::vector<std::string> options; // one option an element, "key" or "key=value", never joined
    std::string directory; // directory that relative names in `options` start from; empty: none are
    // What the filesystem takes only once it is mounted: each is the data of one further mount(2) with
    // MS_REMOUNT, in order, options joined by commas, at most 4,095 bytes. Names start as in `options`.
    std::vector<std::string> remounts = {};
};

// How long a writable layer is meant to live: an ephemeral one may skip what only durability needs.
enum class Lifetime : std::uint32_t { kept = 0, ephemeral = 1 };

struct RwOptions {
    std::optional<std::uint64_t> size_limit; // bytes
    std::uint32_t owner_uid = 0;             // owner of the root directory
    std::uint32_t owner_gid = 0;
    Lifetime lifetime = Lifetime::kept;
};

enum class ChangeKind : std::uint32_t { added = 1, modified = 2, removed = 3 };

// One difference between a writable layer and the layers below it.
struct Change {
    ChangeKind kind = ChangeKind::added;
    std::string path;    // absolute inside the root filesystem, bytes
    std::string content; // absolute host path of the new entry, never followed if a link; empty if removed
    bool opaque = false; // a directory that hides all that is below it
};

enum class StorageObjectKind : std::uint32_t { layer = 1, staging = 2, rw = 3 };

struct StorageObject {
    StorageObjectKind kind = StorageObjectKind::layer;
    std::string id;
};

// Return an error from a visitor to stop the walk; the walker hands that error on.
using ChangeVisitor = std::function<Status(const Change&)>;
using StorageObjectVisitor = std::function<Status(const StorageObject&)>;

// Every id is chosen by the caller before the effect. After a kill at any instant the next call
// works. Threads: one at a time, as the engine serialises.
class StorageDriver {
  public:
    StorageDriver() = default;
    StorageDriver(const StorageDriver&) = delete;
    StorageDriver& operator=(const StorageDriver&) = delete;
    virtual ~StorageDriver() = default;

    // Says what the driver can do on this host; changes nothing that lasts.
    // Errors: unsupported, with the reason, when it cannot work here.
    [[nodiscard]] virtual Result<StorageTraits> probe() = 0;

    // Makes an empty staging directory (Whiteouts::applied: a copy of the chain) to unpack a layer
    // into; returns its absolute path. Waits while another process is staging the same layer.
    // Errors: exists when the layer is sealed already; not_found when a layer of `below` is not.
    // Again: the same staging directory, emptied.
    [[nodiscard]] virtual Result<std::string> create_layer(const LayerId& id, LayerChain below) = 0;

    // Makes what was staged a layer: data durable first (as the option `durability` says), then one
    // rename. Errors: not_found when nothing is staged. Again: succeeds with the same usage.
    [[nodiscard]] virtual Result<Usage> seal_layer(const LayerId& id) = 0;

    // Removes a layer, sealed or staged: out of sight by one rename first, then deleted.
    // Errors: busy when a writable layer or a layer of this driver uses it. Absent: succeeds.
    [[nodiscard]] virtual Status remove_layer(const LayerId& id) = 0;

    // Makes a writable layer over a chain. Errors: exists, when it is there with another chain;
    // not_found naming the missing layer; invalid when the chain is longer than max_layers;
    // unsupported when size_limit is set and quota is false. Again: succeeds.
    [[nodiscard]] virtual Status create_rw(const RwId& id, LayerChain below, const RwOptions& options) = 0;

    // Describes the mounts that make the root filesystem, in order; the first has target "/". They can be
    // made as long as the driver lives and is not asked again: a source may be a descriptor in its
    // /proc/PID/fd. Pure: changes nothing on disk, and what it may have to start, to serve a mount, ends by
    // itself when nothing is mounted any more. Errors: not_found; busy, when what served it has not ended
    // yet.
    [[nodiscard]] virtual Result<std::vector<Mount>> mounts(const RwId& id, Access access) = 0;

    // Walks the differences, parents before children, siblings in byte order. Errors: not_found.
    [[nodiscard]] virtual Status changes(const RwId& id, const ChangeVisitor& visit) = 0;

    // What the writable layer itself takes up. Errors: not_found.
    [[nodiscard]] virtual Result<Usage> usage(const RwId& id) = 0;

    // Removes a writable layer, a half-made one too: out of sight by one rename first. Never
    // crosses into another filesystem. Errors: busy, naming the place, when something is mounted
    // below it. Absent: succeeds.
    [[nodiscard]] virtual Status remove_rw(const RwId& id) = 0;

    // Walks all that the driver keeps, in no order.
    [[nodiscard]] virtual Status list(const StorageObjectVisitor& visit) = 0;

    // Deletes leftovers of killed processes: what was moved out of sight, staging nobody holds.
    // Returns the bytes freed.
    [[nodiscard]] virtual Result<std::uint64_t> sweep() = 0;
};

} // namespace mydocker
