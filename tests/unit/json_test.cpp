// JSON values: limits, damage, and byte strings that come back unchanged.
#include "base/json.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace mydocker::json {
namespace {

std::string bytes_of(std::initializer_list<unsigned> values) {
    std::string bytes;
    for (const unsigned value : values)
        bytes.push_back(static_cast<char>(value));
    return bytes;
}

std::string round_trip(const std::string& bytes) {
    const auto parsed = parse(dump(Value(bytes)));
    return parsed && parsed->if_string() != nullptr ? *parsed->if_string() : "(not read back)";
}

TEST(JsonParse, KeepsKindsApart) {
    const auto value = parse(R"({"a":null,"b":true,"c":-7,"d":18446744073709551615,"e":1.5,"f":"x","g":[]})");

    ASSERT_TRUE(value) << value.error().text;
    EXPECT_TRUE(value->find("a")->is_null());
    EXPECT_TRUE(*value->find("b")->if_bool());
    EXPECT_EQ(*value->find("c")->if_int(), -7);
    EXPECT_EQ(*value->find("d")->if_uint(), 18446744073709551615ULL);
    EXPECT_EQ(*value->find("e")->if_double(), 1.5);
    EXPECT_EQ(*value->find("f")->if_string(), "x");
    EXPECT_TRUE(value->find("g")->if_array()->empty());
}

struct Damage {
    const char* name;
    std::string text;
    Code code;
    const char* says;
};

class JsonDamage : public testing::TestWithParam<Damage> {};

TEST_P(JsonDamage, IsNamedWithItsPlace) {
    const auto value = parse(GetParam().text, {.bytes = 200000, .depth = 64, .values = 1000});

    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code, GetParam().code);
    EXPECT_NE(value.error().text.find(GetParam().says), std::string::npos) << value.error().text;
}

INSTANTIATE_TEST_SUITE_P(
    All, JsonDamage,
    testing::Values(
        Damage{"empty", "", Code::corrupt, "unexpected end of input"},
        Damage{"half", R"({"a":1)", Code::corrupt, "byte 7 (unexpected end of input; expected '}')"},
        Damage{"comma", R"({"a":1,})", Code::corrupt, "expected string literal"},
        Damage{"trailing", "{} x", Code::corrupt, "byte 4"},
        Damage{"two_values", "1 2", Code::corrupt, "byte 3"},
        Damage{"nul_filled", std::string(20, '\0'), Code::corrupt, "byte 1"},
        Damage{"not_utf8", "\"\xC3\x28\"", Code::corrupt, "ill-formed UTF-8"},
        Damage{"lone_surrogate", R"("\ud800")", Code::corrupt, "surrogate"},
        Damage{"control", "\"\x01\"", Code::corrupt, "control character"},
        Damage{"comment", "{} // x", Code::corrupt, "byte 4"},
        Damage{"huge_number", "1e999", Code::corrupt, "JSON damaged"},
        Damage{"duplicate", R"({"a":1,"b":2,"a":3})", Code::corrupt, "byte 19: member 'a' occurs twice"},
        Damage{"duplicate_escaped", R"({"a":1,"\u0061":3})", Code::corrupt, "member 'a' occurs twice"},
        Damage{"too_deep", std::string(10000, '['), Code::invalid, "byte 65: nested deeper than 64"},
        Damage{"too_long", std::string(200001, ' '), Code::invalid, "200001 bytes, 200000 allowed"},
        Damage{"too_many", "[" + std::string(2000, '1') + "]", Code::corrupt, "JSON damaged"}),
    [](const auto& tested) { return tested.param.name; });

TEST(JsonParse, CountsValues) {
    const auto value = parse("[1,2,3,4]", {.bytes = 100, .depth = 4, .values = 4});

    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code, Code::invalid);
    EXPECT_EQ(value.error().text, "JSON refused at byte 9: more than 4 values");
}

TEST(JsonParse, AllowsExactlyTheDepth) {
    EXPECT_TRUE(parse(std::string(64, '[') + std::string(64, ']')));
    EXPECT_FALSE(parse(std::string(65, '[') + std::string(65, ']')));
}

TEST(JsonParse, FindsDuplicatesAmongMany) {
    Object object;
    for (int i = 0; i < 50000; ++i)
        object.emplace_back("key" + std::to_string(i), i);
    object.emplace_back("key31415", 0);

    const auto value = parse(dump(object));

    ASSERT_FALSE(value);
    EXPECT_NE(value.error().text.find("'key31415' occurs twice"), std::string::npos);
}

TEST(JsonParse, DoesNotRepeatHostileBytesInErrors) {
    const auto value = parse("{\"\x1b[2J\xff");

    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().text.find('\x1b'), std::string::npos);
    EXPECT_EQ(value.error().text.find('\xff'), std::string::npos);
}

TEST(JsonDump, WritesBothStyles) {
    Value value;
    value.set("a", Array{1, "x", true}).set("b", Value()).set("c", Object{}).set("d", 2.0);

    EXPECT_EQ(dump(value), R"({"a":[1,"x",true],"b":null,"c":{},"d":2.0})");
    EXPECT_EQ(
        dump(value, Style::indented),
        "{\n  \"a\": [\n    1,\n    \"x\",\n    true\n  ],\n  \"b\": null,\n  \"c\": {},\n  \"d\": 2.0\n}");
}

TEST(JsonDump, EscapesWhatTerminalsObey) {
    EXPECT_EQ(dump(Value("\x1b[0m\n\t\"\\\x7f")), R"("\u001b[0m\n\t\"\\\u007f")");
    EXPECT_EQ(dump(Value("\xC2\x9B")), R"("\u009b")");
}

TEST(JsonDump, KeepsTextReadable) {
    EXPECT_EQ(dump(Value("žluťoučký 💾")), "\"žluťoučký 💾\"");
}

struct Bytes {
    const char* name;
    std::string bytes;
};

class JsonBytes : public testing::TestWithParam<Bytes> {};

TEST_P(JsonBytes, ComeBackUnchanged) {
    EXPECT_EQ(round_trip(GetParam().bytes), GetParam().bytes);
}

INSTANTIATE_TEST_SUITE_P(All, JsonBytes,
                         testing::Values(Bytes{"empty", ""}, Bytes{"nul", std::string(3, '\0')},
                                         Bytes{"lone_byte", "a\xFFz"}, Bytes{"latin1", "caf\xE9"},
                                         Bytes{"cut_sequence", "x\xE2\x82"}, Bytes{"overlong", "\xC0\xAF"},
                                         Bytes{"surrogate", "\xED\xA0\x80"},
                                         Bytes{"beyond", "\xF4\x90\x80\x80"},
                                         Bytes{"first_escape", bytes_of({0xF4, 0x8F, 0xBE, 0x80})},
                                         Bytes{"last_escape", bytes_of({0xF4, 0x8F, 0xBF, 0xBF})},
                                         Bytes{"before_escapes", bytes_of({0xF4, 0x8F, 0xBD, 0xBF})},
                                         Bytes{"escape_then_bad", bytes_of({0xF4, 0x8F, 0xBE, 0x80, 0xFF})},
                                         Bytes{"bad_then_escape", bytes_of({0xFF, 0xF4, 0x8F, 0xBE, 0x80})},
                                         Bytes{"bad_then_good", bytes_of({0xE2, 0x82, 0xC3, 0xA9})}),
                         [](const auto& tested) { return tested.param.name; });

TEST(JsonBytes, OfAnyKindSurvive) {
    // Drawn from the bytes that matter most to the escape, so that collisions are likely.
    const std::string alphabet =
        bytes_of({0xF4, 0x8F, 0xBE, 0xBF, 0x80, 0xC3, 0xA9, 0xE2, 0x82, 0xFF, 'a', '"'});
    std::mt19937 random(20);
    for (int round = 0; round < test::repeats(200000); ++round) {
        std::string bytes(random() % 12, ' ');
        for (char& byte : bytes)
            byte = alphabet[random() % alphabet.size()];
        ASSERT_EQ(round_trip(bytes), bytes) << "round " << round;
    }
}

TEST(JsonBytes, TextThatUsesTheRangeForItselfIsKept) {
    // Stands for "é", which is good text and so never written this way: it is not turned into it.
    const std::string foreign = bytes_of({0xF4, 0x8F, 0xBF, 0x83, 0xF4, 0x8F, 0xBE, 0xA9});

    const auto value = parse("\"" + foreign + "\"");

    ASSERT_TRUE(value);
    EXPECT_EQ(*value->if_string(), foreign);
    EXPECT_EQ(round_trip(foreign), foreign);
}

TEST(JsonBytes, PlainCharactersHaveNoSecondSpelling) {
    // U+10FF2F must not become "/".
    const std::string foreign = bytes_of({0xF4, 0x8F, 0xBC, 0xAF});

    const auto value = parse("\"" + foreign + "\"");

    ASSERT_TRUE(value);
    EXPECT_EQ(*value->if_string(), foreign);
}

TEST(JsonBytes, AnyTextReadSurvivesBeingWrittenAndReadAgain) {
    const std::vector<std::string> pieces = {bytes_of({0xF4, 0x8F, 0xBE, 0x80}),
                                             bytes_of({0xF4, 0x8F, 0xBF, 0x83}),
                                             bytes_of({0xF4, 0x8F, 0xBE, 0xA9}),
                                             bytes_of({0xF4, 0x8F, 0xBF, 0xB4}),
                                             bytes_of({0xF4, 0x8F, 0xBE, 0x8F}),
                                             bytes_of({0xF4, 0x8F, 0xBE, 0xBE}),
                                             bytes_of({0xF4, 0x8F, 0xBC, 0xAF}),
                                             "é",
                                             "a",
                                             "💾"};
    std::mt19937 random(21);
    for (int round = 0; round < test::repeats(100000); ++round) {
        std::string text;
        for (std::size_t left = random() % 8; left > 0; --left)
            text += pieces[random() % pieces.size()];
        const auto first = parse("\"" + text + "\"");
        ASSERT_TRUE(first);
        ASSERT_EQ(round_trip(*first->if_string()), *first->if_string()) << "round " << round;
    }
}

TEST(JsonBytes, KeysAreBytesToo) {
    Object object;
    object.emplace_back("k\xFF", 1);

    const auto value = parse(dump(object));

    ASSERT_TRUE(value);
    EXPECT_NE(value->find("k\xFF"), nullptr);
}

TEST(JsonMembers, NameTheKeyThatIsWrong) {
    const auto value = parse(R"({"text":"a","negative":-1,"list":["a",1]})");
    ASSERT_TRUE(value);

    EXPECT_EQ(get_string(*value, "none").error().text, "member 'none' is missing");
    EXPECT_EQ(get_int(*value, "text").error().text, "member 'text' is not a whole number in range");
    EXPECT_EQ(get_uint(*value, "negative").error().text, "member 'negative' is not a whole number from 0");
    EXPECT_EQ(get_bool(*value, "text").error().text, "member 'text' is not true or false");
    EXPECT_EQ(get_strings(*value, "list").error().text, "member 'list' is not a list of texts");
}

TEST(JsonMembers, ReadNumbersOfBothSigns) {
    const auto value = parse(R"({"small":5,"large":9223372036854775808})");
    ASSERT_TRUE(value);

    EXPECT_EQ(get_uint(*value, "small"), 5U);
    EXPECT_EQ(get_uint(*value, "large"), 9223372036854775808U);
    EXPECT_EQ(get_int(*value, "small"), 5);
    EXPECT_FALSE(get_int(*value, "large"));
}

} // namespace
} // namespace mydocker::json
