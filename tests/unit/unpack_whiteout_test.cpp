// Whiteouts in the three forms, and what could forge them. Rows E6 and E7 of the bad-input catalogue.
#include "unit/unpack_fixture.hpp"

#include <algorithm>
#include <sys/xattr.h>

namespace mydocker::image {
namespace {

// --- E6 ------------------------------------------------------------------------------------------

TEST_F(Unpack, DropsForgedWhiteoutsAndOverlayXattrs) {
    TarMaker tar;
    tar.add({.path = "w", .type = '3'});
    tar.add({.path = "d", .type = '5', .mode = 0755, .pax = {{"SCHILY.xattr.trusted.overlay.opaque", "y"}}});
    tar.add({.path = "f",
             .pax = {{"SCHILY.xattr.trusted.overlay.redirect", "/x"},
                     {"SCHILY.xattr.user.overlay.opaque", "y"}}});

    const auto stats = unpack(tar.finish());

    ASSERT_TRUE(stats) << describe(stats.error());
    EXPECT_EQ(test::tree(staging()), "d 0755 d\nf 0644 f ''\n");
    EXPECT_EQ(stats->ignored, 4U);
    EXPECT_NE(warnings_.find("'w' with number 0:0"), std::string::npos) << warnings_;
    EXPECT_EQ(::getxattr((staging() + "/f").c_str(), "trusted.overlay.redirect", nullptr, 0), -1);
}

TEST_F(Unpack, SaysOnlyTheFirstOfManyWarnings) {
    TarMaker tar;
    for (int i = 0; i < 1000; ++i)
        tar.add({.path = "w" + std::to_string(i), .type = '3'});

    ASSERT_TRUE(unpack(tar.finish()));

    EXPECT_EQ(std::count(warnings_.begin(), warnings_.end(), '\n'), 11);
    EXPECT_NE(warnings_.find("990 more"), std::string::npos);
}

// --- E7: whiteouts in three forms ----------------------------------------------------------------

struct Whiteout {
    const char* name;
    TarMaker tar;
    const char* overlay;
    const char* aufs;
    const char* applied; // over: d/{x, y}, f, l -> d
};

class UnpackWhiteouts : public Unpack, public testing::WithParamInterface<Whiteout> {};

TEST_P(UnpackWhiteouts, InTheOverlayForm) {
    const auto stats = unpack(GetParam().tar.finish(), Whiteouts::overlay);

    ASSERT_TRUE(stats) << describe(stats.error());
    EXPECT_EQ(test::tree(staging()), GetParam().overlay);
}

TEST_P(UnpackWhiteouts, InTheAufsForm) {
    const auto stats = unpack(GetParam().tar.finish(), Whiteouts::aufs);

    ASSERT_TRUE(stats) << describe(stats.error());
    EXPECT_EQ(test::tree(staging()), GetParam().aufs);
}

TEST_P(UnpackWhiteouts, AppliedToACopy) {
    ASSERT_TRUE(unpack(
        TarMaker().directory("d").file("d/x", "").file("d/y", "").file("f", "").symlink("l", "d").finish(),
        Whiteouts::applied));

    const auto stats = unpack(GetParam().tar.finish(), Whiteouts::applied);

    ASSERT_TRUE(stats) << describe(stats.error());
    EXPECT_EQ(test::tree(staging()), GetParam().applied);
}

INSTANTIATE_TEST_SUITE_P(
    Table, UnpackWhiteouts,
    testing::Values(
        Whiteout{"file", TarMaker().directory("d").file("d/.wh.x", "").file(".wh.f", ""),
                 "d 0755 d\nc 0:0 d/x\nc 0:0 f\n", "f 0444 .wh.f ''\nd 0755 d\nf 0444 d/.wh.x ''\n",
                 "d 0755 d\nf 0644 d/y ''\nl l -> d\n"},
        Whiteout{"without_its_directory", TarMaker().file("d/.wh.x", ""), "d 0755 d\nc 0:0 d/x\n",
                 "d 0755 d\nf 0444 d/.wh.x ''\n", "d 0755 d\nf 0644 d/y ''\nf 0644 f ''\nl l -> d\n"},
        Whiteout{"of_what_is_not_there", TarMaker().file(".wh.none", ""), "c 0:0 none\n",
                 "f 0444 .wh.none ''\n", "d 0755 d\nf 0644 d/x ''\nf 0644 d/y ''\nf 0644 f ''\nl l -> d\n"},
        Whiteout{"opaque_before", TarMaker().directory("d").file("d/.wh..wh..opq", "").file("d/n", ""),
                 "d 0755 d opaque\nf 0644 d/n ''\n", "d 0755 d\nf 0444 d/.wh..wh..opq ''\nf 0644 d/n ''\n",
                 "d 0755 d\nf 0644 d/n ''\nf 0644 f ''\nl l -> d\n"},
        Whiteout{"opaque_after", TarMaker().directory("d").file("d/n", "").file("d/.wh..wh..opq", ""),
                 "d 0755 d opaque\nf 0644 d/n ''\n", "d 0755 d\nf 0444 d/.wh..wh..opq ''\nf 0644 d/n ''\n",
                 "d 0755 d\nf 0644 d/n ''\nf 0644 f ''\nl l -> d\n"},
        Whiteout{"whiteout_then_file", TarMaker().file(".wh.f", "").file("f", "new"), "f 0644 f 'new'\n",
                 "f 0644 f 'new'\n", "d 0755 d\nf 0644 d/x ''\nf 0644 d/y ''\nf 0644 f 'new'\nl l -> d\n"},
        Whiteout{"file_then_whiteout", TarMaker().file("f", "new").file(".wh.f", ""), "f 0644 f 'new'\n",
                 "f 0644 f 'new'\n", "d 0755 d\nf 0644 d/x ''\nf 0644 d/y ''\nf 0644 f 'new'\nl l -> d\n"},
        Whiteout{"whiteout_then_directory", TarMaker().file(".wh.d", "").directory("d").file("d/n", ""),
                 "d 0755 d opaque\nf 0644 d/n ''\n", "d 0755 d\nf 0444 d/.wh..wh..opq ''\nf 0644 d/n ''\n",
                 "d 0755 d\nf 0644 d/n ''\nf 0644 f ''\nl l -> d\n"},
        Whiteout{"directory_then_whiteout", TarMaker().directory("d").file("d/n", "").file(".wh.d", ""),
                 "d 0755 d opaque\nf 0644 d/n ''\n", "d 0755 d\nf 0444 d/.wh..wh..opq ''\nf 0644 d/n ''\n",
                 "d 0755 d\nf 0644 d/n ''\nf 0644 f ''\nl l -> d\n"},
        Whiteout{"whiteout_then_entry_below", TarMaker().file(".wh.d", "").file("d/n", ""),
                 "d 0755 d opaque\nf 0644 d/n ''\n", "d 0755 d\nf 0444 d/.wh..wh..opq ''\nf 0644 d/n ''\n",
                 "d 0755 d\nf 0644 d/n ''\nf 0644 f ''\nl l -> d\n"},
        Whiteout{"of_a_link", TarMaker().file(".wh.l", ""), "c 0:0 l\n", "f 0444 .wh.l ''\n",
                 "d 0755 d\nf 0644 d/x ''\nf 0644 d/y ''\nf 0644 f ''\n"},
        Whiteout{"aufs_own_files",
                 TarMaker()
                     .directory(".wh..wh.plnk")
                     .file(".wh..wh.plnk/1.2", "")
                     .file(".wh..wh.aufs", "")
                     .file("n", ""),
                 "f 0644 n ''\n", "f 0644 n ''\n",
                 "d 0755 d\nf 0644 d/x ''\nf 0644 d/y ''\nf 0644 f ''\nl l -> d\nf 0644 n ''\n"},
        Whiteout{"file_over_directory_below", TarMaker().file("d", "now a file"), "f 0644 d 'now a file'\n",
                 "f 0644 d 'now a file'\n", "f 0644 d 'now a file'\nf 0644 f ''\nl l -> d\n"}),
    [](const auto& row) { return row.param.name; });

TEST_F(Unpack, AppliedWhiteoutThroughALinkStaysInside) {
    ASSERT_TRUE(unpack(TarMaker().symlink("out", "../../..").symlink("abs", directory_.path()).finish(),
                       Whiteouts::applied));

    EXPECT_TRUE(unpack(TarMaker().file("out/.wh.canary", "").finish(), Whiteouts::applied));
    EXPECT_TRUE(unpack(TarMaker().file("abs/.wh.canary", "").finish(), Whiteouts::applied));
    EXPECT_TRUE(unpack(TarMaker().file("out/.wh..wh..opq", "").finish(), Whiteouts::applied));
}

TEST_F(Unpack, AppliedLinksToFilesOfLowerLayers) {
    ASSERT_TRUE(unpack(TarMaker().file("f", "below").finish(), Whiteouts::applied));

    ASSERT_TRUE(unpack(TarMaker().hard_link("h", "f").finish(), Whiteouts::applied));

    EXPECT_EQ(test::content_of(staging() + "/h"), "below");
}

} // namespace
} // namespace mydocker::image
