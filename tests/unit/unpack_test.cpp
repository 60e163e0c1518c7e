// Unpacking layers of strangers: what is kept, what is refused, and that nothing leaves the staging
// directory. Rows E1 to E9 of the bad-input catalogue.
#include "unit/unpack_fixture.hpp"

#include <functional>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace mydocker::image {
namespace {

// --- what is kept --------------------------------------------------------------------------------

struct Kept {
    const char* name;
    TarMaker tar;
    std::string tree;
};

class UnpackKeeps : public Unpack, public testing::WithParamInterface<Kept> {};

TEST_P(UnpackKeeps, AsTheArchiveSays) {
    const auto stats = unpack(GetParam().tar.finish());

    ASSERT_TRUE(stats) << describe(stats.error());
    EXPECT_EQ(test::tree(staging()), GetParam().tree);
}

const std::string kLong = "d/" + std::string(200, 'x');

INSTANTIATE_TEST_SUITE_P(
    Table, UnpackKeeps,
    testing::Values(
        Kept{"ordinary", TarMaker().directory("a/", 0750).file("a/f", "hi", 0640).symlink("a/l", "../f"),
             "d 0750 a\nf 0640 a/f 'hi'\nl a/l -> ../f\n"},
        Kept{"leading_slashes_and_dots",
             TarMaker().file("/x", "1").file("//y", "2").file("./z", "3").file("a/./b//c", "4"),
             "d 0755 a\nd 0755 a/b\nf 0644 a/b/c '4'\nf 0644 x '1'\nf 0644 y '2'\nf 0644 z '3'\n"},
        Kept{"dot_dot_that_stays", TarMaker().file("a/../b", "1"), "f 0644 b '1'\n"},
        Kept{"root_by_every_name", TarMaker().directory("./").directory("/").directory(".").directory(""),
             ""},
        Kept{"setuid_and_sticky",
             TarMaker()
                 .file("su", "", 04755)
                 .directory("tmp", 01777)
                 .directory("g", 02775)
                 .file("g/f", "", 0664),
             "d 2775 g\nf 0664 g/f ''\nf 4755 su ''\nd 1777 tmp\n"},
        Kept{"mode_without_rights", TarMaker().directory("d", 0).file("d/f", "x", 0),
             "d 0000 d\nf 0000 d/f 'x'\n"},
        Kept{
            "non_utf8_names",
            TarMaker().file("caf\xe9", "x").add({.path = "p", .content = "y", .pax = {{"path", "\xff\xfe"}}}),
            "f 0644 caf\xe9 'x'\nf 0644 \xff\xfe 'y'\n"},
        Kept{"names_with_newline", TarMaker().file("a\nb", "x"), "f 0644 a\nb 'x'\n"},
        Kept{"pax_long_name", TarMaker().add({.path = "short", .content = "x", .pax = {{"path", kLong}}}),
             "d 0755 d\nf 0644 " + kLong + " 'x'\n"},
        Kept{"gnu_long_name",
             TarMaker()
                 .add({.path = "././@LongLink", .type = 'L', .content = std::string("gnu\0", 4)})
                 .file("short", "x"),
             "f 0644 gnu 'x'\n"},
        Kept{"gnu_long_link",
             TarMaker()
                 .add({.path = "././@LongLink", .type = 'K', .content = std::string("far\0", 4)})
                 .symlink("l", "near"),
             "l l -> far\n"},
        Kept{"v7_directory_by_slash", TarMaker().add({.path = "old/", .mode = 0755, .magic = ""}),
             "d 0755 old\n"},
        Kept{"gnu_magic", TarMaker().add({.path = "g", .content = "x", .magic = "ustar  "}),
             "f 0644 g 'x'\n"},
        Kept{"solaris_header",
             TarMaker()
                 .add({.path = "x", .type = 'X', .content = TarMaker::pax_record("path", "sun")})
                 .file("y", "x"),
             "f 0644 sun 'x'\n"},
        Kept{"global_header_ignored",
             TarMaker()
                 .add({.path = "g", .type = 'g', .content = TarMaker::pax_record("path", "no")})
                 .file("y", "x"),
             "f 0644 y 'x'\n"},
        Kept{"fifo_and_device",
             TarMaker()
                 .add({.path = "p", .type = '6', .mode = 0600})
                 .add({.path = "n", .type = '3', .device_major = 1, .device_minor = 3}),
             "c 1:3 n\np 0600 p\n"},
        Kept{"hard_link", TarMaker().file("a", "x").hard_link("b", "a").hard_link("c", "/b"),
             "f 0644 a 'x'\nf 0644 b 'x'\nf 0644 c 'x'\n"},
        Kept{"hard_link_to_itself", TarMaker().file("a", "x").hard_link("a", "a"), "f 0644 a 'x'\n"},
        Kept{"hard_link_to_symlink", TarMaker().symlink("s", "/etc/shadow").hard_link("h", "s"),
             "l h -> /etc/shadow\nl s -> /etc/shadow\n"},
        // E8
        Kept{"duplicates_last_wins", TarMaker().file("a", "1").file("a", "2"), "f 0644 a '2'\n"},
        Kept{"file_after_directory", TarMaker().directory("a").file("a/b", "1").file("a", "2"),
             "f 0644 a '2'\n"},
        Kept{"directory_after_file", TarMaker().file("a", "2").directory("a").file("a/b", "1"),
             "d 0755 a opaque\nf 0644 a/b '1'\n"},
        Kept{"there_and_back", TarMaker().directory("a").file("a/x", "1").file("a", "2").directory("a"),
             "d 0755 a opaque\n"},
        Kept{"directory_after_link_to_directory",
             TarMaker().directory("d").symlink("a", "d").directory("a").file("a/f", "1"),
             "d 0755 a opaque\nf 0644 a/f '1'\nd 0755 d\n"},
        Kept{"case_twins", TarMaker().file("A", "1").file("a", "2"), "f 0644 A '1'\nf 0644 a '2'\n"},
        // E4: through links, but inside.
        Kept{"through_absolute_link", TarMaker().directory("real").symlink("abs", "/real").file("abs/f", "1"),
             "l abs -> /real\nd 0755 real\nf 0644 real/f '1'\n"},
        Kept{"through_climbing_link",
             TarMaker().directory("real").symlink("up", "../../../real").file("up/f", "1"),
             "d 0755 real\nf 0644 real/f '1'\nl up -> ../../../real\n"},
        Kept{"link_replaced_not_followed", TarMaker().file("t", "1").symlink("l", "t").file("l", "2"),
             "f 0644 l '2'\nf 0644 t '1'\n"}),
    [](const auto& row) { return row.param.name; });

TEST_F(Unpack, KeepsOwnersTimesAndXattrs) {
    TarMaker tar;
    tar.add({.path = "d", .type = '5', .mode = 0755, .mtime = 5});
    tar.add({.path = "d/f",
             .content = "x",
             .uid = 3,
             .gid = 4,
             .mtime = 7,
             .pax = {{"mtime", "-1.5"},
                     {"uid", "3000000"},
                     {"SCHILY.xattr.user.k", "v\0w"},
                     {"SCHILY.xattr.security.capability",
                      std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20)}}});

    ASSERT_TRUE(unpack(tar.finish()));

    struct stat file{};
    struct stat parent{};
    ::stat((staging() + "/d/f").c_str(), &file);
    ::stat((staging() + "/d").c_str(), &parent);
    EXPECT_EQ(file.st_uid, 3000000U);
    EXPECT_EQ(file.st_gid, 4U);
    EXPECT_EQ(file.st_mtim.tv_sec, -2);
    EXPECT_EQ(file.st_mtim.tv_nsec, 500'000'000);
    EXPECT_EQ(parent.st_mtim.tv_sec, 5);
    EXPECT_EQ(::getxattr((staging() + "/d/f").c_str(), "user.k", nullptr, 0), 1);
    EXPECT_EQ(::getxattr((staging() + "/d/f").c_str(), "security.capability", nullptr, 0), 20);
    EXPECT_EQ(warnings_, "");
}

// Extents of 4 KiB at 1 MiB and of 100 bytes at 2 MiB, in each of GNU's forms.
struct Sparse {
    const char* name;
    std::function<std::string()> tar;
};
const std::string kSparseData = std::string(4096, 'a') + std::string(100, 'b');

std::string old_gnu_sparse() {
    std::string block = TarMaker::block({.path = "s", .type = 'S', .content = kSparseData});
    block.replace(386, 96,
                  std::string("00004000000\0"
                              "00000010000\0"
                              "00010000000\0"
                              "00000000144\0",
                              48) +
                      std::string(48, '\0'));
    block.replace(483, 12, std::string("00014000000\0", 12));
    block.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : block)
        sum += static_cast<unsigned char>(c);
    char text[8] = {};
    std::snprintf(text, sizeof text, "%06o", sum);
    block.replace(148, 8, std::string(text, 6) + std::string("\0 ", 2));
    return TarMaker().raw(block).add_padded(kSparseData).finish();
}

std::string sparse_with(std::vector<std::pair<std::string, std::string>> pax, const std::string& data) {
    return TarMaker().add({.path = "GNUSparseFile/s", .content = data, .pax = std::move(pax)}).finish();
}

std::string sparse_10() {
    std::string map = "2\n1048576\n4096\n2097152\n100\n";
    map.resize(512, '\0');
    return sparse_with({{"GNU.sparse.major", "1"},
                        {"GNU.sparse.minor", "0"},
                        {"GNU.sparse.name", "s"},
                        {"GNU.sparse.realsize", "3145728"}},
                       map + kSparseData);
}

class UnpackSparse : public Unpack, public testing::WithParamInterface<Sparse> {};

TEST_P(UnpackSparse, KeepsHolesAndData) {
    const auto stats = unpack(GetParam().tar());

    ASSERT_TRUE(stats) << describe(stats.error());
    const std::string content = test::content_of(staging() + "/s");
    struct stat status{};
    ::stat((staging() + "/s").c_str(), &status);
    ASSERT_EQ(content.size(), 3145728U);
    EXPECT_EQ(content.substr(1048576, 4096), std::string(4096, 'a'));
    EXPECT_EQ(content.substr(2097152, 101), std::string(100, 'b') + std::string(1, '\0'));
    EXPECT_LT(status.st_blocks, 64);
}

INSTANTIATE_TEST_SUITE_P(Forms, UnpackSparse,
                         testing::Values(Sparse{"old_gnu", old_gnu_sparse},
                                         Sparse{"pax_0_0",
                                                [] {
                                                    return sparse_with({{"GNU.sparse.size", "3145728"},
                                                                        {"GNU.sparse.numblocks", "2"},
                                                                        {"GNU.sparse.offset", "1048576"},
                                                                        {"GNU.sparse.numbytes", "4096"},
                                                                        {"GNU.sparse.offset", "2097152"},
                                                                        {"GNU.sparse.numbytes", "100"},
                                                                        {"path", "s"}},
                                                                       kSparseData);
                                                }},
                                         Sparse{"pax_0_1",
                                                [] {
                                                    return sparse_with(
                                                        {{"GNU.sparse.size", "3145728"},
                                                         {"GNU.sparse.name", "s"},
                                                         {"GNU.sparse.map", "1048576,4096,2097152,100"}},
                                                        kSparseData);
                                                }},
                                         Sparse{"pax_1_0", sparse_10}),
                         [](const auto& row) { return row.param.name; });

// --- what is refused -----------------------------------------------------------------------------

struct Refused {
    const char* name;
    std::function<std::string()> blob;
    const char* says;
};

class UnpackRefuses : public Unpack, public testing::WithParamInterface<Refused> {};

TEST_P(UnpackRefuses, AndSaysWhy) {
    const auto stats = unpack(GetParam().blob());

    ASSERT_FALSE(stats);
    EXPECT_NE(stats.error().text.find(GetParam().says), std::string::npos) << describe(stats.error());
}

std::string nested(int depth) {
    std::string path;
    for (int i = 0; i < depth; ++i)
        path += "d/";
    return TarMaker().add({.path = "x", .type = '5', .pax = {{"path", path}}}).finish();
}

std::string extents(std::uint64_t count) {
    std::string map = std::to_string(count) + "\n";
    for (std::uint64_t i = 0; i < count; ++i)
        map += std::to_string(2 * i) + "\n0\n";
    return sparse_with(
        {{"GNU.sparse.major", "1"}, {"GNU.sparse.name", "s"}, {"GNU.sparse.realsize", "99999999"}}, map);
}

INSTANTIATE_TEST_SUITE_P(
    Table, UnpackRefuses,
    testing::Values(
        // E2
        Refused{"empty", [] { return std::string(); }, "is empty"},
        Refused{"html",
                [] { return std::string(2000, ' ').replace(0, 30, "<!DOCTYPE html><html>not found"); },
                "is no tar archive"},
        Refused{"checksum",
                [] { return TarMaker().file("a", "").add({.path = "b", .break_checksum = true}).finish(); },
                "damaged tar header at byte 512"},
        Refused{"unknown_type", [] { return TarMaker().add({.path = "q", .type = 'Q'}).finish(); },
                "unknown type 'Q'"},
        Refused{"xz",
                [] {
                    return std::string("\xfd"
                                       "7zXZ\0aaaaaaaaaa",
                                       16);
                },
                "xz"},
        Refused{"no_trailer", [] { return TarMaker().file("a", "x").unfinished(); },
                "unexpected end of archive at byte 1024"},
        // E3
        Refused{"dot_dot", [] { return TarMaker().file("../x", "").finish(); },
                "entry '../x' leaves the image"},
        Refused{"dot_dot_inside", [] { return TarMaker().file("a/../../x", "").finish(); },
                "leaves the image"},
        Refused{"root_as_file",
                [] { return TarMaker().file("./", "x").add({.path = ".", .content = "x"}).finish(); },
                "root and no directory"},
        Refused{
            "nul_in_pax",
            [] { return TarMaker().add({.path = "x", .pax = {{"path", std::string("a\0b", 3)}}}).finish(); },
            "NUL byte"},
        Refused{"nul_in_long_name",
                [] {
                    return TarMaker()
                        .add({.path = "L", .type = 'L', .content = std::string("a\0b\0", 4)})
                        .file("x", "")
                        .finish();
                },
                "NUL byte"},
        Refused{
            "long_component",
            [] { return TarMaker().add({.path = "x", .pax = {{"path", std::string(256, 'n')}}}).finish(); },
            "more than 255 bytes"},
        Refused{"long_path", [] { return nested(3000); }, "longer than 4095 bytes"},
        // E4
        Refused{"link_loop",
                [] { return TarMaker().symlink("a", "b").symlink("b", "a").file("a/f", "").finish(); },
                "'a'"},
        Refused{"link_to_nowhere",
                [] { return TarMaker().symlink("a", "/no/where").file("a/f", "").finish(); },
                "'a' is no directory"},
        Refused{"file_as_directory", [] { return TarMaker().file("a", "").file("a/b", "").finish(); },
                "'a' is no directory"},
        Refused{"empty_link", [] { return TarMaker().symlink("a", "").finish(); }, "no target"},
        // E5
        Refused{"hard_link_out", [] { return TarMaker().hard_link("h", "../canary").finish(); },
                "leaves the image"},
        Refused{"hard_link_absolute", [] { return TarMaker().hard_link("h", "/etc/passwd").finish(); },
                "not in this layer"},
        Refused{"hard_link_later", [] { return TarMaker().hard_link("h", "f").file("f", "").finish(); },
                "not in this layer"},
        Refused{"hard_link_directory", [] { return TarMaker().directory("d").hard_link("h", "d").finish(); },
                "is a directory"},
        Refused{"hard_link_whiteout",
                [] { return TarMaker().file(".wh.f", "").hard_link("h", "f").finish(); },
                "not in this layer"},
        // E7
        Refused{"bare_whiteout", [] { return TarMaker().file(".wh.", "").finish(); }, "names nothing"},
        Refused{"whiteout_dot", [] { return TarMaker().file("a/.wh..", "").finish(); }, "names nothing"},
        Refused{"whiteout_dot_dot", [] { return TarMaker().file("a/.wh...", "").finish(); }, "names nothing"},
        Refused{"below_whiteout", [] { return TarMaker().file(".wh.../x", "").finish(); },
                "below a whiteout"},
        Refused{"below_whiteout_deep", [] { return TarMaker().file("a/.wh.b/c", "").finish(); },
                "below a whiteout"},
        Refused{"opaque_root", [] { return TarMaker().file(".wh..wh..opq", "").finish(); },
                "overlayfs cannot express"},
        // E9
        Refused{"pax_header_1g",
                [] { return TarMaker().add({.path = "x", .type = 'x', .size = 1 << 30}).finish(); },
                "over the limit of 1 MiB"},
        Refused{"sparse_map", [] { return extents(1'000'001); }, "more than 1000000 extents"},
        Refused{"zstd_bomb", [] { return test::zstd_zeros(std::uint64_t{3} << 30U); },
                "grows to more than 1000 times"},
        Refused{"zstd_window", [] { return test::zstd_zeros(std::uint64_t{300} << 20U, 28); }, "zstd"},
        Refused{"nested_10000", [] { return nested(10000); }, "longer than 4095 bytes"},
        // numbers
        Refused{"owner_minus_one",
                [] { return TarMaker().add({.path = "x", .pax = {{"uid", "4294967295"}}}).finish(); },
                "out of range"},
        Refused{"owner_too_large",
                [] { return TarMaker().add({.path = "x", .pax = {{"gid", "4294967296"}}}).finish(); },
                "out of range"},
        Refused{"pax_length",
                [] { return TarMaker().add({.path = "x", .type = 'x', .content = "99 path=x\n"}).finish(); },
                "does not fit"},
        Refused{"sparse_overlap",
                [] { return sparse_with({{"GNU.sparse.size", "9"}, {"GNU.sparse.map", "4,2,3,2"}}, "abcd"); },
                "out of order"},
        Refused{"sparse_beyond",
                [] { return sparse_with({{"GNU.sparse.size", "3"}, {"GNU.sparse.map", "2,2"}}, "ab"); },
                "out of order"},
        Refused{"sparse_too_little",
                [] { return sparse_with({{"GNU.sparse.size", "99"}, {"GNU.sparse.map", "2,9"}}, "ab"); },
                "does not fit its data"},
        Refused{"huge_hole",
                [] {
                    return sparse_with(
                        {{"GNU.sparse.size", "9000000000000000000"}, {"GNU.sparse.map", "2,2"}}, "ab");
                },
                "over the limit"},
        Refused{"size_lies", [] { return TarMaker().add({.path = "x", .size = 1LL << 32}).finish(); },
                "unexpected end of archive"},
        Refused{"gzip_garbage_after",
                [] { return test::gzip(TarMaker().file("a", "").finish()) + std::string(10, '\0') + "x"; },
                "after the gzip data"}),
    [](const auto& row) { return row.param.name; });

TEST_F(Unpack, RefusesContentOfAnotherDigest) {
    diff_id_ = *digest_of("something else");

    const auto stats = unpack(TarMaker().file("a", "x").finish());

    ASSERT_FALSE(stats);
    EXPECT_EQ(stats.error().code, Code::corrupt);
}

TEST_F(Unpack, TakesALayerWithoutTrailerWhenItsDigestIsRight) {
    const std::string tar = TarMaker().file("a", "x").unfinished();
    diff_id_ = *digest_of(tar);

    const auto stats = unpack(tar);

    ASSERT_TRUE(stats) << describe(stats.error());
}

TEST_F(Unpack, LimitsBytesAndEntries) {
    UnpackLimits limits;
    limits.growth.bytes = 1 << 20;
    const auto large =
        unpack(TarMaker().file("a", std::string(2 << 20, 'x')).finish(), Whiteouts::overlay, limits);
    limits = {};
    limits.entries = 2;
    const auto many =
        unpack(TarMaker().file("a", "").file("b", "").file("c", "").finish(), Whiteouts::overlay, limits);

    ASSERT_FALSE(large);
    EXPECT_NE(large.error().text.find("raise [images] max_layer_size"), std::string::npos);
    ASSERT_FALSE(many);
    EXPECT_NE(many.error().text.find("more than 2 entries"), std::string::npos);
}

// --- E1: truncation ------------------------------------------------------------------------------

TEST_F(Unpack, RefusesEveryTruncation) {
    TarMaker tar;
    for (int i = 0; i < 40; ++i)
        tar.file("f" + std::to_string(i),
                 std::string(static_cast<std::size_t>(i) * 100, static_cast<char>('a' + i % 20)));
    const std::string plain = tar.finish();
    std::string noise(60000, '\0');
    unsigned state = 1;
    for (char& c : noise)
        c = static_cast<char>((state = state * 1103515245 + 12345) >> 16U);
    const std::string dense = TarMaker().file("noise", noise).finish();
    for (const std::string& whole : {plain, test::gzip(dense), test::zstd(dense)}) {
        for (std::size_t size = 0; size + 1024 < whole.size(); size += 4096) {
            const auto stats = unpack(whole.substr(0, size));
            ASSERT_FALSE(stats) << size;
            EXPECT_EQ(stats.error().code, Code::corrupt) << describe(stats.error());
        }
        EXPECT_TRUE(unpack(whole));
    }
}

TEST_F(Unpack, ReadsConcatenatedGzipMembers) {
    const std::string tar = TarMaker().file("a", std::string(5000, 'x')).finish();
    std::string blob;
    for (int i = 0; i < 100'000; ++i)
        blob += std::string("\x1f\x8b\x08\0\0\0\0\0\0\3\3\0\0\0\0\0\0\0\0\0", 20); // an empty member
    blob += test::gzip(tar.substr(0, 700)) + test::gzip(tar.substr(700)) + std::string(512, '\0');

    const auto stats = unpack(blob);

    ASSERT_TRUE(stats) << describe(stats.error());
    EXPECT_EQ(stats->diff_id, *digest_of(tar));
}

// --- memory --------------------------------------------------------------------------------------

TEST_F(Unpack, NeedsLittleMemoryForManyDirectories) {
    if (!test::is_memory_measurable()) GTEST_SKIP() << "measures memory, which the sanitizer uses too";
    const test::TempDir memory("/dev/shm"); // tens of thousands of directories take a disk a minute
    TarMaker tar;
    for (int i = 0; i < 30'000; ++i)
        tar.directory("some/way/down/to/a/place/that/is/quite/far/from/the/root/" + std::to_string(i));
    test::write_text(directory_ / "blob", test::gzip(tar.finish()));
    tar = {};

    const long kib = test::resident_kib([&] {
        auto fd = files::open(directory_ / "blob", O_RDONLY);
        return unpack_layer({.blob_fd = fd->get(),
                             .staging = memory.path(),
                             .form = Whiteouts::overlay,
                             .diff_id = {},
                             .limits = {}},
                            {})
            .has_value();
    });

    EXPECT_GT(kib, 0);
    EXPECT_LT(kib, 64 * 1024);
    struct stat status{};
    ::stat((memory.path() + "/some/way/down/to/a/place/that/is/quite/far/from/the/root/17").c_str(), &status);
    EXPECT_EQ(status.st_mtim.tv_sec, 1'000'000'000);
}

TEST_F(Unpack, NeedsLittleMemoryForBombs) {
    if (!test::is_memory_measurable()) GTEST_SKIP() << "measures memory, which the sanitizer uses too";
    test::write_text(directory_ / "blob", test::zstd_zeros(std::uint64_t{2} << 30U));

    const long kib = test::resident_kib([&] {
        auto fd = files::open(directory_ / "blob", O_RDONLY);
        return !unpack_layer({.blob_fd = fd->get(),
                              .staging = staging(),
                              .form = Whiteouts::overlay,
                              .diff_id = {},
                              .limits = {}},
                             {})
                    .has_value();
    });

    EXPECT_GT(kib, 0);
    EXPECT_LT(kib, 64 * 1024);
}

} // namespace
} // namespace mydocker::image
