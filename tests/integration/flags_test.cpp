// Flags of `run` and `create` that shape the process and its surroundings: environment files, the default
// image, capabilities, limits, names. Those of mounts are in volume_test.cpp.
#include "support/engine_fixture.hpp"
#include "support/terminal.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <sys/stat.h>

namespace mydocker::test {
namespace {

class Flags : public EngineTest {
  protected:
    // Created with the flags, its script has to say the same at the first and the second start.
    void expect_at_each_start(std::vector<std::string> flags, const std::string& script,
                              const std::string& want) {
        remove_at_end("twice");
        flags.insert(flags.begin(), {"create", "--name", "twice"});
        flags.insert(flags.end(), {"busybox", "sh", "-c", script});
        const Outcome created = mydocker(flags);
        ASSERT_EQ(created.exit_code, 0) << created.err;
        for (int i = 0; i < 2; ++i) {
            const Outcome outcome = mydocker({"start", "-a", "twice"});
            EXPECT_EQ(outcome.out, want) << i << outcome.err;
        }
    }

    // A file of a directory of the test's.
    std::string file(const std::string& name, const std::string& text) {
        write_text(directory_ / name, text);
        return directory_ / name;
    }

    TempDir directory_;
};

// --- environment files --------------------------------------------------------------------------------

TEST_F(Flags, AnEnvironmentFileIsGivenBeforeTheCommandLine) {
    const std::string path =
        file("env", "# comment\nbird=123\r\nluck=\"quoted\"\n\nFROM_CALLER\nNOT_SET\nlast=1");

    const Outcome outcome = mydocker_with(
        {"FROM_CALLER=yes"}, {"run", "--rm", "-e", "bird=456", "--env-file", path, "busybox", "sh", "-c",
                              "echo $bird $luck $FROM_CALLER ${NOT_SET-unset} $last"});

    EXPECT_EQ(outcome.out, "456 \"quoted\" yes unset 1\n") << outcome.err;
}

TEST_F(Flags, ALaterEnvironmentFileWins) {
    const Outcome outcome =
        shell({"--env-file", file("a", "x=1\ny=1\n"), "--env-file", file("b", "x=2\n")}, "echo $x $y");

    EXPECT_EQ(outcome.out, "2 1\n") << outcome.err;
}

TEST_F(Flags, AnEnvironmentFileMayBeAPipeOfTheShells) {
    const std::string rest = "busybox sh -c 'echo $x'";
    const std::string run = line({"run", "--rm", "--env-file"});

    EXPECT_EQ(test::run({"bash", "-c", run + "<(echo x=1) " + rest}).out, "1\n");
    EXPECT_EQ(test::run({"bash", "-c", "echo x=2 | " + run + "/dev/stdin " + rest}).out, "2\n");
}

TEST_F(Flags, ANamedPipeIsNoFileOfValues) {
    const std::string path = directory_ / "fifo";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const std::vector<std::array<std::string, 3>> flags{
        {"--env-file", path, "env-file: "},
        {"--label-file", path, "label-file: "},
        {"--security-opt", "seccomp=" + path, "security-opt: 'seccomp=" + path + "': "}};

    for (const auto& [flag, value, context] : flags) {
        const Outcome outcome =
            test::run(Command{.words = command({"run", "--rm", flag, value, "busybox", "true"}),
                              .input = {},
                              .environment = {},
                              .directory = {},
                              .limit = std::chrono::seconds(20)});

        EXPECT_EQ(outcome.exit_code, 125);
        EXPECT_EQ(outcome.err, "mydocker: run: " + context + "'" + path +
                                   "' is a pipe, which may have no writer; give it as /dev/stdin\n");
    }
}

// --- the default image --------------------------------------------------------------------------------

TEST_F(Flags, WordsWithoutAnImageRunInTheDefaultOne) {
    const Outcome outcome = mydocker({"--log-level", "info", "run", "--rm", "echo", "hi", "there"});

    EXPECT_EQ(outcome.out, "hi there\n");
    EXPECT_NE(outcome.err.find("'echo' is no image: run in the default image 'busybox'"), std::string::npos)
        << outcome.err;
    EXPECT_EQ(mydocker({"run", "--rm", "/bin/echo", "hi"}).out, "hi\n");
}

TEST_F(Flags, TheTranscriptsOfTheTeachingProgramRun) {
    remove_at_end("bird");
    EXPECT_EQ(mydocker({"run", "-d", "--name", "bird", "top"}).exit_code, 0);
    EXPECT_NE(mydocker({"ps"}).out.find("busybox"), std::string::npos);

    Terminal terminal(
        command({"run", "--rm", "-ti", "-m", "100m", "-cpushare", "512", "-cpuset", "0", "sh"}));
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();
    terminal.type("tty; exit 3\n");
    EXPECT_TRUE(terminal.expect("/dev/pts/0")) << terminal.output();
    EXPECT_EQ(terminal.wait(), 3);
}

TEST_F(Flags, WhatIsNeitherImageNorCommandNamesBoth) {
    const Outcome outcome = mydocker({"run", "nosuch"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("no image 'nosuch'"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("default image 'busybox' have the command 'nosuch'"), std::string::npos)
        << outcome.err;
    EXPECT_EQ(mydocker({"create", "nosuch"}).exit_code, 125);
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

TEST_F(Flags, WithoutADefaultImageTheWordIsAnImage) {
    const std::string config = file("c.toml", "[run]\ndefault_image = \"\"\n");

    const Outcome outcome = mydocker({"--config", config, "run", "--rm", "echo", "hi"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_EQ(outcome.err.find("default image"), std::string::npos) << outcome.err;
}

TEST_F(Flags, ADefaultImageThatIsNotThereIsNamed) {
    const std::string config = file("c.toml", "[run]\ndefault_image = \"nowhere\"\n");

    const Outcome outcome = mydocker({"--config", config, "run", "--rm", "echo", "hi"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("'nowhere'"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("'echo'"), std::string::npos) << outcome.err;
}

// --- privilege ------------------------------------------------------------------------------------------

TEST_F(Flags, CapabilitiesAreAddedAndDropped) {
    expect_at_each_start({"--cap-add", "net_admin", "--cap-drop", "CAP_KILL"},
                         "grep CapEff /proc/self/status", "CapEff:\t00000000800415db\n");
}

TEST_F(Flags, AllCapabilitiesCanBeDropped) {
    expect_at_each_start({"--cap-drop", "ALL", "--cap-add", "CHOWN"},
                         "grep -E 'Cap(Eff|Bnd)' /proc/self/status",
                         "CapEff:\t0000000000000001\nCapBnd:\t0000000000000001\n");
}

TEST_F(Flags, AllCapabilitiesAreThoseOfTheEngine) {
    const Outcome own = test::run({"sh", "-c", "grep CapPrm /proc/self/status | cut -f2"});

    EXPECT_EQ(shell({"--cap-add", "ALL"}, "grep CapPrm /proc/self/status | cut -f2").out, own.out);
}

TEST_F(Flags, AnAddedCapabilityCanBeUsed) {
    EXPECT_EQ(shell({"--cap-add", "SYS_ADMIN"}, "mkdir /m; mount -t tmpfs t /m && echo mounted").out,
              "mounted\n");
    EXPECT_EQ(shell({"--cap-drop", "chown"}, "chown 1 /etc || echo refused").out, "refused\n");
}

TEST_F(Flags, SecurityOptionsAreKept) {
    expect_at_each_start(
        {"--security-opt", "no-new-privileges=false", "--security-opt", "seccomp=unconfined"},
        "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status", "NoNewPrivs:\t0\nSeccomp:\t0\n");
}

TEST_F(Flags, TheDefaultIsNoNewPrivileges) {
    expect_at_each_start({"--security-opt", "no-new-privileges"},
                         "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status",
                         "NoNewPrivs:\t1\nSeccomp:\t2\n");
}

TEST_F(Flags, LimitsOfProcessesAreSet) {
    expect_at_each_start({"--ulimit", "nofile=100:200", "--ulimit", "core=0:-1"},
                         "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc", "100\n200\n0\nunlimited\n");
}

// --- surroundings ---------------------------------------------------------------------------------------

TEST_F(Flags, TheSharedMemoryHasItsSize) {
    expect_at_each_start({"--shm-size", "2m"}, "df -k /dev/shm | awk 'NR==2{print $2}'", "2048\n");
}

TEST_F(Flags, TheMaskOfNewFilesIsSet) {
    expect_at_each_start({"--umask", "077"}, "umask", "0077\n");
    EXPECT_EQ(mydocker({"run", "--umask", "0800", "busybox", "true"}).exit_code, 125);
    EXPECT_EQ(mydocker({"run", "--umask", "1000", "busybox", "true"}).exit_code, 125);
}

TEST_F(Flags, PathsAreHiddenAndShown) {
    const std::string script =
        "wc -c < /proc/version; wc -c < /proc/timer_list; grep -c ' /proc/sys ' /proc/mounts; true";
    expect_at_each_start({"--security-opt", "mask=/proc/version"}, script, "0\n0\n1\n");

    const Outcome shown = shell({"--security-opt", "unmask=/proc/timer_list:/proc/sys"}, script);
    EXPECT_FALSE(shown.out.starts_with("0\n")) << shown.out;
    EXPECT_EQ(shown.out.find("\n0\n0\n"), std::string::npos) << "what was hidden is shown: " << shown.out;
    EXPECT_TRUE(shown.out.ends_with("\n0\n")) << "nor is it a mount of its own: " << shown.out;
    for (const char* all : {"unmask=all", "systempaths=unconfined"})
        EXPECT_EQ(shell({"--security-opt", all}, "grep -cE ' /proc/(sys|bus|irq) ' /proc/mounts").out, "0\n")
            << all;
    EXPECT_EQ(mydocker({"run", "--security-opt", "mask=proc", "busybox", "true"}).exit_code, 125);
}

TEST_F(Flags, TheSearchListAndOptionsOfResolversAreWritten) {
    expect_at_each_start({"--dns-search", "a.example", "--dns-search", "b.example", "--dns-option", "ndots:2",
                          "--dns", "10.0.0.2"},
                         "cat /etc/resolv.conf | grep -v '^#'",
                         "search a.example b.example\nnameserver 10.0.0.2\noptions ndots:2\n");
    EXPECT_EQ(mydocker({"run", "--dns-search", "a b", "busybox", "true"}).exit_code, 125);
}

// --- all of them ----------------------------------------------------------------------------------------

TEST_F(Flags, OneFlagMeansEveryContainer) {
    for (const char* name : {"one", "two"}) {
        remove_at_end(name);
        ASSERT_EQ(mydocker({"run", "-d", "--name", name, "busybox", "sleep", "1000"}).exit_code, 0);
    }
    remove_at_end("three");
    ASSERT_EQ(mydocker({"create", "--name", "three", "busybox"}).exit_code, 0);
    const auto lines = [](const std::string& text) { return std::ranges::count(text, '\n'); };

    EXPECT_EQ(lines(mydocker({"pause", "-a"}).out), 2);
    EXPECT_EQ(mydocker({"unpause", "-a", "one"}).exit_code, 125);
    EXPECT_EQ(lines(mydocker({"unpause", "--all"}).out), 2);
    EXPECT_EQ(lines(mydocker({"restart", "-a", "-t", "0"}).out), 2);
    EXPECT_EQ(lines(mydocker({"kill", "-a", "-s", "0"}).out), 0) << "no signal of a number 0";
    EXPECT_EQ(lines(mydocker({"stop", "-a", "-t", "0"}).out), 2);
    EXPECT_EQ(mydocker({"ps", "-q"}).out, "");
    EXPECT_EQ(mydocker({"start", "one"}).exit_code, 0);
    EXPECT_EQ(mydocker({"rm", "-a"}).exit_code, 1) << "one runs";
    EXPECT_EQ(lines(mydocker({"rm", "-a", "-f"}).out), 1);
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
    EXPECT_EQ(mydocker({"stop", "-a"}).exit_code, 0) << "none is no error";
}

TEST_F(Flags, HostsAndResolversAreWritten) {
    expect_at_each_start({"--add-host", "db:10.9.8.7", "--add-host", "six:[fe80::1]", "--dns", "10.0.0.2"},
                         "tail -n 2 /etc/hosts; grep nameserver /etc/resolv.conf",
                         "10.9.8.7\tdb\nfe80::1\tsix\nnameserver 10.0.0.2\n");
}

TEST_F(Flags, TheIdIsWrittenToItsFile) {
    remove_at_end("ids");
    const Outcome outcome =
        mydocker({"run", "-d", "--name", "ids", "--cidfile", directory_ / "id", "busybox", "top"});

    EXPECT_EQ(content_of(directory_ / "id") + "\n", outcome.out) << outcome.err;
}

TEST_F(Flags, AFileForTheIdMustNotBeThere) {
    const Outcome outcome = mydocker({"run", "--rm", "--cidfile", file("id", "x"), "busybox", "true"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("cidfile"), std::string::npos) << outcome.err;
    EXPECT_EQ(content_of(directory_ / "id"), "x");
}

TEST_F(Flags, ARunThatFailsLeavesNoFileForTheId) {
    EXPECT_EQ(mydocker({"run", "--rm", "--cidfile", directory_ / "id", "busybox", "nosuch"}).exit_code, 127);

    EXPECT_FALSE(std::filesystem::exists(directory_ / "id"));
}

TEST_F(Flags, TheHostIsAtItsLoopbackWhereItsNetworkIsShared) {
    const std::vector<std::string> host{"--add-host", "me:host-gateway"};

    EXPECT_EQ(shell({"--network", "host", host[0], host[1]}, "tail -n 1 /etc/hosts").out, "127.0.0.1\tme\n");
    const Outcome none = shell(host, "true");
    EXPECT_EQ(none.exit_code, 125);
    EXPECT_EQ(none.err,
              "mydocker: run: add-host: 'me:host-gateway': without --network host there is no way from "
              "the container to the host\n");
}

TEST_F(Flags, ThePidIsWrittenToItsFileAtEachStart) {
    const std::string path = directory_ / "pid";
    ASSERT_NE(start_detached("pids", {"--pidfile", path}, {"sleep", "1000"}), "");
    const std::string first = content_of(path);

    EXPECT_EQ(first, member(mydocker({"inspect", "pids"}).out, "Pid") + "\n");
    EXPECT_EQ(member(mydocker({"inspect", "pids"}).out, "PidFile"), path);
    EXPECT_EQ(mydocker({"restart", "-t", "0", "pids"}).exit_code, 0);
    EXPECT_NE(content_of(path), first);
    EXPECT_EQ(content_of(path), member(mydocker({"inspect", "pids"}).out, "Pid") + "\n");
}

TEST_F(Flags, AFileForThePidThatCannotBeWrittenIsAnErrorAndLeavesNothing) {
    const Outcome outcome = mydocker(
        {"run", "-d", "--name", "pids", "--pidfile", directory_ / "no/such/pid", "busybox", "sleep", "1000"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("pidfile"), std::string::npos) << outcome.err;
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

// Its directory may be others' to write.
TEST_F(Flags, APidfileThatIsNoFileIsRefusedAndLeftAlone) {
    ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0600), 0);
    std::filesystem::create_symlink("/etc/hostname", directory_ / "link");
    for (const std::string& path : {directory_ / "fifo", directory_ / "link", std::string("/dev/null")}) {
        const Outcome outcome =
            mydocker({"run", "-d", "--name", "pids", "--pidfile", path, "busybox", "sleep", "1000"});

        EXPECT_EQ(outcome.exit_code, 125) << path;
        EXPECT_TRUE(matches(outcome.err, "pidfile: '" + path + "' is no regular file")) << outcome.err;
    }
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

} // namespace
} // namespace mydocker::test
