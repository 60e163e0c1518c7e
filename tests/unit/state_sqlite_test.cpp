// The state store "sqlite" beyond its contract (tests/conformance/state_suite.cpp): its file, what it
// refuses, what it makes of damage, its lock, its messages.
#include "plugins/state/sqlite/schema.hpp"
#include "plugins/state/sqlite/store.hpp"
#include "support/support.hpp"

#include "mydocker/support/files.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::sqlite_state {
namespace {

namespace fs = std::filesystem;

const ContainerId kOne(std::string(63, '0') + "1");
const ContainerId kTwo("3f2a" + std::string(60, '0'));
const ContainerId kThree("77b1" + std::string(60, 'f'));

class Sqlite : public testing::Test {
  protected:
    [[nodiscard]] std::unique_ptr<StateStore>
    open(std::chrono::nanoseconds patience = std::chrono::seconds(30),
         const std::string& synchronous = "normal", Host::CancelFunction cancelled = {}) const {
        const Options options({{"synchronous", synchronous}, {"lock_timeout", patience}});
        return std::move(*SqliteStore::open(Host(data(), data(), options, {}, std::move(cancelled))));
    }

    void given(const ContainerId& id, const std::string& name, std::string_view document = "{}") {
        const auto reserved = open()->reserve(id, ContainerName(name), document);
        ASSERT_TRUE(reserved) << describe(reserved.error());
    }

    // What somebody does to the file with SQLite's own tool.
    void by_hand(const std::string& sql) const {
        sqlite3* connection = nullptr;
        ASSERT_EQ(sqlite3_open(file().c_str(), &connection), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
            << sqlite3_errmsg(connection);
        sqlite3_close(connection);
    }

    [[nodiscard]] std::vector<std::string> listed() const {
        std::vector<std::string> lines;
        const auto walked = open()->list([&](const ListedRecord& item) -> Status {
            lines.push_back(item.record ? item.record->name.str() : item.record.error().text);
            return {};
        });
        if (!walked) lines.push_back("walk: " + describe(walked.error()));
        return lines;
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator(data()))
            found.push_back(entry.path().filename());
        std::ranges::sort(found);
        return found;
    }

    [[nodiscard]] std::string data() const { return directory_ / "data"; }
    [[nodiscard]] std::string file() const { return data() + "/records.db"; }

    test::TempDir directory_;
};

TEST_F(Sqlite, LeavesFilesOfItsUserAloneWhateverTheUmask) {
    for (const mode_t mask : {mode_t{0}, mode_t{077}, mode_t{0777}}) {
        SCOPED_TRACE(mask);
        const mode_t before = ::umask(mask);
        {
            const auto store = open();
            EXPECT_TRUE(store->reserve(kOne, ContainerName("web"), "{}"));
            EXPECT_EQ(fs::status(data()).permissions(), fs::perms(0700));
            for (const char* name : {"records.db", "records.db-wal", "records.db-shm", "spare"})
                EXPECT_EQ(fs::status(data() + "/" + name).permissions(), fs::perms(0600)) << name;
        }
        ::umask(before);
        EXPECT_EQ(names(), (std::vector<std::string>{"records.db", "spare"}));
        fs::remove_all(data());
    }
}

TEST_F(Sqlite, RefusesANewerSchema) {
    given(kOne, "web");
    by_hand("PRAGMA user_version = 2");

    const auto loaded = open()->load(kOne);

    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Code::unsupported);
    EXPECT_EQ(loaded.error().text,
              "state store '" + file() +
                  "' was written by a newer mydocker (schema 2; this one knows up to 1); "
                  "upgrade, or use that version");
    EXPECT_EQ(open()->save(kOne, "new", kAnyRevision).error(), loaded.error());
    EXPECT_EQ(open()->remove(kOne, kAnyRevision).error(), loaded.error());
    EXPECT_EQ(open()->reserve(kTwo, ContainerName("db"), "{}").error(), loaded.error());
    by_hand("PRAGMA user_version = 1");
    EXPECT_EQ(open()->load(kOne)->document, "{}");
}

struct NoStore {
    const char* name;
    std::function<void(const std::string&)> make;
    const char* said; // within the error's text
};

const std::vector<NoStore>& no_stores() {
    static const std::vector<NoStore> list = {
        {"empty", [](const std::string& path) { test::write_text(path, ""); }, "is damaged: it is empty"},
        {"text", [](const std::string& path) { test::write_text(path, std::string(5000, 'x')); },
         "file is not a database"},
        {"link", [](const std::string& path) { fs::create_symlink("/etc/passwd", path); },
         "is no regular file"},
        {"FIFO", [](const std::string& path) { (void)::mkfifo(path.c_str(), 0600); }, "is no regular file"},
        {"directory", [](const std::string& path) { fs::create_directory(path); }, "is no regular file"},
        {"foreign",
         [](const std::string& path) {
             sqlite3* connection = nullptr;
             sqlite3_open(path.c_str(), &connection);
             sqlite3_exec(connection, "CREATE TABLE t(x)", nullptr, nullptr, nullptr);
             sqlite3_close(connection);
         },
         "is a database of another program"},
    };
    return list;
}

TEST_F(Sqlite, RefusesWhatIsNoStoreAndLeavesItAlone) {
    for (const NoStore& no_store : no_stores()) {
        SCOPED_TRACE(no_store.name);
        fs::remove_all(data());
        fs::create_directory(data());
        no_store.make(file());
        const auto type = fs::symlink_status(file()).type();

        const auto reserved = open()->reserve(kOne, ContainerName("web"), "{}");
        const auto removed = open()->remove(kOne, kAnyRevision);

        ASSERT_FALSE(reserved);
        EXPECT_EQ(reserved.error().code, Code::corrupt);
        EXPECT_NE(reserved.error().text.find("'" + file() + "'"), std::string::npos) << reserved.error().text;
        EXPECT_NE(reserved.error().text.find(no_store.said), std::string::npos) << reserved.error().text;
        EXPECT_FALSE(removed);
        EXPECT_EQ(fs::symlink_status(file()).type(), type);
    }
}

TEST_F(Sqlite, ReportsARecordThatSomebodyChanged) {
    given(kOne, "before");
    given(kTwo, "web", "document");
    given(kThree, "after");
    for (const char* change : {"document = x'00'", "revision = revision + 1", "name = 'other'",
                               "name = '../x'", "revision = 0", "sum = sum + 1"}) {
        SCOPED_TRACE(change);
        by_hand("CREATE TABLE kept AS SELECT * FROM record");
        by_hand("UPDATE record SET " + std::string(change) + " WHERE id = '" + kTwo.str() + "'");

        const auto loaded = open()->load(kTwo);
        const auto lines = listed();

        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().code, Code::corrupt);
        EXPECT_TRUE(loaded.error().text.starts_with("container 3f2a00000000: record damaged ("));
        EXPECT_EQ(lines, (std::vector<std::string>{"before", loaded.error().text, "after"}));
        EXPECT_EQ(open()->save(kTwo, "new", kAnyRevision).error(), loaded.error());
        EXPECT_EQ(open()->remove(kTwo, 1).error(), loaded.error());
        by_hand("DELETE FROM record; INSERT INTO record SELECT * FROM kept; DROP TABLE kept");
    }
    by_hand("UPDATE record SET sum = sum + 1");
    EXPECT_TRUE(open()->remove(kTwo, kAnyRevision));
    EXPECT_EQ(open()->load(kTwo).error().code, Code::not_found);
}

TEST_F(Sqlite, ListsTheOthersWhereAPageIsDamaged) {
    constexpr unsigned kRecords = 6;
    for (unsigned i = 0; i < kRecords; ++i)
        given(ContainerId(std::string(64, static_cast<char>('a' + i))), "n" + std::to_string(i),
              std::string(12'000, static_cast<char>('A' + i)));
    std::string bytes = test::content_of(file());
    constexpr std::size_t kPage = 16384;
    const std::size_t page = bytes.find(std::string(100, 'C')) / kPage;
    bytes.replace(page * kPage, kPage, kPage, '\0');
    test::write_text(file(), bytes);

    const auto lines = listed();

    ASSERT_EQ(lines.size(), kRecords);
    EXPECT_EQ(lines[1], "n1");
    EXPECT_NE(lines[2].find("which is damaged"), std::string::npos) << lines[2];
    EXPECT_EQ(lines[5], "n5");
    EXPECT_EQ(open()->load(ContainerId(std::string(64, 'e')))->document, std::string(12'000, 'E'));
}

TEST_F(Sqlite, NoticesThatTheStoreWasRemoved) {
    const auto store = open();
    ASSERT_TRUE(store->reserve(kOne, ContainerName("one"), "{}"));
    fs::remove_all(data());

    EXPECT_EQ(store->save(kOne, "{}", kAnyRevision).error().code, Code::not_found);
    ASSERT_TRUE(store->reserve(kTwo, ContainerName("two"), "{}"));

    EXPECT_EQ(listed(), std::vector<std::string>{"two"});
}

TEST_F(Sqlite, ProbeTellsWhetherChangesAreDurable) {
    EXPECT_FALSE(open()->probe()->durable);
    EXPECT_FALSE(open(std::chrono::seconds(1), "off")->probe()->durable);
    EXPECT_FALSE(fs::exists(data()));
    const auto store = open(std::chrono::seconds(1), "full");
    EXPECT_TRUE(store->probe()->durable);
    EXPECT_TRUE(store->reserve(kOne, ContainerName("web"), "one"));
    EXPECT_TRUE(store->save(kOne, "two", 1));
    EXPECT_TRUE(store->remove(kOne, 2));
}

TEST_F(Sqlite, RefusesAnUnknownWord) {
    const Options options({{"synchronous", std::string("extra")}});

    const auto opened = SqliteStore::open(Host(data(), data(), options));

    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().text, "use option synchronous = 'extra'; it must be 'off', 'normal' or 'full'");
}

// A child that is in the middle of a change, stopped.
pid_t start_stopped_writer(const std::string& path) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        sqlite3* connection = nullptr;
        if (sqlite3_open(path.c_str(), &connection) == SQLITE_OK &&
            sqlite3_exec(connection, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK)
            ::raise(SIGSTOP);
        ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_TRUE(WIFSTOPPED(status));
    return pid;
}

TEST_F(Sqlite, NamesTheStoppedWriterAndTakesOverFromADeadOne) {
    given(kOne, "web");
    const pid_t writer = start_stopped_writer(file());

    const auto saved = open(std::chrono::milliseconds(50))->save(kOne, "new", kAnyRevision);
    const auto read = open()->load(kOne);

    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, Code::timeout);
    const std::string said = "state store '" + file() + "' is locked by pid " + std::to_string(writer) + " (";
    EXPECT_TRUE(saved.error().text.starts_with(said)) << saved.error().text;
    EXPECT_TRUE(saved.error().text.ends_with(", stopped)")) << saved.error().text;
    EXPECT_EQ(read->document, "{}");

    ::kill(writer, SIGKILL);
    ::waitpid(writer, nullptr, 0);
    EXPECT_TRUE(open(std::chrono::milliseconds(50))->save(kOne, "new", kAnyRevision));
}

TEST_F(Sqlite, GivesUpWaitingWhenTheHostCancels) {
    given(kOne, "web");
    const pid_t writer = start_stopped_writer(file());

    const auto saved =
        open(std::chrono::seconds(30), "normal", [] { return true; })->save(kOne, "new", kAnyRevision);

    EXPECT_EQ(saved.error().code, Code::cancelled);
    ::kill(writer, SIGKILL);
    ::waitpid(writer, nullptr, 0);
}

// Runs the test body in a child with a mount namespace of its own, so that its mounts vanish with it.
void in_own_mounts(const std::function<void()>& body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        const bool ready =
            ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
        if (!ready) ::_exit(77);
        body();
        ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mount namespaces here";
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(Sqlite, ChangesWhatIsThereOnAFullDisk) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    in_own_mounts([&] {
        fs::create_directory(data());
        ASSERT_EQ(::mount("tmpfs", data().c_str(), "tmpfs", 0, "size=1m"), 0);
        given(kOne, "web", "one");
        given(kTwo, "db", std::string(10'000, 'x'));
        test::write_text(data() + "/filler", std::string(2'000'000, 'x'));

        EXPECT_EQ(open()->reserve(kThree, ContainerName("more"), "{}").error().code, Code::no_space);
        EXPECT_EQ(listed(), (std::vector<std::string>{"web", "db"}));
        EXPECT_TRUE(open()->save(kTwo, std::string(10'000, 'y'), kAnyRevision));
        EXPECT_TRUE(open()->rename(kOne, ContainerName("site")));
        EXPECT_EQ(open()->save(kOne, std::string(900'000, 'x'), kAnyRevision).error().code, Code::no_space);
        EXPECT_EQ(open()->load(kOne)->document, "one");
        EXPECT_TRUE(open()->remove(kTwo, kAnyRevision));
        EXPECT_EQ(listed(), std::vector<std::string>{"site"});
        EXPECT_EQ(names(), (std::vector<std::string>{"filler", "records.db", "spare"}));
    });
}

TEST_F(Sqlite, SaysWhenItsFilesystemIsReadOnlyAndStillReads) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    given(kOne, "web");
    in_own_mounts([&] {
        ASSERT_EQ(::mount(data().c_str(), data().c_str(), nullptr, MS_BIND, nullptr), 0);
        ASSERT_EQ(::mount(nullptr, data().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);

        const auto reserved = open()->reserve(kTwo, ContainerName("db"), "{}");
        const auto saved = open()->save(kOne, "new", kAnyRevision);

        EXPECT_TRUE(describe(reserved.error()).ends_with("Read-only file system (EROFS)"))
            << describe(reserved.error());
        EXPECT_TRUE(describe(saved.error()).ends_with("Read-only file system (EROFS)"))
            << describe(saved.error());
        EXPECT_EQ(listed(), std::vector<std::string>{"web"});
        EXPECT_EQ(open()->resolve("web"), kOne);
    });
}

TEST_F(Sqlite, AVisitorMayChangeTheStore) {
    given(kOne, "one");
    given(kTwo, "two");
    const auto store = open();

    const auto walked = store->list([&](const ListedRecord& item) -> Status {
        auto removed = store->remove(item.id, kAnyRevision);
        return removed;
    });

    EXPECT_TRUE(walked);
    EXPECT_TRUE(listed().empty());
}

TEST_F(Sqlite, ListsTenThousandRecordsQuickly) {
    constexpr unsigned kRecords = 10'000;
    const std::string document(2000, 'x');
    const auto store = open(std::chrono::seconds(30), "off");
    for (unsigned i = 0; i < kRecords; ++i) {
        std::string id(64, '0');
        const std::string number = std::to_string(i * 7919U);
        id.replace(0, number.size(), number).replace(56, 8, std::to_string(10'000'000 + i));
        ASSERT_TRUE(store->reserve(ContainerId(id), ContainerName("n" + std::to_string(i)), document));
    }
    std::vector<std::int64_t> usec;
    for (int round = 0; round < 9; ++round) {
        const auto start = std::chrono::steady_clock::now();
        EXPECT_EQ(listed().size(), kRecords);
        const auto spent = std::chrono::steady_clock::now() - start;
        usec.push_back(std::chrono::duration_cast<std::chrono::microseconds>(spent).count());
    }
    std::ranges::sort(usec);
    std::cout << "[   INFO   ] list of " << kRecords << " records: median " << usec[usec.size() / 2]
              << " us\n";
    EXPECT_LT(usec[usec.size() / 2], 1'000'000);
}

TEST_F(Sqlite, KeepsNoDescriptorsOpen) {
    const auto count = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    const auto before = count();
    {
        const auto store = open();
        (void)store->reserve(kOne, ContainerName("web"), "{}");
        (void)store->save(kOne, "{}", kAnyRevision);
        EXPECT_LE(count(), before + 3) << "the file, its -wal, its -shm";
    }
    EXPECT_EQ(count(), before);
}

} // namespace
} // namespace mydocker::sqlite_state
