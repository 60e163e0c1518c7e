// The contract of a storage driver as a mounted root filesystem shows it: stacking, whiteouts, read-only
// views, and removal of what was written. What changes() finds again: storage_changes_suite.cpp. Face
// only; see storage_suite.cpp.
#include "conformance/storage_fixture.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/mount.h>
#include <sys/stat.h>

namespace mydocker::conformance {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

using StorageMounts = StorageSuite;
using StorageRemoval = StorageSuite;

// --- mounts -------------------------------------------------------------------------------------------

TEST_P(StorageMounts, DescribeTheRootFirstAndChangeNothing) {
    const RwId id = given_rw(1, {given_base()});
    const auto before = tree_of(parent());

    for (const Access access : {Access::read_only, Access::read_write}) {
        const auto mounts = driver().mounts(id, access);

        ASSERT_TRUE(mounts) << describe(mounts.error());
        ASSERT_FALSE(mounts->empty());
        EXPECT_EQ(mounts->front().target, "/");
        EXPECT_FALSE(mounts->front().type.empty());
    }
    EXPECT_EQ(tree_of(parent()), before);
}

TEST_P(StorageMounts, HigherLayersCoverLowerOnes) {
    const LayerId one = given_base();
    const LayerId two = given_layer(2, {one}, [](const LayerWriter& layer) {
        layer.file("file", "second");
        layer.file("new", "second");
    });
    const RwId id = given_rw(1, {one, two});

    const View view = mounted(id);

    EXPECT_EQ(read_text(view.path("file")), "second");
    EXPECT_EQ(read_text(view.path("new")), "second");
    EXPECT_EQ(read_text(view.path("other")), "base");
}

TEST_P(StorageMounts, RemovedNamesAreGone) {
    const LayerId one = given_base();
    const LayerId two = given_layer(2, {one}, [](const LayerWriter& layer) {
        layer.remove("file");
        layer.remove("zdir");
        layer.directory("dir");
        layer.remove("dir/a");
    });
    const RwId id = given_rw(1, {one, two});

    const View view = mounted(id);

    const std::map<std::string, std::string> want{{"other", "file base"},
                                                  {"dir", "dir"},
                                                  {"dir/b", "file base"},
                                                  {"dir/deep", "dir"},
                                                  {"dir/deep/c", "file base"}};
    EXPECT_EQ(tree_of(view.path("")), want);
}

TEST_P(StorageMounts, HidingDirectoriesShowOnlyWhatIsAbove) {
    const LayerId one = given_base();
    const LayerId two = given_layer(2, {one}, [](const LayerWriter& layer) {
        layer.directory("dir");
        layer.hide_below("dir");
        layer.file("dir/new", "second");
    });
    const LayerId three =
        given_layer(3, {one, two}, [](const LayerWriter& layer) { layer.directory("dir"); });
    const RwId id = given_rw(1, {one, two, three});

    const View view = mounted(id);

    const std::map<std::string, std::string> want{{"new", "file second"}};
    EXPECT_EQ(tree_of(view.path("dir")), want);
}

TEST_P(StorageMounts, AHidingRootShowsOnlyWhatIsAbove) {
    const LayerId one = given_base();
    const LayerId two = given_layer(2, {one}, [](const LayerWriter& layer) {
        layer.hide_below("");
        layer.directory("dir");
        layer.file("dir/new", "second");
        layer.file("file", "second");
    });
    const LayerId three =
        given_layer(3, {one, two}, [](const LayerWriter& layer) { layer.directory("dir"); });
    const RwId id = given_rw(1, {one, two, three});

    const View view = mounted(id);

    const std::map<std::string, std::string> want{
        {"dir", "dir"}, {"dir/new", "file second"}, {"file", "file second"}};
    EXPECT_EQ(tree_of(view.path("")), want);
}

TEST_P(StorageMounts, ARemovedNameCanComeBack) {
    const LayerId one = given_base();
    const LayerId two = given_layer(2, {one}, [](const LayerWriter& layer) { layer.remove("dir"); });
    const LayerId three = given_layer(3, {one, two}, [](const LayerWriter& layer) {
        layer.directory("dir");
        layer.file("dir/new", "third");
    });
    const RwId id = given_rw(1, {one, two, three});

    const View view = mounted(id);

    const std::map<std::string, std::string> want{{"new", "file third"}};
    EXPECT_EQ(tree_of(view.path("dir")), want);
}

TEST_P(StorageMounts, WritesStayInTheirWritableLayer) {
    const LayerId one = given_base();
    const RwId first = given_rw(1, {one});
    const RwId second = given_rw(2, {one});

    in_view(first, [](const View& view) {
        write_text(view.path("file"), "written");
        fs::remove_all(view.path("dir"));
    });

    const View again = mounted(first);
    const View other = mounted(second);
    EXPECT_EQ(read_text(again.path("file")), "written");
    EXPECT_FALSE(is_there(again.path("dir")));
    EXPECT_EQ(read_text(other.path("file")), "base");
    EXPECT_TRUE(is_there(other.path("dir")));
}

TEST_P(StorageMounts, ReadOnlyShowsTheSameAndTakesNothing) {
    const RwId id = given_rw(1, {given_base()});
    in_view(id, [](const View& view) {
        write_text(view.path("new"), "written");
        fs::remove(view.path("file"));
    });

    const View view = mounted(id, Access::read_only);

    EXPECT_EQ(read_text(view.path("new")), "written");
    EXPECT_FALSE(is_there(view.path("file")));
    EXPECT_EQ(::open(view.path("x").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
    EXPECT_EQ(errno, EROFS);
}

TEST_P(StorageMounts, ReadOnlyWorksBesideAWritableOne) {
    const RwId id = given_rw(1, {given_base()});
    const View writable = mounted(id);
    write_text(writable.path("before"), "1");

    const View view = mounted(id, Access::read_only);

    EXPECT_EQ(read_text(view.path("before")), "1");
    EXPECT_EQ(read_text(view.path("file")), "base");
    write_text(writable.path("after"), "2");
    EXPECT_EQ(read_text(writable.path("after")), "2");
}

TEST_P(StorageMounts, NoLayerBelowIsAnEmptyRoot) {
    const RwId id = given_rw(1, {});

    in_view(id, [](const View& view) {
        EXPECT_TRUE(tree_of(view.path("")).empty());
        write_text(view.path("first"), "1");
    });

    EXPECT_EQ(change_lines(id), Lines{"+/first"});
    EXPECT_EQ(read_text(mounted(id, Access::read_only).path("first")), "1");
}

TEST_P(StorageMounts, TheRootHasItsOwnerAndTheModeOfTheImage) {
    const LayerId one = given_layer(
        1, {}, [](const LayerWriter& layer) { EXPECT_EQ(::chmod(layer.path("").c_str(), 01711), 0); });
    RwOptions options;
    options.owner_uid = 1234;
    options.owner_gid = 5678;
    const RwId id = given_rw(1, {one}, options);

    const View view = mounted(id);

    struct stat status{};
    ASSERT_EQ(::fstat(view.fd(), &status), 0);
    EXPECT_EQ(status.st_uid, 1234U);
    EXPECT_EQ(status.st_gid, 5678U);
    EXPECT_EQ(status.st_mode & 07777U, 01711U);
}

TEST_P(StorageMounts, LongChainsStackInOrderAndAreWritable) {
    constexpr unsigned kLong = 128;
    const unsigned length = traits().max_layers == 0 ? kLong : std::min(kLong, traits().max_layers);
    std::vector<LayerId> chain;
    for (unsigned i = 0; i < length; ++i) {
        const std::string number = std::to_string(i);
        chain.push_back(given_layer(i + 1, chain, [&](const LayerWriter& layer) {
            layer.file("own" + number, number);
            layer.file("top", number);
        }));
    }
    const RwId id = given_rw(1, chain);

    for (const Access access : {Access::read_write, Access::read_only}) {
        const View view = mounted(id, access);
        EXPECT_EQ(read_text(view.path("top")), std::to_string(length - 1));
        for (unsigned i = 0; i < length; ++i)
            EXPECT_EQ(read_text(view.path("own" + std::to_string(i))), std::to_string(i));
    }
    in_view(id, [](const View& view) { write_text(view.path("top"), "written"); });
    EXPECT_EQ(change_lines(id), Lines{"~/top"});
}

TEST_P(StorageMounts, OddPathsWorkOrAreRefusedInWords) {
    for (const char* name : {"a:b", "a,b", "a\\b", "a b", "a\\:b", "a=b", "\xc3\xa4"}) {
        SCOPED_TRACE(name);
        const test::TempDir outer;
        const std::string place = outer / name;
        ASSERT_EQ(::mkdir(place.c_str(), 0700), 0);
        const auto other = open_in(place);
        if (!other) {
            EXPECT_FALSE(other.error().text.empty());
            continue;
        }
        const auto path = (*other)->create_layer(layer_id(1), {});
        ASSERT_TRUE(path) << describe(path.error());
        write_text(*path + "/file", "base");
        ASSERT_TRUE((*other)->seal_layer(layer_id(1)));
        ASSERT_TRUE((*other)->create_rw(rw_id(1), std::vector{layer_id(1)}, {}));
        const auto mounts = (*other)->mounts(rw_id(1), Access::read_write);
        ASSERT_TRUE(mounts) << describe(mounts.error());

        const auto view = mount_view(*mounts);

        ASSERT_TRUE(view) << describe(view.error());
        EXPECT_EQ(read_text(view->path("file")), "base");
    }
}

// --- removal ------------------------------------------------------------------------------------------

// Where on the host a path of the view is kept: the driver tells through its changes.
std::string content_of(const std::vector<Change>& changes, const std::string& path) {
    const auto found = std::ranges::find(changes, path, &Change::path);
    return found == changes.end() ? "" : found->content;
}

TEST_P(StorageRemoval, NeverCrossesAMount) {
    const RwId id = given_rw(1, {given_base()});
    in_view(id, [](const View& view) { fs::create_directories(view.path("mnt/here")); });
    const std::string place = content_of(changes_of(id), "/mnt/here");
    ASSERT_FALSE(place.empty());
    const test::TempDir canary;
    write_text(canary / "bird", "alive");

    in_own_mounts([&] {
        ASSERT_EQ(::mount(canary.path().c_str(), place.c_str(), nullptr, MS_BIND, nullptr), 0);
        const auto busy = driver().remove_rw(id);
        ASSERT_EQ(code_of(busy), Code::busy);
        EXPECT_NE(busy.error().text.find("mnt/here"), std::string::npos) << busy.error().text;
        EXPECT_EQ(read_text(canary / "bird"), "alive");
        ASSERT_EQ(::umount2(place.c_str(), MNT_DETACH), 0) << "it is no longer where the message says";
        EXPECT_TRUE(driver().remove_rw(id));
    });

    EXPECT_EQ(read_text(canary / "bird"), "alive");
    EXPECT_FALSE(is_there(place));
    EXPECT_EQ(listed(driver()).count("rw " + id.str()), 0U);
}

TEST_P(StorageRemoval, TakesATreeOfAnyDepth) {
    constexpr int kDepth = 10'000;
    constexpr int kLeast = 1'000; // A server of files may know them by paths, of 4096 bytes each.
    int depth = 0;
    const LayerId one = given_base();
    ASSERT_TRUE(driver().remove_rw(given_rw(2, {one})));
    const auto before = tree_of(data_dir());
    const RwId id = given_rw(1, {one});
    in_view(id, [&](const View& view) {
        UniqueFd at(::openat(view.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        for (; depth < kDepth; ++depth) {
            ASSERT_GE(at.get(), 0) << depth;
            const int error = ::mkdirat(at.get(), "d", 0755) == 0 ? 0 : errno;
            if (error == ENAMETOOLONG && depth >= kLeast) return;
            ASSERT_EQ(error, 0) << depth;
            at.reset(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        }
    });

    const auto usage = driver().usage(id);
    const auto removed = driver().remove_rw(id);

    ASSERT_TRUE(usage) << describe(usage.error());
    EXPECT_GE(usage->inodes, static_cast<std::uint64_t>(depth));
    ASSERT_TRUE(removed) << describe(removed.error());
    EXPECT_EQ(tree_of(data_dir()), before);
}

// Without a storage driver on the command line there is nothing to run.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageMounts);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageRemoval);

INSTANTIATE_TEST_SUITE_P(Driver, StorageMounts, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Driver, StorageRemoval, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());

} // namespace
} // namespace mydocker::conformance
