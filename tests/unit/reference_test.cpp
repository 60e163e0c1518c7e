// Image names: the grammar, short names and back. Table E13 of the bad-input catalogue.
#include "image/reference.hpp"

#include <gtest/gtest.h>

namespace mydocker::image {
namespace {

struct Good {
    const char* in;
    const char* key_or_repository;
    const char* familiar;
};

class GoodReference : public testing::TestWithParam<Good> {};

TEST_P(GoodReference, IsCompletedAndShortened) {
    const auto reference = parse_reference(GetParam().in);

    ASSERT_TRUE(reference) << describe(reference.error());
    const std::string whole = reference->tag.empty() ? reference->repository() : reference->key();
    EXPECT_EQ(whole, GetParam().key_or_repository);
    EXPECT_EQ(reference->familiar(), GetParam().familiar);
}

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

INSTANTIATE_TEST_SUITE_P(
    Names, GoodReference,
    testing::Values(Good{"busybox", "docker.io/library/busybox:latest", "busybox:latest"},
                    Good{"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
                    Good{"library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
                    Good{"docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
                    Good{"index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"},
                    Good{"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
                    Good{"host:5000/a/b:tag", "host:5000/a/b:tag", "host:5000/a/b:tag"},
                    Good{"localhost/x", "localhost/x:latest", "localhost/x:latest"},
                    Good{"[::1]:5000/x:t", "[::1]:5000/x:t", "[::1]:5000/x:t"},
                    Good{"a__b/c-----d.e:T_.-", "docker.io/a__b/c-----d.e:T_.-", "a__b/c-----d.e:T_.-"},
                    Good{"beef", "docker.io/library/beef:latest", "beef:latest"},
                    Good{"busybox@sha256:" HEX64, "docker.io/library/busybox", "busybox@sha256:" HEX64},
                    Good{"h.io/x:t@sha256:" HEX64, "h.io/x:t", "h.io/x:t@sha256:" HEX64}));

class BadReference : public testing::TestWithParam<std::string> {};

TEST_P(BadReference, IsRefusedWithItsText) {
    const auto reference = parse_reference(GetParam());

    ASSERT_FALSE(reference);
    EXPECT_EQ(reference.error().code, Code::invalid);
    EXPECT_NE(reference.error().text.find("is no image name: "), std::string::npos) << reference.error().text;
}

INSTANTIATE_TEST_SUITE_P(Names, BadReference,
                         testing::Values("", "a//b", "/a", "a/", "a:", ":t", "Busybox", "host/Ab",
                                         "a:" + std::string(129, 't'), "a:.t", "a:-t", "a:t t", "../x",
                                         "a/../b", ".", "..", "a@", "a@sha256:xyz", "a@md5:" HEX64,
                                         "a@sha256:" HEX64 "0", "a b", "a\nb", std::string("a\0b", 3), "a_-b",
                                         "a..b", "a___b", "-a", "a-", "_a", "[::1/x", "[::1]x/y", "[zz]:1/x",
                                         "host:/x", "host:99999999/x", ":80/x", "-h.io/x", "h..io/x", HEX64,
                                         std::string(256, 'a'), "\xc3\xa9", "a:t@", "a@sha256:" HEX64 "@x",
                                         "http://x/y", "x:1:2"));

TEST(Reference, MessageEscapesControlBytes) {
    const auto reference = parse_reference("a\x1b[31mb");

    EXPECT_NE(reference.error().text.find("'a\\x1b[31mb'"), std::string::npos);
}

TEST(FamiliarName, KeepsWhatIsNoKey) {
    EXPECT_EQ(familiar_name("Not A Name"), "Not A Name");
}

} // namespace
} // namespace mydocker::image
