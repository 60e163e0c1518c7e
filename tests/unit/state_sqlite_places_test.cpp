// The state store "sqlite" where its filesystem is full or read-only.
#include "unit/state_sqlite_fixture.hpp"

#include <csignal>
#include <functional>
#include <sched.h>
#include <sys/mount.h>
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

} // namespace
} // namespace mydocker::sqlite_state
