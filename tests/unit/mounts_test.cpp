// What a container has mounted: the image's volumes, and the order.
#include "engine/mounts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mydocker::engine {
namespace {

using Words = std::vector<std::string>;

MountRequest bind(const std::string& target) {
    MountRequest mount;
    mount.source = "/host";
    mount.target = target;
    return mount;
}

TEST(Mounts, TakeTheImagesVolumesWhereTheUserHasNone) {
    CreateRequest request;
    request.mounts = {bind("/data")};
    image::ImageConfig image;
    image.volumes = {"/data", "/cache/../var"};

    const auto mounts = settle_mounts(request, image);

    ASSERT_TRUE(mounts) << describe(mounts.error());
    ASSERT_EQ(mounts->size(), 2U);
    EXPECT_EQ((*mounts)[1].target, "/var");
    EXPECT_TRUE((*mounts)[1].anonymous);
    EXPECT_TRUE(paths::is_id((*mounts)[1].source)) << (*mounts)[1].source;
}

TEST(Mounts, RefuseAnImagesVolumeOutsideTheRoot) {
    for (const char* volume : {"../../etc", "/../etc", "/", "/proc", "relative", ""}) {
        image::ImageConfig image;
        image.volumes = {volume};

        const auto mounts = settle_mounts(CreateRequest{}, image);

        ASSERT_FALSE(mounts) << volume;
        EXPECT_NE(mounts.error().text.find("asks for a volume"), std::string::npos) << mounts.error().text;
    }
}

TEST(Mounts, BecomePlainBindsOfTheRuntime) {
    MountRequest volume;
    volume.kind = MountRequest::Kind::volume;
    volume.source = "data";
    volume.target = "/d";
    volume.read_only = true;

    const runtime::SpecMount spec = to_spec(volume, {"/r", "/s"});

    EXPECT_EQ(spec.type, "bind");
    EXPECT_EQ(spec.source, "/r/volumes/data/_data");
    EXPECT_EQ(spec.options, (Words{"rbind", "rprivate", "ro"}));
}

TEST(Mounts, ReplaceDefaultsAndComeAfterWhatTheyLieOn) {
    std::vector<runtime::SpecMount> mounts{{"/dev", "tmpfs", "tmpfs", {}}, {"/dev/shm", "tmpfs", "shm", {}}};

    merge_mounts(mounts,
                 {{"/a/b/c", "bind", "/3", {}}, {"/dev/shm", "bind", "/2", {}}, {"/a", "bind", "/1", {}}});

    Words sources;
    for (const runtime::SpecMount& mount : mounts)
        sources.push_back(mount.source);
    EXPECT_EQ(sources, (Words{"tmpfs", "/1", "/2", "/3"}));
}

} // namespace
} // namespace mydocker::engine
