// The state store "sqlite" where its filesystem is full or read-only.
#include "unit/state_sqlite_fixture.hpp"

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

} // namespace
} // namespace mydocker::sqlite_state
