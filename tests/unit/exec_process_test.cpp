// What a further process gets of the first one's, and what the request changes.
#include "engine/exec_process.hpp"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::engine {
namespace {

runtime::ProcessSpec first() {
    runtime::ProcessSpec process;
    process.terminal = true;
    process.console_size = runtime::ConsoleSize{1, 2};
    process.user.name = "web";
    process.user.umask = 022;
    process.args = {"top"};
    process.env = {"PATH=/bin", "A=1", "B=2"};
    process.cwd = "/srv";
    process.capabilities.bounding = {"CAP_CHOWN"};
    process.oom_score_adj = 5;
    return process;
}

ExecRequest run_words(std::vector<std::string> words) {
    ExecRequest request;
    request.command = std::move(words);
    return request;
}

TEST(ExecProcess, IsTheFirstOneButForTheCommand) {
    const runtime::ProcessSpec process = exec_process(first(), run_words({"ps", "-ef"}));

    EXPECT_EQ(process.args, (std::vector<std::string>{"ps", "-ef"}));
    EXPECT_EQ(process.env, first().env);
    EXPECT_EQ(process.cwd, "/srv");
    EXPECT_EQ(process.user.name, "web");
    EXPECT_EQ(process.user.umask, 022U);
    EXPECT_EQ(process.capabilities.bounding, first().capabilities.bounding);
    EXPECT_EQ(process.oom_score_adj, 5);
    EXPECT_TRUE(process.no_new_privileges);
    EXPECT_FALSE(process.terminal);
    EXPECT_FALSE(process.console_size);
}

TEST(ExecProcess, TakesWhatTheRequestSays) {
    ExecRequest request = run_words({"ps"});
    request.environment = {"B=3", "C=4"};
    request.working_directory = "/tmp";
    request.user = "10:20";

    const runtime::ProcessSpec process = exec_process(first(), request);

    EXPECT_EQ(process.env, (std::vector<std::string>{"PATH=/bin", "A=1", "B=3", "C=4"}));
    EXPECT_EQ(process.cwd, "/tmp");
    EXPECT_EQ(process.user.name, "10:20");
}

TEST(ExecProcess, NamesTheTerminalUnlessItHasAName) {
    runtime::ProcessSpec named = first();
    named.env.emplace_back("TERM=vt100");

    ExecRequest request = run_words({"sh"});
    request.terminal = true;

    EXPECT_EQ(exec_process(first(), request).env.back(), "TERM=xterm");
    EXPECT_EQ(exec_process(named, request).env.back(), "TERM=vt100");
}

} // namespace
} // namespace mydocker::engine
