// -e, --env-file and --label.
#include "cli/key_values.hpp"

#include "mydocker/support/files.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace mydocker::cli {
namespace {

using Words = std::vector<std::string>;

const char* look_up(const char* key) {
    return std::string_view(key) == "SET" ? "callers" : nullptr;
}

struct Case {
    std::string name;
    std::string text;
    Words want;        // the variables
    std::string error; // or the error
};

std::ostream& operator<<(std::ostream& out, const Case& row) {
    return out << row.name;
}

class EnvFile : public ::testing::TestWithParam<Case> {};

TEST_P(EnvFile, IsReadAsDockerDoes) {
    const auto variables = parse_env_file(GetParam().text, "f", look_up);

    EXPECT_EQ(variables ? "" : variables.error().text, GetParam().error);
    EXPECT_EQ(variables.value_or(Words{}), GetParam().want);
}

const std::vector<Case> kFiles{
    {"Empty", "", {}, ""},
    {"Lines", "A=1\nB=2\n", {"A=1", "B=2"}, ""},
    {"NoNewlineAtTheEnd", "A=1\nB=2", {"A=1", "B=2"}, ""},
    {"WindowsLines", "A=1\r\nB=2\r\n", {"A=1", "B=2"}, ""},
    {"CommentsAndBlankLines", "# A=1\n\n   \n  # x\nB=2\n", {"B=2"}, ""},
    {"QuotesStay", "A=\"x y\"\nB='z'\n", {"A=\"x y\"", "B='z'"}, ""},
    {"ValueAsItStands", "A= x # no comment =\t\n", {"A= x # no comment =\t"}, ""},
    {"EmptyValue", "A=\n", {"A="}, ""},
    {"BlanksInFront", "  A=1\n", {"A=1"}, ""},
    {"ByteOrderMark",
     "\xEF\xBB\xBF"
     "A=1\n",
     {"A=1"},
     ""},
    {"BytesStay", "A=\xff\xfe\n", {"A=\xff\xfe"}, ""},
    {"CallersValue", "SET\nUNSET\n", {"SET=callers"}, ""},
    {"NoName", "A=1\n=x\n", {}, "f:2: there is no name before the '='"},
    {"BlankInName", "A=1\n#\nB C=x\n", {}, "f:3: the name 'B C' has a blank in it"},
    {"Nul", std::string("A=1\nB=\0\n", 8), {}, "f:2: it has a NUL byte in it"},
};

INSTANTIATE_TEST_SUITE_P(KeyValues, EnvFile, ::testing::ValuesIn(kFiles),
                         [](const auto& each) { return each.param.name; });

TEST(Environment, TakesTheCallersValueOfAKeyAlone) {
    const auto variables = parse_environment({"A=1", "SET", "UNSET", "B="}, look_up);

    ASSERT_TRUE(variables);
    EXPECT_EQ(*variables, (Words{"A=1", "SET=callers", "B="}));
}

TEST(Environment, RefusesAVariableWithoutAName) {
    EXPECT_EQ(parse_environment({"=x"}, look_up).error().text, "env: '=x' has no name before the '='");
    EXPECT_FALSE(parse_environment({""}, look_up));
}

TEST(EnvironmentFile, IsOfOneMebibyteAtMost) {
    EXPECT_NE(read_env_file("/dev/zero", look_up).error().text.find("env-file: '/dev/zero' is larger than"),
              std::string::npos);
}

TEST(EnvironmentFile, ThatIsNotThereIsNamed) {
    EXPECT_NE(read_env_file("/nope.env", look_up).error().text.find("/nope.env"), std::string::npos);
}

// Who opened it as other files are would wait for its writer.
TEST(EnvironmentFile, ThatIsAPipeWithANameIsRefused) {
    const test::TempDir directory;
    const std::string path = directory / "fifo";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);

    EXPECT_EQ(read_env_file(path, look_up).error().text,
              "env-file: '" + path + "' is a pipe, which may have no writer; give it as /dev/stdin");
}

TEST(EnvironmentFile, MayBeAPipeThatTheShellHasOpened) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    ASSERT_EQ(::write(writer.get(), "A=1\n", 4), 4);
    writer.reset();

    const auto variables = read_env_file("/dev/fd/" + std::to_string(reader.get()), look_up);

    ASSERT_TRUE(variables) << describe(variables.error());
    EXPECT_EQ(*variables, Words{"A=1"});
}

TEST(LabelWords, AreKeysAndValues) {
    const auto labels = parse_labels({"a=1", "b", "c=d=e"});

    ASSERT_TRUE(labels);
    EXPECT_EQ(*labels, (Labels{{"a", "1"}, {"b", ""}, {"c", "d=e"}}));
    EXPECT_FALSE(parse_labels({"=x"}));
}

} // namespace
} // namespace mydocker::cli
