// `exec` as its users know it: words, streams, exit codes, environment; and that what it starts is confined
// as the container's first process is.
#include "support/exec_fixture.hpp"
#include "support/record_file.hpp"
#include "support/terminal.hpp"

#include <filesystem>
#include <unistd.h>

namespace mydocker::test {
namespace {

TEST_F(Exec, KeepsTheWordsOfTheCommandApart) {
    const Outcome outcome =
        mydocker({"exec", "box", "sh", "-c", "for a; do printf '[%s]' \"$a\"; done", "x", "a b", "", "c'd",
                  "*", "$HOME", "a;id", "$(id)", "l1\nl2", "-d", "\xff"});

    EXPECT_EQ(outcome.out, "[a b][][c'd][*][$HOME][a;id][$(id)][l1\nl2][-d][\xff]");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST_F(Exec, NeedsNoShell) {
    const Outcome outcome = mydocker({"exec", "box", "echo", "a;id", "$(id)"});

    EXPECT_EQ(outcome.out, "a;id $(id)\n");
}

TEST_F(Exec, KeepsOutputAndErrorsApartAndAddsNothing) {
    const Outcome outcome =
        mydocker({"--log-level", "debug", "exec", "box", "sh", "-c", "echo out; echo err >&2"});

    EXPECT_EQ(outcome.out, "out\n");
    EXPECT_NE(outcome.err.find("err\n"), std::string::npos);
}

struct ExecExitCase {
    std::string name;
    std::vector<std::string> words;
    int code;
};

class ExecExit : public Exec, public ::testing::WithParamInterface<ExecExitCase> {};

TEST_P(ExecExit, PassesTheCodeThrough) {
    std::vector<std::string> words{"exec"};
    words.insert(words.end(), GetParam().words.begin(), GetParam().words.end());

    const Outcome outcome = mydocker(words);

    EXPECT_EQ(outcome.exit_code, GetParam().code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Codes, ExecExit,
    ::testing::Values(ExecExitCase{"True", {"box", "true"}, 0},
                      ExecExitCase{"Seven", {"box", "sh", "-c", "exit 7"}, 7},
                      ExecExitCase{"All", {"box", "sh", "-c", "exit 255"}, 255},
                      ExecExitCase{"Killed", {"box", "sh", "-c", "kill -9 $$"}, 137},
                      ExecExitCase{"Terminated", {"box", "sh", "-c", "kill -15 $$"}, 143},
                      ExecExitCase{"NotFound", {"box", "no-such-command"}, 127},
                      ExecExitCase{"NotFoundPath", {"box", "/no/such/command"}, 127},
                      ExecExitCase{"Directory", {"box", "/etc"}, 126},
                      ExecExitCase{"NotExecutable", {"box", "/etc/passwd"}, 126},
                      ExecExitCase{"NoSuchUser", {"-u", "nobody-here", "box", "true"}, 126},
                      ExecExitCase{"NoSuchDirectory", {"-w", "/nowhere", "box", "true"}, 126},
                      ExecExitCase{"RelativeDirectory", {"-w", "tmp", "box", "true"}, 125},
                      ExecExitCase{"NoId", {"-u", "4294967295", "box", "true"}, 125},
                      ExecExitCase{"NoCommand", {"box"}, 125},
                      ExecExitCase{"NoContainer", {"boxes", "true"}, 125},
                      ExecExitCase{"UnknownFlag", {"--no-such-flag", "box", "true"}, 125},
                      ExecExitCase{"TerminalOfAPipe", {"-t", "box", "true"}, 125}),
    [](const auto& each) { return each.param.name; });

TEST_F(Exec, PrivilegedHasWhatTheContainerHasNot) {
    EXPECT_NE(in_box("mkdir -p /m && mount -t tmpfs x /m").exit_code, 0);

    EXPECT_EQ(
        mydocker({"exec", "--privileged", "box", "sh", "-c", "mkdir -p /m && mount -t tmpfs x /m"}).exit_code,
        0);
}

TEST_F(Exec, TakesVariablesFromAFile) {
    const TempDir files;
    write_text(files / "env", "# mine\nfrom=file\nboth=file\n");

    const Outcome outcome = mydocker(
        {"exec", "--env-file", files / "env", "-e", "both=line", "box", "sh", "-c", "echo $from $both"});

    EXPECT_EQ(outcome.out, "file line\n");
    EXPECT_EQ(mydocker({"exec", "--env-file", "/absent", "box", "true"}).exit_code, 125);
}

// --- the environment ---------------------------------------------------------------------------------

TEST_F(Exec, HasTheContainersEnvironmentAndWhatIsAdded) {
    start({"-e", "bird=123", "-e", "luck=bird"});

    const Outcome outcome =
        mydocker_with({"SECRET=1", "MINE=2"}, {"exec", "-e", "luck=new", "-e", "MINE", "box", "env"});

    EXPECT_NE(outcome.out.find("bird=123\n"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("luck=new\n"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("MINE=2\n"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("PATH=/usr/local/sbin"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("HOME=/root\n"), std::string::npos) << outcome.out;
    EXPECT_EQ(outcome.out.find("luck=bird"), std::string::npos) << outcome.out;
    EXPECT_EQ(outcome.out.find("SECRET"), std::string::npos) << outcome.out;
    EXPECT_EQ(outcome.out.find("MYDOCKER"), std::string::npos) << outcome.out;
}

TEST_F(Exec, BelievesNothingThatTheFirstProcessSaysOfItsEnvironment) {
    start({"-e", "bird=true"}, {"sh", "-c", "bird=false exec sleep 1000"});
    ASSERT_TRUE(eventually([&] { return in_box("cat /proc/1/environ").out.contains("bird=false"); }));

    EXPECT_EQ(in_box("echo $bird").out, "true\n");
}

TEST_F(Exec, RunsAsTheContainersUserInItsDirectory) {
    start({"-u", "1000:1001", "-w", "/srv/data"});

    EXPECT_EQ(in_box("id -u; id -g; pwd; umask").out, "1000\n1001\n/srv/data\n0022\n");
}

TEST_F(Exec, RunsAsAnotherUserInAnotherDirectoryIfAsked) {
    const Outcome outcome = mydocker({"exec", "-u", "nobody", "-w", "/tmp", "box", "sh", "-c",
                                      "id -un; pwd; grep CapEff /proc/self/status"});

    EXPECT_EQ(outcome.out, "nobody\n/tmp\nCapEff:\t0000000000000000\n") << outcome.err;
}

TEST_F(Exec, GivesTheUserTheStreams) {
    const Outcome outcome = mydocker({"exec", "-u", "nobody", "box", "sh", "-c", "echo hi > /dev/stdout"});

    EXPECT_EQ(outcome.out, "hi\n") << outcome.err;
}

// --- confinement -------------------------------------------------------------------------------------

TEST_F(Exec, IsInEveryNamespaceOfTheContainer) {
    const std::string host = "/proc/" + pid() + "/ns/";
    for (const char* name : {"mnt", "pid", "uts", "ipc", "net", "cgroup", "user"}) {
        const std::string inside = in_box("readlink /proc/self/ns/" + std::string(name)).out;

        EXPECT_EQ(inside, std::filesystem::read_symlink(host + name).string() + "\n");
    }
}

TEST_F(Exec, IsInTheContainersCgroups) {
    ASSERT_EQ(mydocker({"exec", "-d", "box", "sleep", "2000"}).exit_code, 0);
    const std::string inside = test::run({"pgrep", "-fx", "sleep 2000"}).out;

    const std::string cgroups = content_of("/proc/" + inside.substr(0, inside.find('\n')) + "/cgroup");

    EXPECT_EQ(cgroups, content_of("/proc/" + pid() + "/cgroup"));
    EXPECT_TRUE(cgroups.contains("mydocker/" + id())) << cgroups;
}

TEST_F(Exec, HasTheSameRightsAndLimitsAsTheFirstProcess) {
    const std::string script = "grep -E '^(Uid|Gid|Groups|Umask|Cap|NoNewPrivs|Seccomp:)' /proc/$1/status; "
                               "cat /proc/$1/oom_score_adj /proc/$1/limits";

    const Outcome first = mydocker({"exec", "box", "sh", "-c", script, "x", "1"});
    const Outcome further = mydocker({"exec", "box", "sh", "-c", script, "x", "self"});

    EXPECT_TRUE(first.out.contains("CapEff:\t00000000800405fb")) << first.out;
    EXPECT_TRUE(first.out.contains("Seccomp:\t2")) << first.out;
    EXPECT_TRUE(first.out.contains("NoNewPrivs:\t1")) << first.out;
    EXPECT_EQ(further.out, first.out);
}

TEST_F(Exec, SeesTheContainersProcesses) {
    EXPECT_EQ(in_box("tr '\\0' ' ' < /proc/1/cmdline; hostname").out,
              "sleep 1000 " + id().substr(0, 12) + "\n");
}

TEST_F(Exec, CountsAgainstTheContainersMemory) {
    start({"-m", "32m"});

    const Outcome outcome = in_box("x=a; while :; do x=$x$x; done");

    EXPECT_EQ(outcome.exit_code, 137) << outcome.err;
    EXPECT_EQ(mydocker({"exec", "box", "true"}).exit_code, 0); // It alone.
}

TEST_F(Exec, HasNoDescriptorButThreeWhateverTheCallerHas) {
    const std::string script = "for n in $(seq 10 60); do eval \"exec $n</etc/hosts\"; done; exec ";

    const Outcome outcome =
        test::run({"bash", "-c", script + line({"exec", "box", "sh", "-c", "ls /proc/$$/fd; true"})});

    EXPECT_EQ(outcome.out, "0\n1\n2\n") << outcome.err;
}

TEST_F(Exec, RefusesADirectoryBehindADescriptor) {
    ASSERT_EQ(in_box("for n in $(seq 0 20); do ln -s /proc/self/fd/$n /tmp/fd$n; done").exit_code, 0);
    for (int n = 0; n <= 20; ++n)
        for (const std::string& path :
             {"/proc/self/fd/" + std::to_string(n), "/tmp/fd" + std::to_string(n)}) {
            const Outcome outcome = mydocker({"exec", "-w", path, "box", "pwd"});

            EXPECT_TRUE(outcome.exit_code == 125 || outcome.exit_code == 126) << path << outcome.err;
            EXPECT_EQ(outcome.out, "") << path;
        }
}

// CVE-2019-5736: a container that runs the program which enters it, or opens it while it is there.
TEST_F(Exec, DoesNotLetTheContainerWriteToTheProgramThatEntersIt) {
    const auto programs = [] {
        return content_of(stage() + "/libexec/mydocker/mydocker-init") +
               content_of(stage() + "/libexec/mydocker/mydocker-monitor") +
               content_of(stage() + "/bin/mydocker");
    };
    const std::string before = programs();
    ASSERT_EQ(in_box("printf '#!/proc/self/exe\\n' > /self; chmod +x /self").exit_code, 0);
    ASSERT_EQ(mydocker({"exec", "-d", "box", "sh", "-c",
                        "while :; do for p in /proc/[0-9]*/exe; do (echo x >> $p) 2>/dev/null; done; done"})
                  .exit_code,
              0);

    const int times = is_sanitized() ? 50 : repeats(500); // Five times as slow there.
    for (int i = 0; i < times; ++i)
        EXPECT_EQ(mydocker({"exec", "box", i % 2 == 0 ? "/self" : "true"}).exit_code, i % 2 == 0 ? 1 : 0);

    EXPECT_TRUE(programs() == before);
}

// --- beginnings and ends -----------------------------------------------------------------------------

TEST_F(Exec, LeavesTheCommandWhenTheCommandLineIsKilledWithoutATerminal) {
    const Outcome outcome = test::run({"bash", "-c",
                                       line({"exec", "box", "sleep", "5000"}) +
                                           "& until pgrep -fx 'sleep 5000' >/dev/null; do "
                                           "sleep 0.01; done; kill -9 $!; wait $!; echo $?"});

    EXPECT_EQ(outcome.out, "137\n") << outcome.err;
    EXPECT_TRUE(in_box("ps").out.contains("sleep 5000"));
}

TEST_F(Exec, EndsWithTheContainerAndSaysSo) {
    const Outcome outcome =
        test::run({"bash", "-c",
                   line({"exec", "box", "sh", "-c", "echo ready; exec sleep 1000"}) + "| (read word; " +
                       line({"stop", "-t", "0", "box"}) + " >/dev/null); echo ${PIPESTATUS[0]}"});

    EXPECT_EQ(outcome.out, "137\n");
    EXPECT_EQ(outcome.err, "mydocker: exec: container 'box' ended\n");
}

TEST_F(Exec, DoesNotHoldTheContainersEndUpWhenItsReaderIsSlow) {
    // Nobody reads what `yes` writes before the container has been stopped and has come to rest.
    const Outcome outcome = test::run({"bash", "-c",
                                       line({"exec", "box", "yes"}) + "2>/dev/null | (read word; " +
                                           line({"stop", "-t", "0", "box"}) + "; " + line({"ps", "-a"}) +
                                           "; cat >/dev/null); echo ${PIPESTATUS[0]}"});

    EXPECT_TRUE(outcome.out.contains("Exited (137)")) << outcome.out << outcome.err;
    EXPECT_TRUE(outcome.out.ends_with("\n137\n")) << outcome.out;
}

TEST_F(Exec, InTheBackgroundReturnsAtOnceAndLeavesNoZombie) {
    const Outcome outcome = mydocker(
        {"exec", "-d", "box", "sh", "-c", "until test -e /tmp/go; do sleep 0.01; done; echo x > /tmp/done"});

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(in_box("cat /tmp/done 2>/dev/null").out, "");
    ASSERT_EQ(in_box("touch /tmp/go").exit_code, 0);
    EXPECT_TRUE(eventually([&] { return in_box("cat /tmp/done").out == "x\n"; }));
    EXPECT_TRUE(eventually([&] { return !in_box("ps -o stat").out.contains("Z"); })) << in_box("ps").out;
}

TEST_F(Exec, InTheBackgroundTellsWhatCannotRun) {
    const Outcome outcome = mydocker({"exec", "-d", "box", "no-such-command"});

    EXPECT_EQ(outcome.exit_code, 127);
    EXPECT_TRUE(outcome.err.contains("'no-such-command' is not found")) << outcome.err;
}

TEST_F(Exec, RefusesAContainerThatDoesNotRun) {
    remove_at_end("fresh");
    ASSERT_EQ(mydocker({"create", "--name", "fresh", "busybox", "top"}).exit_code, 0);
    ASSERT_EQ(mydocker({"stop", "-t", "0", "box"}).exit_code, 0);
    for (const std::string name : {"fresh", "box"}) {
        const Outcome outcome = mydocker({"exec", name, "true"});

        EXPECT_EQ(outcome.exit_code, 125);
        EXPECT_EQ(outcome.err, "mydocker: exec: container '" + name + "' is not running\n");
    }
}

TEST_F(Exec, RefusesAContainerThatIsPaused) {
    const RecordFile record(root(), id());
    record.set_member("state", "\"paused\"");

    const Outcome outcome = mydocker({"exec", "box", "true"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_TRUE(outcome.err.contains("is paused")) << outcome.err;
    record.set_member("state", "\"running\"");
}

// Until then its mounts are the host's.
TEST_F(Exec, RefusesAContainerThatIsNotYetInItsRoot) {
    ignore("/content/cache");
    const std::string mark = run_root() + "/" + id() + "/lock"; // core/engine/start_mark.hpp
    ASSERT_EQ(content_of(mark), "g");
    write_text(mark, "s");
    const TempDir directory;
    write_text(directory / "file", "x");
    const std::string said = "container 'box' is still being started\n";

    // Whoever looked into its root now would be in the host's.
    EXPECT_EQ(mydocker({"exec", "box", "true"}).err, "mydocker: exec: " + said);
    EXPECT_EQ(mydocker({"cp", directory / "file", "box:/file"}).err, "mydocker: cp: " + said);
    EXPECT_EQ(mydocker({"cp", "box:/etc/passwd", directory / "out"}).err, "mydocker: cp: " + said);
    EXPECT_EQ(mydocker({"export", "-o", directory / "out", "box"}).err, "mydocker: export: " + said);
    EXPECT_EQ(mydocker({"commit", "box", "never"}).err, "mydocker: commit: " + said);
    EXPECT_FALSE(std::filesystem::exists("/file"));
    write_text(mark, "g");
}

TEST_F(Exec, RunsNothingOnTheHostWhenThePidIsAnothersNow) {
    const TempDir directory;
    const RecordFile record(root(), id());
    const std::string own = pid();
    record.set_member("pid", std::to_string(::getpid()));

    const Outcome outcome = mydocker({"exec", "box", "touch", directory / "canary"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_FALSE(std::filesystem::exists(directory / "canary"));
    record.set_member("pid", own);
}

TEST_F(Exec, TwoHundredAtOnceWork) {
    const Outcome outcome =
        test::run({"bash", "-c",
                   "for i in $(seq 200); do " + line({"exec", "box", "sh", "-c", "exit 9"}) +
                       "& jobs+=($!); done; for job in ${jobs[@]}; do wait $job; codes+=$?; done; "
                       "echo $codes"});

    EXPECT_EQ(outcome.out, std::string(200, '9') + "\n");
    EXPECT_EQ(outcome.err, "");
}

TEST_F(Exec, AThousandInARowLeaveNothing) {
    // By the shell alone: what a second process sees of the first depends on who is quicker.
    const std::string look = "set -- /proc/[0-9]*; echo $#; set -- /dev/pts/*; echo $#";
    const std::string before = in_box(look).out;

    // In an emulated machine they take minutes.
    const Outcome outcome = test::run(
        {.words = {"bash", "-c",
                   "for i in $(seq 1000); do " + line({"exec", "box", "true"}) + "|| echo no; done"},
         .input = {},
         .environment = {},
         .directory = {},
         .limit = std::chrono::seconds(600)});

    EXPECT_EQ(outcome.out + outcome.err, "");
    EXPECT_EQ(in_box(look).out, before);
}

} // namespace
} // namespace mydocker::test
