#include "database.hpp"

#include "lock_holder.hpp"

#include <algorithm>
#include <cerrno>
#include <thread>
#include <unistd.h>
#include <utility>

namespace mydocker::sqlite_state {
namespace {

// SQLite puts details above the lowest byte.
[[nodiscard]] int primary(int code) {
    return code & 0xff;
}

[[nodiscard]] Code code_of_sqlite(int code) {
    switch (primary(code)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: // Too many came and went for too long.
        return Code::timeout;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
        return Code::no_space;
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return Code::denied;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: // We look before we write: an index and its table differ.
        return Code::corrupt;
    case SQLITE_INTERRUPT:
        return Code::cancelled;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return Code::io;
    default:
        return Code::internal;
    }
}

// The errno value behind it; 0: there is none.
[[nodiscard]] int errno_of_sqlite(sqlite3* connection, int code) {
    switch (primary(code)) {
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_READONLY:
        return EROFS; // That it is open so was noticed when it was opened.
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return connection != nullptr ? sqlite3_system_errno(connection) : 0;
    default:
        return 0;
    }
}

// Of a file that nobody can change, so that SQLite reads it without its -shm, which it could not make.
// Source: sqlite.org/uri.html, sqlite.org/wal.html#read_only_databases
[[nodiscard]] std::string immutable_uri(const std::string& path) {
    std::string uri = "file:";
    for (const char c : path) {
        if (c == '%')
            uri += "%25";
        else if (c == '?')
            uri += "%3f";
        else if (c == '#')
            uri += "%23";
        else
            uri += c;
    }
    return uri + "?immutable=1";
}

[[nodiscard]] bool is_on_readonly_filesystem(const std::string& path) {
    return ::access(path.c_str(), W_OK) != 0 && errno == EROFS;
}

[[nodiscard]] bool is_there(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

} // namespace

std::unexpected<Error> fail_sqlite(sqlite3* connection, int code, const std::string& attempted) {
    const int error = errno_of_sqlite(connection, code);
    if (error != 0) return fail_errno(error, attempted);
    const Code ours = code_of_sqlite(code);
    const bool is_general = code == SQLITE_ERROR && connection != nullptr; // Only then the text says more.
    const std::string why = is_general ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
    if (ours == Code::corrupt)
        return fail(ours, attempted + ", which is damaged (" + why +
                              "); `sqlite3 FILE .recover` shows what can be saved");
    return fail(ours, attempted + " (" + why + ")");
}

void Statement::note(int code) {
    if (bound_ == SQLITE_OK) bound_ = code;
}

Statement& Statement::text(int parameter, std::string_view value) {
    note(sqlite3_bind_text64(statement_.get(), parameter, value.data(), value.size(), nullptr, SQLITE_UTF8));
    return *this;
}

Statement& Statement::blob(int parameter, std::string_view value) {
    // A null pointer would be NULL, which is no empty document.
    const char* data = value.empty() ? "" : value.data();
    note(sqlite3_bind_blob64(statement_.get(), parameter, data, value.size(), nullptr));
    return *this;
}

Statement& Statement::integer(int parameter, std::int64_t value) {
    note(sqlite3_bind_int64(statement_.get(), parameter, value));
    return *this;
}

Result<bool> Statement::step() {
    const int code = bound_ != SQLITE_OK ? bound_ : sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    const bool is_change = sqlite3_stmt_readonly(statement_.get()) == 0;
    return fail_sqlite(sqlite3_db_handle(statement_.get()), code,
                       std::string(is_change ? "change" : "read") + " state store '" + *path_ + "'");
}

std::string_view Statement::text(int column) const {
    return blob(column); // The bytes of a text are its blob.
}

std::string_view Statement::blob(int column) const {
    const void* data = sqlite3_column_blob(statement_.get(), column);
    if (data == nullptr) return {};
    return {static_cast<const char*>(data),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, const Settings& settings) {
    constexpr int kAttempts = 5; // Only a store that others open and close all the time needs more.
    for (int attempt = 1;; ++attempt) {
        const Access access = access_to(path);
        auto opened = open_as(access, path, settings);
        // Elsewhere, where its filesystem can be written, others may have come or gone meanwhile.
        if (attempt == kAttempts || access_to(path) == access) return opened;
    }
}

Database::Access Database::access_to(const std::string& path) {
    if (!is_on_readonly_filesystem(path)) return Access::change;
    if (!is_there(path + "-wal")) return Access::frozen;
    return is_there(path + "-shm") ? Access::read : Access::left;
}

Result<std::unique_ptr<Database>> Database::open_as(Access access, const std::string& path,
                                                    const Settings& settings) {
    // An instance belongs to one thread, so SQLite needs no mutexes.
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= access == Access::change ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    if (access == Access::frozen) flags |= SQLITE_OPEN_URI;
    // Without locks, since the one that stands for having no -shm cannot be had on a file that is only read.
    const char* const vfs = access == Access::left ? "unix-none" : nullptr;
    sqlite3* connection = nullptr;
    const int code = sqlite3_open_v2((access == Access::frozen ? immutable_uri(path) : path).c_str(),
                                     &connection, flags, vfs);
    // Also after a failure there is something to close.
    std::unique_ptr<Database> database(new Database(connection, path, access, settings));
    if (code != SQLITE_OK) return fail_sqlite(connection, code, "open state store '" + path + "'");
    if (auto configured = database->configure(); !configured) return fail(configured);
    return database;
}

Database::~Database() {
    // The last one to close writes the -wal file back and removes it. If it cannot, the next one reads it.
    (void)sqlite3_close(connection_);
}

Status Database::configure() {
    sqlite3_busy_handler(
        connection_, [](void* self, int waits) { return static_cast<Database*>(self)->wait(waits) ? 1 : 0; },
        this);
    // Whoever can write the file must not make us run what is in it.
    sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(connection_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    // Then SQLite keeps in memory what the -shm would tell. Source: sqlite.org/wal.html#noshm
    if (access_ == Access::left) {
        if (auto kept = execute("PRAGMA locking_mode = EXCLUSIVE"); !kept) return kept;
    }
    if (auto checked = execute("PRAGMA cell_size_check = ON"); !checked) return checked;
    // Pages are four times as large as usual, so the -wal file is written back after a fourth as many.
    if (auto set = execute("PRAGMA wal_autocheckpoint = 250"); !set) return set;
    return execute("PRAGMA synchronous = " + std::to_string(static_cast<unsigned>(settings_.synchronous)));
}

// Whether to try once more. There is no lock call with a deadline, so SQLite asks again and again, as the
// lock of the other stores does; a change takes tens of microseconds, unless its process is stopped.
bool Database::wait(int waits) {
    constexpr std::chrono::microseconds kShortest{20};
    constexpr std::chrono::microseconds kLongest{5000};
    const auto now = std::chrono::steady_clock::now();
    if (waits == 0) deadline_ = now + settings_.patience;
    cancelled_ = settings_.host != nullptr && settings_.host->cancelled();
    if (cancelled_ || now >= deadline_) return false;
    std::this_thread::sleep_for(std::min(kShortest * (1U << std::min(waits, 8)), kLongest));
    return true;
}

Error Database::explained(Error error) const {
    if (error.code != Code::timeout) return error;
    if (cancelled_) return {.code = Code::cancelled, .text = "wait for state store '" + path_ + "'"};
    const std::string holder = lock_holder(path_ + "-shm");
    error.text = "state store '" + path_ + "' is locked by " +
                 (holder.empty() ? "a process that cannot be seen from here" : holder);
    return error;
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v2(connection_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    if (code != SQLITE_OK) return fail_sqlite(connection_, code, "use state store '" + path_ + "'");
    return Statement(statement, path_);
}

Status Database::execute(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return fail(statement);
    for (;;) {
        auto row = statement->step();
        if (!row) return fail(row);
        if (!*row) return {};
    }
}

Result<Transaction> Transaction::begin(Database& database) {
    if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun)
        return std::unexpected<Error>(database.explained(begun.error()));
    return Transaction(database);
}

Transaction::~Transaction() {
    // What fails here has been undone by SQLite itself.
    if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Status Transaction::commit() {
    auto done = database_->execute("COMMIT");
    if (done) database_ = nullptr;
    return done;
}

} // namespace mydocker::sqlite_state
