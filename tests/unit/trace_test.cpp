// Spans on their way between programs, and as a picture.
#include "base/trace.hpp"
#include "cli/explain.hpp"

#include <gtest/gtest.h>

namespace mydocker {
namespace {

std::vector<trace::Span> two_spans() {
    return {{"init", "late\n", "x", 3'000'000, 4'000'000}, {"mydocker", "early", "", 1'000'000, 2'500'000}};
}

TEST(Trace, SurvivesTheWayBetweenPrograms) {
    const auto spans = trace::decode(trace::encode(two_spans(), 4096));

    ASSERT_EQ(spans.size(), 2U);
    EXPECT_EQ(spans[0].name, "late\n");
    EXPECT_EQ(spans[1].end_ns, 2'500'000);
}

TEST(Trace, LeavesOutWhatIsTooMuchOrDamaged) {
    EXPECT_EQ(trace::decode(trace::encode(two_spans(), 80)).size(), 1U);
    EXPECT_TRUE(trace::decode(trace::encode(two_spans(), 0)).empty());
    EXPECT_TRUE(trace::decode("\xff\xff\xff\xff\xff\xff\xff\x7fxx").empty());
    const std::string whole = trace::encode(two_spans(), 4096);
    EXPECT_EQ(trace::decode(whole.substr(0, whole.size() - 1)).size(), 1U);
}

TEST(Trace, NothingIsKeptWithoutARecorder) {
    bool asked = false;
    {
        trace::Scope scope(nullptr, "x");
        scope.describe([&] {
            asked = true;
            return std::string();
        });
    }

    EXPECT_FALSE(asked);
}

TEST(Trace, WaterfallIsInTheOrderOfTime) {
    const std::string text = cli::waterfall(two_spans());

    EXPECT_NE(text.find("    0.000     1.500 |"), std::string::npos) << text;
    EXPECT_NE(text.find("    2.000     1.000 |"), std::string::npos) << text;
    EXPECT_LT(text.find("early\n"), text.find("late\\n: x\n")) << text;
    EXPECT_EQ(cli::waterfall({}), "");
}

} // namespace
} // namespace mydocker
