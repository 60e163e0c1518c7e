// What is said of an image in a word.
#include "cli/image_words.hpp"

#include <gtest/gtest.h>

namespace mydocker::cli {
namespace {

TEST(ImageWords, NameIsRepositoryAndTag) {
    const ImageName name = image_name("docker.io/library/busybox:1.36");
    EXPECT_EQ(name.repository, "busybox");
    EXPECT_EQ(name.tag, "1.36");
    EXPECT_EQ(image_name("host:5000/a/b:latest").repository, "host:5000/a/b");
    EXPECT_EQ(image_name("").repository, "");
    EXPECT_EQ(shown_part(image_name("").tag), "<none>");
    EXPECT_EQ(shown_part("a\nb"), "a\\nb");
}

TEST(ImageWords, AgeIsOfWhatTheImageSays) {
    EXPECT_EQ(image_created_ns("1970-01-01T00:00:05Z"), 5'000'000'000);
    EXPECT_EQ(image_age("1970-01-01T00:00:05Z", 65'000'000'000), "1 minute ago");
    for (const char* nonsense : {"", "yesterday", "10m"}) {
        EXPECT_EQ(image_created_ns(nonsense), std::nullopt) << nonsense;
        EXPECT_EQ(image_age(nonsense, 65'000'000'000), "-") << nonsense;
    }
}

} // namespace
} // namespace mydocker::cli
