#include "schema.hpp"

#include "mydocker/support/files.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <span>
#include <unistd.h>
#include <utility>

namespace mydocker::sqlite_state {
namespace {

constexpr mode_t kFileMode = 0600;

// Documents are a few kilobytes: with SQLite's usual 4096 bytes half of each page would stay empty.
constexpr const char* kEmptyStore = "PRAGMA page_size = 16384;"
                                    "PRAGMA application_id = 0x4d444b52;"
                                    "PRAGMA user_version = 1;"
                                    "CREATE TABLE record ("
                                    "  sequence INTEGER PRIMARY KEY,"
                                    "  id TEXT NOT NULL,"
                                    "  name TEXT NOT NULL,"
                                    "  revision INTEGER NOT NULL,"
                                    "  sum INTEGER NOT NULL,"
                                    "  document BLOB NOT NULL"
                                    ") STRICT;"
                                    "CREATE UNIQUE INDEX record_by_id ON record (id);"
                                    "CREATE UNIQUE INDEX record_by_name ON record (name);";

// Where a file says that it is used with a WAL, and how. Source:
// sqlite.org/fileformat.html#file_format_version_numbers
constexpr std::size_t kWriteVersion = 18;
constexpr std::size_t kReadVersion = 19;
constexpr char kWithWal = 2;

struct CloseDatabase {
    void operator()(sqlite3* connection) const { sqlite3_close(connection); }
};
struct FreeBytes {
    void operator()(unsigned char* bytes) const { sqlite3_free(bytes); }
};

// The bytes of a store's file: of a database in memory, so that no other process ever sees it half made.
[[nodiscard]] Result<std::string> empty_store() {
    sqlite3* opened = nullptr;
    int code = sqlite3_open_v2(":memory:", &opened,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    const std::unique_ptr<sqlite3, CloseDatabase> connection(opened);
    if (code == SQLITE_OK) code = sqlite3_exec(opened, kEmptyStore, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail_sqlite(opened, code, "draw up a state store");
    sqlite3_int64 size = 0;
    const std::unique_ptr<unsigned char, FreeBytes> bytes(sqlite3_serialize(opened, "main", &size, 0));
    if (bytes == nullptr) return fail(Code::no_space, "draw up a state store", ENOMEM);
    const std::span<const unsigned char> view(bytes.get(), static_cast<std::size_t>(size));
    std::string store(view.begin(), view.end());
    store[kWriteVersion] = kWithWal;
    store[kReadVersion] = kWithWal;
    return store;
}

// What the names of drafts begin with.
constexpr const char* kDraftPrefix = ".records.db.";

// A file without a name, or, where the filesystem has none, with one that nobody else has; that goes with it.
class Draft {
  public:
    Draft(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
    Draft(Draft&& other) noexcept : fd_(std::move(other.fd_)), name_(std::exchange(other.name_, {})) {}
    Draft& operator=(Draft&&) = delete;
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    ~Draft() {
        // What is left behind all the same is swept.
        if (!name_.empty()) (void)::unlink(name_.c_str());
    }

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] bool has_name() const { return !name_.empty(); }
    // As linkat(2).
    [[nodiscard]] int link(const std::string& path) const {
        if (has_name()) return ::linkat(AT_FDCWD, name_.c_str(), AT_FDCWD, path.c_str(), 0);
        const std::string from = "/proc/self/fd/" + std::to_string(fd_.get());
        return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW);
    }

  private:
    UniqueFd fd_;
    std::string name_; // empty: none
};

[[nodiscard]] Result<Draft> open_draft(const std::string& directory) {
    UniqueFd unnamed(::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, kFileMode));
    if (unnamed) return Draft(std::move(unnamed), {});
    int error = errno;
    if (error != EOPNOTSUPP && error != EISDIR)
        return fail_errno(error, "make a file in '" + directory + "'");
    std::string name = directory + "/" + kDraftPrefix + "XXXXXX";
    UniqueFd named(::mkostemp(name.data(), O_CLOEXEC));
    error = errno;
    if (!named) return fail_errno(error, "make a file in '" + directory + "'");
    return Draft(std::move(named), std::move(name));
}

[[nodiscard]] std::unexpected<Error> no_store(const std::string& path, const std::string& why) {
    return fail(Code::corrupt, "use state store '" + path + "', which " + why);
}

[[nodiscard]] Result<std::int64_t> pragma(Database& database, std::string_view sql) {
    auto statement = database.prepare(sql);
    if (!statement) return fail(statement);
    auto row = statement->step();
    if (!row) return std::unexpected<Error>(database.explained(row.error()));
    return *row ? statement->integer(0) : 0;
}

} // namespace

Result<FileIdentity> identify(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) {
        const int error = errno;
        if (error == ENOENT) return fail(Code::not_found, "there is no state store '" + path + "'");
        return fail_errno(error, "look at state store '" + path + "'");
    }
    if (!S_ISREG(status.st_mode)) return no_store(path, "is no regular file");
    if (status.st_uid != ::geteuid()) return no_store(path, "belongs to another user");
    if (status.st_size == 0) return no_store(path, "is damaged: it is empty");
    return FileIdentity{.device = status.st_dev, .inode = status.st_ino};
}

Status create_store(const std::string& directory, Synchronous synchronous) {
    auto bytes = empty_store();
    if (!bytes) return fail(bytes);
    if (auto made = files::make_directories(directory); !made) return made;
    auto draft = open_draft(directory);
    if (!draft) return fail(draft);
    const std::string path = directory + "/" + kFileName;
    if (::fchmod(draft->fd(), kFileMode) != 0) // The umask must not decide.
        return fail_errno(errno, "chmod '" + path + "'");
    if (auto written = files::write_all(draft->fd(), *bytes, path); !written) return written;
    // Otherwise a power loss could leave the name of an empty file.
    if (synchronous != Synchronous::off && ::fsync(draft->fd()) != 0)
        return fail_errno(errno, "fsync '" + path + "'");
    if (draft->link(path) == 0 || errno == EEXIST) return {};
    const int error = errno;
    if (error == ENOENT && draft->has_name()) return {}; // Swept by somebody for whom there is a store.
    return fail_errno(error, "make state store '" + path + "'");
}

void sweep_drafts(const std::string& directory) {
    const auto fd = files::open(directory, O_RDONLY | O_DIRECTORY);
    if (!fd) return; // What is left behind is but a few kilobytes.
    const auto entries = files::list_directory(fd->get(), directory);
    if (!entries) return;
    for (const files::DirectoryEntry& entry : *entries)
        if (entry.name.starts_with(kDraftPrefix)) (void)::unlinkat(fd->get(), entry.name.c_str(), 0);
}

Status check_schema(Database& database) {
    const auto application = pragma(database, "PRAGMA application_id");
    if (!application) return fail(application);
    if (*application != kApplicationId) return no_store(database.path(), "is a database of another program");
    const auto schema = pragma(database, "PRAGMA user_version");
    if (!schema) return fail(schema);
    if (*schema > kSchema)
        return fail(Code::unsupported, "state store '" + database.path() +
                                           "' was written by a newer mydocker (schema " +
                                           std::to_string(*schema) + "; this one knows up to " +
                                           std::to_string(kSchema) + "); upgrade, or use that version");
    if (*schema < 1)
        return no_store(database.path(), "is damaged: there is no schema " + std::to_string(*schema));
    return {};
}

} // namespace mydocker::sqlite_state
