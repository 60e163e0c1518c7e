// The storage driver "aufs" as far as it can be seen without a kernel that has it: what it would mount, what
// it makes of an unpacked layer, and what it finds in a writable branch as aufs leaves one.
#include "storage/aufs/description.hpp"
#include "storage/aufs/driver.hpp"
#include "storage/aufs/names.hpp"
#include "storage/aufs/probe.hpp"
#include "storage/aufs/xino.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/magic.h>
#include <memory>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace mydocker::aufs {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

constexpr std::size_t kPageOfOptions = 4095;

LayerId numbered_layer(std::size_t number) {
    std::array<char, 65> text{};
    std::snprintf(text.data(), text.size(), "%064zx", number);
    return LayerId(text.data());
}

std::vector<LayerId> layers_up_to(std::size_t count) {
    std::vector<LayerId> layers;
    for (std::size_t i = 0; i < count; ++i)
        layers.push_back(numbered_layer(i));
    return layers;
}

// --- the mount ------------------------------------------------------------------------------------------

Mount mount_over(const std::vector<LayerId>& below, Access access = Access::read_write) {
    return describe_mount({"/data/rw/ID", "/dev/shm/x.xino", below}, access);
}

std::string joined_data(const Mount& mount) {
    std::string data;
    for (const std::string& option : mount.options)
        data += (data.empty() ? "" : ",") + option;
    return data;
}

// The branches of one call, top-most first.
Lines branches_in(std::string data) {
    Lines branches;
    data = data.substr(0, data.find(",xino="));
    for (const char* word : {"br=", "append="})
        for (auto at = data.find(word); at != std::string::npos; at = data.find(word))
            data.erase(at, std::string(word).size());
    std::ranges::replace(data, ',', ':');
    for (std::size_t begin = 0; begin <= data.size();) {
        const auto end = std::min(data.find(':', begin), data.size());
        branches.push_back(data.substr(begin, end - begin));
        begin = end + 1;
    }
    return branches;
}

TEST(AufsMount, ListsTheWritableBranchAndThenLayersTopFirst) {
    const Mount mount = mount_over({LayerId("one"), LayerId("two")});

    EXPECT_EQ(mount.type, "aufs");
    EXPECT_EQ(mount.source, "none");
    EXPECT_EQ(mount.target, "/");
    EXPECT_EQ(mount.flags, 0U);
    EXPECT_EQ(mount.directory, "/data/rw/ID");
    EXPECT_EQ(mount.options, (Lines{"br=upper=rw:../../layers/two/diff=ro+wh:../../layers/one/diff=ro+wh",
                                    "xino=/dev/shm/x.xino", "dirperm1", "dio"}));
    EXPECT_TRUE(mount.remounts.empty());
}

TEST(AufsMount, ToBeReadHasNoWritableBranch) {
    const Mount mount = mount_over({LayerId("one")}, Access::read_only);

    EXPECT_EQ(mount.flags, std::uint64_t{MS_RDONLY});
    EXPECT_EQ(mount.options.front(), "br=upper=ro+wh:../../layers/one/diff=ro+wh");
}

TEST(AufsMount, OfNoLayerIsTheWritableBranchAlone) {
    EXPECT_EQ(mount_over({}).options.front(), "br=upper=rw");
}

TEST(AufsMount, AppendsByRemountWhatOneCallDoesNotTake) {
    const std::vector<LayerId> below = layers_up_to(kMaxLayers);
    const Mount mount = mount_over(below);

    Lines all = branches_in(joined_data(mount));
    for (const std::string& data : mount.remounts)
        std::ranges::copy(branches_in(data), std::back_inserter(all));

    ASSERT_EQ(all.size(), below.size() + 1);
    EXPECT_EQ(all.front(), "upper=rw");
    for (std::size_t i = 0; i < below.size(); ++i)
        EXPECT_EQ(all[below.size() - i], "../../layers/" + below[i].str() + "/diff=ro+wh");
    for (const std::string& data : mount.remounts)
        EXPECT_TRUE(data.starts_with("append=../../layers/")) << data;
}

struct CallCase {
    const char* name;
    std::size_t id_length;
    std::size_t layers;
};

class AufsCalls : public testing::TestWithParam<CallCase> {};

TEST_P(AufsCalls, StayWithinAPageAndTheBranchesThatAreSafe) {
    std::vector<LayerId> below;
    for (std::size_t i = 0; i < GetParam().layers; ++i) {
        const std::string number = std::to_string(i);
        below.emplace_back(number + std::string(GetParam().id_length - number.size(), 'a'));
    }
    const Mount mount = mount_over(below);

    Lines calls{joined_data(mount)};
    std::ranges::copy(mount.remounts, std::back_inserter(calls));

    std::size_t branches = 0;
    for (const std::string& data : calls) {
        EXPECT_LE(data.size(), kPageOfOptions);
        EXPECT_LE(branches_in(data).size(), kMaxBranchesACall);
        branches += branches_in(data).size();
    }
    EXPECT_EQ(branches, below.size() + 1);
}

INSTANTIATE_TEST_SUITE_P(All, AufsCalls,
                         testing::Values(CallCase{"short_ids", 3, kMaxLayers},
                                         CallCase{"usual_ids", 64, kMaxLayers},
                                         CallCase{"longest_ids", 128, kMaxLayers}, CallCase{"few", 64, 1},
                                         CallCase{"as_many_as_a_call", 3, kMaxBranchesACall - 1},
                                         CallCase{"one_more", 3, kMaxBranchesACall}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(AufsMount, WithALongXinoPathHasFewerBranchesInTheFirstCall) {
    const std::string xino = "/" + std::string(3800, 'x');
    const std::string rw = "/rw";
    const auto below = layers_up_to(2);

    const Mount mount = describe_mount({rw, xino, below}, Access::read_write);

    EXPECT_EQ(mount.options.front(), "br=upper=rw");
    EXPECT_EQ(mount.remounts.size(), 1U);
    EXPECT_LE(joined_data(mount).size(), kPageOfOptions);
}

// --- the tables of inode numbers --------------------------------------------------------------------------

TEST(AufsXino, GoesWhereTheOptionSays) {
    EXPECT_EQ(xino_directory("/srv/fast", "/dev/shm"), "/srv/fast");
}

TEST(AufsXino, GoesToSharedMemoryWhereTheRunDirectoryWillNotDo) {
    EXPECT_EQ(xino_directory("", "/dev/shm"), "/dev/shm"); // It will do, being a tmpfs.
    EXPECT_EQ(xino_directory("", "/proc"), kSharedMemory);
    EXPECT_EQ(xino_directory("", "/nowhere/at/all"), kSharedMemory);
    EXPECT_EQ(xino_directory("", "/dev/shm/a,b"), kSharedMemory);
}

TEST(AufsXino, HasANameOfItsOwnForEachMount) {
    EXPECT_EQ(xino_path("/run/x", RwId("id"), Access::read_write), "/run/x/aufs-id.xino");
    EXPECT_EQ(xino_path("/run/x", RwId("id"), Access::read_only), "/run/x/aufs-id-ro.xino");
}

TEST(AufsXino, RefusesADirectoryThatIsNoOption) {
    EXPECT_TRUE(check_xino_dir(""));
    EXPECT_TRUE(check_xino_dir("/run/x"));
    for (const char* wrong : {"run", "/a,b", "."})
        EXPECT_EQ(check_xino_dir(wrong).error().code, Code::invalid) << wrong;
}

// --- names and filesystems ------------------------------------------------------------------------------

TEST(AufsNames, TellWhiteoutsFromAufssOwn) {
    EXPECT_EQ(hidden_by(".wh.file"), "file");
    EXPECT_EQ(hidden_by("file"), "");
    EXPECT_EQ(hidden_by("a.wh.file"), "");
    for (const char* own : {kOpaque, kBase, kOrphans, kPseudoLinks, ".wh..wh.dir.0a1f"}) {
        EXPECT_TRUE(is_own(own)) << own;
        EXPECT_EQ(hidden_by(own), "") << own;
    }
}

TEST(AufsProbe, RefusesWhatAufsDoesNotTakeAsABranch) {
    constexpr long kAufs = 0x61756673;
    constexpr long kExt4 = 0xef53;
    for (const long type :
         {kAufs, long{OVERLAYFS_SUPER_MAGIC}, long{RAMFS_MAGIC}, long{PROC_SUPER_MAGIC}, long{SYSFS_MAGIC},
          long{DEBUGFS_MAGIC}, long{ECRYPTFS_SUPER_MAGIC}, long{FUSE_SUPER_MAGIC}, long{V9FS_MAGIC}})
        EXPECT_NE(refused_filesystem(type), nullptr) << std::hex << type;
    for (const long type : {kExt4, long{XFS_SUPER_MAGIC}, long{TMPFS_MAGIC}})
        EXPECT_EQ(refused_filesystem(type), nullptr) << std::hex << type;
}

TEST(AufsProbe, LooksAtWhatIsThereOfThePath) {
    const auto refused = probe_filesystem("/proc/1/nothing/here");

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unsupported);
    EXPECT_NE(refused.error().text.find("is on procfs"), std::string::npos) << refused.error().text;
    EXPECT_TRUE(probe_filesystem("/dev/shm/not/there"));
    EXPECT_FALSE(fs::exists("/dev/shm/not"));
}

TEST(AufsProbe, SaysInOneLineThatTheKernelHasNone) {
    const auto probed = probe_kernel();

    if (probed) GTEST_SKIP() << "this kernel has aufs";
    EXPECT_EQ(probed.error().code, Code::unsupported);
    EXPECT_TRUE(probed.error().text.starts_with("aufs cannot be used here: ")) << probed.error().text;
    EXPECT_EQ(probed.error().text.find('\n'), std::string::npos);
}

// --- layers and changes -----------------------------------------------------------------------------------

class AufsStore : public testing::Test {
  protected:
    void SetUp() override {
        auto opened = Aufs::open(Host(data(), directory_ / "run", {}));
        ASSERT_TRUE(opened) << describe(opened.error());
        driver_ = std::move(*opened);
    }

    [[nodiscard]] StorageDriver& driver() { return *driver_; }
    [[nodiscard]] std::string data() const { return directory_ / "data"; }

    // A layer of empty files; a path that ends in a slash is a directory.
    Result<LayerId> layer(std::size_t number, const std::vector<LayerId>& below, const Lines& paths) {
        LayerId id = numbered_layer(number);
        const auto staging = driver().create_layer(id, below);
        if (!staging) return fail(staging);
        make_in(*staging, paths);
        const auto sealed = driver().seal_layer(id);
        if (!sealed) return fail(sealed);
        return id;
    }

    static void make_in(const std::string& root, const Lines& paths) {
        for (const std::string& path : paths) {
            const std::string whole = root + "/" + path;
            if (path.ends_with('/'))
                fs::create_directories(whole);
            else
                EXPECT_TRUE(std::ofstream(whole).put('x')) << whole;
        }
        // A copy has the times of what was copied; last, since what is made in a directory changes its own.
        const std::array old{timespec{1000, 0}, timespec{1000, 0}};
        for (const std::string& path : paths)
            EXPECT_EQ(::utimensat(AT_FDCWD, (root + "/" + path).c_str(), old.data(), 0), 0) << path;
    }

    [[nodiscard]] std::string tree_of_layer(const LayerId& id) const {
        return data() + "/layers/" + id.str() + "/diff";
    }
    [[nodiscard]] std::string upper() const { return data() + "/rw/" + rw_.str() + "/upper"; }

    // A writable layer, with what aufs puts into a branch when it is mounted, and those paths.
    void given_branch(const std::vector<LayerId>& below, const Lines& paths) {
        const auto made = driver().create_rw(rw_, below, {});
        ASSERT_TRUE(made) << describe(made.error());
        make_in(upper(), {".wh..wh.aufs", ".wh..wh.orph/", ".wh..wh.plnk/"});
        make_in(upper(), paths);
    }

    // As the conformance suite has them: "+/a", "~/a", "-/a"; an opaque directory "!/a".
    [[nodiscard]] Lines change_lines() {
        Lines lines;
        const auto walked = driver().changes(rw_, [&](const Change& change) -> Status {
            const char mark = change.opaque                         ? '!'
                              : change.kind == ChangeKind::added    ? '+'
                              : change.kind == ChangeKind::modified ? '~'
                                                                    : '-';
            lines.push_back(mark + change.path);
            return {};
        });
        EXPECT_TRUE(walked) << describe(walked.error());
        return lines;
    }

    RwId rw_ = RwId("rw");

  private:
    test::TempDir directory_;
    std::unique_ptr<StorageDriver> driver_;
};

using AufsLayers = AufsStore;
using AufsChanges = AufsStore;

Lines names_in(const std::string& path) {
    Lines names;
    for (const auto& entry : fs::recursive_directory_iterator(path))
        names.push_back(entry.path().lexically_relative(path).string());
    std::ranges::sort(names);
    return names;
}

TEST_F(AufsLayers, OfAnArchiveAreBranchesAsTheyAre) {
    const auto one = layer(1, {}, {"dir/", "dir/a", "file"});
    const auto two = layer(2, {*one}, {"dir/", "dir/.wh..wh..opq", ".wh.file"});

    ASSERT_TRUE(two) << describe(two.error());
    EXPECT_EQ(names_in(tree_of_layer(*two)), (Lines{".wh.file", "dir", "dir/.wh..wh..opq"}));
}

TEST_F(AufsLayers, WithAnOpaqueRootSayTheSameByEachName) {
    const auto one = layer(1, {}, {"dir/", "file", "gone/", "link"});
    const auto two = layer(2, {*one}, {"more", ".wh.file"});
    const auto three = layer(3, {*one, *two}, {".wh..wh..opq", "dir/", "dir/new", "link"});

    ASSERT_TRUE(three) << describe(three.error());
    EXPECT_EQ(names_in(tree_of_layer(*three)),
              (Lines{".wh.file", ".wh.gone", ".wh.more", "dir", "dir/.wh..wh..opq", "dir/new", "link"}));
}

TEST_F(AufsLayers, WithANameThatAufsDoesNotShowAreRefused) {
    const std::string fits(kLongestName, 'n');
    EXPECT_TRUE(layer(1, {}, {"d/", "d/" + fits}));

    const auto refused = layer(2, {}, {"d/", "d/" + fits + "n"});

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unsupported);
    EXPECT_NE(refused.error().text.find("243"), std::string::npos) << refused.error().text;
}

TEST_F(AufsLayers, AreAsManyAsThereAreBranches) {
    const auto below = layers_up_to(kMaxLayers);
    auto above = below;
    above.push_back(numbered_layer(kMaxLayers));

    const auto layer = driver().create_layer(LayerId("x"), below);
    const auto rw = driver().create_rw(RwId("x"), above, {});

    ASSERT_FALSE(layer);
    ASSERT_FALSE(rw);
    EXPECT_EQ(layer.error().code, Code::invalid);
    EXPECT_EQ(rw.error().text, "a chain of 127 layers is too long; aufs takes 126");
}

TEST_F(AufsChanges, LeaveOutWhatIsAufssOwn) {
    given_branch({*layer(1, {}, {"file"})}, {".wh..wh.dir.0a1f/", ".wh..wh.dir.0a1f/left"});

    EXPECT_EQ(change_lines(), Lines{});
}

TEST_F(AufsChanges, ComeInTheOrderOfTheNamesThatAreHidden) {
    const auto base = layer(1, {}, {"b", "d/", "d/x", "d/z", "z"});
    given_branch({*base}, {"a", ".wh.b", "c", "d/", "d/.wh.x", "d/y", "d/.wh.z", ".wh.z"});

    EXPECT_EQ(change_lines(), (Lines{"+/a", "-/b", "+/c", "-/d/x", "+/d/y", "-/d/z", "-/z"}));
}

TEST_F(AufsChanges, OfANameThatNothingBelowHasAreNone) {
    const auto one = layer(1, {}, {"file"});
    const auto two = layer(2, {*one}, {".wh.file"});
    given_branch({*one, *two}, {".wh.file", ".wh.never"});

    EXPECT_EQ(change_lines(), Lines{});
}

TEST_F(AufsChanges, AreComparedWithWhatShowsThrough) {
    const auto one = layer(1, {}, {"dir/", "dir/a", "gone/", "gone/b", "same"});
    const auto two = layer(2, {*one}, {"dir/", "dir/.wh..wh..opq", "dir/c", ".wh.gone"});
    given_branch({*one, *two}, {"dir/", "dir/a", "dir/.wh.c", "gone/", "gone/b", "same"});

    EXPECT_EQ(change_lines(), (Lines{"+/dir/a", "-/dir/c", "+/gone", "+/gone/b"}));
}

TEST_F(AufsChanges, TellAnOpaqueDirectory) {
    const auto base = layer(1, {}, {"dir/", "dir/a", "dir/b", "file"});
    given_branch({*base}, {"dir/", "dir/.wh..wh..opq", "dir/b", "file/", "file/.wh..wh..opq", "new/",
                           "new/.wh..wh..opq"});

    EXPECT_EQ(change_lines(), (Lines{"!/dir", "+/dir/b", "~/file", "+/new"}));
}

TEST_F(AufsChanges, DoNotCountTheLinkThatAufsKeepsForAName) {
    given_branch({*layer(1, {}, {"file", "linked"})}, {"file", "linked"});
    fs::create_hard_link(upper() + "/file", upper() + "/.wh..wh.plnk/1.1");
    fs::create_hard_link(upper() + "/linked", upper() + "/.wh..wh.plnk/2.2");
    fs::create_hard_link(upper() + "/linked", upper() + "/new");

    EXPECT_EQ(change_lines(), (Lines{"~/linked", "+/new"}));
}

TEST_F(AufsChanges, HaveTheirContentInTheBranch) {
    given_branch({}, {"new"});
    std::string content;

    const auto walked = driver().changes(rw_, [&](const Change& change) -> Status {
        content = change.content;
        return {};
    });

    EXPECT_TRUE(walked);
    EXPECT_EQ(content, upper() + "/new");
}

TEST_F(AufsStore, MountsWhatItMade) {
    given_branch({*layer(1, {}, {"file"})}, {});

    const auto mounts = driver().mounts(rw_, Access::read_write);

    ASSERT_TRUE(mounts) << describe(mounts.error());
    ASSERT_EQ(mounts->size(), 1U);
    EXPECT_EQ(mounts->front().directory, data() + "/rw/rw");
    EXPECT_TRUE(mounts->front().options[1].ends_with("/aufs-rw.xino")) << mounts->front().options[1];
    for (const std::string& branch : branches_in(mounts->front().options.front()))
        EXPECT_TRUE(fs::is_directory(data() + "/rw/rw/" + branch.substr(0, branch.find('=')))) << branch;
}

TEST_F(AufsStore, RemovesABranchWithAllThatAufsLeftInIt) {
    given_branch({}, {"file"});

    ASSERT_TRUE(driver().remove_rw(rw_));

    EXPECT_FALSE(fs::exists(data() + "/rw/rw"));
    EXPECT_TRUE(fs::is_empty(data() + "/removed"));
}

} // namespace
} // namespace mydocker::aufs
