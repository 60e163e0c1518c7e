// run --explain: every part of a container's birth and end is shown, beside the run and without disturbing
// it.
#include "base/json.hpp"
#include "support/engine_fixture.hpp"

#include <set>

namespace mydocker::test {
namespace {

class Explain : public EngineTest {};

TEST_F(Explain, ShowsEachStepNamespaceMountAndLimit) {
    const Outcome outcome =
        mydocker({"run", "--rm", "-m", "64m", "--explain", "busybox", "sh", "-c", "echo hi; exit 3"});

    EXPECT_EQ(outcome.out, "hi\n");
    EXPECT_EQ(outcome.exit_code, 3);
    for (const char* part :
         {"mydocker +read the configuration", "mydocker +find image: busybox",
          "mydocker +open driver: storage ", "mydocker +reserve: the name ",
          "mydocker +storage: [0-9a-f]{64}", "mydocker +cgroup: .* with memory 67108864", "pids 2048",
          "cgroup v[12]: '/sys/fs/cgroup/[^']*/memory\\.(max|limit_in_bytes)' = '67108864'",
          "cgroup v[12]: '/sys/fs/cgroup/[^']*/pids\\.max' = '2048'",
          "monitor +clone3 mydocker-init: namespaces mount, pid; init makes ipc, uts, network, cgroup",
          "monitor +make mount: [a-z]+ for /\n", "init +attach the mounts", "init +enter the root filesystem",
          "init +give up privilege", "mydocker +the command runs: process [0-9]+",
          "mydocker +release: cgroup", "mydocker +release: storage"})
        EXPECT_TRUE(matches(outcome.err, part)) << part << "\n" << outcome.err;
    for (const char* target :
         {"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"}) {
        EXPECT_TRUE(matches(outcome.err, std::string("init +make mount: [a-z0-9]+ for ") + target + "\n"))
            << target << "\n"
            << outcome.err;
        EXPECT_TRUE(matches(outcome.err, std::string("init +attach mount: ") + target + "\n"));
    }
    // Of all that is shown nothing was before the beginning.
    EXPECT_FALSE(matches(outcome.err, "(^|\n) *-[0-9]")) << outcome.err;
}

TEST_F(Explain, WritesATraceThatViewersRead) {
    const TempDir files;

    const Outcome outcome =
        mydocker({"run", "--rm", "--explain=" + (files / "trace.json"), "busybox", "true"});

    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.err, "");
    const std::string text = content_of(files / "trace.json");
    const auto root = json::parse(text);
    ASSERT_TRUE(root) << root.error().text;
    const json::Value* events = root->find("traceEvents");
    ASSERT_TRUE(events != nullptr && events->if_array() != nullptr) << text;
    std::set<std::string> programs;
    for (const json::Value& event : *events->if_array()) {
        if (*event.find("ph")->if_string() != "X") continue;
        programs.insert(*event.find("cat")->if_string());
        EXPECT_TRUE(event.find("ts") != nullptr && event.find("dur") != nullptr);
    }
    EXPECT_EQ(programs, (std::set<std::string>{"init", "monitor", "mydocker"}));
}

TEST_F(Explain, ShowsABirthInTheBackgroundToo) {
    remove_at_end("box");

    const Outcome outcome = mydocker({"run", "-d", "--name", "box", "--explain", "busybox", "sleep", "1000"});

    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_NE(outcome.err.find("init      give up privilege"), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find("the command runs"), std::string::npos) << outcome.err;
}

TEST_F(Explain, ShowsAFailureToo) {
    const Outcome outcome = mydocker({"run", "--rm", "--explain", "busybox", "no-such-command"});

    EXPECT_EQ(outcome.exit_code, 127);
    EXPECT_NE(outcome.err.find("wait for the command"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("release: storage"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("mydocker: run: "), std::string::npos) << outcome.err;
}

TEST_F(Explain, SaysBeforehandWhenItsFileCannotBe) {
    const Outcome outcome = mydocker({"run", "--rm", "--explain=/absent/file", "busybox", "echo", "hi"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find("/absent/file"), std::string::npos) << outcome.err;
}

} // namespace
} // namespace mydocker::test
