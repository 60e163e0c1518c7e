// Every command of the README is run, as it stands there.
#include "support/engine_fixture.hpp"
#include "support/terminal.hpp"

#include <fstream>

namespace mydocker::test {
namespace {

// The lines of the ```sh blocks, comments taken off.
std::vector<std::string> commands_of(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> commands;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("```")) {
            inside = line == "```sh";
            continue;
        }
        if (!inside) continue;
        line = line.substr(0, line.find(" #"));
        line.erase(line.find_last_not_of(' ') + 1);
        if (!line.empty()) commands.push_back(line);
    }
    return commands;
}

class Readme : public EngineTest {
  protected:
    [[nodiscard]] Outcome shell(const std::string& line) {
        return test::run(
            Command{.words = {"sh", "-c", line},
                    .input = {},
                    .environment = {"PATH=" + stage() + "/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                    "MYDOCKER_ROOT=" + root(), "MYDOCKER_RUN_ROOT=" + run_root()},
                    .directory = MYDOCKER_SOURCE_DIR});
    }
};

TEST_F(Readme, EveryCommandWorks) {
    remove_at_end("web");
    const auto commands = commands_of(std::string(MYDOCKER_SOURCE_DIR) + "/README.md");
    ASSERT_GT(commands.size(), 10U);

    for (const std::string& line : commands) {
        // The two that set up are what brought us here; CI runs them.
        if (line.starts_with("packaging/setup")) continue;
        if (line.find("run -ti") != std::string::npos) {
            Terminal terminal(command({"run", "-ti", "--rm", "busybox", "sh"}));
            EXPECT_TRUE(terminal.expect("# ")) << line;
            terminal.type("exit\n");
            EXPECT_EQ(terminal.wait(), 0) << line;
            continue;
        }
        const Outcome outcome = shell(line);
        EXPECT_EQ(outcome.exit_code, 0) << line << "\n" << outcome.err;
    }
}

} // namespace
} // namespace mydocker::test
