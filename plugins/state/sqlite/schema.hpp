// The file of a store and how it comes to be. Not for using it.
//
//   <data_dir>/                0700
//   ├── records.db             0600, SQLite in WAL mode; made whole, then linked to this name
//   ├── records.db-wal         changes that are not in the file yet; gone when nobody has the store open
//   ├── records.db-shm         index of that, shared memory; gone likewise
//   ├── .records.db.XXXXXX     such a file while it is made, where the filesystem has none without a name
//   └── spare                  room for the next change on a full disk (spare.hpp)
//
//   PRAGMA application_id      kApplicationId: it is one of ours
//   PRAGMA user_version        kSchema; a higher one is refused
//   record                     a row a container; its sum covers the row (row.hpp)
#pragma once

#include "mydocker/result.hpp"

#include "database.hpp"

#include <cstdint>
#include <string>
#include <sys/stat.h>

namespace mydocker::sqlite_state {

inline constexpr const char* kFileName = "records.db";
inline constexpr std::int64_t kSchema = 1;
inline constexpr std::int64_t kApplicationId = 0x4d444b52; // "MDKR"

// Which file a path named.
struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;

    bool operator==(const FileIdentity&) const = default;
};

// Looks at the file without opening it. Errors: not_found; corrupt when it is no regular file of this user,
// or an empty one, which SQLite would take for a new database.
[[nodiscard]] Result<FileIdentity> identify(const std::string& path);

// Makes an empty store, and its directory. Again, or when another process was quicker: succeeds,
// perhaps when that one's store is gone again, so the caller looks. Crash: there is a whole store or none;
// where the filesystem has no files without names, perhaps a draft, too.
[[nodiscard]] Status create_store(const std::string& directory, Synchronous synchronous);

// Removes the drafts of killed processes from a directory in which there is a store: whoever else makes a
// draft there now does so in vain.
void sweep_drafts(const std::string& directory);

// Errors: unsupported for a newer schema; corrupt for a database of somebody else.
[[nodiscard]] Status check_schema(Database& database);

} // namespace mydocker::sqlite_state
