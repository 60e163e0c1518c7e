// What a terminal and the signals to the command line must stand: many starts whose first question is for the
// window's size, a storm of sizes, keys that arrive in every piece, and every signal that can be passed on.
#include "support/engine_fixture.hpp"
#include "support/exec_fixture.hpp"
#include "support/terminal.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iterator>
#include <sstream>
#include <thread>

namespace mydocker::test {
namespace {

using TerminalProgram = Exec;

std::string sized(int rows, int columns) {
    return std::to_string(rows) + " " + std::to_string(columns) + "\r\n";
}

TEST_F(TerminalProgram, EveryStartHasTheWindowsSizeAtOnce) {
    const int starts = repeats(200);
    std::ostringstream wrong;
    for (int i = 0; i < starts; ++i) {
        const auto rows = static_cast<unsigned short>(10 + i % 50);
        const auto columns = static_cast<unsigned short>(20 + i % 170);
        Terminal run(command({"run", "--rm", "-t", "busybox", "stty", "size"}), rows, columns);
        Terminal exec(command({"exec", "-t", "box", "stty", "size"}), rows, columns);
        const int run_code = run.wait();
        const int exec_code = exec.wait();
        if (run_code != 0 || run.output() != sized(rows, columns)) wrong << i << ": run " << run.output();
        if (exec_code != 0 || exec.output() != sized(rows, columns)) wrong << i << ": exec " << exec.output();
    }
    EXPECT_EQ(wrong.str(), "");
}

TEST_F(TerminalProgram, AStormOfSizesEndsWithTheLastOne) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"run", "--rm", "-ti", "busybox", "sh"}, {"exec", "-ti", "box", "sh"}}) {
        Terminal terminal(command(words));
        ASSERT_TRUE(terminal.expect("# ")) << terminal.output();
        for (unsigned short i = 0; i < 500; ++i)
            terminal.resize(static_cast<unsigned short>(5 + i % 60),
                            static_cast<unsigned short>(20 + i % 150));
        terminal.resize(41, 101);

        // Sizes and what is typed go different ways: the last size may be on its way still.
        const bool settled = eventually([&] {
            terminal.type("stty size\n");
            return terminal.expect("41 101\r\n", 500);
        });
        EXPECT_TRUE(settled) << terminal.output();
        terminal.type("exit 7\n");
        EXPECT_EQ(terminal.wait(), 7);
    }
}

class InTheForeground : public TerminalProgram,
                        public ::testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(InTheForeground, KeysReachTheCommand) {
    struct Key {
        std::string typed;
        std::string code;
    };
    Terminal terminal(command(GetParam()));
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();
    for (const Key& key : {Key{"\x1a", "148"}, Key{"\x03", "130"}, Key{"\x1c", "131"}}) {
        terminal.type("sh -c \"echo sta''rted; exec sleep 1000\"\n");
        ASSERT_TRUE(terminal.expect("started\r\n")) << terminal.output();
        // A shell that is not sleep yet heeds no Ctrl-\.
        bool is_back = false;
        for (int tries = 0; !is_back && tries < 5; ++tries) {
            terminal.type(key.typed);
            is_back = terminal.expect("# ", 2000);
        }
        ASSERT_TRUE(is_back) << terminal.output();
        terminal.type("echo co''de=$?\n");
        EXPECT_TRUE(terminal.expect("code=" + key.code + "\r\n")) << terminal.output();
        ASSERT_TRUE(terminal.expect("# ")) << terminal.output();
    }
    // A shell with jobs asks once before it goes.
    terminal.type("kill -9 %1; wait; jobs; echo ki''lled\n");
    ASSERT_TRUE(terminal.expect("killed\r\n")) << terminal.output();
    terminal.type("exit 0\n");
    if (terminal.expect("You have stopped jobs.", 500)) terminal.type("exit 0\n");
    EXPECT_EQ(terminal.wait(), 0) << terminal.output();
}

INSTANTIATE_TEST_SUITE_P(Terminal, InTheForeground,
                         ::testing::Values(std::vector<std::string>{"run", "--rm", "-ti", "busybox", "sh"},
                                           std::vector<std::string>{"exec", "-ti", "box", "sh"}),
                         [](const auto& each) { return each.param.front(); });

// With pauses as a person makes them; the longest the engine waits for the second key is 300 ms.
TEST_F(TerminalProgram, TheKeysToPartAreFoundWhateverTheyPartFrom) {
    ASSERT_NE(start_detached("shell", {"-ti"}, {"sh"}), "");
    const std::vector<std::vector<std::string>> lines{{"exec", "-ti", "box", "sh"}, {"attach", "shell"}};
    for (const std::vector<std::string>& words : lines)
        for (const auto pause : {std::chrono::milliseconds(0), std::chrono::milliseconds(50)}) {
            Terminal terminal(command(words));
            terminal.type("\n");
            ASSERT_TRUE(terminal.expect("# ")) << terminal.output();
            terminal.type("\x10");
            std::this_thread::sleep_for(pause);
            terminal.type("\x11");
            EXPECT_EQ(terminal.wait(), 0) << words.front() << ": " << terminal.output();
            EXPECT_TRUE(terminal.is_cooked());
        }
    EXPECT_EQ(mydocker({"inspect", "-f", "{{.State.Running}}", "shell"}).out, "true\n");
}

TEST_F(TerminalProgram, KeysToPartThatAreFarApartAreTheCommands) {
    Terminal terminal(command({"exec", "-ti", "box", "sh", "-c",
                               "stty raw -echo; echo rea''dy; dd bs=1 count=2 2>/dev/null | od -An -tx1"}));
    ASSERT_TRUE(terminal.expect("ready")) << terminal.output();
    terminal.type("\x10");
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    terminal.type("\x11");

    EXPECT_TRUE(terminal.expect("10 11")) << terminal.output();
    EXPECT_EQ(terminal.wait(), 0);
}

// A window that is closed hangs its session up (SIGHUP, and no more input): the container goes on, and the
// command line does not stay behind and spin.
TEST_F(TerminalProgram, AWindowThatIsClosedEndsTheCommandLineAlone) {
    ASSERT_NE(start_detached("shell", {"-ti"}, {"sh", "-c", "trap '' HUP; while :; do read x; done"}), "");
    remove_at_end("closed");
    const std::vector<std::vector<std::string>> lines{
        {"run", "-ti", "--name", "closed", "busybox", "sh", "-c",
         "trap '' HUP; echo rea''dy; while :; do sleep 1; done"},
        {"exec", "-ti", "box", "sh", "-c", "echo rea''dy; exec sleep 1000"},
        {"attach", "shell"}};
    for (const std::vector<std::string>& words : lines) {
        Terminal terminal(command(words));
        if (words.front() != "attach") {
            ASSERT_TRUE(terminal.expect("ready")) << terminal.output();
        }
        ASSERT_TRUE(eventually([&] { return !terminal.is_cooked(); }));
        terminal.hang_up();
        EXPECT_NE(terminal.wait(), -1) << words.front();
    }
    EXPECT_EQ(mydocker({"inspect", "-f", "{{.State.Running}}", "closed", "shell"}).out, "true\ntrue\n");
}

TEST_F(TerminalProgram, TheKeysToPartAreFoundInEveryPieceOfInput) {
    const std::vector<std::vector<std::string>> pieces{
        {"\x10\x11"},                // at once
        {"\x10", "\x11"},            // one by one
        {"echo x\n\x10", "\x11 no"}, // with other words around them
        {"\x10\x10\x11"},            // begun twice
        {"\x10", "\x10", "\x11"},    //
        {"\x11\x10\x11"},            // the second key first
    };
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const std::string name = "part" + std::to_string(i);
        remove_at_end(name);
        Terminal terminal(command({"run", "-ti", "--name", name, "busybox", "sh"}));
        ASSERT_TRUE(terminal.expect("# ")) << terminal.output();
        for (const std::string& piece : pieces[i])
            terminal.type(piece);
        EXPECT_EQ(terminal.wait(), 0) << i << ": " << terminal.output();
        EXPECT_TRUE(terminal.is_cooked());
        EXPECT_EQ(mydocker({"inspect", "-f", "{{.State.Running}}", name}).out, "true\n") << i;
    }
}

// The signals that no command line passes on: not to be caught, of the engine's own work, of faults, of the
// terminal (some daemons take a change of its size for an order to end), of glibc.
constexpr int kKept[] = {SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGURG,  SIGSEGV,  SIGBUS, SIGFPE, SIGILL,
                         SIGTRAP, SIGSYS,  SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, 32,     33};

TEST_F(TerminalProgram, EverySignalThatCanBeIsPassedOn) {
    std::string traps;
    std::vector<int> passed;
    for (int signal = 1; signal <= 64; ++signal)
        if (std::ranges::find(kKept, signal) == std::end(kKept)) passed.push_back(signal);
    for (const int signal : passed)
        traps += "trap 'echo got " + std::to_string(signal) + "' " + std::to_string(signal) + "; ";
    const std::string script = traps + "echo ready; while :; do sleep 0.02; done";
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"run", "--rm", "busybox", "sh", "-c", script},
          {"exec", "box", "sh", "-c", script}}) {
        Terminal terminal(command(words));
        ASSERT_TRUE(terminal.expect("ready\r\n")) << terminal.output();
        for (const int signal : passed) {
            ASSERT_EQ(::kill(terminal.pid(), signal), 0);
            EXPECT_TRUE(terminal.expect("got " + std::to_string(signal) + "\r\n")) << terminal.output();
        }
        // The script ends with its container: the newest, or the one that exec is in.
        const bool of_run = words.front() == "run";
        ASSERT_EQ(mydocker({"kill", of_run ? mydocker({"ps", "-lq"}).out.substr(0, 12) : "box"}).exit_code,
                  0);
        EXPECT_EQ(terminal.wait(), 137);
    }
}

} // namespace
} // namespace mydocker::test
