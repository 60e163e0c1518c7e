// The state store "sqlite" where its filesystem is full or read-only, or lacks something.
#include "plugins/state/sqlite/schema.hpp"
#include "unit/state_sqlite_fixture.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <functional>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <set>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::sqlite_state {
namespace {

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

// A child whose store is in use, stopped behind each of its steps; the last one closes the store.
class OtherUser {
  public:
    OtherUser(std::unique_ptr<StateStore> store, const std::vector<std::function<void(StateStore&)>>& steps)
        : pid_(::fork()) {
        if (pid_ != 0) return;
        for (const auto& step : steps) {
            step(*store);
            ::raise(SIGSTOP);
        }
        store.reset();
        ::_exit(0);
    }
    OtherUser(const OtherUser&) = delete;
    OtherUser& operator=(const OtherUser&) = delete;
    ~OtherUser() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    void await_step() const { EXPECT_EQ(::waitpid(pid_, nullptr, WUNTRACED), pid_); }
    void go_on() const { ::kill(pid_, SIGCONT); }

  private:
    pid_t pid_;
};

void mount_readonly(const std::string& from, const std::string& to) {
    ASSERT_EQ(::mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(::mount(nullptr, to.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
}

TEST_F(Sqlite, ReadsChangesThatWereLeftWhenItsFilesystemBecameReadOnly) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    for (const char* lost : {"nothing", "records.db-shm"}) {
        SCOPED_TRACE(lost);
        in_own_mounts([&] {
            fs::create_directories(data());
            ASSERT_EQ(::mount("tmpfs", data().c_str(), "tmpfs", 0, nullptr), 0);
            given(kOne, "web");
            {
                const OtherUser killed(open(), {[](StateStore& store) {
                                           (void)store.reserve(kTwo, ContainerName("db"), "left");
                                       }});
                killed.await_step();
            }
            fs::remove(data() + "/" + lost);
            ASSERT_TRUE(fs::exists(file() + "-wal"));
            ASSERT_EQ(::mount(nullptr, data().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);

            EXPECT_EQ(listed(), (std::vector<std::string>{"web", "db"}));
            EXPECT_EQ(open()->resolve("db"), kTwo);
            EXPECT_EQ(open()->load(kTwo)->document, "left");
            const auto saved = open()->save(kOne, "new", kAnyRevision);
            EXPECT_TRUE(describe(saved.error()).ends_with("Read-only file system (EROFS)"))
                << describe(saved.error());
        });
    }
}

TEST_F(Sqlite, ReadsAReadOnlyMountOfAStoreThatOthersUse) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    given(kOne, "web");
    const std::string view = directory_ / "view";
    fs::create_directory(view);
    in_own_mounts([&] {
        mount_readonly(data(), view);
        const OtherUser writer(
            open(), {[](StateStore& store) { (void)store.reserve(kTwo, ContainerName("db"), "{}"); },
                     [](StateStore& store) { (void)store.reserve(kThree, ContainerName("more"), "{}"); }});
        writer.await_step();
        const auto reader = open_in(view);

        EXPECT_EQ(listed_by(*reader), (std::vector<std::string>{"web", "db"}));
        writer.go_on();
        writer.await_step();
        EXPECT_EQ(listed_by(*reader), (std::vector<std::string>{"web", "db", "more"}));
        writer.go_on();
    });
}

TEST_F(Sqlite, SeesThroughAReadOnlyMountWhatOthersChangeSince) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    given(kOne, "web");
    const std::string view = directory_ / "view";
    fs::create_directory(view);
    in_own_mounts([&] {
        mount_readonly(data(), view);
        const auto reader = open_in(view);
        EXPECT_EQ(listed_by(*reader), std::vector<std::string>{"web"});

        given(kTwo, "db");

        EXPECT_EQ(listed_by(*reader), (std::vector<std::string>{"web", "db"}));
    });
}

// What one system call does in a child, besides that the filesystem seems to have no files without names.
// Source: seccomp(2)
void deny_in_this_process(unsigned call, std::uint32_t action) {
    constexpr unsigned kUnnamed = O_TMPFILE & ~O_DIRECTORY;
    std::array<sock_filter, 8> program = {{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kUnnamed, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    const bool is_set = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
    if (!is_set) ::_exit(77);
}

struct DraftCase {
    const char* name;
    unsigned call;
    std::uint32_t action;
    std::size_t left; // drafts
    bool is_made;
};

constexpr std::array<DraftCase, 4> kDraftCases = {{
    {.name = "all well", .call = SYS_sync, .action = SECCOMP_RET_ALLOW, .left = 0, .is_made = true},
    {.name = "no mode", .call = SYS_fchmod, .action = SECCOMP_RET_ERRNO | EIO, .left = 0, .is_made = false},
    {.name = "no sync", .call = SYS_fsync, .action = SECCOMP_RET_ERRNO | EIO, .left = 0, .is_made = false},
    {.name = "killed", .call = SYS_linkat, .action = SECCOMP_RET_KILL_PROCESS, .left = 1, .is_made = false},
}};

TEST_F(Sqlite, LeavesNoDraftWhereFilesNeedNames) {
    for (const DraftCase& draft : kDraftCases) {
        SCOPED_TRACE(draft.name);
        fs::remove_all(data());

        const pid_t child = ::fork();
        if (child == 0) {
            deny_in_this_process(draft.call, draft.action);
            (void)create_store(data(), Synchronous::normal);
            ::_exit(0);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no seccomp here";
        EXPECT_EQ(fs::exists(file()), draft.is_made);
        EXPECT_EQ(names().size(), draft.left + (draft.is_made ? 1 : 0));

        given(kOne, "web");
        EXPECT_EQ(names(), (std::vector<std::string>{"records.db", "spare"}));
    }
}

TEST_F(Sqlite, KeepsASpareThatCannotBeCompressed) {
    given(kOne, "web");

    const std::string bytes = test::content_of(data() + "/spare");

    std::set<std::string> words;
    for (std::size_t at = 0; at < bytes.size(); at += 8)
        words.insert(bytes.substr(at, 8));
    EXPECT_EQ(bytes.size(), 256U << 10U);
    EXPECT_EQ(words.size(), bytes.size() / 8);
}

} // namespace
} // namespace mydocker::sqlite_state
