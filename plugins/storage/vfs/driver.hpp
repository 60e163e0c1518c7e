// The storage driver "vfs": every layer and every writable layer is a whole copy, a clone where the
// filesystem has them. Slow and large, but it works everywhere, and shows the other drivers what is right.
// What lies where is drawn in common/layer_store.hpp; a writable layer has its tree in diff/.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/storage_driver.hpp"
#include "storage/common/layer_store.hpp"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace mydocker::vfs {

inline constexpr std::array<OptionSpec, 1> kOptions{{storage::kDurabilityOption}};

class Vfs final : public StorageDriver {
  public:
    // Touches nothing yet. Errors: invalid, naming the option.
    [[nodiscard]] static Result<std::unique_ptr<StorageDriver>> open(Host host);

    Vfs(Host host, storage::Durability durability);

    [[nodiscard]] Result<StorageTraits> probe() override;
    // Errors besides: invalid, when the layers below were not made over one another in that order.
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
    // Copies the chain, which its top-most layer holds whole, into an empty directory.
    [[nodiscard]] Status copy_chain(LayerChain below, int to, const std::string& path);
    [[nodiscard]] Status fill_rw(int directory, const std::string& path, LayerChain below,
                                 const RwOptions& options);

    storage::LayerStore store_;
};

} // namespace mydocker::vfs
