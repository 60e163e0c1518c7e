// What all storage drivers on plain directories share: layers are staged, sealed and removed here,
// writable layers made and removed, leftovers swept. It does not know how a driver stacks layers, nor
// what a driver puts into a writable layer.
//
//   <data_dir>/                    0700; flock: shared while a use is entered, exclusive while the
//   │                              users of a layer are looked for
//   ├── layers/<layer id>/         a sealed layer
//   │   ├── below                  what it lies on, what it takes up (chain_record.hpp)
//   │   └── diff/                  the tree; the layer is there as long as this name is
//   ├── staging/<layer id>/        a layer to be, of the same shape; flock: held by who unpacks into it
//   ├── rw/<rw id>/                a writable layer
//   │   ├── below                  what it lies on; written last: half-made without its end
//   │   └── …                      the driver's own
//   └── removed/<id>.<pid>.<n>/    out of sight, being deleted
//
//   create_layer:  mkdir staging/ID → flock → below, diff/          (killed: nobody holds it → swept)
//   seal_layer:    on disk → rename staging/ID layers/ID            (waiters see layers/ID: exists)
//   remove_*:      rename …/ID removed/… → delete                   (killed: swept)
//   create_rw:     mkdir rw/ID → below without end → the driver's own → end
#pragma once

#include "chain_record.hpp"
#include "mydocker/host.hpp"
#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "mydocker/support/files.hpp"
#include "store_directory.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::storage {

inline constexpr const char* kTree = "diff";

// How a layer's data reaches the disk before the layer is sealed.
//   layer   every file and directory of it, with fsync; beyond kMaxSyncedFiles with one syncfs
//   fs      syncfs: all that is dirty on the filesystem, whoever wrote it
//   none    when the kernel likes; a power loss may leave a sealed layer with empty files
enum class Durability : std::uint8_t { layer, fs, none };

// An fsync costs 0.12 to 0.15 ms a file even after the kernel was told to start writing, so 3,000 small
// files take 370 to 470 ms, and one syncfs 50 to 90 ms (ext4 with and without journal, xfs).
inline constexpr std::uint64_t kMaxSyncedFiles = 512;

inline constexpr OptionSpec kDurabilityOption{
    "durability", OptionType::string, "layer",
    "what reaches the disk before a layer counts: layer (its files), fs (the whole filesystem), none"};

// Errors: invalid, when the option holds another word.
[[nodiscard]] Result<Durability> parse_durability(const Options& options);

class LayerStore {
  public:
    // Puts the driver's own into rw/ID, open as `directory`.
    using Fill = std::function<Status(int directory)>;

    // Touches nothing yet. `remove`: what deletes trees, those of layers and all around them.
    LayerStore(Host host, Durability durability, RemoveTree remove = &files::remove_tree);

    [[nodiscard]] const Host& host() const { return host_; }
    [[nodiscard]] StoreDirectory& directory() { return directory_; }

    // As the face says, but without a copy of what is below. Returns staging/ID/diff, open and empty,
    // with the mode of the top-most layer's root. The lock is held until seal, removal or the end.
    // Errors: exists, not_found, invalid; cancelled.
    [[nodiscard]] Result<UniqueFd> create_layer(const LayerId& id, LayerChain below);
    [[nodiscard]] Result<Usage> seal_layer(const LayerId& id);
    [[nodiscard]] Status remove_layer(const LayerId& id);

    // What this instance has staged: the tree, open, and what it will lie on. Errors: not_found.
    struct Staged {
        UniqueFd tree;
        std::vector<LayerId> below; // base first
    };
    [[nodiscard]] Result<Staged> open_staged(const LayerId& id);

    // Errors: not_found, naming the layer.
    [[nodiscard]] Result<UniqueFd> open_layer(const LayerId& id);
    [[nodiscard]] Result<ChainRecord> read_layer(const LayerId& id);

    // As the face says; `fill` runs for a new or half-made one, with the layers kept from removal.
    [[nodiscard]] Status create_rw(const RwId& id, LayerChain below, Lifetime lifetime, const Fill& fill);
    // Errors: not_found, also for a half-made one.
    [[nodiscard]] Result<ChainRecord> read_rw(const RwId& id);
    // Opens rw/ID/<name>, a directory. Errors: not_found.
    [[nodiscard]] Result<UniqueFd> open_rw(const RwId& id, const std::string& name);
    // `usual`: what is left of most writable layers, below rw/ID.
    [[nodiscard]] Status remove_rw(const RwId& id, std::span<const Leftover> usual);

    [[nodiscard]] Status list(const StorageObjectVisitor& visit);
    [[nodiscard]] Result<std::uint64_t> sweep();

    [[nodiscard]] std::string layer_path(const LayerId& id) const;   // …/layers/ID/diff
    [[nodiscard]] std::string staging_path(const LayerId& id) const; // …/staging/ID/diff
    [[nodiscard]] std::string rw_path(const RwId& id) const;         // …/rw/ID

    // The mode of the root directory of the top-most layer; 0755 without any.
    [[nodiscard]] Result<mode_t> root_mode(LayerChain below);

  private:
    [[nodiscard]] Result<bool> is_sealed(const LayerId& id);
    [[nodiscard]] Status check_layers(LayerChain below);
    [[nodiscard]] Result<UniqueFd> hold_staging(const LayerId& id);
    [[nodiscard]] Result<UniqueFd> lock_staging(const LayerId& id);
    [[nodiscard]] Result<UniqueFd> fill_staging(int staging, const LayerId& id, LayerChain below);
    [[nodiscard]] Status sync_staging(int staging, const LayerId& id, Usage& usage);
    [[nodiscard]] Status check_unused(const LayerId& id);
    [[nodiscard]] Status check_unused_in(const char* where, std::string_view what, const LayerId& id);
    [[nodiscard]] Result<std::string> move_layer_out(const LayerId& id);
    struct Entered {
        UniqueFd directory; // rw/ID
        UniqueFd record;    // its record, without an end
    };
    [[nodiscard]] Result<Entered> enter_rw(const RwId& id, LayerChain below, Lifetime lifetime);
    [[nodiscard]] Status list_one(const char* where, StorageObjectKind kind,
                                  const StorageObjectVisitor& visit);
    [[nodiscard]] Result<std::vector<files::DirectoryEntry>> entries_of(const char* where);
    [[nodiscard]] Status move_staging_out();
    [[nodiscard]] Status move_unsealed_out();
    [[nodiscard]] Result<std::uint64_t> measure_removed(const std::string& name);

    Host host_;
    Durability durability_;
    RemoveTree remove_;
    StoreDirectory directory_;
    std::map<LayerId, UniqueFd> held_; // staging directories of this instance, locked
};

} // namespace mydocker::storage
