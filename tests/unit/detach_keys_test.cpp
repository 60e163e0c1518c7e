// Detach keys: the notation, and the sequence found in what is typed.
#include "engine/detach_keys.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace mydocker::engine {
namespace {

TEST(DetachKeys, AreWrittenAsDockerWritesThem) {
    EXPECT_EQ(parse_detach_keys("ctrl-p,ctrl-q").value(), "\x10\x11");
    EXPECT_EQ(parse_detach_keys("ctrl-a,b").value(), std::string("\x01"
                                                                 "b"));
    EXPECT_EQ(parse_detach_keys("ctrl-@,ctrl-_,DEL").value(), std::string("\0\x1f\x7f", 3));
    EXPECT_EQ(parse_detach_keys("").value(), "");
}

TEST(DetachKeys, AreRefusedByName) {
    for (const char* wrong : {"ctrl-", "ctrl-P", "ctl-p", "ab", "a,,b", "ctrl-p,"})
        EXPECT_FALSE(parse_detach_keys(wrong).has_value()) << wrong;
    EXPECT_NE(parse_detach_keys("ctrl-p,quit").error().text.find("'quit' is no key"), std::string::npos);
    EXPECT_FALSE(parse_detach_keys("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a").has_value());
}

struct Typed {
    const char* name;
    std::vector<std::string> pieces;
    std::string passed;
    bool found;
    bool holding;
};

class DetachTyping : public ::testing::TestWithParam<Typed> {};

TEST_P(DetachTyping, PassesOnWhatIsNotTheSequence) {
    DetachWatch watch("\x10\x11");

    std::string passed;
    for (const std::string& piece : GetParam().pieces)
        passed += watch.feed(piece);

    EXPECT_EQ(passed, GetParam().passed);
    EXPECT_EQ(watch.has_found(), GetParam().found);
    EXPECT_EQ(watch.is_holding(), GetParam().holding);
}

INSTANTIATE_TEST_SUITE_P(All, DetachTyping,
                         ::testing::Values(Typed{"plain", {"ls\n"}, "ls\n", false, false},
                                           Typed{"whole", {"ls\n\x10\x11"}, "ls\n", true, false},
                                           Typed{"pieces", {"\x10", "\x11"}, "", true, false},
                                           Typed{"prefix", {"a\x10"}, "a", false, true},
                                           Typed{"other", {"\x10", "x"}, "\x10x", false, false},
                                           Typed{"twice", {"\x10\x10"}, "\x10", false, true},
                                           Typed{"late", {"\x10\x10\x11tail"}, "\x10", true, false}),
                         [](const auto& typed) { return std::string(typed.param.name); });

TEST(DetachKeys, GiveBackWhatTheyHeldWhenNothingMoreComes) {
    DetachWatch watch("\x10\x11");

    EXPECT_EQ(watch.feed("\x10"), "");
    EXPECT_EQ(watch.release(), "\x10");

    EXPECT_FALSE(watch.is_holding());
    EXPECT_EQ(watch.feed("\x11"), "\x11") << "it is not the second key any more";
}

TEST(DetachKeys, PassEverythingOnWhenThereAreNone) {
    DetachWatch watch("");

    EXPECT_EQ(watch.feed("\x10\x11"), "\x10\x11");
    EXPECT_FALSE(watch.has_found());
}

} // namespace
} // namespace mydocker::engine
