// Volumes on disk: made whole, filled whole, removed whole.
#include "engine/volumes.hpp"

#include "support/image_support.hpp"
#include "support/support.hpp"

#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace mydocker::engine {
namespace {

namespace fs = std::filesystem;

class Volumes : public ::testing::Test {
  protected:
    void SetUp() override {
        if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
        fs::create_directories(roots_.root);
        fs::create_directories(image_);
    }

    [[nodiscard]] VolumeStore open() {
        auto store = VolumeStore::open(roots_);
        EXPECT_TRUE(store) << describe(store.error());
        return std::move(*store);
    }

    void make(const std::string& name) {
        Volume volume;
        volume.name = name;
        volume.labels = {{"k", "v"}};
        EXPECT_TRUE(open().create(volume));
    }

    Status fill(const std::string& name) {
        auto directory = files::open(image_, O_RDONLY | O_DIRECTORY);
        EXPECT_TRUE(directory);
        return open().fill(name, directory->get());
    }

    [[nodiscard]] std::string data(const std::string& name) const { return paths::volume_data(roots_, name); }

    const test::TempDir directory_;
    const paths::Roots roots_{directory_ / "root", directory_ / "run"};
    const std::string image_ = directory_ / "image";
};

TEST_F(Volumes, AreListedByName) {
    make("b");
    make("a");

    const auto volumes = list_volumes(roots_);

    ASSERT_TRUE(volumes) << describe(volumes.error());
    ASSERT_EQ(volumes->size(), 2U);
    EXPECT_EQ((*volumes)[0].name, "a");
    EXPECT_EQ((*volumes)[1].labels, (std::vector<std::pair<std::string, std::string>>{{"k", "v"}}));
}

TEST_F(Volumes, AreNoneWhereNoneWasMade) {
    const auto volumes = list_volumes(roots_);

    ASSERT_TRUE(volumes);
    EXPECT_TRUE(volumes->empty());
}

TEST_F(Volumes, StayAsTheyAreWhenMadeAgain) {
    make("a");
    test::write_text(data("a") + "/f", "x");

    const auto made =
        open().create(Volume{.name = "a", .created_ns = 0, .anonymous = true, .container = "", .labels = {}});

    ASSERT_TRUE(made);
    EXPECT_FALSE(*made);
    EXPECT_EQ(test::tree(data("a")), "f 0644 f 'x'\n");
    EXPECT_FALSE(load_volume(roots_, "a")->anonymous);
}

TEST_F(Volumes, SayWhenTheyAreNotThere) {
    EXPECT_EQ(load_volume(roots_, "a").error().code, Code::not_found);
    EXPECT_EQ(load_volume(roots_, "../a").error().code, Code::invalid);
}

TEST_F(Volumes, OfANewerProgramAreRefusedInWords) {
    make("a");
    test::write_text(roots_.root + "/volumes/a/volume.json", R"({"schema":2})");

    EXPECT_EQ(load_volume(roots_, "a").error().code, Code::unsupported);
}

TEST_F(Volumes, HoldAnImagesDirectoryWithAllThatBelongsToIt) {
    make("a");
    test::write_text(image_ + "/f", "content");
    ASSERT_EQ(::chown((image_ + "/f").c_str(), 12, 34), 0);
    ASSERT_EQ(::chmod((image_ + "/f").c_str(), 04755), 0);
    ASSERT_EQ(::link((image_ + "/f").c_str(), (image_ + "/g").c_str()), 0);
    ASSERT_EQ(::symlink("/etc/passwd", (image_ + "/l").c_str()), 0);
    ASSERT_EQ(::symlink("/etc", (image_ + "/d").c_str()), 0);
    ASSERT_EQ(::setxattr((image_ + "/f").c_str(), "trusted.mark", "m", 1, 0), 0);
    fs::create_directories(image_ + "/sub/deep");
    ASSERT_EQ(::mkfifo((image_ + "/sub/fifo").c_str(), 0600), 0);
    ASSERT_EQ(::chown(image_.c_str(), 56, 78), 0);
    ASSERT_EQ(::chmod(image_.c_str(), 01777), 0);

    ASSERT_TRUE(fill("a"));

    EXPECT_EQ(test::tree(data("a")), test::tree(image_));
    struct stat f{};
    struct stat g{};
    struct stat top{};
    ASSERT_EQ(::stat((data("a") + "/f").c_str(), &f), 0);
    ASSERT_EQ(::stat((data("a") + "/g").c_str(), &g), 0);
    ASSERT_EQ(::stat(data("a").c_str(), &top), 0);
    EXPECT_EQ(f.st_ino, g.st_ino);
    EXPECT_EQ(f.st_uid, 12U);
    EXPECT_EQ(f.st_mode & 07777, 04755U);
    EXPECT_EQ(top.st_gid, 78U);
    EXPECT_EQ(top.st_mode & 07777, 01777U);
    char mark = 0;
    EXPECT_EQ(::getxattr((data("a") + "/f").c_str(), "trusted.mark", &mark, 1), 1);
    EXPECT_EQ(mark, 'm');
}

TEST_F(Volumes, KeepHolesAsHoles) {
    make("a");
    test::write_text(image_ + "/f", "x");
    ASSERT_EQ(::truncate((image_ + "/f").c_str(), 64 << 20), 0);

    ASSERT_TRUE(fill("a"));

    struct stat f{};
    ASSERT_EQ(::stat((data("a") + "/f").c_str(), &f), 0);
    EXPECT_EQ(f.st_size, 64 << 20);
    EXPECT_LT(f.st_blocks, 1024);
}

TEST_F(Volumes, ThatHoldSomethingAreNotFilled) {
    make("a");
    test::write_text(data("a") + "/own", "x");
    test::write_text(image_ + "/f", "y");

    ASSERT_TRUE(fill("a"));

    EXPECT_EQ(test::tree(data("a")), "f 0644 own 'x'\n");
}

TEST_F(Volumes, AreFilledAnewWhereACopyWasCutOff) {
    make("a");
    fs::create_directories(roots_.root + "/volumes/a/_filling");
    test::write_text(roots_.root + "/volumes/a/_filling/f", "hal");
    test::write_text(image_ + "/f", "half");

    ASSERT_TRUE(fill("a"));

    EXPECT_EQ(test::tree(data("a")), "f 0644 f 'half'\n");
    EXPECT_FALSE(fs::exists(roots_.root + "/volumes/a/_filling"));
}

TEST_F(Volumes, AreCompletedWhereACompleteCopyWasMovingIn) {
    make("a");
    fs::create_directories(roots_.root + "/volumes/a/_filled");
    test::write_text(roots_.root + "/volumes/a/_filled/second", "2");
    test::write_text(data("a") + "/first", "1");

    EXPECT_TRUE(*open().is_empty("a"));
    ASSERT_TRUE(fill("a"));

    EXPECT_EQ(test::tree(data("a")), "f 0644 first '1'\nf 0644 second '2'\n");
    EXPECT_FALSE(*open().is_empty("a"));
}

TEST_F(Volumes, AreGoneWhenRemoved) {
    make("a");
    test::write_text(data("a") + "/f", "x");

    ASSERT_TRUE(open().remove("a"));
    ASSERT_TRUE(open().remove("a"));

    EXPECT_FALSE(fs::exists(roots_.root + "/volumes/a"));
    EXPECT_FALSE(fs::exists(roots_.root + "/volumes/.gone"));
}

TEST_F(Volumes, ThatCannotBeDeletedWholeAreInNobodysWay) {
    make("a");
    const std::string inside = data("a") + "/mount";
    fs::create_directories(inside);
    ASSERT_EQ(::mount("none", inside.c_str(), "tmpfs", 0, ""), 0);

    const auto removed = open().remove("a");

    const std::string aside = roots_.root + "/volumes/.gone/_data/mount";
    EXPECT_FALSE(removed);
    EXPECT_TRUE(list_volumes(roots_)->empty());
    make("a");
    EXPECT_TRUE(open().remove("a"));
    EXPECT_TRUE(fs::exists(aside));
    ASSERT_EQ(::umount2(aside.c_str(), MNT_DETACH), 0);
    (void)open();
    EXPECT_FALSE(fs::exists(aside)) << "the next change deletes it";
}

TEST_F(Volumes, AreWhatCanBeCalledSo) {
    make("a");
    fs::create_directories(roots_.root + "/volumes/lost+found"); // a filesystem of its own is mounted there

    const auto volumes = list_volumes(roots_);

    ASSERT_TRUE(volumes) << describe(volumes.error());
    EXPECT_EQ(volumes->size(), 1U);
}

TEST_F(Volumes, HalfMadeOrHalfRemovedAreSweptByTheNextChange) {
    (void)open();
    fs::create_directories(roots_.root + "/volumes/.new/_data");
    fs::create_directories(roots_.root + "/volumes/.gone/_data/x");

    EXPECT_TRUE(list_volumes(roots_)->empty());
    make("a");

    EXPECT_FALSE(fs::exists(roots_.root + "/volumes/.new"));
    EXPECT_FALSE(fs::exists(roots_.root + "/volumes/.gone"));
}

} // namespace
} // namespace mydocker::engine
