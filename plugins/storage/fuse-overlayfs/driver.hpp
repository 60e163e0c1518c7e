// The storage driver "fuse-overlayfs": layers on plain directories, stacked by a process for each mount (see
// server.hpp) where the kernel's own overlayfs is not to be had. What lies where is drawn in
// common/layer_store.hpp; a writable layer has upper/, work/ and the pipe served (token.hpp) of its own.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/storage_driver.hpp"
#include "storage/common/layer_store.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::fuse_overlayfs {

inline constexpr std::array<OptionSpec, 2> kOptions{{
    storage::kDurabilityOption,
    {"program", OptionType::string, "/usr/bin/fuse-overlayfs", "the program that makes the mounts' files"},
}};

class FuseOverlayfs final : public StorageDriver {
  public:
    // Touches nothing yet. Errors: invalid, naming the option.
    [[nodiscard]] static Result<std::unique_ptr<StorageDriver>> open(Host host);

    // `program`: absolute.
    FuseOverlayfs(Host host, storage::Durability durability, std::string program);

    [[nodiscard]] Result<StorageTraits> probe() override;
    [[nodiscard]] Result<std::string> create_layer(const LayerId& id, LayerChain below) override;
    [[nodiscard]] Result<Usage> seal_layer(const LayerId& id) override;
    [[nodiscard]] Status remove_layer(const LayerId& id) override;
    [[nodiscard]] Status create_rw(const RwId& id, LayerChain below, const RwOptions& options) override;
    // The source of the mount is a descriptor of this process, open on a mount that is in no namespace, and
    // served already. It can be mounted until this instance is asked for the same once more, has the writable
    // layer removed, or comes to its end; what was mounted by then stays. Whoever mounts nothing leaves
    // nothing. Errors besides: busy, when the writable layer is mounted for writing still.
    [[nodiscard]] Result<std::vector<Mount>> mounts(const RwId& id, Access access) override;
    // Of a container that runs: what it has only changed in a shared mapping may be missed until that is
    // synced or unmapped, or the kernel writes it out.
    [[nodiscard]] Status changes(const RwId& id, const ChangeVisitor& visit) override;
    [[nodiscard]] Result<Usage> usage(const RwId& id) override;
    [[nodiscard]] Status remove_rw(const RwId& id) override;
    [[nodiscard]] Status list(const StorageObjectVisitor& visit) override;
    [[nodiscard]] Result<std::uint64_t> sweep() override;

  private:
    [[nodiscard]] Status fill_rw(int directory, LayerChain below, const RwOptions& options);
    [[nodiscard]] Result<UniqueFd> start(const RwId& id, const storage::ChainRecord& record, Access access);
    [[nodiscard]] Result<UniqueFd> prepare_writing(int rw);

    storage::LayerStore store_;
    std::string program_;
    std::map<std::pair<RwId, Access>, UniqueFd> offered_; // mounts of ours that may still be taken
};

} // namespace mydocker::fuse_overlayfs
