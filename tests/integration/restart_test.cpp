// Restart policies and the verb `restart`: who starts again, when, how often, and who is killed over it.
#include "support/engine_fixture.hpp"
#include "support/record_file.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>

namespace mydocker::test {
namespace {

class Restart : public EngineTest {
  protected:
    void start(const std::string& name, const std::string& policy, const std::string& script) {
        id_ = start_detached(name, {"--restart", policy}, {"sh", "-c", script});
        ASSERT_NE(id_, "");
    }
    std::string shown(const std::string& name, const std::string& key) {
        return member(mydocker({"inspect", name}).out, key);
    }
    int restarts(const std::string& name) { return std::stoi("0" + shown(name, "RestartCount")); }
    // The process that waits to start the container again.
    pid_t restarter() {
        const Outcome found = test::run({"pgrep", "-f", "__restart " + id_});
        return found.exit_code == 0 ? std::stoi(found.out) : 0;
    }
    // Restarted so often that it waits for some time now: 100 ms doubled with each restart.
    void wait_for_back_off(const std::string& name) {
        constexpr int kRestarts = 6;
        ASSERT_TRUE(eventually(
            [&] { return restarts(name) >= kRestarts && shown(name, "Status") == "restarting"; }, 30'000));
    }

    // It waits for a minute, as long as any does: nothing but a verb ends that while a test runs.
    void start_waiting(const std::string& name) {
        start(name, "always", "until test -e /go; do sleep 0.01; done; exit 3");
        RecordFile(root(), id_).set_member("delay_ms", "60000");
        due_ = std::chrono::steady_clock::now() + std::chrono::minutes(1); // Or later.
        write_text("/proc/" + shown(name, "Pid") + "/root/go", "");
        ASSERT_TRUE(eventually([&] { return shown(name, "Status") == "restarting"; }));
    }

    std::string id_;
    std::chrono::steady_clock::time_point due_;
};

TEST_F(Restart, StartsAgainAndCounts) {
    start("again", "always", "echo run; exit 3");

    ASSERT_TRUE(eventually([&] { return restarts("again") >= 3; }));
    EXPECT_NE(mydocker({"inspect", "again"}).out.find("\"Name\": \"always\""), std::string::npos);

    const std::string log = mydocker({"logs", "again"}).out;
    EXPECT_NE(log.find("run\nrun\nrun\n"), std::string::npos) << log;
}

TEST_F(Restart, WaitsLongerEachTimeAndShowsSo) {
    start("longer", "always", "exit 3");

    wait_for_back_off("longer"); // Now for seconds: three commands have the time.

    const std::string listed = mydocker({"ps"}).out;
    EXPECT_NE(listed.find("Restarting (3) "), std::string::npos) << listed;
    EXPECT_EQ(shown("longer", "Restarting"), "true");
    EXPECT_EQ(mydocker({"rename", "longer", "other"}).err, "");
    const int before = restarts("other");
    EXPECT_TRUE(eventually([&] { return restarts("other") > before; }, 30'000)) << "it goes on, renamed";
    EXPECT_EQ(mydocker({"rename", "other", "longer"}).err, ""); // As the end of the test knows it.
}

TEST_F(Restart, OnFailureIsForFailuresAndForSoMany) {
    start("good", "on-failure", "exit 0");
    EXPECT_TRUE(eventually([&] { return shown("good", "Status") == "exited"; }));
    EXPECT_EQ(shown("good", "RestartCount"), "0");

    start("bad", "on-failure:2", "exit 7");
    EXPECT_TRUE(eventually([&] { return shown("bad", "Status") == "exited"; }));
    EXPECT_EQ(shown("bad", "RestartCount"), "2");
    EXPECT_EQ(shown("bad", "ExitCode"), "7");
}

TEST_F(Restart, WhatIsStoppedStaysStopped) {
    start("stopped", "always", "trap 'exit 0' TERM; while :; do sleep 0.05; done");

    EXPECT_EQ(mydocker({"stop", "stopped"}).exit_code, 0);

    EXPECT_EQ(shown("stopped", "Status"), "exited");
    EXPECT_EQ(mydocker({"start", "stopped"}).exit_code, 0) << "and can be started";
    EXPECT_EQ(mydocker({"kill", "stopped"}).exit_code, 0);
    EXPECT_EQ(shown("stopped", "Status"), "exited");
}

TEST_F(Restart, WhatEndsFromOutsideIsStartedAgain) {
    start("outside", "unless-stopped", "exec sleep 1000");
    const std::string pid = shown("outside", "Pid");

    ASSERT_EQ(::kill(std::stoi(pid), SIGKILL), 0);

    EXPECT_TRUE(eventually(
        [&] { return shown("outside", "Status") == "running" && shown("outside", "Pid") != pid; }));
    EXPECT_EQ(shown("outside", "RestartCount"), "1");
}

TEST_F(Restart, StopKillAndRmEndTheWaitAtOnce) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"stop", "waiting"}, {"kill", "waiting"}, {"rm", "-f", "waiting"}}) {
        start_waiting("waiting");
        ASSERT_TRUE(eventually([&] { return restarter() > 0; }));

        const Outcome outcome = mydocker(words);

        EXPECT_EQ(outcome.exit_code, 0) << words.front() << outcome.err;
        EXPECT_NE(shown("waiting", "Status"), "restarting");
        EXPECT_TRUE(eventually([&] { return restarter() == 0; }));
        EXPECT_LT(std::chrono::steady_clock::now(), due_) << words.front() << " has waited until it was due";
        (void)mydocker({"rm", "-f", "waiting"});
    }
}

TEST_F(Restart, RmOfWhatWaitsNeedsForce) {
    start_waiting("kept");

    const Outcome outcome = mydocker({"rm", "kept"});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find("is waiting to be restarted"), std::string::npos) << outcome.err;
}

TEST_F(Restart, StartEndsTheWaitAndBeginsToCountAnew) {
    start("sooner", "always", "test -e /stay && exec sleep 1000; exit 3");
    wait_for_back_off("sooner");

    EXPECT_EQ(mydocker({"start", "sooner"}).exit_code, 0);

    EXPECT_TRUE(eventually([&] { return restarts("sooner") <= 1; }));
}

TEST_F(Restart, TheNextCommandGoesOnWhenTheWaiterIsKilled) {
    start("waiter", "always", "exit 3");
    wait_for_back_off("waiter");
    const int before = restarts("waiter");
    const pid_t waiter = restarter();
    ASSERT_GT(waiter, 0);

    ASSERT_EQ(::kill(waiter, SIGKILL), 0);

    EXPECT_TRUE(eventually([&] { return restarts("waiter") > before; }));
}

TEST_F(Restart, TheNextCommandGoesOnWhenTheMonitorIsKilled) {
    start("monitor", "always", "exec sleep 1000");
    const std::string pid = shown("monitor", "Pid");
    const pid_t monitor = parent_of(std::stoi(pid));
    ASSERT_GT(monitor, 1);

    ASSERT_EQ(::kill(monitor, SIGKILL), 0);

    EXPECT_TRUE(eventually(
        [&] { return shown("monitor", "Status") == "running" && shown("monitor", "Pid") != pid; }));
}

TEST_F(Restart, AForegroundRunEndsWithTheFirstEnd) {
    remove_at_end("front");

    const Outcome outcome = mydocker(
        {"run", "--restart", "always", "--name", "front", "busybox", "sh", "-c", "echo once; exit 4"});

    EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
    EXPECT_EQ(outcome.out, "once\n");
    EXPECT_TRUE(eventually([&] { return restarts("front") >= 2; }));
}

TEST_F(Restart, WaitReturnsWithTheEndOfTheRun) {
    start("waited", "always", "sleep 0.3; exit 5");

    EXPECT_EQ(mydocker({"wait", "waited"}).out, "5\n");
}

TEST_F(Restart, WaitForOneThatWaitsItselfReturnsWithItsNextEnd) {
    start("waited", "always", "exit 5");
    // Its pauses double, so that one is long enough to be met.
    ASSERT_TRUE(
        eventually([&] { return restarts("waited") >= 4 && shown("waited", "Status") == "restarting"; }));
    const int before = restarts("waited");

    EXPECT_EQ(mydocker({"wait", "waited"}).out, "5\n");
    EXPECT_GT(restarts("waited"), before);
}

TEST_F(Restart, WhatCannotBeStartedAgainSaysWhy) {
    start("broken", "always", "exec sleep 1000");
    const std::string rootfs = root() + "/containers/" + id_ + "/config.json";
    std::filesystem::rename(rootfs, rootfs + ".away");

    ASSERT_EQ(::kill(std::stoi(shown("broken", "Pid")), SIGKILL), 0);

    EXPECT_TRUE(eventually([&] { return shown("broken", "Status") == "exited"; }));
    EXPECT_EQ(shown("broken", "Error").find("restart: "), 0U) << shown("broken", "Error");
    std::filesystem::rename(rootfs + ".away", rootfs);
}

TEST_F(Restart, AfterABootTheyRunAgainWhenAskedTo) {
    start("booted", "always", "exec sleep 1000");
    start("off", "unless-stopped", "exec sleep 1000");
    ASSERT_EQ(mydocker({"kill", "booted"}).exit_code, 0);
    ASSERT_EQ(mydocker({"kill", "off"}).exit_code, 0);

    const Outcome outcome = mydocker({"system", "boot"});

    EXPECT_EQ(outcome.out, "booted\n") << outcome.err << "stopped by a user, the other stays so";
    EXPECT_EQ(shown("booted", "Status"), "running");
    EXPECT_EQ(shown("off", "Status"), "exited");
}

TEST_F(Restart, ABootEndsTheWaitAndNobodyButBootStarts) {
    start("rebooted", "always", "exec sleep 1000");
    const pid_t monitor = parent_of(std::stoi(shown("rebooted", "Pid")));
    ASSERT_GT(monitor, 1);
    ASSERT_EQ(::kill(monitor, SIGKILL), 0);
    RecordFile(root(), id_).set_member("boot_id", "\"another\"");

    // The monitor may take a moment to be gone, and holds the baton until then.
    EXPECT_TRUE(eventually([&] { return shown("rebooted", "Status") == "exited"; }));
    EXPECT_EQ(shown("rebooted", "Error"), "the host was restarted");
    EXPECT_EQ(mydocker({"system", "boot"}).out, "rebooted\n");
}

TEST_F(Restart, RefusesWhatCannotBe) {
    const Outcome both = mydocker({"run", "--rm", "--restart", "always", "busybox", "true"});
    EXPECT_EQ(both.exit_code, 125);
    EXPECT_NE(both.err.find("conflicting options: --restart and --rm"), std::string::npos) << both.err;

    for (const char* wrong : {"often", "always:3", "on-failure:x", "on-failure:-1"})
        EXPECT_EQ(mydocker({"create", "--restart", wrong, "busybox", "true"}).exit_code, 125) << wrong;
}

TEST_F(Restart, TheVerbStopsAndStarts) {
    start("one", "no", "trap 'exit 0' TERM; while :; do sleep 0.05; done");
    start("two", "no", "exit 1");
    ASSERT_TRUE(eventually([&] { return shown("two", "Status") == "exited"; }));
    const std::string pid = shown("one", "Pid");

    const Outcome outcome = mydocker({"restart", "-t", "5", "one", "two", "three"});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.out, "one\ntwo\n");
    EXPECT_NE(outcome.err.find("three"), std::string::npos) << outcome.err;
    EXPECT_EQ(shown("one", "Status"), "running");
    EXPECT_NE(shown("one", "Pid"), pid);
}

TEST_F(Restart, TheVerbKeepsWhatIsToGoAtItsEnd) {
    remove_at_end("brief");
    ASSERT_EQ(mydocker({"run", "-d", "--rm", "--name", "brief", "busybox", "sh", "-c",
                        "echo run >> /runs; trap 'exit 0' TERM; while :; do sleep 0.05; done"})
                  .exit_code,
              0);
    ASSERT_TRUE(eventually([&] { return mydocker({"exec", "brief", "cat", "/runs"}).out == "run\n"; }));

    const Outcome outcome = mydocker({"restart", "-t", "5", "brief"});

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(eventually([&] { return mydocker({"exec", "brief", "cat", "/runs"}).out == "run\nrun\n"; }));
    EXPECT_EQ(shown("brief", "AutoRemove"), "true");
    EXPECT_EQ(mydocker({"stop", "-t", "5", "brief"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return mydocker({"ps", "-aq"}).out.empty(); }));
}

TEST_F(Restart, AForegroundRunToBeRemovedEndsWhenItIsRestarted) {
    remove_at_end("front");
    const std::string script = R"(
        "${@}" run --rm --name front busybox sh -c \
            'trap "exit 5" TERM; echo > /set; while :; do sleep 0.05; done' &
        until "${@}" exec front test -e /set 2>/dev/null; do sleep 0.05; done
        "${@}" restart -t 5 front
        wait $!
        echo $?)";
    const Outcome outcome = test::run(
        {"bash", "-c", script, "x", stage() + "/bin/mydocker", "--root", root(), "--run-root", run_root()});

    EXPECT_EQ(outcome.out, "front\n5\n") << outcome.err;
    EXPECT_EQ(shown("front", "Status"), "running");
}

TEST_F(Restart, APolicyCanBeGivenToWhatRunsAndTakenAway) {
    start("later", "no", "while ! test -e /end; do sleep 0.02; done; exit 3");

    EXPECT_EQ(mydocker({"update", "--restart", "always", "later"}).out, "later\n");
    write_text("/proc/" + shown("later", "Pid") + "/root/end", "");

    ASSERT_TRUE(eventually([&] { return restarts("later") >= 2; }));
    EXPECT_EQ(mydocker({"update", "--restart=no", "later"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return shown("later", "Status") == "exited"; }));
    EXPECT_EQ(mydocker({"update", "--restart", "on-failure:2", "later"}).exit_code, 0);
    EXPECT_EQ(shown("later", "MaximumRetryCount"), "2");
}

TEST_F(Restart, APolicyIsNotForWhatIsToGo) {
    remove_at_end("gone");
    ASSERT_EQ(mydocker({"run", "-d", "--rm", "--name", "gone", "busybox", "sleep", "1000"}).exit_code, 0);

    const Outcome outcome = mydocker({"update", "--restart", "always", "--pids-limit", "55", "gone"});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find("made with --rm"), std::string::npos) << outcome.err;
    EXPECT_NE(mydocker({"inspect", "gone"}).out.find("\"PidsLimit\": 2048"), std::string::npos);
    EXPECT_EQ(mydocker({"update", "--restart", "often", "gone"}).exit_code, 125);
}

TEST_F(Restart, WhatFailsForAPassingCauseIsTriedAgain) {
    ASSERT_NE(start_detached("base", {}, {"sleep", "1000"}), "");
    id_ = start_detached("joined", {"--restart", "always", "--network", "container:base"}, {"sleep", "1000"});
    ASSERT_NE(id_, "");
    ASSERT_EQ(mydocker({"kill", "base"}).exit_code, 0);

    ASSERT_EQ(::kill(std::stoi(shown("joined", "Pid")), SIGKILL), 0);

    EXPECT_TRUE(eventually([&] { return restarts("joined") >= 3; })) << "a restart that fails counts";
    EXPECT_EQ(shown("joined", "Error").find("restart: "), 0U) << shown("joined", "Error");
    EXPECT_EQ(mydocker({"start", "base"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return shown("joined", "Status") == "running"; }, 30'000));
}

TEST_F(Restart, WhatFailsForAPassingCauseIsTriedSoOften) {
    ASSERT_NE(start_detached("base", {}, {"sleep", "1000"}), "");
    id_ = start_detached("joined", {"--restart", "on-failure:2", "--network", "container:base"},
                         {"sleep", "1000"});
    ASSERT_NE(id_, "");
    ASSERT_EQ(mydocker({"kill", "base"}).exit_code, 0);

    ASSERT_EQ(::kill(std::stoi(shown("joined", "Pid")), SIGKILL), 0);

    EXPECT_TRUE(eventually([&] { return shown("joined", "Status") == "exited"; }));
    EXPECT_EQ(shown("joined", "RestartCount"), "2");
    EXPECT_EQ(shown("joined", "ExitCode"), "125");
}

TEST_F(Restart, WhatLosesItsCommandIsNotTriedAgain) {
    const TempDir shared;
    write_text(shared / "once", "#!/bin/sh\nrm /p/once\nexit 3\n");
    std::filesystem::permissions(shared / "once", std::filesystem::perms::owner_all);
    id_ = start_detached("lost", {"--restart", "always", "-v", shared.path() + ":/p"}, {"/p/once"});
    ASSERT_NE(id_, "");

    EXPECT_TRUE(eventually([&] { return shown("lost", "Status") == "exited"; }));
    EXPECT_EQ(shown("lost", "ExitCode"), "127");
    EXPECT_EQ(shown("lost", "RestartCount"), "1");
}

// Its files are in the hands of whoever waits to start it.
TEST_F(Restart, WhatWaitsIsNotReadAndSaysSo) {
    ignore("content/cache"); // Of the image, which commit reads first.
    start_waiting("waiting");

    for (const std::vector<std::string>& words : {std::vector<std::string>{"cp", "waiting:/go", "-"},
                                                  {"export", "waiting"},
                                                  {"commit", "waiting", "image"}}) {
        const Outcome outcome = mydocker(words);

        EXPECT_EQ(outcome.exit_code, 1) << words.front();
        EXPECT_EQ(outcome.err, "mydocker: " + words.front() +
                                   ": container 'waiting' is waiting to be restarted; stop it first, or try "
                                   "again later\n");
    }
    EXPECT_EQ(mydocker({"rename", "waiting", "renamed"}).err, "");
    EXPECT_EQ(shown("renamed", "Status"), "restarting");
    EXPECT_EQ(mydocker({"stop", "renamed"}).exit_code, 0);
    EXPECT_EQ(mydocker({"export", "-o", "/dev/null", "renamed"}).exit_code, 0) << "and then it can be";
    EXPECT_EQ(mydocker({"rename", "renamed", "waiting"}).err, ""); // As the end of the test knows it.
    EXPECT_LT(std::chrono::steady_clock::now(), due_);
}

} // namespace
} // namespace mydocker::test
