// pause, unpause and rename as their users know them, beside everything else that happens to a container.
#include "support/engine_fixture.hpp"
#include "support/faultline.hpp"
#include "support/record_file.hpp"

#include <csignal>
#include <sys/stat.h>
#include <thread>

namespace mydocker::test {
namespace {

// A suite around one container, "box", whose command counts as fast as it can.
class Paused : public EngineTest {
  protected:
    void start(const std::string& script = kCount, const std::vector<std::string>& flags = {}) {
        (void)mydocker({"rm", "-f", "box"});
        ASSERT_NE(start_detached("box", flags, {"sh", "-c", script}), "");
        ASSERT_TRUE(eventually([&] { return count() > 0; }));
    }

    void pause() { ASSERT_EQ(mydocker({"pause", "box"}).exit_code, 0); }

    [[nodiscard]] std::string pid() { return member(mydocker({"inspect", "box"}).out, "Pid"); }
    // Where the count has come to, read past the engine; 0: it has not begun.
    [[nodiscard]] std::int64_t count() {
        struct stat status{};
        if (path_pid_.empty() || ::stat(("/proc/" + path_pid_).c_str(), &status) != 0) path_pid_ = pid();
        const std::string path = "/proc/" + path_pid_ + "/root/dev/shm/count";
        return ::stat(path.c_str(), &status) == 0 ? status.st_size : 0;
    }
    [[nodiscard]] bool goes_on() {
        const std::int64_t before = count();
        return eventually([&] { return count() != before; }, 500);
    }
    [[nodiscard]] std::string status() {
        const std::string all = mydocker({"ps", "-a"}).out;
        const auto at = all.find("box ");
        return at == std::string::npos ? "" : all.substr(at, all.find('\n', at) - at);
    }
    [[nodiscard]] bool is_shown_paused() { return status().find("(Paused)") != std::string::npos; }

    static constexpr const char* kCount = "while :; do echo >> /dev/shm/count; done";

  private:
    std::string path_pid_;
};

TEST_F(Paused, StopsEveryProcessUntilUnpaused) {
    start("(while :; do echo >> /dev/shm/count; done) & wait");

    const Outcome paused = mydocker({"pause", "box"});

    EXPECT_EQ(paused.out, "box\n");
    EXPECT_EQ(paused.exit_code, 0) << paused.err;
    EXPECT_FALSE(goes_on());
    EXPECT_EQ(member(mydocker({"inspect", "box"}).out, "Status"), "paused");
    EXPECT_TRUE(is_shown_paused()) << status();
    const Outcome unpaused = mydocker({"unpause", "box"});
    EXPECT_EQ(unpaused.out, "box\n");
    EXPECT_TRUE(goes_on());
    EXPECT_FALSE(is_shown_paused()) << status();
}

TEST_F(Paused, RefusesWhatDoesNotFitTheState) {
    start();

    EXPECT_EQ(mydocker({"unpause", "box"}).err, "mydocker: unpause: container 'box' is not paused\n");
    pause();
    EXPECT_EQ(mydocker({"pause", "box"}).err, "mydocker: pause: container 'box' is already paused\n");
    const Outcome exec = mydocker({"exec", "box", "true"});
    EXPECT_EQ(exec.exit_code, 125);
    EXPECT_NE(exec.err.find("'box' is paused"), std::string::npos) << exec.err;
    (void)mydocker({"kill", "box"});
    const Outcome ended = mydocker({"pause", "box"});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_EQ(ended.err, "mydocker: pause: container 'box' is not running\n");
    EXPECT_EQ(mydocker({"pause", "nobody"}).err, "mydocker: pause: no container 'nobody'\n");
    EXPECT_EQ(mydocker({"pause"}).exit_code, 125);
}

TEST_F(Paused, DoesOneAfterTheOther) {
    start();

    const Outcome outcome = mydocker({"pause", "nobody", "box"});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.out, "box\n");
}

TEST_F(Paused, HearsTheStopSignalFirst) {
    start("trap 'exit 5' TERM; echo > /dev/shm/count; while :; do :; done");
    pause();

    EXPECT_EQ(mydocker({"stop", "-t", "20", "box"}).exit_code, 0);

    EXPECT_EQ(member(mydocker({"inspect", "box"}).out, "ExitCode"), "5");
}

TEST_F(Paused, IsKilledWhenItIgnoresTheStopSignal) {
    start("trap '' TERM; echo > /dev/shm/count; while :; do :; done");
    pause();

    EXPECT_EQ(mydocker({"stop", "-t", "0", "box"}).exit_code, 0);

    EXPECT_EQ(member(mydocker({"inspect", "box"}).out, "ExitCode"), "137");
}

TEST_F(Paused, IsKilledAndRemoved) {
    start();
    pause();
    EXPECT_EQ(mydocker({"kill", "box"}).exit_code, 0);
    EXPECT_EQ(member(mydocker({"inspect", "box"}).out, "Status"), "exited");

    start();
    pause();
    const Outcome unforced = mydocker({"rm", "box"});
    EXPECT_EQ(unforced.exit_code, 1);
    EXPECT_EQ(mydocker({"rm", "-f", "box"}).exit_code, 0);
}

TEST_F(Paused, KeepsASignalForLater) {
    start("trap 'exit 6' HUP; echo > /dev/shm/count; while :; do :; done");
    pause();

    EXPECT_EQ(mydocker({"kill", "-s", "HUP", "box"}).exit_code, 0);
    EXPECT_TRUE(is_shown_paused());
    EXPECT_EQ(mydocker({"unpause", "box"}).exit_code, 0);

    EXPECT_EQ(mydocker({"wait", "box"}).out, "6\n");
}

TEST_F(Paused, StaysSoUnderACommit) {
    start();
    pause();

    EXPECT_EQ(mydocker({"commit", "box", "paused-image"}).exit_code, 0);

    EXPECT_FALSE(goes_on());
    EXPECT_TRUE(is_shown_paused());
    EXPECT_EQ(mydocker({"rmi", "paused-image"}).exit_code, 0);
    EXPECT_EQ(mydocker({"run", "--rm", "busybox", "true"}).exit_code, 0); // What is kept of images is back.
}

TEST_F(Paused, DiesWithItsMonitor) {
    start();
    pause();
    const pid_t monitor = parent_of(std::stoi(pid()));
    ASSERT_GT(monitor, 1);

    ASSERT_EQ(::kill(monitor, SIGKILL), 0);

    EXPECT_TRUE(eventually([&] { return status().find("Exited (137)") != std::string::npos; })) << status();
}

// Killed anywhere: one command later the processes are what the record says.
TEST_F(Paused, IsWhatItSaysAfterAKilledCommand) {
    constexpr std::size_t kPoints = 5;
    for (const char* verb : {"pause", "unpause"}) {
        start();
        if (verb == std::string("unpause")) pause();
        const Trace counted = trace({.words = command({verb, "box"})});
        ASSERT_EQ(counted.outcome.exit_code, 0) << counted.outcome.err;
        const std::size_t calls = counted.counts.at(Victim::command_line);
        // What matters is at the end: the loading of drivers changes nothing.
        for (std::size_t i = 0; i < kPoints; ++i) {
            start();
            if (verb == std::string("unpause")) pause();
            Fault fault{.kind = Fault::Kind::kill, .victim = Victim::command_line};
            fault.at = calls - 1 - i * (calls / 12);
            const Trace struck = trace({.words = command({verb, "box"}), .fault = fault});

            const bool shown_paused = is_shown_paused(); // The one command, which puts it right.
            EXPECT_NE(goes_on(), shown_paused) << struck.struck;
        }
    }
}

// --- rename ------------------------------------------------------------------------------------------

TEST_F(Paused, IsRenamedWhileItRuns) {
    start();
    remove_at_end("other");
    const std::string id = member(mydocker({"inspect", "box"}).out, "Id");

    const Outcome renamed = mydocker({"rename", "box", "other"});

    EXPECT_EQ(renamed.exit_code, 0) << renamed.err;
    const std::string events = mydocker({"events", "--since", "1m", "--until", "0s"}).out;
    EXPECT_NE(events.find("container rename " + id), std::string::npos) << events;
    EXPECT_EQ(renamed.out, "");
    EXPECT_EQ(mydocker({"ps", "--format", "{{.Names}}"}).out, "other\n");
    EXPECT_EQ(member(mydocker({"inspect", "other"}).out, "Id"), id);
    EXPECT_EQ(mydocker({"inspect", "box"}).exit_code, 1);
    EXPECT_EQ(mydocker({"run", "--rm", "--name", "box", "busybox", "true"}).exit_code, 0);
    EXPECT_EQ(mydocker({"stop", "-t", "0", "other"}).exit_code, 0);
    EXPECT_EQ(member(mydocker({"inspect", "other"}).out, "Status"), "exited");
    EXPECT_EQ(mydocker({"rename", "other", "box"}).exit_code, 0);
    EXPECT_EQ(mydocker({"start", "box"}).exit_code, 0);
}

TEST_F(Paused, KeepsItsNameWhenTheNewOneIsNone) {
    start();
    remove_at_end("other");
    ASSERT_EQ(mydocker({"create", "--name", "other", "busybox", "true"}).exit_code, 0);

    const Outcome taken = mydocker({"rename", "other", "box"});
    EXPECT_EQ(taken.exit_code, 1);
    EXPECT_NE(taken.err.find("'box'"), std::string::npos) << taken.err;
    EXPECT_EQ(mydocker({"rename", "other", "other"}).exit_code, 1);
    EXPECT_EQ(mydocker({"rename", "other", "a b"}).exit_code, 1);
    EXPECT_EQ(mydocker({"rename", "other", ""}).exit_code, 1);
    EXPECT_EQ(mydocker({"rename", "nobody", "x"}).exit_code, 1);
    EXPECT_EQ(mydocker({"rename", "other"}).exit_code, 125);
    EXPECT_EQ(member(mydocker({"inspect", "other"}).out, "Name"), "other");
}

// Whoever waits for it in the foreground has read its record before.
TEST_F(Paused, EndsWellInTheForegroundAfterAllThat) {
    for (const bool removed : {false, true}) {
        std::vector<std::string> words{"run",
                                       "--name",
                                       "box",
                                       "busybox",
                                       "sh",
                                       "-c",
                                       "echo > /dev/shm/count; while [ ! -e /end ]; do :; done; exit 3"};
        if (removed) words.insert(words.begin() + 1, "--rm");
        (void)mydocker({"rm", "-f", "box", "other"});
        remove_at_end("other");
        Outcome foreground;
        std::thread waiting([&] { foreground = mydocker(words); });
        EXPECT_TRUE(eventually([&] { return count() > 0; }));
        const std::string root_of_it = "/proc/" + pid() + "/root";

        EXPECT_EQ(mydocker({"pause", "box"}).exit_code, 0);
        EXPECT_EQ(mydocker({"unpause", "box"}).exit_code, 0);
        EXPECT_EQ(mydocker({"rename", "box", "other"}).exit_code, 0);
        write_text(root_of_it + "/end", "1");
        waiting.join();

        EXPECT_EQ(foreground.exit_code, 3) << foreground.err;
        EXPECT_EQ(foreground.err, "");
        EXPECT_EQ(mydocker({"wait", "other"}).out, "3\n");
        EXPECT_EQ(mydocker({"inspect", "other"}).exit_code, removed ? 1 : 0);
    }
}

// Whichever comes first, nothing waits for the other without end.
TEST_F(Paused, MeetsExecsThatAreJustBeginning) {
    start();
    for (int i = 0; i < repeats(20); ++i) {
        Outcome exec;
        std::thread running([&] { exec = mydocker({"exec", "box", "echo", "here"}); });
        ::usleep(static_cast<useconds_t>(i) * 1000);

        EXPECT_EQ(mydocker({"pause", "box"}).exit_code, 0);
        EXPECT_EQ(mydocker({"unpause", "box"}).exit_code, 0);
        running.join();

        if (exec.exit_code == 0) {
            EXPECT_EQ(exec.out, "here\n");
        } else {
            EXPECT_EQ(exec.exit_code, 125);
            EXPECT_NE(exec.err.find("paused"), std::string::npos) << exec.err;
        }
    }
}

// Made by hand, since nobody is so quick: the record says that it runs when exec looks, and that it is paused
// once exec's process is frozen.
TEST_F(Paused, EndsAnExecThatItHasFrozenBeforeTheCommand) {
    if (auto why = missing(Need::cgroup_v1)) GTEST_SKIP() << *why; // Else exec waits for those who freeze.
    start();
    const std::string id = member(mydocker({"inspect", "box"}).out, "Id");
    pause();
    const RecordFile record(root(), id);
    record.replace("\"paused\"", "\"running\"");
    Outcome exec;
    std::thread running([&] { exec = mydocker({"exec", "box", "touch", "/run-after-all"}); });
    ::usleep(1'000'000);

    record.replace("\"running\"", "\"paused\"");
    write_text(run_root() + "/" + id + "/frozen", "");
    running.join();

    EXPECT_EQ(exec.exit_code, 125);
    EXPECT_NE(exec.err.find("'box' was paused before the command was executed"), std::string::npos)
        << exec.err;
    EXPECT_EQ(mydocker({"unpause", "box"}).exit_code, 0);
    EXPECT_EQ(mydocker({"exec", "box", "test", "-e", "/run-after-all"}).exit_code, 1);
}

} // namespace
} // namespace mydocker::test
