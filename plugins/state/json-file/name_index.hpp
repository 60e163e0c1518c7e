// Who has a name: names/<name>, a symbolic link whose text is the packed id (it is never followed). The
// records decide: an entry holds only if the record of its id bears the name, so that an entry left behind by
// a killed process is simply taken over. Changes need the store's lock.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"

#include "record_files.hpp"

#include <optional>
#include <string>

namespace mydocker::json_state {

class NameIndex {
  public:
    explicit NameIndex(const RecordFiles& files) : files_(files) {}

    // The container that has the name, as far as the index knows; nothing for an entry that is stale.
    [[nodiscard]] Result<std::optional<ContainerId>> owner(const ContainerName& name) const;

    // Gives the name to the id, before the record bears it. Errors: exists, naming the id that has it.
    // Again: succeeds.
    [[nodiscard]] Status claim(const ContainerName& name, const ContainerId& id) const;

    // Frees the name, if the entry is the id's. Absent: succeeds.
    [[nodiscard]] Status release(const ContainerName& name, const ContainerId& id) const;

  private:
    [[nodiscard]] Result<std::optional<ContainerId>> entry(const ContainerName& name) const;
    [[nodiscard]] Status take_over(const ContainerName& name, const ContainerId& id) const;
    [[nodiscard]] Status rebuild() const;
    [[nodiscard]] int make_link(const std::string& path, const ContainerId& id) const;

    const RecordFiles& files_;
};

} // namespace mydocker::json_state
