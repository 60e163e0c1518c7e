// The storage driver "aufs": layers and writable layers on plain directories, stacked as branches of an aufs
// mount when a container is mounted. What lies where is drawn in common/layer_store.hpp; a writable layer
// has upper/, its branch. aufs is no part of Linux: it needs a kernel that was built with it.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/storage_driver.hpp"
#include "storage/common/layer_store.hpp"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace mydocker::aufs {

inline constexpr std::array<OptionSpec, 2> kOptions{{
    storage::kDurabilityOption,
    {"xino_dir", OptionType::string, "",
     "directory on a tmpfs for aufs's inode numbers; empty: the run directory, else /dev/shm"},
}};

class Aufs final : public StorageDriver {
  public:
    // Touches neither disk nor kernel yet. Errors: invalid, naming the option.
    [[nodiscard]] static Result<std::unique_ptr<StorageDriver>> open(Host host);

    // `xino_dir`: as the option says.
    Aufs(Host host, storage::Durability durability, std::string xino_dir);

    [[nodiscard]] Result<StorageTraits> probe() override;
    [[nodiscard]] Result<std::string> create_layer(const LayerId& id, LayerChain below) override;
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
    [[nodiscard]] Status fill_rw(int directory, LayerChain below, const RwOptions& options);

    storage::LayerStore store_;
    std::string xino_dir_;
};

} // namespace mydocker::aufs
