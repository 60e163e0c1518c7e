// The state store "json-file": a file a record, replaced atomically, one lock for changes, an index of
// names. The layout on disk is drawn in record.hpp. It does not look into documents.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/state_store.hpp"

#include "name_index.hpp"
#include "record_files.hpp"
#include "store_lock.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

namespace mydocker::json_state {

// sync is off by default: rename makes every change atomic, also for a kill -9, and what a record
// describes, processes and mounts, a power loss ends anyway. It costs milliseconds a change.
inline constexpr std::array<OptionSpec, 2> kOptions{{
    {"sync", OptionType::boolean, "false", "a change is on disk before it returns (survives a power loss)"},
    {"lock_timeout", OptionType::duration, "30s", "how long to wait for another process's change"},
}};

class JsonFileStore final : public StateStore {
  public:
    // Touches nothing on disk yet.
    [[nodiscard]] static Result<std::unique_ptr<StateStore>> open(Host host);

    explicit JsonFileStore(Host host);

    [[nodiscard]] Result<StateTraits> probe() override;
    [[nodiscard]] Result<Revision> reserve(const ContainerId& id, const ContainerName& name,
                                           std::string_view document) override;
    [[nodiscard]] Result<StoredRecord> load(const ContainerId& id) override;
    [[nodiscard]] Result<ContainerId> resolve(std::string_view name_or_prefix) override;
    [[nodiscard]] Result<Revision> save(const ContainerId& id, std::string_view document,
                                        Revision expected) override;
    [[nodiscard]] Result<Revision> rename(const ContainerId& id, const ContainerName& name) override;
    [[nodiscard]] Status remove(const ContainerId& id, Revision expected) override;
    [[nodiscard]] Status list(const RecordVisitor& visit) override;

  private:
    // The record that this instance wrote last, without its document. As long as the path still names
    // the file that is held open here, nobody else changed it and it need not be read again.
    struct Written {
        Record record;
        WrittenFile file;
    };

    // Opens the store's directory, and takes the lock.
    [[nodiscard]] Result<StoreLock::Guard> enter(Missing missing);
    // Reserves once the lock is held. Errors: conflict: the store was removed under our feet.
    [[nodiscard]] Result<Revision> reserve_locked(const ContainerId& id, const ContainerName& name,
                                                  std::string_view document);
    [[nodiscard]] Result<std::uint64_t> next_sequence();
    // The record as it is now, maybe without its document. Needs the lock.
    [[nodiscard]] Result<Record> current(const ContainerId& id) const;
    [[nodiscard]] Result<Revision> write(Record record, std::string_view document, Placement placement);
    [[nodiscard]] Result<ContainerId> resolve_prefix(std::string_view prefix) const;
    [[nodiscard]] Result<ContainerId> resolve_unindexed(const ContainerName& name) const;

    Host host_;
    std::chrono::nanoseconds patience_;
    RecordFiles files_;
    NameIndex names_;
    StoreLock lock_;
    std::optional<Written> written_;
};

} // namespace mydocker::json_state
