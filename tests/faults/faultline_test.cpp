// Proves the tool of the fault tests before they are believed: on a shell that goes by a victim's name.
#include "support/faultline.hpp"

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <gtest/gtest.h>

namespace mydocker::test {
namespace {

class Faultline : public ::testing::Test {
  protected:
    Faultline() { std::filesystem::copy_file("/bin/bash", shell_); }

    [[nodiscard]] TraceRequest shell(const std::string& script) const {
        return {.words = {shell_, "-c", script}};
    }
    [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }
    [[nodiscard]] bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }

  private:
    TempDir directory_;
    std::string shell_ = directory_ / "mydocker";
};

bool opens(const SystemCall& call, const std::string& name) {
    return call.name == "openat" && call.touches("/" + name);
}

TEST_F(Faultline, PassesStreamsAndExitCodeThrough) {
    TraceRequest request = shell("read line; echo \"got $line\"; echo oops >&2; exit 7");
    request.input = "a line\n";

    const Trace done = trace(request);

    EXPECT_EQ(done.outcome.out, "got a line\n");
    EXPECT_EQ(done.outcome.err, "oops\n");
    EXPECT_EQ(done.outcome.exit_code, 7);
    EXPECT_EQ(done.struck, "");
}

TEST_F(Faultline, GivesATerminalWhenAsked) {
    TraceRequest request = shell("test -t 0 && test -t 1 && echo ${COLUMNS:-$(stty size)} </dev/tty");
    request.terminal = true;

    const Trace done = trace(request);

    EXPECT_EQ(done.outcome.out, "24 80\r\n");
    EXPECT_EQ(done.outcome.exit_code, 0);
}

TEST_F(Faultline, CountsTheSameCallsEachTime) {
    const TraceRequest request = shell("echo x");

    const Trace first = trace(request);
    const Trace second = trace(request);

    EXPECT_GT(first.counts.at(Victim::command_line), 20U);
    EXPECT_EQ(first.counts, second.counts);
}

TEST_F(Faultline, KillsBeforeTheNthCall) {
    TraceRequest request = shell("> " + path("made"));
    request.keep_calls = true;
    const Trace counted = trace(request);
    std::size_t at = 0;
    while (counted.calls.at(at).second.find(path("made")) == std::string::npos)
        ++at;
    std::filesystem::remove(path("made"));
    request.fault = {.kind = Fault::Kind::kill, .at = at + 1};

    const Trace killed = trace(request);

    EXPECT_EQ(killed.struck, "killed mydocker before " + counted.calls.at(at).second);
    EXPECT_EQ(killed.outcome.exit_code, 128 + SIGKILL);
    EXPECT_FALSE(exists("made"));
}

TEST_F(Faultline, MakesACallFailOnce) {
    TraceRequest request = shell("> " + path("made"));
    request.fault = {.kind = Fault::Kind::error,
                     .matches = [](const SystemCall& call) { return opens(call, "made"); },
                     .error = ENOSPC};

    const Trace done = trace(request);

    EXPECT_NE(done.outcome.err.find("No space left on device"), std::string::npos) << done.outcome.err;
    EXPECT_EQ(done.struck, "failed openat('" + path("made") + "') of mydocker with ENOSPC");
    EXPECT_FALSE(exists("made"));
}

TEST_F(Faultline, MakesACallFailFromThenOn) {
    TraceRequest request = shell("> " + path("made") + "; > " + path("made"));
    request.fault = {.kind = Fault::Kind::error,
                     .matches = [](const SystemCall& call) { return opens(call, "made"); },
                     .error = EIO};
    const Trace once = trace(request);
    const bool made_by_second = exists("made");
    std::filesystem::remove(path("made"));
    request.fault.lasting = true;

    const Trace lasting = trace(request);

    EXPECT_TRUE(made_by_second);
    EXPECT_EQ(once.outcome.exit_code, 0);
    EXPECT_FALSE(exists("made"));
    EXPECT_EQ(lasting.outcome.exit_code, 1);
}

TEST_F(Faultline, MakesACallDoAHalf) {
    TraceRequest request = shell("printf 12345678 > " + path("made"));
    request.fault = {.kind = Fault::Kind::error,
                     .matches = [](const SystemCall& call) { return call.name == "write"; },
                     .choose = [](const SystemCall& call) { return failures_of(call).back(); }};

    const Trace done = trace(request);

    EXPECT_EQ(done.struck, "failed write('" + path("made") + "') of mydocker by argument 2 made 4");
    EXPECT_EQ(run({"cat", path("made")}).out, "12345678"); // The rest was written by another call.
}

TEST_F(Faultline, MakesACallThatSaysItHasFailed) {
    TraceRequest request =
        shell("exec 3> " + path("made") + "; exec 3>&-; test -e /proc/$$/fd/3 || echo gone");
    request.fault = {
        .kind = Fault::Kind::error,
        .matches = [](const SystemCall& call) { return call.name == "close" && call.touches("/made"); },
        .choose = [](const SystemCall& call) { return failures_of(call).front(); }};

    const Trace done = trace(request);

    EXPECT_EQ(done.struck, "failed close('" + path("made") + "') of mydocker with EIO");
    EXPECT_EQ(done.outcome.out, "gone\n");
}

TEST_F(Faultline, PassesOverWhatCannotFail) {
    TraceRequest request = shell("> " + path("made"));
    request.fault = {.kind = Fault::Kind::error,
                     .at = 1,
                     .choose = [](const SystemCall& call) -> std::optional<CallFailure> {
                         if (!opens(call, "made")) return std::nullopt;
                         return CallFailure{.error = ENOSPC};
                     }};

    const Trace done = trace(request);

    EXPECT_EQ(done.struck, "failed openat('" + path("made") + "') of mydocker with ENOSPC");
}

TEST_F(Faultline, AChildThatHasNotExecutedIsAPartOfItsMaker) {
    TraceRequest request = shell("( > " + path("made") + " ); echo $?");
    request.fault = {.kind = Fault::Kind::kill,
                     .matches = [](const SystemCall& call) { return opens(call, "made"); }};

    const Trace done = trace(request);

    EXPECT_TRUE(done.struck.starts_with("killed the child of mydocker before openat(")) << done.struck;
    EXPECT_EQ(done.outcome.out, "137\n");
}

TEST_F(Faultline, ReleasesWhatRunsOn) {
    const TraceRequest request = shell("(exec -a mydocker-monitor sleep 1000) & echo $!");

    const Trace done = trace(request);
    const pid_t pid = std::stoi(done.outcome.out);

    EXPECT_FALSE(done.hung);
    const Outcome status = run({"grep", "TracerPid", "/proc/" + std::to_string(pid) + "/status"});
    EXPECT_EQ(status.out, "TracerPid:\t0\n");
    EXPECT_EQ(::kill(pid, SIGKILL), 0);
}

TEST_F(Faultline, FollowsWhatRunsAlready) {
    const Trace started =
        trace(shell("(exec -a mydocker-monitor bash -c 'read < " + path("gate") + "; echo > " + path("made") +
                    "') & mkfifo " + path("gate") + "; echo $!"));
    const pid_t pid = std::stoi(started.outcome.out);
    TraceRequest request = shell("echo > " + path("gate"));
    request.running = {{pid, Victim::monitor}};
    request.fault = {.kind = Fault::Kind::kill,
                     .victim = Victim::monitor,
                     .matches = [](const SystemCall& call) { return opens(call, "made"); }};

    const Trace done = trace(request);

    EXPECT_EQ(done.struck, "killed mydocker-monitor before openat('" + path("made") + "')");
    EXPECT_FALSE(exists("made"));
}

TEST_F(Faultline, EndsACommandThatHangs) {
    TraceRequest request = shell("read line < " + path("gate"));
    ASSERT_EQ(run({"mkfifo", path("gate")}).exit_code, 0);
    request.limit = std::chrono::milliseconds(200);

    const Trace done = trace(request);

    EXPECT_TRUE(done.hung);
    EXPECT_EQ(done.outcome.exit_code, 128 + SIGKILL);
}

} // namespace
} // namespace mydocker::test
