#include "store.hpp"

#include "changes.hpp"
#include "listing.hpp"
#include "lookup.hpp"

#include "state/common/rules.hpp"

#include "mydocker/export_state_store.hpp"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace mydocker::sqlite_state {
namespace {

[[nodiscard]] std::optional<Synchronous> parse_synchronous(std::string_view text) {
    if (text == "off") return Synchronous::off;
    if (text == "normal") return Synchronous::normal;
    if (text == "full") return Synchronous::full;
    return std::nullopt;
}

// Processes on different machines cannot share the memory of the -shm file. Source: sqlite.org/wal.html
[[nodiscard]] bool is_shared_between_machines(const std::string& path) {
    constexpr std::array<unsigned long, 6> kNetwork = {NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC, SMB2_SUPER_MAGIC,
                                                       CIFS_SUPER_MAGIC, V9FS_MAGIC,      AFS_SUPER_MAGIC};
    struct statfs status{};
    if (::statfs(path.c_str(), &status) != 0) return false;
    return std::ranges::find(kNetwork, static_cast<unsigned long>(status.f_type)) != kNetwork.end();
}

} // namespace

Result<std::unique_ptr<StateStore>> SqliteStore::open(Host host) {
    const std::string text = host.options().string("synchronous");
    const auto synchronous = parse_synchronous(text);
    if (!synchronous)
        return fail(Code::invalid,
                    "use option synchronous = '" + text + "'; it must be 'off', 'normal' or 'full'");
    return std::make_unique<SqliteStore>(std::move(host), *synchronous);
}

SqliteStore::SqliteStore(Host host, Synchronous synchronous)
    : host_(std::move(host)),
      synchronous_(synchronous),
      path_(host_.data_dir() + "/" + kFileName),
      spare_(host_.data_dir()) {}

SqliteStore::~SqliteStore() {
    database_.reset();
    if (is_spare_used_)
        (void)spare_.keep(); // If the disk is still full, the next reservation makes it or fails.
}

Result<StateTraits> SqliteStore::probe() {
    constexpr int kStrictTables = 3'037'000;
    if (sqlite3_libversion_number() < kStrictTables)
        return fail(Code::unsupported,
                    std::string("use SQLite ") + sqlite3_libversion() + "; 3.37 or a newer one is needed");
    const std::string parent = host_.data_dir().substr(0, host_.data_dir().rfind('/'));
    for (const std::string& place : {host_.data_dir(), parent})
        if (is_shared_between_machines(place))
            return fail(Code::unsupported,
                        "keep a database in '" + place + "', which is on a network filesystem");
    return StateTraits{.durable = synchronous_ == Synchronous::full};
}

Result<std::unique_ptr<Database>> SqliteStore::open_database() const {
    auto opened = Database::open(
        path_,
        {.synchronous = synchronous_, .patience = host_.options().duration("lock_timeout"), .host = &host_});
    if (!opened) return opened;
    if (auto known = check_schema(**opened); !known) return fail(known);
    return opened;
}

Result<Database*> SqliteStore::database(Absent absent) {
    constexpr int kAttempts = 5; // Only a store that is made and removed all the time needs more.
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const auto file = identify(path_);
        if (file && database_ && identity_ == *file && !database_->is_frozen()) return database_.get();
        database_.reset(); // The whole store was removed since it was opened, or may have been changed.
        if (!file && file.error().code == Code::not_found && absent == Absent::create) {
            if (auto created = create_store(host_.data_dir(), synchronous_); !created) return fail(created);
            continue;
        }
        if (!file) return fail(file);
        auto opened = open_database();
        if (!opened) return fail(opened);
        if (identify(path_) != file) continue;
        database_ = std::move(*opened);
        identity_ = *file;
        return database_.get();
    }
    return fail(Code::conflict, "open state store '" + path_ + "', which others remove again and again");
}

template <class T, class Work>
Result<T> SqliteStore::use(Result<T> absent, const Work& work) {
    const auto attempt = [&]() -> Result<T> {
        auto opened = database(Absent::report);
        if (!opened && opened.error().code == Code::not_found) return absent;
        if (!opened) return fail(opened);
        return work(**opened);
    };
    Result<T> result = attempt();
    const bool is_full = !result && result.error().code == Code::no_space;
    if (!is_full || !spare_.release()) return result;
    is_spare_used_ = true;
    return attempt();
}

Result<Revision> SqliteStore::reserve(const ContainerId& id, const ContainerName& name,
                                      std::string_view document) {
    if (auto fit = state::check_id(id); !fit) return fail(fit);
    if (auto fit = state::check_name(name); !fit) return fail(fit);
    if (auto fit = state::check_document(document); !fit) return fail(fit);
    auto opened = database(Absent::create);
    if (!opened) return fail(opened);
    sweep_drafts(host_.data_dir());
    if (auto kept = spare_.keep(); !kept) return fail(kept);
    return reserve_row(**opened, id, name, document);
}

Result<StoredRecord> SqliteStore::load(const ContainerId& id) {
    if (auto fit = state::check_id(id); !fit) return fail(fit);
    return use<StoredRecord>(state::no_such(state::short_id(id)),
                             [&](Database& database) -> Result<StoredRecord> {
                                 auto row = find_row(database, id);
                                 if (!row) return fail(row);
                                 return std::move(row->record);
                             });
}

Result<ContainerId> SqliteStore::resolve(std::string_view name_or_prefix) {
    if (!state::is_name(name_or_prefix))
        return state::no_such(name_or_prefix); // An id has a name's form, too.
    return use<ContainerId>(state::no_such(name_or_prefix),
                            [&](Database& database) { return find_named(database, name_or_prefix); });
}

Result<Revision> SqliteStore::save(const ContainerId& id, std::string_view document, Revision expected) {
    if (auto fit = state::check_id(id); !fit) return fail(fit);
    if (auto fit = state::check_document(document); !fit) return fail(fit);
    return use<Revision>(state::no_such(state::short_id(id)),
                         [&](Database& database) { return save_row(database, id, document, expected); });
}

Result<Revision> SqliteStore::rename(const ContainerId& id, const ContainerName& name) {
    if (auto fit = state::check_id(id); !fit) return fail(fit);
    if (auto fit = state::check_name(name); !fit) return fail(fit);
    return use<Revision>(state::no_such(state::short_id(id)),
                         [&](Database& database) { return rename_row(database, id, name); });
}

Status SqliteStore::remove(const ContainerId& id, Revision expected) {
    if (auto fit = state::check_id(id); !fit) return fit;
    return use<void>({}, [&](Database& database) { return remove_row(database, id, expected); });
}

Status SqliteStore::list(const RecordVisitor& visit) {
    // Opened first, with room for that; the visitor's errors are no reason to try again.
    if (auto opened = use<void>({}, [](Database&) { return Status{}; }); !opened) return opened;
    return list_records([this]() -> Result<Database*> { return database(Absent::report); }, visit);
}

} // namespace mydocker::sqlite_state

MYDOCKER_EXPORT_STATE_STORE(mydocker::sqlite_state::SqliteStore, "sqlite", "1.0.0",
                            "all records in one SQLite database, changed under its locks",
                            mydocker::sqlite_state::kOptions);
