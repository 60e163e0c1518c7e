// Working ahead in a thread: the same bytes, the same errors, and no thread left behind.
#include "image/prefetch.hpp"
#include "image/unpack.hpp"
#include "mydocker/support/files.hpp"
#include "support/image_support.hpp"
#include "support/tar_writer.hpp"

#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>

namespace mydocker::image {
namespace {

namespace fs = std::filesystem;

// Gives "0", "1", … and then the end or an error.
class Counting final : public ByteSource {
  public:
    Counting(int chunks, bool fails) : chunks_(chunks), fails_(fails) {}
    Result<std::string_view> next() override {
        if (given_ < chunks_) return std::string_view(text_ = std::to_string(given_++));
        if (fails_) return fail(Code::io, "broken");
        return std::string_view();
    }

  private:
    int chunks_;
    bool fails_;
    int given_ = 0;
    std::string text_;
};

std::size_t threads() {
    const fs::directory_iterator all("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST(Prefetch, GivesEveryChunkInOrderAndTheEndForEver) {
    Counting inner(1000, false);
    PrefetchSource source(inner);

    for (int i = 0; i < 1000; ++i)
        ASSERT_EQ(source.next().value(), std::to_string(i));
    EXPECT_EQ(source.next().value(), "");
    EXPECT_EQ(source.next().value(), "");
}

TEST(Prefetch, HandsTheErrorOnAfterWhatCameBefore) {
    Counting inner(3, true);
    PrefetchSource source(inner);

    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(source.next());
    const auto broken = source.next();

    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().text, "broken");
}

TEST(Prefetch, LeavesNoThreadWhereverItIsDropped) {
    const std::size_t before = threads();
    for (int taken = 0; taken < 40; ++taken) {
        Counting inner(20, taken % 2 == 0);
        PrefetchSource source(inner);
        for (int i = 0; i < taken && i < 20; ++i)
            ASSERT_TRUE(source.next());
    }

    EXPECT_EQ(threads(), before);
}

class UnpackAhead : public testing::TestWithParam<std::string (*)(std::string_view)> {};

TEST_P(UnpackAhead, LargeLayerIsWholeAndHashed) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    const test::TempDir directory;
    std::string noise(std::size_t{9} << 20U, '\0');
    unsigned state = 7;
    for (char& c : noise)
        c = static_cast<char>((state = state * 1103515245 + 12345) >> 16U);
    const std::string tar = test::TarMaker().file("noise", noise).file("after", "x").finish();
    test::write_text(directory / "blob", GetParam()(tar));
    fs::create_directory(directory / "staging");
    auto fd = files::open(directory / "blob", O_RDONLY);

    const auto stats = unpack_layer({.blob_fd = fd->get(),
                                     .staging = directory / "staging",
                                     .form = Whiteouts::applied,
                                     .diff_id = *digest_of(tar),
                                     .limits = {}},
                                    {});

    ASSERT_TRUE(stats) << describe(stats.error());
    EXPECT_EQ(test::content_of(directory / "staging/noise"), noise);
    EXPECT_EQ(stats->bytes, noise.size() + 1);
}

INSTANTIATE_TEST_SUITE_P(Forms, UnpackAhead,
                         testing::Values([](std::string_view bytes) { return std::string(bytes); },
                                         test::gzip, test::zstd));

} // namespace
} // namespace mydocker::image
