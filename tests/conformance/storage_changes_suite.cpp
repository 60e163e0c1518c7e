// The contract of StorageDriver::changes: what was written in a mounted root filesystem is found again, all
// of it and nothing else. Face only; see storage_suite.cpp.
#include "conformance/storage_fixture.hpp"

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace mydocker::conformance {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

using StorageChanges = StorageSuite;

// What the changes make of the tree below: the view, if they are right.
std::map<std::string, std::string> replayed(std::map<std::string, std::string> tree,
                                            const std::vector<Change>& changes) {
    const auto drop_below = [&](const std::string& path) {
        std::erase_if(tree, [&](const auto& entry) { return entry.first.starts_with(path + "/"); });
    };
    for (const Change& change : changes) {
        const std::string path = change.path.substr(1);
        const bool directory =
            fs::is_directory(fs::symlink_status(change.content.empty() ? "/" : change.content));
        if (change.kind == ChangeKind::removed || change.opaque || !directory) drop_below(path);
        if (change.kind == ChangeKind::removed) tree.erase(path);
        if (change.kind == ChangeKind::removed) continue;
        EXPECT_TRUE(is_there(change.content)) << change.content;
        tree[path] = directory ? "dir"
                     : fs::is_symlink(fs::symlink_status(change.content))
                         ? "link " + fs::read_symlink(change.content).string()
                     : fs::is_regular_file(change.content) ? "file " + read_text(change.content)
                                                           : "other";
    }
    return tree;
}

TEST_P(StorageChanges, NoneToBeginWith) {
    EXPECT_TRUE(changes_of(given_rw(1, {given_base()})).empty());
}

TEST_P(StorageChanges, AreFoundAsMade) {
    const RwId id = given_rw(1, {given_base()});
    in_view(id, [](const View& view) {
        write_text(view.path("file"), "longer than before");
        write_text(view.path("new"), "new");
        fs::remove(view.path("other"));
    });

    EXPECT_EQ(change_lines(id), (Lines{"~/file", "+/new", "-/other"}));
}

TEST_P(StorageChanges, ComeParentsFirstAndSiblingsInByteOrder) {
    const RwId id = given_rw(1, {});
    in_view(id, [](const View& view) {
        for (const char* name : {"b", "a", "a/z", "a/\xff", "a/B", "a.b", "A", "\xc3\xa4"})
            ASSERT_EQ(::mkdir(view.path(name).c_str(), 0755), 0) << name;
    });

    EXPECT_EQ(change_lines(id),
              (Lines{"+/A", "+/a", "+/a/B", "+/a/z", "+/a/\xff", "+/a.b", "+/b", "+/\xc3\xa4"}));
}

TEST_P(StorageChanges, WhatCameAndWentIsNone) {
    const RwId id = given_rw(1, {given_base()});
    in_view(id, [](const View& view) {
        write_text(view.path("new"), "1");
        fs::remove(view.path("new"));
        fs::create_directories(view.path("tree/of/some"));
        fs::remove_all(view.path("tree"));
    });

    EXPECT_EQ(change_lines(id), Lines{});
}

TEST_P(StorageChanges, OpenedForWritingButNotWrittenIsNone) {
    const RwId id = given_rw(1, {given_base()});
    in_view(id, [](const View& view) {
        for (const char* name : {"file", "dir/deep/c"})
            ::close(::open(view.path(name).c_str(), O_RDWR | O_CLOEXEC));
    });

    EXPECT_EQ(change_lines(id), Lines{});
}

TEST_P(StorageChanges, NewContentOfOldSizeAndTimeIsSeen) {
    const RwId id = given_rw(1, {given_base()});
    in_view(id, [](const View& view) {
        struct stat before{};
        ASSERT_EQ(::stat(view.path("file").c_str(), &before), 0);
        const int fd = ::open(view.path("file").c_str(), O_WRONLY | O_CLOEXEC);
        ASSERT_EQ(::pwrite(fd, "case", 4, 0), 4);
        const timespec times[2] = {before.st_atim, before.st_mtim};
        ASSERT_EQ(::futimens(fd, times), 0);
        ::close(fd);
    });

    EXPECT_EQ(change_lines(id), Lines{"~/file"});
}

TEST_P(StorageChanges, OfMetadataAreSeen) {
    const RwId id = given_rw(1, {given_base()});
    in_view(id, [](const View& view) {
        ASSERT_EQ(::chmod(view.path("dir/a").c_str(), 04755), 0);
        ASSERT_EQ(::chown(view.path("dir/deep").c_str(), 7, 8), 0);
        ASSERT_EQ(::setxattr(view.path("file").c_str(), "trusted.mine", "x", 1, 0), 0);
    });

    EXPECT_EQ(change_lines(id), (Lines{"~/dir/a", "~/dir/deep", "~/file"}));
}

// Else a copy of the changes would make two files of one.
TEST_P(StorageChanges, OfANewNameForAnOldFileAreBoth) {
    const RwId id = given_rw(1, {given_base()});
    in_view(id, [](const View& view) { fs::create_hard_link(view.path("file"), view.path("new")); });

    EXPECT_EQ(change_lines(id), (Lines{"~/file", "+/new"}));
}

TEST_P(StorageChanges, OfAReplacedDirectoryReplayRight) {
    const LayerId one = given_base();
    const RwId id = given_rw(1, {one});
    in_view(id, [](const View& view) {
        fs::remove_all(view.path("dir"));
        fs::create_directory(view.path("dir"));
        write_text(view.path("dir/b"), "new");
    });
    const auto now = tree_of(mounted(id).path(""));

    EXPECT_EQ(replayed(tree_of(mounted(given_rw(2, {one})).path("")), changes_of(id)), now);
}

TEST_P(StorageChanges, OfTypesReplayRight) {
    const LayerId one = given_base();
    const RwId id = given_rw(1, {one});
    in_view(id, [](const View& view) {
        fs::remove_all(view.path("dir"));
        write_text(view.path("dir"), "a file now");
        fs::remove(view.path("file"));
        fs::create_directory(view.path("file"));
        write_text(view.path("file/in"), "a directory now");
        fs::remove_all(view.path("zdir"));
        fs::create_symlink("dir", view.path("zdir"));
    });
    const auto now = tree_of(mounted(id).path(""));

    EXPECT_EQ(replayed(tree_of(mounted(given_rw(2, {one})).path("")), changes_of(id)), now);
    for (const std::string& line : change_lines(id))
        EXPECT_TRUE(line.starts_with("~/") || line == "+/file/in") << line;
}

TEST_P(StorageChanges, OverManyLayersReplayRight) {
    const LayerId one = given_base();
    const LayerId two = given_layer(2, {one}, [](const LayerWriter& layer) {
        layer.remove("zdir");
        layer.directory("dir");
        layer.hide_below("dir");
        layer.file("dir/new", "second");
    });
    const RwId id = given_rw(1, {one, two});
    in_view(id, [](const View& view) {
        write_text(view.path("dir/a"), "again");
        fs::remove(view.path("dir/new"));
        fs::create_directory(view.path("zdir"));
        write_text(view.path("zdir/y"), "again");
        fs::rename(view.path("other"), view.path("moved"));
    });
    const auto now = tree_of(mounted(id).path(""));

    EXPECT_EQ(replayed(tree_of(mounted(given_rw(2, {one, two})).path("")), changes_of(id)), now);
    EXPECT_EQ(change_lines(id),
              (Lines{"~/dir", "+/dir/a", "-/dir/new", "+/moved", "-/other", "+/zdir", "+/zdir/y"}));
}

TEST_P(StorageChanges, HandOnTheVisitorsError) {
    const RwId id = given_rw(1, {});
    in_view(id, [](const View& view) {
        write_text(view.path("a"), "1");
        write_text(view.path("b"), "2");
    });
    int visits = 0;

    const auto walked = driver().changes(id, [&](const Change&) -> Status {
        ++visits;
        return fail(Code::no_space, "of the visitor");
    });

    EXPECT_EQ(code_of(walked), Code::no_space);
    EXPECT_EQ(visits, 1);
}

// Without a storage driver on the command line there is nothing to run.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageChanges);

INSTANTIATE_TEST_SUITE_P(Driver, StorageChanges, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());

} // namespace
} // namespace mydocker::conformance
