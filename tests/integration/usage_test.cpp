// top, stats and update: what a container uses, and that other limits are in force, kept, and undone.
#include "support/engine_fixture.hpp"
#include "support/terminal.hpp"

#include <regex>

namespace mydocker::test {
namespace {

class Usage : public EngineTest {
  protected:
    void start(const std::vector<std::string>& flags, const std::string& script = "sleep 1000") {
        (void)mydocker({"rm", "-f", "box"});
        ASSERT_NE(start_detached("box", flags, {"sh", "-c", script}), "");
    }

    // A control file of the container's cgroup, by its name in v1 and v2.
    [[nodiscard]] std::string control(const std::string& v1, const std::string& v2) {
        const Outcome outcome =
            mydocker({"exec", "box", "sh", "-c",
                      "cat /sys/fs/cgroup/*/" + v1 + " 2>/dev/null || cat /sys/fs/cgroup/" + v2});
        return outcome.out;
    }
    [[nodiscard]] std::string memory() { return control("memory.limit_in_bytes", "memory.max"); }
    [[nodiscard]] std::string pids() { return control("pids.max", "pids.max"); }
};

TEST_F(Usage, TopShowsTheProcessesOfThisContainerOnly) {
    start({}, "sleep 2222 & sleep 3333");

    EXPECT_TRUE(
        eventually([&] { return mydocker({"top", "box"}).out.find("sleep 2222") != std::string::npos; }));
    const Outcome top = mydocker({"top", "box", "-o", "pid,args"});

    EXPECT_EQ(top.exit_code, 0) << top.err;
    EXPECT_TRUE(matches(top.out, "^ *PID COMMAND\n")) << top.out;
    EXPECT_NE(top.out.find("sleep 3333"), std::string::npos) << top.out;
    EXPECT_EQ(top.out.find("mydocker"), std::string::npos) << top.out;
    EXPECT_EQ(mydocker({"top", "box", "-o pid,args"}).out, top.out);
}

TEST_F(Usage, TopNeedsNoPsInTheContainerAndRunsNone) {
    start({}, "printf '#!/bin/sh\\ntouch /tripped\\n' > /bin/ps; chmod +x /bin/ps; sleep 2222");

    EXPECT_TRUE(
        eventually([&] { return mydocker({"top", "box"}).out.find("sleep 2222") != std::string::npos; }));

    EXPECT_EQ(mydocker({"exec", "box", "test", "-e", "/tripped"}).exit_code, 1);
}

TEST_F(Usage, TopSaysWhatItCannotDo) {
    start({});

    EXPECT_EQ(mydocker({"top", "box", "-o", "args"}).err,
              "mydocker: top: ps shows no column PID; ask for it, too\n");
    EXPECT_EQ(mydocker({"top", "box", "--no-such-option"}).exit_code, 1);
    EXPECT_EQ(mydocker({"top"}).exit_code, 125);
    (void)mydocker({"kill", "box"});
    EXPECT_EQ(mydocker({"top", "box"}).err, "mydocker: top: container 'box' is not running\n");
}

TEST_F(Usage, StatsShowsDockersColumns) {
    start({"-m", "64m"}, "while :; do :; done");

    const Outcome stats = mydocker({"stats", "--no-stream", "box"});

    EXPECT_EQ(stats.exit_code, 0) << stats.err;
    std::smatch row;
    ASSERT_TRUE(std::regex_search(
        stats.out, row,
        std::regex("^CONTAINER ID +NAME +CPU % +MEM USAGE / LIMIT +MEM % +NET I/O +BLOCK I/O +PIDS\n"
                   "[0-9a-f]{12} +box +([0-9.]+)% +[0-9.]+[KM]?i?B / 64MiB +[0-9.]+% +0B / 0B +"
                   "[0-9.]+k?M?B / [0-9.]+k?M?B +1\n$")))
        << stats.out;
    const Outcome one = mydocker({"stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "box"});
    EXPECT_EQ(one.out, "box 1\n") << one.err;
    EXPECT_EQ(mydocker({"stats", "--no-stream", "--format", "{{", "box"}).exit_code, 125);
    EXPECT_GT(std::stod(row[1]), 10.0) << stats.out; // Others have the processors, too.
}

TEST_F(Usage, StatsShowsThoseThatDoNotRunWhenAsked) {
    start({});
    (void)mydocker({"kill", "box"});

    EXPECT_EQ(mydocker({"stats", "--no-stream"}).out.find("box"), std::string::npos);
    const Outcome all = mydocker({"stats", "--no-stream", "-a", "--no-trunc"});

    EXPECT_TRUE(matches(all.out, "[0-9a-f]{64} +box +0.00% +0B / 0B")) << all.out;
    EXPECT_EQ(mydocker({"stats", "--no-stream", "nobody"}).err, "mydocker: stats: no container 'nobody'\n");
}

// --- update ------------------------------------------------------------------------------------------

TEST_F(Usage, UpdateIsInForceAtOnceAndAtTheNextStart) {
    start({"-m", "64m"});

    const Outcome update =
        mydocker({"update", "-m", "96m", "--pids-limit", "77", "--cpu-shares", "512", "box"});

    EXPECT_EQ(update.out, "box\n");
    EXPECT_EQ(update.exit_code, 0) << update.err;
    EXPECT_EQ(memory(), "100663296\n");
    EXPECT_EQ(pids(), "77\n");
    EXPECT_NE(mydocker({"inspect", "box"}).out.find("\"Memory\": 100663296"), std::string::npos);
    EXPECT_EQ(mydocker({"stop", "-t", "0", "box"}).exit_code, 0);
    EXPECT_EQ(mydocker({"start", "box"}).exit_code, 0);
    EXPECT_EQ(memory(), "100663296\n");
    EXPECT_EQ(pids(), "77\n");
}

TEST_F(Usage, UpdateOfAContainerAtRestIsForItsNextStart) {
    start({});
    EXPECT_EQ(mydocker({"stop", "-t", "0", "box"}).exit_code, 0);

    EXPECT_EQ(mydocker({"update", "--pids-limit", "55", "box"}).exit_code, 0);
    EXPECT_EQ(mydocker({"update", "--cpuset-cpus", "999", "box"}).exit_code, 1);

    EXPECT_EQ(member(mydocker({"inspect", "box"}).out, "Status"), "exited");
    EXPECT_EQ(mydocker({"start", "box"}).exit_code, 0);
    EXPECT_EQ(pids(), "55\n");
}

TEST_F(Usage, UpdateThatFailsChangesNothing) {
    start({"-m", "64m", "--pids-limit", "99"});

    const Outcome small = mydocker({"update", "-m", "700k", "--memory-swap", "600k", "box"});
    EXPECT_EQ(small.exit_code, 125) << small.err;
    const Outcome swap = mydocker({"update", "--memory-swap", "32m", "box"});
    EXPECT_EQ(swap.exit_code, 1);
    EXPECT_NE(swap.err.find("--memory-swap"), std::string::npos) << swap.err;
    // The last of the limits is one that not every kernel has.
    const Outcome last =
        mydocker({"update", "-m", "96m", "--pids-limit", "77", "--blkio-weight", "100", "box"});
    if (last.exit_code != 0) {
        EXPECT_EQ(last.exit_code, 1);
        EXPECT_NE(last.err.find("io weight"), std::string::npos) << last.err;
        EXPECT_EQ(memory(), "67108864\n");
        EXPECT_EQ(pids(), "99\n");
        EXPECT_NE(mydocker({"inspect", "box"}).out.find("\"Memory\": 67108864"), std::string::npos);
    }
    EXPECT_EQ(mydocker({"update", "box"}).exit_code, 125);
    EXPECT_EQ(mydocker({"update", "-m", "64m"}).exit_code, 125);
    EXPECT_EQ(mydocker({"update", "--device-read-bps", "/dev/sda:1m", "box"}).exit_code, 125);
}

} // namespace
} // namespace mydocker::test
