// Mounts of real containers, and images that would lead them elsewhere.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "support/launch_fixture.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

class HostileImage : public LaunchContainer {
  protected:
    void replace(const std::string& name, const std::string& target) {
        (void)files::remove_tree(*root_ / name);
        ASSERT_EQ(::symlink(target.c_str(), (*root_ / name).c_str()), 0);
    }
};

TEST_F(HostileImage, WithALinkForProcSysOrDevDoesNotStart) {
    for (const char* name : {"proc", "sys", "dev"}) {
        const TempDir outside;
        replace(name, outside.path());
        const Launched result = sh("true");
        EXPECT_FALSE(result.started) << name;
        EXPECT_EQ(result.failure.exit_code, 125);
        EXPECT_NE(text_of(result).find("symbolic link in the image"), std::string::npos) << text_of(result);
        EXPECT_TRUE(
            files::list_directory(::open(outside.path().c_str(), O_RDONLY | O_CLOEXEC), "x")->empty());
        (void)files::remove_tree(*root_ / name);
        ::mkdir((*root_ / name).c_str(), 0755);
    }
}

TEST_F(HostileImage, CannotLeadAMountOutside) {
    const TempDir outside;
    const TempDir source;
    replace("data", outside.path());
    spec_.mounts.push_back({"/data", "bind", source.path(), {"rbind"}});

    const Launched result = sh("touch /data/here && readlink /data");

    EXPECT_EQ(result.exit_code, 0) << text_of(result);
    EXPECT_EQ(::access((source / "here").c_str(), F_OK), 0);
    EXPECT_NE(::access((outside / "here").c_str(), F_OK), 0);
    // The path of the link was made inside the image.
    EXPECT_EQ(::access((root_->path() + outside.path()).c_str(), F_OK), 0);
}

TEST_F(HostileImage, CannotLeadAMountIntoProc) {
    const TempDir source;
    for (const char* target : {"/proc", "/proc/sys", "/proc/self/attr"}) {
        replace("data", target);
        spec_.mounts.resize(6);
        spec_.mounts.push_back({"/data", "bind", source.path(), {"rbind"}});
        EXPECT_NE(text_of(sh("true")).find("refusing to mount over /proc"), std::string::npos) << target;
    }
}

TEST_F(HostileImage, CannotPutAnythingBehindAMask) {
    // Before /dev is mounted over, the image has what it likes there.
    (void)files::remove_tree(*root_ / "dev/null");
    (void)!::symlink("/proc/sysrq-trigger", (*root_ / "dev/null").c_str());

    EXPECT_EQ(out_of("stat -c %t:%T /proc/timer_list"), "1:3\n");
}

TEST_F(HostileImage, HasItsOwnPivotRootLeftAlone) {
    root_->write(".pivot_root", "mine");

    EXPECT_EQ(out_of("cat /.pivot_root"), "mine");
}

TEST_F(HostileImage, HasItsOwnPivotRootLeftAloneWhateverItIs) {
    root_->write(".pivot_root/file", "mine");
    EXPECT_EQ(out_of("cat /.pivot_root/file"), "mine");

    (void)files::remove_tree(*root_ / ".pivot_root");
    ASSERT_EQ(::symlink("/etc", (*root_ / ".pivot_root").c_str()), 0);
    EXPECT_EQ(out_of("readlink /.pivot_root"), "/etc\n");
}

TEST_F(HostileImage, MayHaveNothingInIt) {
    for (const char* name : {"proc", "sys", "dev", "etc", "tmp"})
        (void)files::remove_tree(*root_ / name);

    EXPECT_EQ(out_of("ls / | tr '\\n' ' '"), "bin dev proc sys ");
}

TEST_F(LaunchContainer, BindsFilesAndDirectoriesWhereNothingIs) {
    const TempDir source;
    ASSERT_TRUE(files::write_atomically(source / "file", "text", 0644));
    spec_.mounts.push_back({"/a/b/file", "bind", source / "file", {"bind", "ro"}});
    spec_.mounts.push_back({"/c/d", "bind", source.path(), {"rbind"}});

    EXPECT_EQ(out_of("cat /a/b/file /c/d/file; (echo > /a/b/file) 2>/dev/null || echo ro; touch /c/d/new"),
              "texttextro\n");
    EXPECT_EQ(::access((source / "new").c_str(), F_OK), 0);
}

TEST_F(LaunchContainer, MakesAReadOnlyBindReadOnlyAllTheWayDown) {
    const TempDir source;
    ::mkdir((source / "sub").c_str(), 0755);
    ASSERT_EQ(::mount("tmpfs", (source / "sub").c_str(), "tmpfs", 0, nullptr), 0);
    spec_.mounts.push_back({"/data", "bind", source.path(), {"rbind", "ro"}});

    EXPECT_NE(sh("touch /data/sub/x").exit_code, 0);
    EXPECT_NE(sh("touch /data/x").exit_code, 0);
    ASSERT_EQ(::umount2((source / "sub").c_str(), MNT_DETACH), 0);
}

TEST_F(LaunchContainer, NamesABindWhoseSourceIsMissing) {
    spec_.mounts.push_back({"/data", "bind", "/no/such/source", {"rbind"}});

    EXPECT_EQ(text_of(sh("true")), "begin: mount '/no/such/source' on '/data': open mount '/no/such/source': "
                                   "No such file or directory (ENOENT)");
}

TEST_F(LaunchContainer, GivesTheKernelsReasonForAMount) {
    spec_.mounts.push_back({"/data", "tmpfs", "tmpfs", {"size=many"}});

    const std::string text = text_of(sh("true"));

    EXPECT_NE(text.find("mount 'tmpfs' on '/data'"), std::string::npos) << text;
    EXPECT_NE(text.find("tmpfs: Bad value for 'size'"), std::string::npos) << text;
}

// A kernel that takes any option of overlayfs reads them only later, and tells its log alone what is wrong.
bool overlay_gives_reasons() {
    const auto context = sys::fsopen("overlay", 0);
    return context && !sys::fsconfig_string(context->get(), "no_such_option", "x");
}

TEST_F(LaunchContainer, GivesTheKernelsReasonForAnOverlay) {
    if (!overlay_gives_reasons()) GTEST_SKIP() << "this kernel (older than 6.5) writes it into its log only";
    Mount overlay;
    overlay.type = "overlay";
    overlay.source = "overlay";
    overlay.target = "/";
    overlay.options = {"lowerdir=/no/such/lower"};
    spec_.rootfs = {overlay};

    const std::string text = text_of(sh("true"));

    EXPECT_NE(text.find("/no/such/lower"), std::string::npos) << text;
    EXPECT_NE(text.find("overlay"), std::string::npos) << text;
}

class OverlayRoot : public LaunchContainer {
  protected:
    void SetUp() override {
        if (auto why = missing(Need::overlayfs)) GTEST_SKIP() << *why;
        LaunchContainer::SetUp();
        ASSERT_EQ(::mount("tmpfs", layers_.path().c_str(), "tmpfs", 0, nullptr), 0);
        for (const char* name : {"u", "w"})
            ::mkdir((layers_ / name).c_str(), 0755);
        mounts_ = slurp("/proc/self/mountinfo");
        overlay_.type = "overlay";
        overlay_.source = "overlay";
        overlay_.target = "/";
    }
    void TearDown() override {
        LaunchContainer::TearDown();
        (void)::umount2(layers_.path().c_str(), MNT_DETACH);
    }

    TempDir layers_;
    Mount overlay_;
};

TEST_F(OverlayRoot, WorksByFsconfig) {
    overlay_.options = {"lowerdir=" + root_->path(), "upperdir=" + layers_ / "u", "workdir=" + layers_ / "w"};
    spec_.rootfs = {overlay_};

    EXPECT_EQ(out_of("echo x > /new; cat /new"), "x\n");
    EXPECT_EQ(slurp(layers_ / "u/new"), "x\n");
    EXPECT_NE(::access((*root_ / "new").c_str(), F_OK), 0);
}

TEST_F(OverlayRoot, WorksByMount2WithRelativeNames) {
    (void)!::symlink(root_->path().c_str(), (layers_ / "l").c_str());
    overlay_.options = {"lowerdir=l", "upperdir=u", "workdir=w"};
    overlay_.directory = layers_.path();
    spec_.rootfs = {overlay_};

    EXPECT_EQ(out_of("echo x > /new; cat /new"), "x\n");
    EXPECT_EQ(slurp(layers_ / "u/new"), "x\n");
}

TEST_F(OverlayRoot, WorksByMount2WithALongOption) {
    overlay_.options = {"lowerdir=" + std::string(250, '/') + root_->path(), "upperdir=" + layers_ / "u",
                        "workdir=" + layers_ / "w"};
    spec_.rootfs = {overlay_};

    EXPECT_EQ(out_of("echo x > /new; cat /new"), "x\n");
    EXPECT_EQ(slurp(layers_ / "u/new"), "x\n");
}

} // namespace
} // namespace mydocker::test
