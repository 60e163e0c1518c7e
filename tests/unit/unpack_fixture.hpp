// What the tests of unpacking share: a staging directory beside a canary that nothing may touch.
#pragma once

#include "image/unpack.hpp"
#include "mydocker/support/files.hpp"
#include "support/image_support.hpp"
#include "support/tar_writer.hpp"

#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>

namespace mydocker::image {

namespace fs = std::filesystem;
using test::TarMaker;
using test::TarSpec;

class Unpack : public testing::Test {
  protected:
    void SetUp() override {
        if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
        fs::create_directory(staging());
        test::write_text(directory_ / "canary", "untouched");
    }
    void TearDown() override {
        if (IsSkipped()) return;
        EXPECT_EQ(test::content_of(directory_ / "canary"), "untouched");
        for (const auto& entry : fs::directory_iterator(directory_.path()))
            EXPECT_TRUE(entry.path().filename() == "canary" || entry.path().filename() == "staging" ||
                        entry.path().filename() == "blob")
                << entry.path();
    }

    [[nodiscard]] std::string staging() const { return directory_ / "staging"; }

    Result<UnpackStats> unpack(std::string_view blob, Whiteouts form = Whiteouts::overlay,
                               const UnpackLimits& limits = {}) {
        test::write_text(directory_ / "blob", blob);
        auto fd = files::open(directory_ / "blob", O_RDONLY);
        return unpack_layer(
            {.blob_fd = fd->get(), .staging = staging(), .form = form, .diff_id = diff_id_, .limits = limits},
            [this](std::string_view text) { warnings_ += std::string(text) + "\n"; });
    }

    test::TempDir directory_;
    Digest diff_id_;
    std::string warnings_;
};

} // namespace mydocker::image
