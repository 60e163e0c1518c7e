// Exit codes that outlive their containers: which one is recalled, and that turning the file over loses none.
#include "engine/exits.hpp"

#include "mydocker/support/files.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

namespace mydocker::engine {
namespace {

class Exits : public ::testing::Test {
  protected:
    void remember(char digit, const std::string& name, int code) {
        ASSERT_TRUE(remember_exit(roots_, {ContainerId(std::string(64, digit)), ContainerName(name), code}));
    }
    int recall(const std::string& name) {
        auto known = recall_exit(roots_, name);
        return known && *known ? (*known)->exit_code : -1;
    }
    void remember_many(int count) {
        for (int i = 0; i < count; ++i)
            remember('f', "many" + std::to_string(i), i % 100);
    }
    [[nodiscard]] std::string file(const std::string& name) const { return roots_.run_root + "/" + name; }
    [[nodiscard]] bool has(const std::string& name) const {
        struct stat status{};
        return ::stat(file(name).c_str(), &status) == 0;
    }
    // As if everything in it had been written that long ago.
    void age(const std::string& name, std::int64_t seconds) {
        struct stat status{};
        ASSERT_EQ(::stat(file(name).c_str(), &status), 0);
        const timespec times[2] = {{status.st_mtim.tv_sec - seconds, 0},
                                   {status.st_mtim.tv_sec - seconds, 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, file(name).c_str(), times, 0), 0);
    }

  private:
    test::TempDir place_;
    paths::Roots roots_{place_.path(), place_.path()};
};

TEST_F(Exits, AreRecalledByNameIdAndPrefix) {
    remember('a', "web", 3);

    EXPECT_EQ(recall("web"), 3);
    EXPECT_EQ(recall(std::string(64, 'a')), 3);
    EXPECT_EQ(recall("aaaa"), 3);
    EXPECT_EQ(recall("nobody"), -1);
    EXPECT_EQ(recall(""), -1) << "no name, and every id begins with it";
}

TEST_F(Exits, OfANameUsedAgainIsTheLatest) {
    remember('a', "web", 3);
    remember('b', "web", 4);

    EXPECT_EQ(recall("web"), 4);
    EXPECT_EQ(recall("aaaa"), 3);
}

TEST_F(Exits, StayWhenTheFileTurnsOver) {
    remember('a', "first", 7);
    remember_many(1000);

    ASSERT_TRUE(has("exits.old"));
    EXPECT_EQ(recall("first"), 7);
    EXPECT_EQ(recall("many999"), 99);
}

TEST_F(Exits, OfTheLastHourAreNotReplaced) {
    remember('a', "first", 7);
    remember_many(2000); // Twice what makes the file turn.

    EXPECT_EQ(recall("first"), 7);
}

TEST_F(Exits, OlderThanAnHourMakeRoom) {
    remember_many(1000);
    ASSERT_TRUE(has("exits.old"));
    age("exits.old", 4000);
    remember_many(400);

    struct stat status{};
    ASSERT_EQ(::stat(file("exits").c_str(), &status), 0);
    EXPECT_LT(status.st_size, 64 * 1024);
}

TEST_F(Exits, ThatAreDamagedAreSkipped) {
    ASSERT_TRUE(files::write_atomically(file("exits"), "garbage\n1 2\n"));
    remember('a', "web", 3);

    EXPECT_EQ(recall("web"), 3);
}

} // namespace
} // namespace mydocker::engine
