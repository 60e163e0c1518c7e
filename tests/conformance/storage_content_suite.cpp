// What a layer can hold arrives in the mounted root filesystem as it was unpacked, whatever way the driver
// takes it there: owners, modes, times, attributes, links, nodes, holes. Face only; see storage_suite.cpp.
#include "conformance/storage_fixture.hpp"

#include <array>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace mydocker::conformance {
namespace {

constexpr timespec kLongAgo{-86400, 123456789}; // before 1970
constexpr off_t kHoleBegin = 8L << 20U;
constexpr off_t kHoleSize = 64L << 20U;
// VFS_CAP_REVISION_2, effective, permitted: CAP_NET_RAW. Source: capabilities(7), linux/capability.h.
constexpr std::string_view kCapability = {
    "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20};

// Status by a path that is not followed.
struct stat status_of(const std::string& path) {
    struct stat status{};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status;
}

std::string xattr_of(const std::string& path, const char* name) {
    std::array<char, 256> value{};
    const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    return size < 0 ? "<absent>" : std::string(value.data(), static_cast<std::size_t>(size));
}

void set_xattr(const std::string& path, const char* name, std::string_view value) {
    EXPECT_EQ(::lsetxattr(path.c_str(), name, value.data(), value.size(), 0), 0) << path << " " << name;
}

void set_time(const std::string& path) {
    const std::array times{kLongAgo, kLongAgo};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW), 0) << path;
}

class StorageContent : public StorageSuite {
  protected:
    // The path of `name` in a view of a layer that the author wrote, under one more layer.
    std::string shown(const Author& author, const std::string& name) {
        const LayerId one = given_layer(1, {}, author);
        const LayerId two = given_layer(2, {one}, [](const LayerWriter& layer) { layer.file("above", "2"); });
        view_ = std::make_unique<View>(mounted(given_rw(1, {one, two})));
        return view_->path(name);
    }

  private:
    std::unique_ptr<View> view_;
};

TEST_P(StorageContent, KeepsOwnerModeAndTimes) {
    const std::string path = shown(
        [](const LayerWriter& layer) {
            layer.file("f", "content");
            ASSERT_EQ(::chown(layer.path("f").c_str(), 1000, 0x7ffffffe), 0);
            ASSERT_EQ(::chmod(layer.path("f").c_str(), 06751), 0);
            set_time(layer.path("f"));
        },
        "f");

    const struct stat status = status_of(path);
    EXPECT_EQ(status.st_mode, S_IFREG | 06751U);
    EXPECT_EQ(status.st_uid, 1000U);
    EXPECT_EQ(status.st_gid, 0x7ffffffeU);
    EXPECT_EQ(status.st_mtim.tv_sec, kLongAgo.tv_sec);
    EXPECT_EQ(status.st_mtim.tv_nsec, kLongAgo.tv_nsec);
}

TEST_P(StorageContent, KeepsDirectoriesAsTheyWere) {
    const std::string path = shown(
        [](const LayerWriter& layer) {
            layer.directory("d");
            layer.file("d/inside", "1");
            ASSERT_EQ(::chmod(layer.path("d").c_str(), 03770), 0);
            set_xattr(layer.path("d"), "trusted.mine", "x");
            set_time(layer.path("d"));
        },
        "d");

    const struct stat status = status_of(path);
    EXPECT_EQ(status.st_mode, S_IFDIR | 03770U);
    EXPECT_EQ(status.st_mtim.tv_sec, kLongAgo.tv_sec);
    EXPECT_EQ(xattr_of(path, "trusted.mine"), "x");
}

TEST_P(StorageContent, KeepsExtendedAttributesAndCapabilities) {
    const std::string path = shown(
        [](const LayerWriter& layer) {
            layer.file("f", "content");
            set_xattr(layer.path("f"), "trusted.empty", "");
            set_xattr(layer.path("f"), "trusted.bytes", std::string_view("a\0b", 3));
            set_xattr(layer.path("f"), "security.capability", kCapability);
        },
        "f");

    EXPECT_EQ(xattr_of(path, "trusted.empty"), "");
    EXPECT_EQ(xattr_of(path, "trusted.bytes"), std::string("a\0b", 3));
    EXPECT_EQ(xattr_of(path, "security.capability"), kCapability);
}

TEST_P(StorageContent, KeepsSymbolicLinks) {
    const std::string path = shown(
        [](const LayerWriter& layer) {
            ASSERT_EQ(::symlink("/etc/passwd", layer.path("l").c_str()), 0);
            ASSERT_EQ(::lchown(layer.path("l").c_str(), 5, 6), 0);
            set_xattr(layer.path("l"), "trusted.mine", "x");
            set_time(layer.path("l"));
        },
        "l");

    const struct stat status = status_of(path);
    std::array<char, 64> target{};
    EXPECT_EQ(::readlink(path.c_str(), target.data(), target.size() - 1), 11);
    EXPECT_STREQ(target.data(), "/etc/passwd");
    EXPECT_EQ(status.st_uid, 5U);
    EXPECT_EQ(status.st_mtim.tv_sec, kLongAgo.tv_sec);
    EXPECT_EQ(xattr_of(path, "trusted.mine"), "x");
}

TEST_P(StorageContent, KeepsNamesThatShareAFile) {
    const std::string path = shown(
        [](const LayerWriter& layer) {
            layer.directory("d");
            layer.file("d/one", "content");
            ASSERT_EQ(::link(layer.path("d/one").c_str(), layer.path("two").c_str()), 0);
        },
        "");

    EXPECT_EQ(status_of(path + "d/one").st_ino, status_of(path + "two").st_ino);
    EXPECT_EQ(status_of(path + "two").st_nlink, 2U);
}

TEST_P(StorageContent, KeepsNodes) {
    const std::string path = shown(
        [](const LayerWriter& layer) {
            ASSERT_EQ(::mknod(layer.path("fifo").c_str(), S_IFIFO | 0640, 0), 0);
            ASSERT_EQ(::mknod(layer.path("socket").c_str(), S_IFSOCK | 0600, 0), 0);
            ASSERT_EQ(::mknod(layer.path("null").c_str(), S_IFCHR | 0666, ::makedev(1, 3)), 0);
            ASSERT_EQ(::mknod(layer.path("disk").c_str(), S_IFBLK | 0660, ::makedev(7, 99)), 0);
            ASSERT_EQ(::chmod(layer.path("null").c_str(), 0666), 0);
        },
        "");

    EXPECT_EQ(status_of(path + "fifo").st_mode & S_IFMT, static_cast<mode_t>(S_IFIFO));
    EXPECT_EQ(status_of(path + "socket").st_mode & S_IFMT, static_cast<mode_t>(S_IFSOCK));
    EXPECT_EQ(status_of(path + "null").st_mode, S_IFCHR | 0666U);
    EXPECT_EQ(status_of(path + "null").st_rdev, ::makedev(1, 3));
    EXPECT_EQ(status_of(path + "disk").st_rdev, ::makedev(7, 99));
}

TEST_P(StorageContent, KeepsHoles) {
    const std::string path = shown(
        [](const LayerWriter& layer) {
            const UniqueFd fd(::open(layer.path("f").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            ASSERT_EQ(::pwrite(fd.get(), "middle", 6, kHoleBegin), 6);
            ASSERT_EQ(::ftruncate(fd.get(), kHoleBegin + kHoleSize), 0);
        },
        "f");

    const struct stat status = status_of(path);
    EXPECT_EQ(status.st_size, kHoleBegin + kHoleSize);
    EXPECT_LT(status.st_blocks * 512, 1L << 20U);
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 7> text{};
    EXPECT_EQ(::pread(fd.get(), text.data(), 6, kHoleBegin), 6);
    EXPECT_STREQ(text.data(), "middle");
}

TEST_P(StorageContent, KeepsLargeContent) {
    std::string content;
    for (int i = 0; i < 400'000; ++i)
        content += std::to_string(i);

    const std::string path = shown([&](const LayerWriter& layer) { layer.file("f", content); }, "f");

    EXPECT_TRUE(read_text(path) == content);
}

// In two names: some filesystems take a few bytes less than 255 in one.
TEST_P(StorageContent, KeepsNamesOfAnyBytes) {
    std::string low;
    std::string high;
    for (int byte = 1; byte < 256; ++byte)
        if (byte != '/') (byte < 128 ? low : high) += static_cast<char>(byte);

    const std::string path = shown(
        [&](const LayerWriter& layer) {
            layer.file(low, "odd");
            layer.file(high, "odder");
        },
        "");

    EXPECT_EQ(read_text(path + low), "odd");
    EXPECT_EQ(read_text(path + high), "odder");
}

// Without a storage driver on the command line there is nothing to run.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageContent);

INSTANTIATE_TEST_SUITE_P(Driver, StorageContent, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());

} // namespace
} // namespace mydocker::conformance
