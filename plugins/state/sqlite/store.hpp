// The state store "sqlite": one database file, changes serialized by SQLite, readers never wait. The file is
// drawn in schema.hpp. It does not look into documents.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/state_store.hpp"

#include "database.hpp"
#include "schema.hpp"
#include "spare.hpp"

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace mydocker::sqlite_state {

// "normal" and not "off", as "json-file" has it: there a power loss costs the records being written, here it
// may cost all of them.
inline constexpr std::array<OptionSpec, 2> kOptions{{
    {"synchronous", OptionType::string, "normal",
     "\"full\": each change survives a power loss; \"normal\": the file does, the last changes may not; "
     "\"off\""},
    {"lock_timeout", OptionType::duration, "30s", "how long to wait for another process's change"},
}};

class SqliteStore final : public StateStore {
  public:
    // Touches nothing on disk yet. Errors: invalid, naming the option.
    [[nodiscard]] static Result<std::unique_ptr<StateStore>> open(Host host);

    SqliteStore(Host host, Synchronous synchronous);
    ~SqliteStore() override;
    SqliteStore(const SqliteStore&) = delete;
    SqliteStore& operator=(const SqliteStore&) = delete;

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
    enum class Absent { report, create };

    // The database, opened if the path names another file than the one that is open. Errors: not_found.
    [[nodiscard]] Result<Database*> database(Absent absent);
    [[nodiscard]] Result<std::unique_ptr<Database>> open_database() const;
    // What `work` makes of the database, on a full disk once more with the room of the spare file; `absent`
    // where there is no store.
    template <class T, class Work>
    [[nodiscard]] Result<T> use(Result<T> absent, const Work& work);

    Host host_;
    Synchronous synchronous_;
    std::string path_;
    Spare spare_;
    bool is_spare_used_ = false;
    FileIdentity identity_; // of what is open
    std::unique_ptr<Database> database_;
};

} // namespace mydocker::sqlite_state
