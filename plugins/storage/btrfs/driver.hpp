// The storage driver "btrfs": layers and writable layers are subvolumes, each a snapshot of the one below it.
// What lies where is drawn in common/layer_store.hpp; each diff/, a layer's and a writable layer's, is a
// subvolume.
#pragma once

#include "changes.hpp"
#include "mydocker/host.hpp"
#include "mydocker/storage_driver.hpp"
#include "storage/common/layer_store.hpp"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace mydocker::btrfs {

inline constexpr std::array<OptionSpec, 1> kOptions{{storage::kDurabilityOption}};

class Btrfs final : public StorageDriver {
  public:
    // Touches nothing yet. Errors: invalid, naming the option.
    [[nodiscard]] static Result<std::unique_ptr<StorageDriver>> open(Host host);

    Btrfs(Host host, storage::Durability durability);

    [[nodiscard]] Result<StorageTraits> probe() override;
    // Errors besides: invalid, when the layers below were not made over one another in that order; corrupt,
    // when the top-most one is no subvolume any more.
    [[nodiscard]] Result<std::string> create_layer(const LayerId& id, LayerChain below) override;
    // Usage: of the whole tree, also of what it shares with the layers below.
    [[nodiscard]] Result<Usage> seal_layer(const LayerId& id) override;
    [[nodiscard]] Status remove_layer(const LayerId& id) override;
    [[nodiscard]] Status create_rw(const RwId& id, LayerChain below, const RwOptions& options) override;
    [[nodiscard]] Result<std::vector<Mount>> mounts(const RwId& id, Access access) override;
    [[nodiscard]] Status changes(const RwId& id, const ChangeVisitor& visit) override;
    [[nodiscard]] Result<Usage> usage(const RwId& id) override;
    [[nodiscard]] Status remove_rw(const RwId& id) override;
    [[nodiscard]] Status list(const StorageObjectVisitor& visit) override;
    [[nodiscard]] Result<std::uint64_t> sweep() override;

  private:
    // Makes diff/ in the open directory: a snapshot of the chain, which its top-most layer holds whole.
    [[nodiscard]] Status make_tree(int directory, LayerChain below);
    [[nodiscard]] Status fill_staging(const LayerId& id, LayerChain below);
    [[nodiscard]] Status fill_rw(int directory, LayerChain below, const RwOptions& options);
    // A writable layer and what it was made of.
    struct Pair {
        UniqueFd base; // none: it began empty
        UniqueFd snapshot;
        std::string path; // of the snapshot
        timespec made{};

        [[nodiscard]] ChangeSource source() const { return {base.get(), snapshot.get(), path, made}; }
    };
    [[nodiscard]] Result<Pair> open_pair(const RwId& id);

    storage::LayerStore store_;
};

} // namespace mydocker::btrfs
