// One connection to the file of a store: SQLite's C interface with our errors, and with waits that end. Not
// for what is in the tables.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace mydocker::sqlite_state {

// What is on disk when a change returns. Source: sqlite.org/pragma.html#pragma_synchronous
enum class Synchronous : std::uint32_t {
    off = 0,    // nothing is flushed: a power loss may damage the file
    normal = 1, // a power loss leaves a whole file, which may lack the last changes
    full = 2,   // the change
};

// Source: sqlite.org/c3ref/c_abort.html; `attempted` begins the text, the file's path is in it.
[[nodiscard]] std::unexpected<Error> fail_sqlite(sqlite3* connection, int code, const std::string& attempted);

// One prepared statement. Columns count from 0, parameters from 1, both as SQLite has them.
class Statement {
  public:
    Statement(sqlite3_stmt* statement, const std::string& path) : statement_(statement), path_(&path) {}

    // The bytes are borrowed until the statement's end. A failure is told by step().
    Statement& text(int parameter, std::string_view value);
    Statement& blob(int parameter, std::string_view value);
    Statement& integer(int parameter, std::int64_t value);

    // Goes on; whether there is a row.
    [[nodiscard]] Result<bool> step();

    // The row's, valid until the next step.
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] std::string_view blob(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    void note(int code);

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    const std::string* path_; // the database's, for messages
    int bound_ = SQLITE_OK;   // the first failure of binding
};

class Database {
  public:
    struct Settings {
        Synchronous synchronous = Synchronous::normal;
        std::chrono::nanoseconds patience{}; // with others who are changing something
        const Host* host = nullptr;          // asked whether to give up earlier
    };

    // Opens a file that is there; its -wal and -shm get its mode. On a read-only filesystem it is only read,
    // with the changes in its -wal. Errors: what the system says; corrupt.
    [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                                const Settings& settings);
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    [[nodiscard]] Result<Statement> prepare(std::string_view sql);
    // Whether what others change from now on would not be seen: it is only for use at once.
    [[nodiscard]] bool is_frozen() const { return access_ == Access::frozen || access_ == Access::left; }
    // Runs a statement that has no parameters and whose rows do not matter.
    [[nodiscard]] Status execute(std::string_view sql);
    [[nodiscard]] int changed_rows() const { return sqlite3_changes(connection_); } // by the last change
    // An error as SQLite's become here: waiting that ended is timeout, naming who is in the way, or
    // cancelled.
    [[nodiscard]] Error explained(Error error) const;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    // How the file and its -wal and -shm can be used.
    enum class Access : std::uint32_t {
        change, // the filesystem can be written
        read,   // it cannot from here, and all three are there: others may be using them
        left,   // as nobody uses them: there are changes in a -wal, but no -shm to find them by
        frozen, // as nobody uses them, and there is no -wal
    };

    Database(sqlite3* connection, std::string path, Access access, const Settings& settings)
        : connection_(connection),
          path_(std::move(path)),
          access_(access),
          settings_(settings) {}

    [[nodiscard]] static Access access_to(const std::string& path);
    [[nodiscard]] static Result<std::unique_ptr<Database>> open_as(Access access, const std::string& path,
                                                                   const Settings& settings);
    [[nodiscard]] Status configure();
    [[nodiscard]] bool wait(int waits);

    sqlite3* connection_;
    std::string path_;
    Access access_;
    Settings settings_;
    std::chrono::steady_clock::time_point deadline_;
    bool cancelled_ = false; // the last wait was
};

// A change, undone unless it is committed. Others may read meanwhile, none may change anything.
class Transaction {
  public:
    // Errors: timeout, cancelled.
    [[nodiscard]] static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();

    [[nodiscard]] Status commit();

  private:
    explicit Transaction(Database& database) : database_(&database) {}

    Database* database_; // null: there is nothing to undo
};

} // namespace mydocker::sqlite_state
