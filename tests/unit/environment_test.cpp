// Lists of environment variables: what is found, and what takes whose place.
#include "base/environment.hpp"

#include <gtest/gtest.h>

namespace mydocker::environment {
namespace {

using Variables = std::vector<std::string>;

TEST(EnvironmentFind, GivesTheFirstValueOfThatVeryName) {
    const Variables variables = {"PATHS=/no", "PATH", "PATH=/bin=1", "PATH=/later", "EMPTY="};

    EXPECT_EQ(find(variables, "PATH"), "/bin=1");
    EXPECT_EQ(find(variables, "EMPTY"), "");
    EXPECT_EQ(find(variables, "PAT"), std::nullopt);
}

TEST(EnvironmentHas, CountsANameWithoutAValue) {
    EXPECT_TRUE(has({"TERM"}, "TERM"));
    EXPECT_FALSE(has({"TERMINAL=x"}, "TERM"));
}

TEST(EnvironmentSet, TakesThePlaceOfTheEarlierOne) {
    Variables variables = {"A=1", "B=2"};

    set(variables, "A=3");
    set(variables, "C=4");

    EXPECT_EQ(variables, (Variables{"A=3", "B=2", "C=4"}));
}

TEST(EnvironmentSetAll, LetsTheLastOfOneNameStand) {
    Variables variables = {"A=1", "B=2"};

    set_all(variables, {"C=3", "A=4", "C=5"});

    EXPECT_EQ(variables, (Variables{"A=4", "B=2", "C=5"}));
}

} // namespace
} // namespace mydocker::environment
