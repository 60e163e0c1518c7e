// Every exit code and every signal, as run, exec, start -a, wait and inspect tell them.
#include "support/engine_fixture.hpp"
#include "support/exec_fixture.hpp"

#include <algorithm>
#include <csignal>
#include <iterator>
#include <set>
#include <sstream>

namespace mydocker::test {
namespace {

// All of 0 to 255, or as many of them as are asked for in an emulated machine.
std::vector<int> codes() {
    const int step = 256 / repeats(256);
    std::vector<int> all;
    for (int code = 0; code < 256; code += step)
        all.push_back(code);
    if (all.back() != 255) all.push_back(255);
    return all;
}

// signal(7): ignored by default, or a stop; no process ends by them.
const std::set<int> kEndsNobody{SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};

std::vector<int> deadly_signals() {
    std::vector<int> all;
    for (int signal = 1; signal <= 64; ++signal)
        if (!kEndsNobody.contains(signal)) all.push_back(signal);
    return all;
}

using ExitCodes = Exec;

TEST_F(ExitCodes, ArePassedByRunAndByExec) {
    std::ostringstream wrong;
    for (const int code : codes()) {
        const std::string script = "exit " + std::to_string(code);
        const int run_code = mydocker({"run", "--rm", "busybox", "sh", "-c", script}).exit_code;
        const int exec_code = mydocker({"exec", "box", "sh", "-c", script}).exit_code;
        if (run_code != code || exec_code != code)
            wrong << code << ": run " << run_code << ", exec " << exec_code << "\n";
    }
    EXPECT_EQ(wrong.str(), "");
}

// One container that ends with what its file says: started for every code anew.
TEST_F(ExitCodes, AreToldByStartByWaitAndByInspect) {
    const TempDir shared;
    remove_at_end("ends");
    ASSERT_EQ(mydocker({"create", "--name", "ends", "-v", shared.path() + ":/p", "busybox", "sh", "-c",
                        "exit $(cat /p/code)"})
                  .exit_code,
              0);
    std::ostringstream wrong;
    for (const int code : codes()) {
        write_text(shared / "code", std::to_string(code));
        const int started = mydocker({"start", "-a", "ends"}).exit_code;
        const std::string waited = mydocker({"wait", "ends"}).out;
        const std::string inspected = mydocker({"inspect", "-f", "{{.State.ExitCode}}", "ends"}).out;
        const std::string text = std::to_string(code) + "\n";
        if (started != code || waited != text || inspected != text)
            wrong << code << ": start " << started << ", wait " << waited << ", inspect " << inspected;
    }
    EXPECT_EQ(wrong.str(), "");
}

TEST_F(ExitCodes, SayWhichSignalEndedACommandOfExec) {
    std::ostringstream wrong;
    for (const int signal : deadly_signals()) {
        std::vector<std::string> words{"exec", "box", "sh", "-c", "kill -" + std::to_string(signal) + " $$"};
        // This shell does not heed it.
        if (signal == SIGQUIT) words = {"exec", "box", "timeout", "-s", "QUIT", "1", "sleep", "1000"};
        const int code = mydocker(words).exit_code;
        if (code != 128 + signal) wrong << signal << ": " << code << "\n";
    }
    EXPECT_EQ(wrong.str(), "");
}

// A shell that is not the first process dies of what it sends itself, but for the one it does not heed.
TEST_F(ExitCodes, SayWhichSignalEndedACommandOfRunAndOfStart) {
    const TempDir shared;
    remove_at_end("ends");
    ASSERT_EQ(mydocker({"create", "--init", "--name", "ends", "-v", shared.path() + ":/p", "busybox", "sh",
                        "/p/script"})
                  .exit_code,
              0);
    std::ostringstream wrong;
    for (const int signal : deadly_signals()) {
        const std::string script = signal == SIGQUIT ? "exec timeout -s QUIT 0.1 sleep 1000"
                                                     : "kill -" + std::to_string(signal) + " $$; sleep 1000";
        write_text(shared / "script", script + "\n");
        const int run_code = mydocker({"run", "--rm", "--init", "busybox", "sh", "-c", script}).exit_code;
        const int start_code = mydocker({"start", "-a", "ends"}).exit_code;
        if (run_code != 128 + signal || start_code != 128 + signal)
            wrong << signal << ": run " << run_code << ", start " << start_code << "\n";
    }
    EXPECT_EQ(wrong.str(), "");
}

// The two that glibc keeps for its threads (nptl(7)), which it lets nobody wait for or pass on.
constexpr int kOfThreads[] = {32, 33};

// A first process has no default actions (pid_namespaces(7)); with --init the command is not the first.
TEST_F(ExitCodes, SayWhichSignalOfKillEndedAContainer) {
    remove_at_end("ends");
    ASSERT_EQ(mydocker({"create", "--init", "--name", "ends", "busybox", "sleep", "1000"}).exit_code, 0);
    std::ostringstream wrong;
    for (const int signal : deadly_signals()) {
        if (std::ranges::find(kOfThreads, signal) != std::end(kOfThreads)) continue;
        ASSERT_EQ(mydocker({"start", "ends"}).exit_code, 0);
        const Outcome killed = mydocker({"kill", "-s", std::to_string(signal), "ends"});
        const std::string waited = mydocker({"wait", "ends"}).out;
        const std::string inspected = mydocker({"inspect", "-f", "{{.State.ExitCode}}", "ends"}).out;
        const std::string text = std::to_string(128 + signal) + "\n";
        if (killed.exit_code != 0 || waited != text || inspected != text)
            wrong << signal << ": kill " << killed.exit_code << ", wait " << waited << ", inspect "
                  << inspected;
    }
    EXPECT_EQ(wrong.str(), "");
}

// The code is one of wait(2): eight bits of what the command said, however much it says.
TEST_F(ExitCodes, AreTheLowestEightBitsOfWhatWasSaid) {
    EXPECT_EQ(mydocker({"run", "--rm", "busybox", "sh", "-c", "exit 256"}).exit_code, 0);
    EXPECT_EQ(mydocker({"run", "--rm", "busybox", "sh", "-c", "exit 511"}).exit_code, 255);
    EXPECT_EQ(mydocker({"exec", "box", "sh", "-c", "exit 259"}).exit_code, 3);
}

} // namespace
} // namespace mydocker::test
