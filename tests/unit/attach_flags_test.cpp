// run --attach: which streams it names.
#include "cli/attach_flags.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mydocker::cli {
namespace {

using Names = std::vector<std::string>;

std::string attached(const Names& names) {
    engine::Attachment how;
    if (auto parsed = parse_attached(names, how); !parsed) return parsed.error().text;
    return std::string(how.input ? "i" : "") + (how.output ? "o" : "") + (how.error_output ? "e" : "");
}

TEST(AttachedStreams, AreAllWhereNoneIsNamed) {
    EXPECT_EQ(attached({}), "ioe");
}

TEST(AttachedStreams, AreThoseNamedInAnyCase) {
    EXPECT_EQ(attached({"stdout"}), "o");
    EXPECT_EQ(attached({"STDERR", "stdin"}), "ie");
    EXPECT_EQ(attached({"stdin", "stdout", "stderr", "stdout"}), "ioe");
}

TEST(AttachedStreams, ThatThereAreNotAreRefused) {
    for (const std::string name : {"", "stdlog", "1", "stdin,stdout"})
        EXPECT_EQ(attached({"stdin", name}),
                  "attach: '" + name + "' is unknown; there are: stdin, stdout, stderr");
}

} // namespace
} // namespace mydocker::cli
