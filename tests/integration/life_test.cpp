// create, start, ps, stop, kill, wait, rm, logs, inspect: a container's life from outside.
#include "support/engine_fixture.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>

namespace mydocker::test {
namespace {

class Life : public EngineTest {
  protected:
    std::string start_sleeper(const std::string& name) { return start_detached(name, {}, {"sleep", "1000"}); }
    std::string state_of(const std::string& name) {
        return member(mydocker({"inspect", name}).out, "Status");
    }
};

TEST_F(Life, ADetachedRunPrintsTheWholeId) {
    const std::string id = start_sleeper("detached");

    EXPECT_EQ(id.size(), 64U);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_EQ(mydocker({"ps", "-q"}).out, id.substr(0, 12) + "\n");
}

TEST_F(Life, ADetachedRunOfNoCommandFailsAtOnceAndLeavesNothing) {
    const Outcome outcome = mydocker({"run", "-d", "--name", "nobody", "busybox", "no-such-command"});

    EXPECT_EQ(outcome.exit_code, 127);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

TEST_F(Life, AnyUniquePrefixOfAnIdWillDo) {
    const std::string id = start_sleeper("prefix");

    EXPECT_EQ(member(mydocker({"inspect", id.substr(0, 6)}).out, "Id"), id);
}

TEST_F(Life, AMadeUpNameIsReadable) {
    const Outcome outcome = mydocker({"create", "busybox"});
    const std::string id = outcome.out.substr(0, 64);
    remove_at_end(id);

    const std::string name = member(mydocker({"inspect", id}).out, "Name");

    EXPECT_NE(name.find('_'), std::string::npos) << name;
}

TEST_F(Life, CreateAndStartAreRunInTwoSteps) {
    remove_at_end("two");
    ASSERT_EQ(mydocker({"create", "--name", "two", "busybox", "sh", "-c", "echo hello; exit 5"}).exit_code,
              0);
    EXPECT_EQ(state_of("two"), "created");

    const Outcome outcome = mydocker({"start", "-a", "two"});

    EXPECT_EQ(outcome.out, "hello\n") << outcome.err;
    EXPECT_EQ(outcome.exit_code, 5);
    EXPECT_EQ(state_of("two"), "exited");
}

TEST_F(Life, AContainerCanBeStartedAgainAndKeepsItsFiles) {
    remove_at_end("again");
    ASSERT_EQ(mydocker({"run", "--name", "again", "busybox", "sh", "-c",
                        "cat /kept 2>/dev/null; echo kept > /kept"})
                  .exit_code,
              0);

    const Outcome outcome = mydocker({"start", "-a", "again"});

    EXPECT_EQ(outcome.out, "kept\n") << outcome.err;
}

TEST_F(Life, StopEndsWhatIgnoresItsSignal) {
    const std::string script = "trap '' TERM; while :; do sleep 0.1; done";
    ASSERT_NE(start_detached("deaf", {}, {"sh", "-c", script}), "");

    EXPECT_EQ(mydocker({"stop", "-t", "1", "deaf"}).exit_code, 0);

    EXPECT_EQ(state_of("deaf"), "exited");
    EXPECT_EQ(member(mydocker({"inspect", "deaf"}).out, "ExitCode"), "137");
}

// D54: the record said "stopped" at once, and rm took away what still ran.
TEST_F(Life, WhatIsBeingStoppedRunsUntilItHasEnded) {
    const std::string script = "trap '' TERM; while :; do sleep 0.1; done";
    ASSERT_NE(start_detached("slow", {}, {"sh", "-c", script}), "");

    const auto begin = std::chrono::steady_clock::now();
    auto stop = std::async(std::launch::async, [&] { return mydocker({"stop", "-t", "2", "slow"}); });
    int looks = 0;
    while (stop.wait_for(std::chrono::milliseconds(100)) == std::future_status::timeout &&
           std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(1500)) {
        EXPECT_NE(mydocker({"ps", "--format", "{{.Status}}"}).out.find("Up "), std::string::npos);
        EXPECT_NE(mydocker({"rm", "slow"}).exit_code, 0);
        ++looks;
    }

    EXPECT_GT(looks, 0);
    EXPECT_EQ(stop.get().exit_code, 0);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
    EXPECT_EQ(state_of("slow"), "exited");
}

TEST_F(Life, StopSendsTheSignalAndKeepsTheExitCode) {
    const std::string script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    ASSERT_NE(start_detached("polite", {}, {"sh", "-c", script}), "");
    ASSERT_TRUE(eventually([&] { return mydocker({"logs", "polite"}).out == "ready\n"; }));

    EXPECT_EQ(mydocker({"stop", "polite"}).exit_code, 0);
    EXPECT_EQ(mydocker({"stop", "polite"}).exit_code, 0) << "stopping what is stopped is no error";

    EXPECT_EQ(mydocker({"wait", "polite"}).out, "9\n");
}

TEST_F(Life, AContainerKilledFromOutsideShowsSo) {
    start_sleeper("outside");
    const pid_t pid = std::stoi(member(mydocker({"inspect", "outside"}).out, "Pid"));

    ASSERT_EQ(::kill(pid, SIGKILL), 0);

    EXPECT_TRUE(eventually(
        [&] { return mydocker({"ps", "-a"}).out.find("Exited (137)") != std::string::npos; }, 1000));
    EXPECT_EQ(mydocker({"ps", "-q"}).out, "");
}

TEST_F(Life, AContainerWhoseMonitorIsKilledIsKilledToo) {
    start_sleeper("lost");
    const pid_t pid = std::stoi(member(mydocker({"inspect", "lost"}).out, "Pid"));
    const pid_t monitor = parent_of(pid);
    ASSERT_GT(monitor, 1);

    ASSERT_EQ(::kill(monitor, SIGKILL), 0);

    // Dead, though whoever adopts orphans on this host may take its time to reap it.
    constexpr int kState = 3;
    const auto is_dead = [&] {
        const std::string state = stat_field(pid, kState);
        return state.empty() || state == "Z";
    };
    EXPECT_TRUE(eventually(is_dead, 1000));
    const std::string shown = mydocker({"inspect", "lost"}).out;
    EXPECT_EQ(member(shown, "Status"), "exited") << shown;
    EXPECT_EQ(member(shown, "ExitCode"), "137");
    EXPECT_EQ(member(shown, "Error"), "monitor lost");
}

TEST_F(Life, RmRefusesARunningContainerUnlessForced) {
    start_sleeper("busy");

    const Outcome refused = mydocker({"rm", "busy"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("is running"), std::string::npos) << refused.err;

    EXPECT_EQ(mydocker({"rm", "-f", "busy"}).exit_code, 0);
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

TEST_F(Life, WaitKnowsTheCodeOfAContainerThatIsGone) {
    ASSERT_EQ(mydocker({"run", "--rm", "--name", "gone", "busybox", "sh", "-c", "exit 6"}).exit_code, 6);

    EXPECT_EQ(mydocker({"wait", "gone"}).out, "6\n");
}

TEST_F(Life, LogsShowBothStreamsAndOnlyTheTailWhenAsked) {
    const std::string script = "echo one; echo two >&2; echo three; printf end";
    ASSERT_NE(start_detached("talker", {}, {"sh", "-c", script}), "");
    ASSERT_EQ(mydocker({"wait", "talker"}).out, "0\n");

    const Outcome all = mydocker({"logs", "talker"});
    EXPECT_EQ(all.out, "one\nthree\nend");
    EXPECT_EQ(all.err, "two\n");

    const Outcome tail = mydocker({"logs", "--tail", "1", "talker"});
    EXPECT_EQ(tail.out, "end");
    EXPECT_EQ(tail.err, "");
}

TEST_F(Life, PsOfAnEmptySystemIsItsHeader) {
    const Outcome outcome = mydocker({"ps", "-a"});

    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.out, "ID   NAME   PID   STATUS   COMMAND   CREATED   IMAGE\n");
}

TEST_F(Life, ATakenNameIsRefusedNamingItsHolder) {
    const std::string id = start_sleeper("taken");

    const Outcome outcome = mydocker({"run", "--rm", "--name", "taken", "busybox", "true"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find(id.substr(0, 12)), std::string::npos) << outcome.err;
}

TEST_F(Life, AHundredComeAndGo) {
    const Outcome outcome =
        test::run({"bash", "-c",
                   "for i in $(seq 100); do id=$(" + line({"run", "-d", "busybox", "sleep", "1000"}) +
                       ") && " + line({"rm", "-f"}) + "$id >/dev/null || echo failed; done"});

    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err, "");
}

// No other command helps: whoever looks would bring it to rest.
TEST_F(Life, EndsWithoutHelpWhereverTheRootsAreNamed) {
    const Command run{.words = {stage() + "/bin/mydocker", "run", "-d", "--rm", "busybox", "true"},
                      .input = {},
                      .environment = {"MYDOCKER_ROOT=" + root(), "MYDOCKER_RUN_ROOT=" + run_root()},
                      .directory = {}};

    const Outcome outcome = test::run(run);

    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const std::string id = outcome.out.substr(0, 64);
    remove_at_end(id);
    EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(root() + "/containers/" + id); }));
    EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(run_root() + "/" + id); }));
}

// Between the record's naming the process and its being let go, that process is ours: the monitor's mark
// tells. With the mark of before a running container looks as if it were there.
class BeingBorn : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        const std::string id = start_detached("young", {}, {"sleep", "1000"});
        ASSERT_NE(id, "");
        write_text(run_root() + "/" + id + "/lock", "s"); // core/engine/start_mark.hpp
    }
};

TEST_F(BeingBorn, LendsItsNetworkToNobody) {
    const Outcome joined = mydocker({"run", "--rm", "--network", "container:young", "busybox", "true"});

    EXPECT_EQ(joined.exit_code, 125);
    EXPECT_EQ(joined.err, "mydocker: run: network: container 'young' is not running\n");
}

TEST_F(BeingBorn, HearsNoSignalAndSaysSo) {
    const Outcome sent = mydocker({"kill", "-s", "TERM", "young"});

    EXPECT_EQ(sent.exit_code, 1);
    EXPECT_EQ(sent.err, "mydocker: kill: container 'young' is still being started\n");
}

TEST_F(BeingBorn, IsStoppedAtOnce) {
    const auto begin = std::chrono::steady_clock::now();

    EXPECT_EQ(mydocker({"stop", "young"}).exit_code, 0);

    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5)); // Not the ten of `stop`.
    EXPECT_EQ(mydocker({"ps", "-q"}).out, "");
}

// A cleaner of temporary files, or an operator, deletes what stands for the running container.
class LostDirectory : public EngineTest, public ::testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(LostDirectory, CostsTheContainerNothingButItsOwner) {
    const std::string id = start_detached("lost", {}, {"sh", "-c", "echo kept > /kept; exec sleep 1000"});
    ASSERT_NE(id, "");
    const std::string directory = run_root() + "/" + id;
    ASSERT_TRUE(eventually([&] { return mydocker({"exec", "lost", "cat", "/kept"}).out == "kept\n"; }));
    std::filesystem::remove_all(directory);

    // Looking at it, twice, does it no harm; neither does the end of the run, whoever sees to it.
    EXPECT_NE(mydocker({"ps"}).out.find("Up "), std::string::npos);
    EXPECT_NE(mydocker({"ps"}).out.find("Up "), std::string::npos);
    ASSERT_EQ(mydocker(GetParam()).exit_code, 0);
    ASSERT_TRUE(eventually([&] { return mydocker({"ps", "-q"}).out.empty(); }));

    EXPECT_EQ(mydocker({"cp", "lost:/kept", "-"}).exit_code, 0);
    EXPECT_EQ(mydocker({"start", "lost"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return mydocker({"exec", "lost", "cat", "/kept"}).out == "kept\n"; }));
}

INSTANTIATE_TEST_SUITE_P(Ends, LostDirectory,
                         ::testing::Values(std::vector<std::string>{"stop", "-t", "0", "lost"},
                                           std::vector<std::string>{"kill", "lost"}),
                         [](const auto& each) { return each.param.front(); });

class WaitFor : public EngineTest {
  protected:
    std::future<Outcome> waiting(const std::vector<std::string>& words) {
        return std::async(std::launch::async, [this, words] { return mydocker(words); });
    }
    static bool goes_on(std::future<Outcome>& future) {
        return future.wait_for(std::chrono::milliseconds(600)) == std::future_status::timeout;
    }
};

TEST_F(WaitFor, AStateReturnsWhenItIsThere) {
    remove_at_end("box");
    ASSERT_EQ(mydocker({"create", "--name", "box", "busybox", "sleep", "1000"}).exit_code, 0);
    EXPECT_EQ(mydocker({"wait", "--condition", "created", "box"}).out, "-1\n");
    auto runs = waiting({"wait", "--condition=paused", "--condition=running", "box"});
    EXPECT_TRUE(goes_on(runs));

    ASSERT_EQ(mydocker({"start", "box"}).exit_code, 0);

    EXPECT_EQ(runs.get().out, "-1\n");
    auto pauses = waiting({"wait", "--condition=paused", "box"});
    EXPECT_TRUE(goes_on(pauses));
    ASSERT_EQ(mydocker({"pause", "box"}).exit_code, 0);
    EXPECT_EQ(pauses.get().exit_code, 0);
}

TEST_F(WaitFor, TheNextExitIsNotTheLast) {
    ASSERT_NE(start_detached("box", {}, {"sh", "-c", "test -e /again && exit 5; echo > /again; exit 4"}), "");
    EXPECT_EQ(mydocker({"wait", "--condition", "stopped", "box"}).out, "4\n");
    EXPECT_EQ(mydocker({"wait", "--condition", "not-running", "box"}).out, "4\n");
    auto next = waiting({"wait", "--condition", "next-exit", "box"});
    EXPECT_TRUE(goes_on(next));

    ASSERT_EQ(mydocker({"start", "box"}).exit_code, 0);

    EXPECT_EQ(next.get().out, "5\n");
}

TEST_F(WaitFor, RemovalReturnsWithTheExitCode) {
    ASSERT_NE(start_detached("box", {}, {"sh", "-c", "exit 6"}), "");
    ASSERT_EQ(mydocker({"wait", "box"}).out, "6\n");
    auto removed = waiting({"wait", "--condition", "removed", "box"});
    EXPECT_TRUE(goes_on(removed));
    auto runs = waiting({"wait", "--condition", "running", "box"});
    EXPECT_TRUE(goes_on(runs));

    ASSERT_EQ(mydocker({"rm", "box"}).exit_code, 0);

    EXPECT_EQ(removed.get().out, "6\n");
    EXPECT_EQ(runs.get().exit_code, 1) << "it cannot be any more";
}

TEST_F(WaitFor, NoKnownConditionIsRefused) {
    const Outcome outcome = mydocker({"wait", "--condition", "dead", "box"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_EQ(outcome.err.find("mydocker: wait: condition: 'dead' is unknown"), 0U) << outcome.err;
}

} // namespace
} // namespace mydocker::test
