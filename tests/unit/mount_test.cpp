// Mount → calls of the mount interface, over a recording double of base/sys.
#include "runtime/mount.hpp"
#include "support/fake_sys.hpp"

#include <gtest/gtest.h>
#include <sys/mount.h>

namespace mydocker::runtime {
namespace {

using test::FakeSys;

constexpr int kRoot = 7;

Mount mount_of(const char* type, const char* target) {
    Mount mount;
    mount.type = type;
    mount.source = type;
    mount.target = target;
    return mount;
}

class MountCalls : public ::testing::Test {
  protected:
    void SetUp() override { (void)test::fresh_fake_sys(); }
};

TEST_F(MountCalls, GivesOneOptionACall) {
    Mount overlay = mount_of("overlay", "/");
    overlay.options = {"lowerdir+=/a", "lowerdir+=/b", "upperdir=/u", "volatile"};

    auto made = make_detached(overlay);

    ASSERT_TRUE(made && *made);
    EXPECT_EQ(test::fake_sys().calls,
              (std::vector<std::string>{
                  "fsopen overlay", "fsconfig_string [fs overlay] source overlay",
                  "fsconfig_string [fs overlay] lowerdir+ /a", "fsconfig_string [fs overlay] lowerdir+ /b",
                  "fsconfig_string [fs overlay] upperdir /u", "fsconfig_flag [fs overlay] volatile",
                  "fsconfig_create [fs overlay]", "fsmount [fs overlay] 0"}));
}

TEST_F(MountCalls, ClonesABindAndMakesItPrivateAndReadOnlyAllTheWayDown) {
    Mount bind = mount_of("bind", "/data");
    bind.source = "/srv/data";
    bind.flags = MS_RDONLY | MS_REC;

    auto made = make_detached(bind);

    ASSERT_TRUE(made && *made);
    EXPECT_EQ(test::fake_sys().calls,
              (std::vector<std::string>{"open_tree cwd /srv/data",
                                        "mount_setattr [tree /srv/data] recursive ro private"}));
}

Mount bind_from_elsewhere() {
    Mount bind = mount_of("bind", "/dev/shm");
    bind.source = "/proc/7/root/dev/shm";
    return bind;
}

TEST_F(MountCalls, ClonesInTheOtherMountNamespaceAndComesHome) {
    auto made = make_detached(bind_from_elsewhere());

    ASSERT_TRUE(made && *made);
    EXPECT_EQ(
        test::fake_sys().calls,
        (std::vector<std::string>{"openat cwd /proc/7/ns/mnt", "openat cwd /proc/self/ns/mnt", "openat cwd /",
                                  "openat cwd .", "setns [/proc/7/ns/mnt] 131072", "open_tree cwd /dev/shm",
                                  "setns [/proc/self/ns/mnt] 131072", "fchdir [/]", "chroot .", "fchdir [.]",
                                  "mount_setattr [tree /dev/shm] private"}));
}

TEST_F(MountCalls, StaysWhereItIsWhenItCannotEnterTheOtherMountNamespace) {
    test::fake_sys().fail_named["setns [/proc/7"] = EPERM;

    auto made = make_detached(bind_from_elsewhere());

    ASSERT_FALSE(made);
    EXPECT_EQ(test::fake_sys().count_of("setns"), 1);
    EXPECT_EQ(test::fake_sys().count_of("open_tree"), 0);
}

TEST_F(MountCalls, TriesTwiceToComeHome) {
    test::fake_sys().fail_at = 6; // the first setns back

    auto made = make_detached(bind_from_elsewhere());

    ASSERT_TRUE(made && *made);
    EXPECT_EQ(test::fake_sys().count_of("setns [/proc/self/ns/mnt]"), 2);
    EXPECT_EQ(test::fake_sys().count_of("fchdir [.]"), 1);
}

TEST_F(MountCalls, EndsRatherThanStayInTheOtherMountNamespace) {
    test::fake_sys().fail_named["chroot"] = EPERM;

    EXPECT_EXIT((void)make_detached(bind_from_elsewhere()), testing::ExitedWithCode(125), "");
}

TEST_F(MountCalls, LeavesToMount2WhatFsconfigCannotTake) {
    Mount relative = mount_of("overlay", "/");
    relative.directory = "/var/lib/x";
    Mount longest = mount_of("overlay", "/");
    longest.options = {"lowerdir=" + std::string(255, 'a')};
    Mount too_long = mount_of("overlay", "/");
    too_long.options = {"lowerdir=" + std::string(256, 'a')};

    EXPECT_TRUE(make_detached(longest)->has_value());
    EXPECT_FALSE(make_detached(relative)->has_value());
    EXPECT_FALSE(make_detached(too_long)->has_value());
}

TEST_F(MountCalls, LeavesToMount2WhatIsToBeRemounted) {
    Mount stacked = mount_of("stacked", "/");
    stacked.remounts = {"append=/a"};

    EXPECT_FALSE(make_detached(stacked)->has_value());
}

TEST_F(MountCalls, LeavesToMount2AKernelWithoutFsopen) {
    test::fake_sys().fail_named["fsopen"] = ENOSYS;

    auto made = make_detached(mount_of("tmpfs", "/tmp"));

    ASSERT_TRUE(made);
    EXPECT_FALSE(made->has_value());
}

TEST_F(MountCalls, NamesTypeTargetAndOptionOfAFailure) {
    test::fake_sys().fail_named["fsconfig_string [fs tmpfs] size"] = EINVAL;
    Mount tmpfs = mount_of("tmpfs", "/tmp");
    tmpfs.options = {"size=lots"};

    auto made = make_detached(tmpfs);

    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().text.starts_with("mount 'tmpfs' on '/tmp': ")) << made.error().text;
    EXPECT_EQ(made.error().sys_errno, EINVAL);
}

TEST_F(MountCalls, MountsInPlaceFromTheDirectoryOfRelativeNames) {
    Mount overlay = mount_of("overlay", "/");
    overlay.directory = "/var/lib/x";
    overlay.options = {"lowerdir=l/1:l/2", "upperdir=u"};

    auto made = make_in_place(overlay);

    ASSERT_TRUE(made);
    EXPECT_EQ(
        test::fake_sys().calls,
        (std::vector<std::string>{"chdir /var/lib/x", "mount overlay . overlay 0 lowerdir=l/1:l/2,upperdir=u",
                                  "open_tree cwd /var/lib/x"}));
}

TEST_F(MountCalls, RefusesOptionsThatMount2WouldCut) {
    Mount overlay = mount_of("overlay", "/");
    overlay.options = {std::string(2048, 'a'), std::string(2046, 'b')};
    ASSERT_TRUE(make_in_place(overlay)); // 4,095 bytes

    overlay.options.back() += "b";
    auto made = make_in_place(overlay);

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::invalid);
    EXPECT_NE(made.error().text.find("4096 bytes"), std::string::npos) << made.error().text;
    EXPECT_EQ(test::fake_sys().count_of("mount "), 1);
}

TEST_F(MountCalls, RemountsOnceForEachFurtherStringWithTheSameFlags) {
    Mount stacked = mount_of("stacked", "/");
    stacked.directory = "/var/lib/x";
    stacked.flags = MS_RDONLY;
    stacked.options = {"br=u=ro"};
    stacked.remounts = {"append=a=ro,append=b=ro", "append=c=ro"};

    auto made = make_in_place(stacked);

    ASSERT_TRUE(made);
    EXPECT_EQ(test::fake_sys().calls,
              (std::vector<std::string>{"chdir /var/lib/x", "mount stacked . stacked 1 br=u=ro",
                                        "mount stacked /var/lib/x stacked 33 append=a=ro,append=b=ro",
                                        "mount stacked /var/lib/x stacked 33 append=c=ro",
                                        "open_tree cwd /var/lib/x"}));
}

TEST_F(MountCalls, SaysThatARemountFailed) {
    Mount stacked = mount_of("stacked", "/");
    stacked.remounts = {"append=a=ro"};
    test::fake_sys().fail_named["mount stacked /.. stacked 32 append=a=ro"] = EINVAL;

    auto made = make_in_place(stacked);

    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().text.starts_with("mount 'stacked' on '/': remount it: ")) << made.error().text;
    EXPECT_EQ(test::fake_sys().count_of("open_tree"), 0);
}

TEST_F(MountCalls, RefusesARemountThatMount2WouldCut) {
    Mount stacked = mount_of("stacked", "/");
    stacked.remounts = {std::string(4096, 'a')};

    auto made = make_in_place(stacked);

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::invalid);
    EXPECT_EQ(test::fake_sys().count_of("mount "), 1);
}

TEST_F(MountCalls, ExplainsAFullMountTable) {
    test::fake_sys().fail_named["move_mount"] = ENOSPC;

    auto attached = attach(8, 9, "/data");

    ASSERT_FALSE(attached);
    EXPECT_NE(attached.error().text.find("fs.mount-max"), std::string::npos);
}

TEST_F(MountCalls, MakesWhatIsMissingOfAPlace) {
    // Missing until it is made: looked for, its parent looked for, made, looked for again.
    test::fake_sys().missing = {"/a/b"};

    auto target = open_target(kRoot, "/a/b", TargetKind::directory, Links::follow);

    EXPECT_FALSE(target); // The double does not grow directories; the calls are what counts.
    const std::vector<std::string> wanted = {"openat2 [7] /a/b", "openat2 [7] /a", "mkdirat [/a] b",
                                             "openat2 [7] /a/b"};
    EXPECT_EQ(test::fake_sys().calls, wanted);
}

TEST_F(MountCalls, FollowsALinkThatLeadsNowhereInsideTheRoot) {
    FakeSys& fake = test::fake_sys();
    fake.missing = {"/a/link"};
    fake.links = {{"link", "/else/where"}};
    fake.fail_named["mkdirat [/a] link"] = EEXIST;

    auto target = open_target(kRoot, "/a/link", TargetKind::directory, Links::follow);

    ASSERT_TRUE(target);
    EXPECT_EQ(fake.calls.back(), "openat2 [7] /else/where");
}

TEST_F(MountCalls, EndsAtALoopOfLinks) {
    FakeSys& fake = test::fake_sys();
    fake.missing = {"/a/link"};
    fake.links = {{"link", "/a/link"}};
    fake.fail_named["mkdirat [/a] link"] = EEXIST;

    auto target = open_target(kRoot, "/a/link", TargetKind::directory, Links::follow);

    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().code, Code::invalid);
}

TEST_F(MountCalls, SaysThatALinkIsInTheWay) {
    test::fake_sys().fail_named["openat2"] = ELOOP;

    auto target = open_target(kRoot, "/dev/shm", TargetKind::directory, Links::refuse);

    ASSERT_FALSE(target);
    EXPECT_NE(target.error().text.find("symbolic link in the image"), std::string::npos);
}

} // namespace
} // namespace mydocker::runtime
