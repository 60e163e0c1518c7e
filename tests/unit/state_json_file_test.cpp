// The state store "json-file" beyond its contract (tests/conformance/state_suite.cpp): its layout on
// disk, what it makes of damaged records and a stale index, its lock, its messages.
#include "plugins/state/json-file/record.hpp"
#include "plugins/state/json-file/store.hpp"
#include "support/support.hpp"

#include "mydocker/support/files.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::json_state {
namespace {

namespace fs = std::filesystem;

const ContainerId kFirst(std::string(63, '0') + "1");
const ContainerId kSecond("3f2a" + std::string(60, '0'));
const ContainerId kThird("77b1" + std::string(60, 'f'));

class JsonFile : public testing::Test {
  protected:
    [[nodiscard]] std::unique_ptr<StateStore>
    open(std::chrono::nanoseconds patience = std::chrono::seconds(30), bool sync = false) const {
        const Options options({{"sync", sync}, {"lock_timeout", patience}});
        return std::move(*JsonFileStore::open(Host(data(), data(), options)));
    }

    void given(const ContainerId& id, const std::string& name, std::string_view document = "{}") {
        const auto reserved = open()->reserve(id, ContainerName(name), document);
        ASSERT_TRUE(reserved) << describe(reserved.error());
    }

    void write_record(const ContainerId& id, const std::string& bytes) const {
        ASSERT_TRUE(files::write_atomically(record(id), bytes));
    }

    [[nodiscard]] std::vector<std::string> listed() const {
        std::vector<std::string> lines;
        EXPECT_TRUE(open()->list([&](const ListedRecord& item) -> Status {
            lines.push_back(item.record ? item.record->name.str() : item.record.error().text);
            return {};
        }));
        return lines;
    }

    [[nodiscard]] std::string data() const { return directory_ / "data"; }
    [[nodiscard]] std::string record(const ContainerId& id) const { return data() + "/records/" + id.str(); }
    [[nodiscard]] std::string name_entry(const std::string& name) const { return data() + "/names/" + name; }

    test::TempDir directory_;
};

std::string whole_record(const ContainerId& id, const std::string& name, std::uint64_t sequence,
                         std::string_view document) {
    return encode(
        Record{.id = id, .name = ContainerName(name), .revision = 3, .sequence = sequence, .document = {}},
        document);
}

TEST_F(JsonFile, LaysRecordsOutAsDocumented) {
    given(kSecond, "web", "{\"pid\":1}");

    EXPECT_EQ(files::read_file(record(kSecond)).value_or(""),
              "{\"schema\":1,\"id\":\"" + kSecond.str() +
                  "\",\"name\":\"web\",\"revision\":1,\"sequence\":1,\"size\":9,\"sum\":\"2e6a2390\"}\n"
                  "{\"pid\":1}");
    EXPECT_EQ(fs::read_symlink(name_entry("web")), pack_id(kSecond));
    EXPECT_EQ(fs::file_size(data() + "/lock"), 1U);
    EXPECT_FALSE(fs::exists(data() + "/records/.pending"));
}

TEST_F(JsonFile, GivesAccessToItsUserAloneWhateverTheUmask) {
    for (const mode_t mask : {mode_t{0}, mode_t{077}, mode_t{0777}}) {
        const mode_t before = ::umask(mask);
        given(kFirst, "web");
        ::umask(before);
        for (const char* path : {"", "/records", "/names"})
            EXPECT_EQ(fs::status(data() + path).permissions(), fs::perms(0700)) << path << " umask " << mask;
        EXPECT_EQ(fs::status(record(kFirst)).permissions(), fs::perms(0600));
        fs::remove_all(data());
    }
}

TEST(JsonRecord, PacksIdsReversibly) {
    for (const ContainerId& id : {kFirst, kSecond, kThird, ContainerId(std::string(64, 'f'))}) {
        EXPECT_EQ(pack_id(id).size(), 43U);
        EXPECT_EQ(unpack_id(pack_id(id)), id);
    }
    EXPECT_EQ(unpack_id(""), std::nullopt);
    EXPECT_EQ(unpack_id(std::string(43, '!')), std::nullopt);
    EXPECT_EQ(unpack_id(std::string(43, '_')), std::nullopt) << "its spare bits are set";
    EXPECT_EQ(unpack_id("../../etc/passwd"), std::nullopt);
}

struct BadRecord {
    const char* name;
    std::string bytes;
    std::string said; // within the error's text
    Code code = Code::corrupt;
};

std::vector<BadRecord> bad_records() {
    const std::string good = whole_record(kSecond, "web", 2, "{\"a\":1}");
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        return text.replace(text.find(from), from.size(), to);
    };
    return {
        {"empty", "", "damaged at byte 0 (the file is empty)"},
        {"half a header", good.substr(0, 40), "damaged at byte 40"},
        {"half a document", good.substr(0, good.size() - 3), "the document has 4 bytes of 7"},
        {"bytes behind it", good + "x", "the document has 8 bytes of 7"},
        {"zeroes", std::string(good.size(), '\0'), "damaged at byte 0 (expected \"{\"schema\":\")"},
        {"a zeroed document", good.substr(0, good.size() - 7) + std::string(7, '\0'), "the sum does not fit"},
        {"no UTF-8", "\xff\xfe" + good, "damaged at byte 0"},
        {"nested deeply", std::string(10'000, '['), "damaged at byte 0"},
        {"more than 1 MiB", std::string((1U << 20U) + 1000, ' '), "more than any record"},
        {"a wrong type of schema", with(":1,", ":\"1\","), "damaged at byte 10 (expected a number)"},
        {"a wrong type of revision", with(":3,", ":null,"), "expected a number"},
        {"a duplicate key", with("\"name\"", "\"id\""), "expected \"name"},
        {"another id", with(kSecond.str(), kThird.str()), "the id is not that of the file's name"},
        {"a name that is a path", with("web", "../x"), "expected a name"},
        {"no name", with("web", ""), "expected a name"},
        {"another revision", with("\"revision\":3", "\"revision\":4"), "the sum does not fit"},
        {"a revision too large", with("\"revision\":3", "\"revision\":99999999999999999999"),
         "expected a number"},
        {"a negative size", with("\"size\":7", "\"size\":-7"), "expected a number"},
        {"schema 0", with(":1,", ":0,"), "there is no schema 0"},
        {"a newer schema", with(":1,", ":99,"),
         "was written by a newer mydocker (schema 99; this one knows up to 1); upgrade, or use that version",
         Code::unsupported},
    };
}

TEST_F(JsonFile, ReportsDamagedRecordsAndGoesOn) {
    given(kFirst, "before");
    given(kThird, "after");
    for (const BadRecord& bad : bad_records()) {
        SCOPED_TRACE(bad.name);
        write_record(kSecond, bad.bytes);

        const auto loaded = open()->load(kSecond);
        const auto lines = listed();

        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().code, bad.code);
        EXPECT_NE(loaded.error().text.find(bad.said), std::string::npos) << loaded.error().text;
        EXPECT_NE(loaded.error().text.find("container 3f2a00000000"), std::string::npos);
        ASSERT_EQ(lines.size(), 3U);
        EXPECT_EQ(lines[0], "before");
        EXPECT_EQ(lines[1], "after");
        EXPECT_EQ(lines[2], loaded.error().text);
    }
}

TEST_F(JsonFile, RemovesDamagedRecordsButNotNewerOnes) {
    for (const BadRecord& bad : bad_records()) {
        SCOPED_TRACE(bad.name);
        given(kSecond, "web");
        write_record(kSecond, bad.bytes);

        EXPECT_FALSE(open()->remove(kSecond, 3));
        const auto removed = open()->remove(kSecond, kAnyRevision);

        EXPECT_EQ(removed.has_value(), bad.code == Code::corrupt);
        fs::remove(record(kSecond));
        EXPECT_EQ(open()->resolve("web").error().code, Code::not_found);
    }
}

// A record in whose place there is something else, and what is said of it.
struct Impostor {
    const char* name;
    std::function<int(const char*)> make;
    const char* said;
};

TEST_F(JsonFile, RefusesWhatIsNoFileOfItsUser) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    given(kFirst, "web");
    ASSERT_TRUE(files::write_atomically(directory_ / "elsewhere", whole_record(kSecond, "evil", 9, "{}")));
    const std::vector<Impostor> impostors = {
        {"link", [this](const char* path) { return ::symlink((directory_ / "elsewhere").c_str(), path); },
         "is a symbolic link, not a regular file"},
        {"FIFO", [](const char* path) { return ::mkfifo(path, 0600); }, "is a FIFO, not a regular file"},
        {"directory", [](const char* path) { return ::mkdir(path, 0700); },
         "is a directory, not a regular file"},
        {"device", [](const char* path) { return ::mknod(path, S_IFCHR | 0600, 0x0103); },
         "is a device, not a regular file"},
        {"foreign",
         [this](const char* path) {
             fs::copy_file(directory_ / "elsewhere", path);
             return ::chown(path, 1234, 0);
         },
         "belongs to user 1234, not to user 0"},
    };
    for (const Impostor& impostor : impostors) {
        SCOPED_TRACE(impostor.name);
        ASSERT_EQ(impostor.make(record(kSecond).c_str()), 0);

        const auto loaded = open()->load(kSecond);
        const auto lines = listed();

        ASSERT_EQ(lines.size(), 2U);
        EXPECT_EQ(lines[0], "web");
        EXPECT_EQ(lines[1], "container 3f2a00000000: refused: '" + record(kSecond) + "' " + impostor.said);
        EXPECT_EQ(loaded.error().text, lines[1]);
        EXPECT_TRUE(open()->remove(kSecond, kAnyRevision));
        EXPECT_FALSE(fs::exists(fs::symlink_status(record(kSecond))));
    }
}

TEST_F(JsonFile, ReportsFilesThatAreNoRecords) {
    given(kFirst, "web");
    test::write_text(data() + "/records/notes.txt", "hello");

    const auto lines = listed();

    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[1], "'" + data() + "/records/notes.txt' is no record: its name is no id");
}

TEST_F(JsonFile, ReportsBothRecordsWithOneNameById) {
    given(kFirst, "web");
    given(kSecond, "a");
    write_record(kThird, whole_record(kThird, "a", 7, "{}"));

    EXPECT_EQ(listed(),
              (std::vector<std::string>{
                  "web", "name 'a' belongs to 3f2a00000000 and 77b1ffffffff; rename one of them by its id",
                  "name 'a' belongs to 3f2a00000000 and 77b1ffffffff; rename one of them by its id"}));

    EXPECT_TRUE(open()->rename(kThird, ContainerName("b")));
    EXPECT_EQ(listed(), (std::vector<std::string>{"web", "a", "b"}));
}

TEST_F(JsonFile, TakesOverStaleIndexEntries) {
    given(kFirst, "web");
    fs::create_symlink(pack_id(kThird), name_entry("gone")); // of a record that never came
    fs::create_symlink(pack_id(kFirst), name_entry("old"));  // of a record with another name
    fs::create_symlink("/etc/passwd", name_entry("odd"));
    test::write_text(name_entry("file"), "x");

    for (const char* name : {"gone", "old", "odd", "file"}) {
        EXPECT_EQ(open()->resolve(name).error().code, Code::not_found) << name;
        given(kSecond, name);
        EXPECT_EQ(open()->resolve(name), kSecond);
        EXPECT_TRUE(open()->remove(kSecond, kAnyRevision));
    }
}

TEST_F(JsonFile, KeepsTheNameOfADamagedRecordTaken) {
    given(kSecond, "web");
    write_record(kSecond, "");

    const auto reserved = open()->reserve(kFirst, ContainerName("web"), "{}");

    ASSERT_FALSE(reserved);
    EXPECT_EQ(reserved.error().code, Code::exists);
    EXPECT_EQ(reserved.error().text, "name 'web' is used by container " + kSecond.str());
}

TEST_F(JsonFile, FindsNamesThatTheIndexLost) {
    given(kFirst, "web");
    fs::remove(name_entry("web"));

    EXPECT_EQ(open()->resolve("web"), kFirst);
}

TEST_F(JsonFile, RebuildsAnIndexThatIsMissing) {
    given(kFirst, "web");
    given(kSecond, "db");
    fs::remove_all(data() + "/names");

    const auto reserved = open()->reserve(kThird, ContainerName("web"), "{}");

    EXPECT_EQ(reserved.error().code, Code::exists);
    EXPECT_EQ(fs::read_symlink(name_entry("db")), pack_id(kSecond));
}

TEST_F(JsonFile, CountsOnWhereRestoredRecordsEnd) {
    given(kFirst, "one");
    write_record(kSecond, whole_record(kSecond, "two", 41, "{}"));
    fs::remove(data() + "/lock");

    given(kThird, "three");

    EXPECT_EQ(listed(), (std::vector<std::string>{"one", "two", "three"}));
    EXPECT_EQ(fs::file_size(data() + "/lock"), 42U);
}

TEST_F(JsonFile, NoticesThatTheStoreWasRemoved) {
    const auto store = open();
    ASSERT_TRUE(store->reserve(kFirst, ContainerName("one"), "{}"));
    fs::remove_all(data());

    EXPECT_EQ(store->save(kFirst, "{}", kAnyRevision).error().code, Code::not_found);
    ASSERT_TRUE(store->reserve(kSecond, ContainerName("two"), "{}"));

    EXPECT_EQ(listed(), std::vector<std::string>{"two"});
}

TEST_F(JsonFile, OverwritesWhatAKilledWriterLeft) {
    given(kFirst, "web");
    test::write_text(data() + "/records/.pending", "half a rec");

    EXPECT_TRUE(open()->save(kFirst, "new", kAnyRevision));
    ::mkfifo((data() + "/records/.pending").c_str(), 0600);
    EXPECT_TRUE(open()->save(kFirst, "newer", kAnyRevision));

    EXPECT_EQ(open()->load(kFirst)->document, "newer");
    EXPECT_FALSE(fs::exists(data() + "/records/.pending"));
    EXPECT_EQ(listed(), std::vector<std::string>{"web"});
}

TEST_F(JsonFile, SeesThatAnotherReplacedWhatItWrote) {
    const auto mine = open();
    const auto first = mine->reserve(kFirst, ContainerName("web"), "one");
    for (int i = 0; i < 50; ++i) { // Freed inode numbers are given out again: the cache must not be fooled.
        ASSERT_TRUE(open()->save(kFirst, "theirs", kAnyRevision));
        ASSERT_EQ(mine->save(kFirst, "mine", *first).error().code, Code::conflict);
    }
}

TEST_F(JsonFile, ProbeTellsWhetherChangesAreDurable) {
    EXPECT_FALSE(open()->probe()->durable);
    const auto store = open(std::chrono::seconds(30), true);
    EXPECT_TRUE(store->probe()->durable);
    EXPECT_TRUE(store->reserve(kFirst, ContainerName("web"), "one"));
    EXPECT_TRUE(store->save(kFirst, "two", 1));
    EXPECT_TRUE(store->remove(kFirst, 2));
}

// A child that holds the lock, stopped.
pid_t start_stopped_holder(const std::string& lock_path) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        const int fd = ::open(lock_path.c_str(), O_RDWR);
        struct flock lock{};
        lock.l_type = F_WRLCK;
        if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) ::raise(SIGSTOP);
        ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_TRUE(WIFSTOPPED(status));
    return pid;
}

TEST_F(JsonFile, NamesTheStoppedHolderOfTheLockAndTakesOverFromADeadOne) {
    given(kFirst, "web");
    const pid_t holder = start_stopped_holder(data() + "/lock");

    const auto saved = open(std::chrono::milliseconds(50))->save(kFirst, "new", kAnyRevision);
    const auto read = open()->load(kFirst);

    EXPECT_EQ(saved.error().code, Code::timeout);
    const std::string said = "'" + data() + "/lock' is locked by pid " + std::to_string(holder) + " (";
    EXPECT_TRUE(saved.error().text.starts_with(said)) << saved.error().text;
    EXPECT_TRUE(saved.error().text.ends_with(", stopped)")) << saved.error().text;
    EXPECT_EQ(read->document, "{}");

    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
    EXPECT_TRUE(open(std::chrono::milliseconds(50))->save(kFirst, "new", kAnyRevision));
}

TEST_F(JsonFile, GivesUpWaitingWhenTheHostCancels) {
    given(kFirst, "web");
    const pid_t holder = start_stopped_holder(data() + "/lock");
    const Options options({{"lock_timeout", std::chrono::nanoseconds(std::chrono::seconds(30))}});
    const auto store =
        std::move(*JsonFileStore::open(Host(data(), data(), options, {}, [] { return true; })));

    EXPECT_EQ(store->save(kFirst, "new", kAnyRevision).error().code, Code::cancelled);

    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
}

// Runs the test body in a child with a mount namespace of its own, so that its mounts vanish with it.
void in_private_mounts(const std::function<void()>& body) {
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

TEST_F(JsonFile, SaysWhenItsFilesystemIsReadOnlyAndStillReads) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    given(kFirst, "web");
    in_private_mounts([&] {
        ASSERT_EQ(::mount(data().c_str(), data().c_str(), nullptr, MS_BIND, nullptr), 0);
        ASSERT_EQ(::mount(nullptr, data().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);

        const auto reserved = open()->reserve(kSecond, ContainerName("db"), "{}");

        EXPECT_EQ(describe(reserved.error()), "open '" + data() + "/lock': Read-only file system (EROFS)");
        EXPECT_EQ(open()->load(kFirst)->name.str(), "web");
    });
}

TEST_F(JsonFile, SurvivesAFullDiskAndRemovesOnIt) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    in_private_mounts([&] {
        fs::create_directory(data());
        ASSERT_EQ(::mount("tmpfs", data().c_str(), "tmpfs", 0, "size=64k,nr_inodes=100"), 0);
        given(kFirst, "web", "old");
        const std::string large(200'000, 'x');

        const auto saved = open()->save(kFirst, large, kAnyRevision);
        const auto reserved = open()->reserve(kSecond, ContainerName("db"), large);

        EXPECT_EQ(saved.error().code, Code::no_space);
        EXPECT_EQ(describe(saved.error()), "container 000000000000: write '" + data() +
                                               "/records/.pending': No space left on device (ENOSPC)");
        EXPECT_EQ(reserved.error().code, Code::no_space);
        EXPECT_EQ(open()->load(kFirst)->document, "old");
        EXPECT_EQ(open()->resolve("db").error().code, Code::not_found);
        EXPECT_EQ(listed(), std::vector<std::string>{"web"});

        test::write_text(data() + "/filler", large);
        EXPECT_TRUE(open()->remove(kFirst, kAnyRevision));
        EXPECT_TRUE(listed().empty());
    });
}

TEST_F(JsonFile, ChangesWhatIsThereWithoutAByteOrAnInode) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    // The root, what the store keeps, two records and their names: nine inodes.
    for (const char* limits : {"size=64k,nr_inodes=50", "size=64k,nr_inodes=9"})
        in_private_mounts([&] {
            SCOPED_TRACE(limits);
            fs::create_directory(data());
            ASSERT_EQ(::mount("tmpfs", data().c_str(), "tmpfs", 0, limits), 0);
            given(kFirst, "web", "one");
            given(kSecond, "db", "one");
            test::write_text(data() + "/filler", std::string(200'000, 'x'));
            const auto store = open();

            EXPECT_TRUE(store->save(kFirst, "two", kAnyRevision));
            EXPECT_TRUE(open()->save(kFirst, "three", kAnyRevision));
            EXPECT_TRUE(open()->save(kSecond, "two", kAnyRevision));
            EXPECT_TRUE(store->save(kFirst, "four", kAnyRevision));
            EXPECT_EQ(store->save(kFirst, "five", 2).error().code, Code::conflict);

            EXPECT_EQ(open()->load(kFirst)->document, "four");
            EXPECT_EQ(open()->load(kFirst)->revision, 4U);
            EXPECT_EQ(open()->load(kSecond)->document, "two");
            EXPECT_FALSE(open()->reserve(ContainerId(std::string(64, 'c')), ContainerName("more"), "{}"));
        });
}

TEST_F(JsonFile, KeepsNoDescriptorsOpen) {
    const auto count = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    const auto before = count();
    {
        const auto store = open();
        (void)store->reserve(kFirst, ContainerName("web"), "{}");
        (void)store->reserve(kSecond, ContainerName("web"), "{}");
        (void)store->save(kFirst, "{}", kAnyRevision);
        (void)store->list([](const ListedRecord&) -> Status { return {}; });
        EXPECT_LE(count(), before + 3) << "directory, lock, the record written last";
    }
    EXPECT_EQ(count(), before);
}

} // namespace
} // namespace mydocker::json_state
