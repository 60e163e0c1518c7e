// The storage driver "overlayfs": layers and writable layers on plain directories, stacked by the kernel
// when a container is mounted. What lies where is drawn in common/layer_store.hpp; a writable layer has
// upper/ and work/ of its own; an ephemeral one the link boot (volatile_mark.hpp); and, where names would be
// too long for mount(2), links l/0, l/1, … to its layers, top-most first.
#pragma once

#include "description.hpp"
#include "mydocker/host.hpp"
#include "mydocker/storage_driver.hpp"
#include "storage/common/layer_store.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mydocker::overlayfs {

inline constexpr std::array<OptionSpec, 2> kOptions{{
    storage::kDurabilityOption,
    {"lowerdir_syntax", OptionType::string, "auto",
     "how layers are named to the kernel: auto, append (lowerdir+, newer kernels), list (mount(2))"},
}};

class Overlayfs final : public StorageDriver {
  public:
    // Touches neither disk nor kernel yet. Errors: invalid, naming the option.
    [[nodiscard]] static Result<std::unique_ptr<StorageDriver>> open(Host host);

    // `syntax`: nothing, when the kernel and the path of the data directory decide.
    Overlayfs(Host host, storage::Durability durability, std::optional<Syntax> syntax);

    [[nodiscard]] Result<StorageTraits> probe() override;
    [[nodiscard]] Result<std::string> create_layer(const LayerId& id, LayerChain below) override;
    [[nodiscard]] Result<Usage> seal_layer(const LayerId& id) override;
    [[nodiscard]] Status remove_layer(const LayerId& id) override;
    [[nodiscard]] Status create_rw(const RwId& id, LayerChain below, const RwOptions& options) override;
    // An ephemeral layer is mounted with the kernel's option "volatile". What that leaves of an earlier mount
    // is removed here, if it is to be writable; but one that was mounted in another boot, which may have
    // ended in a crash, cannot be mounted any more.
    [[nodiscard]] Result<std::vector<Mount>> mounts(const RwId& id, Access access) override;
    [[nodiscard]] Status changes(const RwId& id, const ChangeVisitor& visit) override;
    [[nodiscard]] Result<Usage> usage(const RwId& id) override;
    [[nodiscard]] Status remove_rw(const RwId& id) override;
    [[nodiscard]] Status list(const StorageObjectVisitor& visit) override;
    [[nodiscard]] Result<std::uint64_t> sweep() override;

  private:
    [[nodiscard]] Syntax syntax();
    [[nodiscard]] Status fill_rw(int directory, LayerChain below, const RwOptions& options);
    [[nodiscard]] Status prepare(const RwId& id);

    storage::LayerStore store_;
    std::optional<Syntax> syntax_;
};

} // namespace mydocker::overlayfs
