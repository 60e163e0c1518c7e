// The face of a state store: keeps one document for each container, under an id and a unique name.
// It does not look into documents.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mydocker {

using ContainerId = Id<struct ContainerIdTag>; // 64 lower-case hex digits
using ContainerName = Id<struct ContainerNameTag>;

// Grows by every change of a record; 0 is never a revision.
using Revision = std::uint64_t;
inline constexpr Revision kAnyRevision = 0;

struct StoredRecord {
    ContainerId id;
    ContainerName name;
    Revision revision = 0;
    std::string document; // bytes, at most 1 MiB
};

// Called for each record; a record that cannot be read comes as its id (as far as known) and error.
struct ListedRecord {
    ContainerId id;
    Result<StoredRecord> record;
};
using RecordVisitor = std::function<Status(const ListedRecord&)>;

struct StateTraits {
    bool durable = false; // a change that returned success survives a power loss
};

// Every change is atomic: readers and crashes see the old or the new record, never a mixture.
// Several processes may use the same store at once. Threads: one at a time for one instance.
class StateStore {
  public:
    StateStore() = default;
    StateStore(const StateStore&) = delete;
    StateStore& operator=(const StateStore&) = delete;
    virtual ~StateStore() = default;

    // Errors: unsupported, with the reason, when it cannot work here.
    [[nodiscard]] virtual Result<StateTraits> probe() = 0;

    // Makes a record, claiming id and name together. Errors: exists, the text naming the id that
    // has the name (or saying that the id is taken).
    [[nodiscard]] virtual Result<Revision> reserve(const ContainerId& id, const ContainerName& name,
                                                   std::string_view document) = 0;

    // Errors: not_found; corrupt, saying where the damage is; unsupported for a newer schema.
    [[nodiscard]] virtual Result<StoredRecord> load(const ContainerId& id) = 0;

    // Finds a container by full id, name, or unique id prefix, in this order.
    // Errors: not_found; conflict when a prefix fits several, the text naming them.
    [[nodiscard]] virtual Result<ContainerId> resolve(std::string_view name_or_prefix) = 0;

    // Replaces the document if the revision is still `expected` (kAnyRevision: in any case).
    // Errors: not_found, conflict.
    [[nodiscard]] virtual Result<Revision> save(const ContainerId& id, std::string_view document,
                                                Revision expected) = 0;

    // Errors: not_found, exists as for reserve.
    [[nodiscard]] virtual Result<Revision> rename(const ContainerId& id, const ContainerName& name) = 0;

    // Errors: conflict. Absent: succeeds.
    [[nodiscard]] virtual Status remove(const ContainerId& id, Revision expected) = 0;

    // Walks all records in the order they were reserved; damaged ones are reported, the walk goes on.
    [[nodiscard]] virtual Status list(const RecordVisitor& visit) = 0;
};

} // namespace mydocker
