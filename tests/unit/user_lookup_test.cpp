// Users and groups in the container's files: hostile input, strict numbers, bounded reading.
#include "runtime/init_user.hpp"
#include "support/fake_sys.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace mydocker::runtime::init {
namespace {

using test::FakeSys;

constexpr int kRoot = 7;

class UserLookup : public ::testing::Test {
  protected:
    void SetUp() override {
        FakeSys& fake = test::fresh_fake_sys();
        fake.files["etc/passwd"] = {.bytes = "# comment\n"
                                             "root:x:0:0:root:/root:/bin/sh\n"
                                             "\n"
                                             "web:x:33:34:Web:/srv/web:/bin/sh\n"
                                             "10:x:77:77::/ten:/bin/sh\n"
                                             "broken:x:abc:1::/:\n"
                                             "wrap:x:4294967296:0::/:\n"
                                             "minus:x:-1:0::/:\n"
                                             "unchanged:x:4294967295:0::/:\n"
                                             "plus:x:+0:0::/:\n"
                                             "last:x:99:99::/last"};
        fake.files["etc/group"] = {.bytes = "root:x:0:\nwww:x:34:\nextra:x:50:other,web\nmore:x:51:web\n"
                                            "not:x:52:webber,aweb\n"};
    }

    static PlannedUser by_name(const char* name) {
        PlannedUser user;
        user.lookup = true;
        user.name = name;
        return user;
    }
    static PlannedUser by_id(std::uint32_t uid) {
        PlannedUser user;
        user.lookup = true;
        user.uid = uid;
        return user;
    }
};

TEST_F(UserLookup, GivesANamedUserIdsHomeAndGroups) {
    const auto found = look_up(kRoot, by_name("web"));

    ASSERT_TRUE(found);
    EXPECT_EQ(found->uid, 33U);
    EXPECT_EQ(found->gid, 34U);
    EXPECT_EQ(found->home, "/srv/web");
    EXPECT_EQ(found->groups, (std::vector<std::uint32_t>{34, 50, 51}));
}

TEST_F(UserLookup, TakesANumberAsANumberAlthoughAUserIsNamedSo) {
    const auto found = look_up(kRoot, by_id(10));

    ASSERT_TRUE(found);
    EXPECT_EQ(found->uid, 10U);
    EXPECT_EQ(found->gid, 0U);
    EXPECT_TRUE(found->home.empty());
}

TEST_F(UserLookup, GivesANumberTheGroupsOfItsUser) {
    const auto found = look_up(kRoot, by_id(33));

    ASSERT_TRUE(found);
    EXPECT_EQ(found->groups, (std::vector<std::uint32_t>{34, 50, 51}));
}

TEST_F(UserLookup, WithAGroupGivesNoOthers) {
    PlannedUser user = by_name("web");
    user.group_given = true;
    user.group_name = "extra";

    const auto found = look_up(kRoot, user);

    ASSERT_TRUE(found);
    EXPECT_EQ(found->gid, 50U);
    EXPECT_EQ(found->groups, std::vector<std::uint32_t>{50});
}

TEST_F(UserLookup, ReadsALastLineWithoutItsEnd) {
    const auto found = look_up(kRoot, by_name("last"));

    ASSERT_TRUE(found);
    EXPECT_EQ(found->uid, 99U);
}

TEST_F(UserLookup, DoesNotKnowUsersWhoseNumbersAreNone) {
    for (const char* name : {"broken", "wrap", "minus", "unchanged", "plus", "nobody", "# comment", ""}) {
        if (*name == '\0') continue; // By id, which is another case.
        const auto found = look_up(kRoot, by_name(name));
        ASSERT_FALSE(found) << name;
        EXPECT_EQ(found.error().code, Code::not_found) << name;
    }
}

TEST_F(UserLookup, DoesNotKnowAGroupThatIsNotThere) {
    PlannedUser user = by_name("web");
    user.group_given = true;
    user.group_name = "nogroup";

    EXPECT_EQ(look_up(kRoot, user).error().code, Code::not_found);
}

TEST_F(UserLookup, WithoutFilesANumberStillCounts) {
    test::fake_sys().missing = {"etc/passwd", "etc/group"};

    const auto found = look_up(kRoot, by_id(1000));

    ASSERT_TRUE(found);
    EXPECT_EQ(found->uid, 1000U);
    EXPECT_FALSE(look_up(kRoot, by_name("web")));
}

TEST_F(UserLookup, RefusesWhatIsNoRegularFile) {
    for (const mode_t mode : {mode_t{S_IFIFO}, mode_t{S_IFCHR}, mode_t{S_IFDIR}, mode_t{S_IFSOCK}}) {
        test::fake_sys().files["etc/passwd"].mode = mode | 0644;
        const auto found = look_up(kRoot, by_name("web"));
        ASSERT_FALSE(found);
        EXPECT_NE(found.error().text.find("not a regular file"), std::string::npos);
        EXPECT_EQ(test::fake_sys().count_of("read"), 0);
    }
}

TEST_F(UserLookup, RefusesAFileThatIsTooLarge) {
    test::fake_sys().files["etc/passwd"].size = std::uint64_t{10} << 30U;

    EXPECT_NE(look_up(kRoot, by_name("web")).error().text.find("larger than 8 MiB"), std::string::npos);
    EXPECT_EQ(test::fake_sys().count_of("read"), 0);
}

TEST_F(UserLookup, RefusesAFileThatGrowsWhileItIsRead) {
    FakeSys& fake = test::fake_sys();
    fake.files["etc/passwd"].bytes = std::string(std::size_t{9} << 20U, 'x');
    fake.files["etc/passwd"].size = 100;

    EXPECT_NE(look_up(kRoot, by_name("web")).error().text.find("larger than 8 MiB"), std::string::npos);
}

TEST_F(UserLookup, SkipsALineLongerThanAnyHonestOne) {
    FakeSys& fake = test::fake_sys();
    std::string& bytes = fake.files["etc/passwd"].bytes;
    bytes = std::string(200'000, 'y') + ":x:1:1::/:\nweb:x:33:34::/:\n";

    const auto found = look_up(kRoot, by_name("web"));

    ASSERT_TRUE(found);
    EXPECT_EQ(found->uid, 33U);
}

TEST(PasswdLine, NeedsNameAndTwoNumbers) {
    EXPECT_TRUE(parse_passwd_line("a:x:1:2:::"));
    EXPECT_TRUE(parse_passwd_line("a:x:1:2"));
    for (const char* line : {"", ":", "a", "a:x", "a:x:1", "a:x::2", ":x:1:2", "a:x: 1:2",
                             "a:x:1:2x:", "a:x:0x1:2", "a:x:99999999999999999999:2"})
        EXPECT_FALSE(parse_passwd_line(line)) << line;
}

} // namespace
} // namespace mydocker::runtime::init
