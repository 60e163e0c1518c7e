// The state store "sqlite" beyond its contract (tests/conformance/state_suite.cpp): its file, what it
// refuses, its lock, its messages. Not damage and not where the file is, which have files of their own.
#include "unit/state_sqlite_fixture.hpp"

#include <csignal>
#include <functional>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::sqlite_state {
namespace {

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

TEST_F(Sqlite, ListsTenThousandRecords) {
    constexpr unsigned kRecords = 10'000;
    const std::string document(2000, 'x');
    const auto store = open(std::chrono::seconds(30), "off");
    for (unsigned i = 0; i < kRecords; ++i) {
        std::string id(64, '0');
        const std::string number = std::to_string(i * 7919U);
        id.replace(0, number.size(), number).replace(56, 8, std::to_string(10'000'000 + i));
        ASSERT_TRUE(store->reserve(ContainerId(id), ContainerName("n" + std::to_string(i)), document));
    }

    EXPECT_EQ(listed().size(), kRecords);
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
