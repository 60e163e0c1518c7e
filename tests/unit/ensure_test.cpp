// Filling a storage driver's layers from the content store, with a driver that only takes notes.
#include "image/ensure.hpp"
#include "image/load.hpp"
#include "support/image_support.hpp"
#include "support/tar_writer.hpp"

#include <filesystem>
#include <gtest/gtest.h>

namespace mydocker::image {
namespace {

namespace fs = std::filesystem;

// Keeps layers as directories; writes down what it is asked.
class NotingDriver final : public StorageDriver {
  public:
    explicit NotingDriver(std::string root) : root_(std::move(root)) {}

    Result<StorageTraits> probe() override { return StorageTraits{}; }
    Result<std::string> create_layer(const LayerId& id, LayerChain below) override {
        if (fs::exists(root_ + "/sealed." + id.str())) return fail(Code::exists, "sealed");
        notes += "create+" + std::to_string(below.size()) + " ";
        fs::create_directories(root_ + "/" + id.str());
        return root_ + "/" + id.str();
    }
    Result<Usage> seal_layer(const LayerId& id) override {
        notes += "seal ";
        fs::rename(root_ + "/" + id.str(), root_ + "/sealed." + id.str());
        return Usage{};
    }
    Status remove_layer(const LayerId& id) override {
        notes += "remove ";
        fs::remove_all(root_ + "/" + id.str());
        return {};
    }
    Status create_rw(const RwId&, LayerChain, const RwOptions&) override { return {}; }
    Result<std::vector<Mount>> mounts(const RwId&, Access) override { return std::vector<Mount>{}; }
    Status changes(const RwId&, const ChangeVisitor&) override { return {}; }
    Result<Usage> usage(const RwId&) override { return Usage{}; }
    Status remove_rw(const RwId&) override { return {}; }
    Status list(const StorageObjectVisitor&) override { return {}; }
    Result<std::uint64_t> sweep() override { return 0; }

    std::string notes;

  private:
    std::string root_;
};

class EnsureLayers : public testing::Test {
  protected:
    void SetUp() override {
        if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
        const auto layer = [](const char* name) { return test::TarMaker().file(name, name).finish(); };
        test::write_text(directory_ / "a.tar", test::oci_archive({.layers = {layer("one"), layer("two")}}));
        ASSERT_TRUE(load(store_, directory_ / "a.tar"));
        image_ = *store_.find("demo");
    }

    test::TempDir directory_;
    Store store_ = std::move(*Store::open(directory_ / "content"));
    NotingDriver driver_{directory_ / "layers"};
    StorageTraits traits_{.whiteouts = Whiteouts::overlay};
    Image image_;
};

TEST_F(EnsureLayers, FillsWhatIsMissingBaseFirst) {
    const auto first = ensure_layers(store_, image_, driver_, traits_);
    const std::string notes = std::exchange(driver_.notes, "");
    const auto second = ensure_layers(store_, image_, driver_, traits_);

    ASSERT_TRUE(first) << describe(first.error());
    EXPECT_EQ(notes, "create+0 seal create+1 seal ");
    EXPECT_EQ(test::tree(directory_ / ("layers/sealed." + image_.chain[1].str())), "f 0644 two 'two'\n");
    ASSERT_TRUE(second);
    EXPECT_EQ(driver_.notes, "");
}

TEST_F(EnsureLayers, RemovesALayerThatIsDamaged) {
    test::write_text(directory_ / ("content/blobs/sha256/" + image_.layers[1].digest.hex()),
                     test::TarMaker().file("evil", "x").finish());

    const auto ensured = ensure_layers(store_, image_, driver_, traits_);

    ASSERT_FALSE(ensured);
    EXPECT_EQ(ensured.error().code, Code::corrupt);
    EXPECT_NE(ensured.error().text.find("layer " + image_.layers[1].digest.str()), std::string::npos);
    EXPECT_EQ(driver_.notes, "create+0 seal create+1 remove ");
}

TEST_F(EnsureLayers, NamesAMissingBlob) {
    fs::remove(directory_ / ("content/blobs/sha256/" + image_.layers[0].digest.hex()));

    const auto ensured = ensure_layers(store_, image_, driver_, traits_);

    ASSERT_FALSE(ensured);
    EXPECT_NE(ensured.error().text.find("is missing in the image store"), std::string::npos);
    EXPECT_EQ(driver_.notes, "create+0 remove ");
}

TEST_F(EnsureLayers, RefusesMoreLayersThanTheDriverStacks) {
    traits_.max_layers = 1;

    const auto ensured = ensure_layers(store_, image_, driver_, traits_);

    ASSERT_FALSE(ensured);
    EXPECT_EQ(ensured.error().code, Code::unsupported);
    EXPECT_EQ(driver_.notes, "");
}

} // namespace
} // namespace mydocker::image
