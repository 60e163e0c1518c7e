// Tables for people: what hostile words in them become.
#include "cli/table.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mydocker::cli {
namespace {

TEST(Printable, ShowsWhatATerminalWouldObey) {
    struct Case {
        std::string in;
        std::string want;
    };
    const Case cases[] = {
        {"plain \\ \"text\"", "plain \\ \"text\""},
        {"grün …", "grün …"},
        {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
        {"\x1b[31mred", "\\x1b[31mred"},
        {"\xc2\x9b"
         "2J",
         "\\u009b2J"}, // CSI in one character
        {"\x9b"
         "2J",
         "\\x9b2J"},
        {"\xe2\x80\xae"
         "txt",
         "\\u202etxt"}, // right to left from here
        {std::string("\0", 1), "\\x00"},
    };

    for (const Case& each : cases) {
        EXPECT_EQ(printable(each.in), each.want);
        EXPECT_EQ(printable(each.want), each.want) << "again";
    }
}

TEST(Table, HasNothingInItThatATerminalWouldObey) {
    Table table({"NAME", "LABEL"});

    table.add({"a", "x\x1b[2Jy"});

    EXPECT_EQ(table.text(), "NAME   LABEL\na      x\\x1b[2Jy\n");
}

} // namespace
} // namespace mydocker::cli
