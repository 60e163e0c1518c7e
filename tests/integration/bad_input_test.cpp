// Bad words on the command line, bad commands in the container, odd surroundings: an exact exit code, one
// line that names the thing, nothing left behind, nothing on standard output.
#include "support/engine_fixture.hpp"

#include <unistd.h>

namespace mydocker::test {
namespace {

struct BadWords {
    std::string name;
    std::vector<std::string> words;
    int code;
    std::string pattern; // of standard error
};

std::ostream& operator<<(std::ostream& out, const BadWords& row) {
    return out << row.name;
}

class CommandLine : public EngineTest, public ::testing::WithParamInterface<BadWords> {};

TEST_P(CommandLine, IsRefusedInOneLine) {
    const BadWords& row = GetParam();

    const Outcome outcome = mydocker(row.words);

    EXPECT_EQ(outcome.exit_code, row.code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(matches(outcome.err, row.pattern)) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_TRUE(outcome.err.starts_with("mydocker: ")) << outcome.err;
}

// More than a record takes, though no word is longer than the kernel lets it be.
std::vector<std::string> many_labels() {
    std::vector<std::string> flags;
    for (const char key : {'a', 'b', 'c', 'd', 'e'})
        flags.insert(flags.end(), {"-l", std::string(1, key) + "=" + std::string(120'000, 'x')});
    return flags;
}

std::vector<std::string> run_with(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"run", "--rm"});
    flags.insert(flags.end(), {"busybox", "true"});
    return flags;
}

const std::vector<BadWords> kWords{
    {"UnknownFlag", run_with({"--naem", "x"}), 125, "unknown flag --naem; did you mean --name\\?"},
    {"UnknownShort", run_with({"-Z"}), 125, "unknown flag -Z"},
    {"UnknownVerb", {"runn"}, 125, "unknown verb 'runn'; did you mean 'run'\\?"},
    {"UnknownSubVerb", {"plugin", "lss"}, 125, "unknown verb 'plugin lss'; there are: ls, info"},
    {"FlagWithoutValue", {"run", "--name"}, 125, "flag --name needs a value"},
    {"NoImage", {"run", "--rm"}, 125, "run: needs an image name"},
    {"HealthWithoutACheck", run_with({"--health-interval", "10s"}), 125,
     "health: there is no check that these flags could be for; give --health-cmd"},
    {"MemoryZero", run_with({"-m", "0"}), 125, "memory: 0 is below the minimum 512k"},
    {"MemoryNegative", run_with({"-m", "-1"}), 125, "memory: '-1' is no size"},
    {"MemorySuffix", run_with({"-m", "5x"}), 125, "memory: '5x' is no size; write 512m or 2g"},
    {"MemoryExponent", run_with({"-m", "1e9"}), 125, "memory: '1e9' is no size"},
    {"MemoryHuge", run_with({"-m", "9999999999999g"}), 125, "memory: '?9999999999999g'? is "},
    {"MemoryAboveMachine", run_with({"-m", "4000000g"}), 125, "above the machine's"},
    {"MemoryBlankBefore", run_with({"-m", " 1m"}), 125, "memory: ' 1m' is no size"},
    {"MemoryBlankBehind", run_with({"-m", "1m "}), 125, "memory: '1m ' is no size"},
    {"MemoryTooSmall", run_with({"-m", "4095"}), 125, "memory: 4095 is below the minimum 512k"},
    {"SharesOne", run_with({"-cpushare", "1"}), 125, "cpu shares must be 2…262144, not 1"},
    {"SharesTooMany", run_with({"-cpushare", "262145"}), 125, "cpu shares must be 2…262144, not 262145"},
    {"SharesWord", run_with({"-cpushare", "abc"}), 125, "cpu shares: 'abc' is no whole number"},
    {"CpusetHalf", run_with({"-cpuset", "0-"}), 125, "cpuset"},
    {"CpusetBackwards", run_with({"-cpuset", "7-3"}), 125, "cpuset"},
    {"CpusetAbsent", run_with({"-cpuset", "999"}), 125, "cpuset.*CPU 999 does not exist"},
    {"CpusetComma", run_with({"-cpuset", ","}), 125, "cpuset"},
    {"NameEmpty", run_with({"--name", ""}), 125, "name"},
    {"NameDash", run_with({"--name", "-x"}), 125, "'-x' is no container name: .*letter or digit"},
    {"NameSlash", run_with({"--name", "a/b"}), 125, "'a/b' is no container name: .*letters, digits"},
    {"NameDots", run_with({"--name", ".."}), 125, "'..' is no container name: .*letter or digit"},
    {"NameLong", run_with({"--name", std::string(254, 'n')}), 125, "253"},
    {"NameForeign", run_with({"--name", "\xc3\xa9"}), 125, "is no container name: .*letter or digit"},
    {"NameNewline", run_with({"--name", "a\nb"}), 125, "letters, digits"},
    {"LabelsHuge", run_with(many_labels()), 125, "labels, volumes and health check take .* at most 524288"},
    {"StopSignal", run_with({"--stop-signal", "FOO"}), 125, "stop-signal: 'FOO' is no signal"},
    {"WaitForNobody", {"wait", ""}, 1, "no container ''"},
    {"EnvWithoutName", run_with({"-e", "=x"}), 125, "env: '=x' has no name"},
    {"EnvFileMissing", run_with({"--env-file", "/nope.env"}), 125, "env-file: .*'/nope.env'.*No such file"},
    {"EnvFileBinary", run_with({"--env-file", "/bin/busybox"}), 125, "env-file.*/bin/busybox"},
    {"EnvFileHuge", run_with({"--env-file", "/dev/zero"}), 125, "'/dev/zero' is larger than 1048576 bytes"},
    {"EnvFileDirectory", run_with({"--env-file", "/etc"}), 125, "env-file: .*'/etc'"},
    {"VolumeTooManyParts", run_with({"-v", "a:b:c:d"}), 125,
     "volume: 'a:b:c:d': it has more parts than SOURCE:TARGET:OPTIONS"},
    {"VolumeRelativeTarget", run_with({"-v", "/tmp:b"}), 125, "the target 'b' is not an absolute path"},
    {"VolumeBothAccesses", run_with({"-v", "/tmp:/b:ro,rw"}), 125, "'ro' and 'rw' contradict each other"},
    {"VolumeOnRoot", run_with({"-v", "/tmp:/"}), 125, "the target cannot be '/'"},
    {"VolumeLeavesRoot", run_with({"-v", "/tmp:/../b"}), 125, "the target '/../b' leaves the root"},
    {"VolumeOverProc", run_with({"-v", "/tmp:/proc"}), 125, "refusing to mount over /proc"},
    {"VolumeBelowProc", run_with({"-v", "/tmp:/proc/sys"}), 125,
     "refusing to mount over '/proc/sys' in /proc"},
    {"VolumeTwice", run_with({"-v", "/tmp:/b", "--tmpfs", "/b/"}), 125, "the target '/b' is given twice"},
    {"VolumeName", run_with({"-v", "a/b:/c"}), 125, "'a/b' is no volume name"},
    {"MountMissingSource", run_with({"--mount", "type=bind,source=/nope,target=/b"}), 125,
     "'/nope' does not exist"},
    {"MountUnknownKey", run_with({"--mount", "type=bind,sauce=/a,target=/b"}), 125, "unknown key 'sauce'"},
    {"TmpfsUnknownOption", run_with({"--tmpfs", "/b:bind"}), 125, "tmpfs: '/b:bind': unknown option 'bind'"},
    {"TmpfsOverProc", run_with({"--tmpfs", "/proc"}), 125, "refusing to mount over /proc"},
    {"CapabilityUnknown", run_with({"--cap-add", "FLY"}), 125, "cap-add: 'FLY' is no capability"},
    {"SecurityUnknown", run_with({"--security-opt", "label=x"}), 125,
     "security-opt: 'label=x': it is unknown"},
    {"SeccompProfile", run_with({"--security-opt", "seccomp=/p.json"}), 125,
     "security-opt: 'seccomp=/p.json': open '/p.json': No such file or directory"},
    {"SeccompDirectory", run_with({"--security-opt", "seccomp=/etc"}), 125,
     "security-opt: 'seccomp=/etc': read '/etc': Is a directory"},
    {"SeccompNoJson", run_with({"--security-opt", "seccomp=/etc/passwd"}), 125,
     "seccomp profile '/etc/passwd': JSON damaged at byte 1"},
    {"SeccompEmpty", run_with({"--security-opt", "seccomp="}), 125,
     "security-opt: 'seccomp=': it names no file"},
    {"UlimitUnknown", run_with({"--ulimit", "nofiles=1"}), 125, "ulimit: 'nofiles=1'.*RLIMIT_NOFILES"},
    {"UlimitBackwards", run_with({"--ulimit", "nofile=2:1"}), 125,
     "ulimit: 'nofile=2:1'.*above the hard one"},
    {"ShmSize", run_with({"--shm-size", "big"}), 125, "shm-size: 'big' is no size"},
    {"AddHost", run_with({"--add-host", "db"}), 125, "add-host: 'db' is not of the form HOST:ADDRESS"},
    {"Dns", run_with({"--dns", "here"}), 125, "dns: 'here' is no IP address"},
    {"NoSuchVolume", {"volume", "rm", "nobody"}, 1, "volume rm: no volume 'nobody'"},
    {"VolumeNameBad", {"volume", "create", "../x"}, 125, "'../x' is no volume name"},
    {"VolumeDriver", {"volume", "create", "-d", "nfs", "x"}, 125, "driver 'nfs' is unknown; there is: local"},
    {"TerminalWithoutOne", run_with({"-t"}), 125, "-t needs a terminal on standard input; use -i alone"},
    {"NetworkUnknown", run_with({"--network", "moon"}), 125,
     "network: 'moon' is unknown; there are: none, host, container:NAME"},
    {"NetworkOfNobody", run_with({"--network", "container:nobody"}), 125, "no container 'nobody'"},
    {"WorkdirRelative", run_with({"-w", "tmp"}), 125, "workdir: 'tmp' is not absolute"},
    {"ImageUnknown", {"run", "--rm", "no-such-image"}, 125, "no-such-image"},
    {"ImageUpperCase", {"run", "--rm", "UPPER"}, 125, "'UPPER' is no image name"},
    {"ImageDots", {"run", "--rm", "../x"}, 125, "is no image name"},
    {"ImageDoubleSlash", {"run", "--rm", "a//b"}, 125, "is no image name"},
    {"ImageDigest", {"run", "--rm", "a@sha256:xyz"}, 125, "is no image name"},
    {"NoSuchContainer", {"stop", "nobody"}, 1, "stop: no container 'nobody'"},
    {"NoSuchContainerLogs", {"logs", "nobody"}, 1, "logs: no container 'nobody'"},
    {"NoSuchContainerWait", {"wait", "nobody"}, 1, "wait: no container 'nobody'"},
    {"NoSuchContainerRm", {"rm", "nobody"}, 1, "rm: no container 'nobody'"},
    {"NoSuchContainerStart", {"start", "nobody"}, 1, "start: no container 'nobody'"},
    {"SignalUnknown", {"kill", "-s", "FOO", "nobody"}, 125, "'FOO' is no signal"},
    {"SinceNonsense", {"logs", "--since", "noon", "nobody"}, 125, "since: 'noon' is no time"},
    {"TailNonsense", {"logs", "--tail", "-1x", "nobody"}, 125, "tail: '-1x' is no whole number"},
    {"Init", {"init"}, 1, "init: internal"},
    {"StorageUnknown",
     {"--storage-driver", "zfsx", "run", "--rm", "busybox", "true"},
     125,
     "'zfsx' not found.*there are: aufs, btrfs, fuse-overlayfs, overlayfs, vfs"},
    {"CgroupUnknown",
     {"--cgroup-driver", "v9", "run", "--rm", "busybox", "true"},
     125,
     "'v9' not found.*there are: v1, v2"},
    {"LogUnknown",
     {"--log-driver", "tape", "run", "--rm", "busybox", "true"},
     125,
     "'tape' not found.*there are: journald, json-file, none, syslog, text-file"},
    {"ConfigMissing",
     {"--config", "/nope.toml", "run", "--rm", "busybox", "true"},
     125,
     "config /nope.toml: .*No such file"},
    {"ImportNothing", {"import", "/nope.tar", "x"}, 1, "/nope.tar"},
    {"ImportBadName", {"import", "/nope.tar", "X"}, 125, "'X' is no image name"},
    {"LoadNothing", {"load", "/nope.tar"}, 1, "/nope.tar"},
};

INSTANTIATE_TEST_SUITE_P(BadInput, CommandLine, ::testing::ValuesIn(kWords),
                         [](const auto& each) { return each.param.name; });

// --- the container's command ------------------------------------------------------------------------

struct BadCommand {
    std::string name;
    std::string prepare; // a shell line in the container that makes the file
    std::vector<std::string> command;
    int code;
    std::string pattern;
};

std::ostream& operator<<(std::ostream& out, const BadCommand& row) {
    return out << row.name;
}

class ContainerCommand : public EngineTest, public ::testing::WithParamInterface<BadCommand> {};

// The file is made by a first run of a container, the second start of the same writable layer meets it:
// the command is the same, so the first run makes it through /bin/sh under another name.
TEST_P(ContainerCommand, IsRefusedWithItsCause) {
    const BadCommand& row = GetParam();
    const TempDir rootfs;
    ASSERT_EQ(test::run({"sh", "-c",
                         "mkdir -p " + rootfs.path() + "/bin && cp /bin/busybox " + rootfs.path() +
                             "/bin/busybox && cd " + rootfs.path() + " && { ln -s busybox bin/sh; " +
                             (row.prepare.empty() ? ":" : row.prepare) +
                             "; } && tar -cf image.tar --exclude=image.tar ."})
                  .exit_code,
              0);
    const std::string image = "g-" + std::to_string(::getpid());
    ASSERT_EQ(mydocker({"import", rootfs / "image.tar", image}).exit_code, 0);
    std::vector<std::string> words{"run", "--rm", image};
    words.insert(words.end(), row.command.begin(), row.command.end());

    const Outcome outcome = mydocker(words);

    EXPECT_EQ(outcome.exit_code, row.code) << outcome.err;
    EXPECT_TRUE(matches(outcome.err, row.pattern)) << outcome.err;
    EXPECT_EQ(outcome.out, "");

    // The same by the other two ways to a command; what is kept says it, too.
    words = {"create", "--name", "g", image};
    words.insert(words.end(), row.command.begin(), row.command.end());
    ASSERT_EQ(mydocker(words).exit_code, 0);
    const Outcome started = mydocker({"start", "-a", "g"});
    EXPECT_EQ(started.exit_code, row.code) << started.err;
    EXPECT_TRUE(matches(started.err, row.pattern)) << started.err;
    const std::string code = std::to_string(row.code) + "\n";
    EXPECT_EQ(mydocker({"wait", "g"}).out, code);
    EXPECT_EQ(mydocker({"inspect", "-f", "{{.State.ExitCode}}", "g"}).out, code);
    EXPECT_TRUE(matches(mydocker({"inspect", "-f", "{{.State.Error}}", "g"}).out, row.pattern));
    EXPECT_EQ(mydocker({"rm", "g"}).exit_code, 0);

    ASSERT_EQ(mydocker({"run", "-d", "--name", "g", image, "/bin/busybox", "sleep", "1000"}).exit_code, 0);
    words = {"exec", "g"};
    words.insert(words.end(), row.command.begin(), row.command.end());
    const Outcome executed = mydocker(words);
    EXPECT_EQ(executed.exit_code, row.code) << executed.err;
    EXPECT_TRUE(matches(executed.err, row.pattern)) << executed.err;
    EXPECT_EQ(mydocker({"rm", "-f", "g"}).exit_code, 0);
    EXPECT_EQ(mydocker({"rmi", image}).exit_code, 0);
}

const std::vector<BadCommand> kCommands{
    {"NotInPath", "", {"foo"}, 127, "foo.*not found.*PATH"},
    {"NoSuchFile", "", {"/no/such"}, 127, "/no/such"},
    {"Directory", "mkdir x", {"/x"}, 126, "/x.*directory"},
    {"NotExecutable", "echo 'echo hi' >x; chmod 644 x", {"/x"}, 126, "/x.*not executable.*0?644"},
    {"InterpreterMissing", "printf '#!/bin/bash\\n' >x; chmod 755 x", {"/x"}, 127, "/bin/bash"},
    {"InterpreterIsDirectory", "printf '#!/bin\\n' >x; chmod 755 x", {"/x"}, 126, "/bin"},
    {"WindowsLineEnds", "printf '#!/bin/bash\\r\\n' >x; chmod 755 x", {"/x"}, 126, "Windows line ends"},
    {"NoInterpreterLine", "echo 'echo hi' >x; chmod 755 x", {"/x"}, 126, "not a program"},
    {"TruncatedElf", "head -c 100 bin/busybox >x; chmod 755 x", {"/x"}, 126, "/x"},
    {"GarbageElf", "{ printf '\\177ELF'; tail -c 5000 bin/busybox; } >x; chmod 755 x", {"/x"}, 126, "/x"},
    {"ElfWhoseTableIsFarBehindItsEnd",
     "{ head -c 32 bin/busybox; printf '\\377\\377\\377\\377\\377\\377\\377\\177'; tail -c +41 bin/busybox; "
     "} >x; "
     "chmod 755 x",
     {"/x"},
     126,
     "/x"},
    {"OtherMachine",
     "{ printf '\\177ELF\\002\\001\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\002\\000\\267\\000'; "
     "tail -c +21 bin/busybox; } >x; chmod 755 x",
     {"/x"},
     126,
     "arm64|aarch64"},
    {"LoaderMissing", "cp /usr/bin/env x; chmod 755 x", {"/x"}, 127, "loader '/lib64/ld-linux-x86-64.so.2'"},
};

INSTANTIATE_TEST_SUITE_P(BadInput, ContainerCommand, ::testing::ValuesIn(kCommands),
                         [](const auto& each) { return each.param.name; });

class Surroundings : public EngineTest {};

TEST_F(Surroundings, UserUnknown) {
    const Outcome outcome = mydocker({"run", "--rm", "-u", "nobody-here", "busybox", "true"});

    EXPECT_EQ(outcome.exit_code, 126);
    EXPECT_NE(outcome.err.find("nobody-here"), std::string::npos) << outcome.err;
}

TEST_F(Surroundings, WorkingDirectoryIsAFile) {
    const Outcome outcome = mydocker({"run", "--rm", "-w", "/etc/passwd", "busybox", "true"});

    EXPECT_EQ(outcome.exit_code, 126);
    EXPECT_NE(outcome.err.find("/etc/passwd"), std::string::npos) << outcome.err;
}

TEST_F(Surroundings, WorkingDirectoryIsNoWayOut) {
    for (int fd = 3; fd < 20; ++fd) {
        const Outcome outcome =
            mydocker({"run", "--rm", "-w", "/proc/self/fd/" + std::to_string(fd), "busybox", "pwd"});
        EXPECT_NE(outcome.exit_code, 0) << fd << outcome.out;
    }
}

// Each is short enough for execve(2), all of them are not: 2 MiB is what a stack of 8 MiB allows.
TEST_F(Surroundings, TooManyArguments) {
    const TempDir files;
    std::string variables;
    for (int i = 0; i < 9; ++i)
        variables += "V" + std::to_string(i) + "=" + std::string(110'000, 'x') + "\n";
    write_text(files / "variables", variables);
    std::vector<std::string> words{"run", "--rm", "--env-file", files / "variables", "busybox", "true"};
    words.resize(words.size() + 15, std::string(120'000, 'x'));

    const Outcome outcome = mydocker(words);

    EXPECT_EQ(outcome.exit_code, 126);
    EXPECT_TRUE(matches(outcome.err, "^mydocker: run: .*[Aa]rgument list too long.*\n$"))
        << outcome.err.substr(0, 1000);
}

TEST_F(Surroundings, ACommandWithoutAName) {
    const Outcome outcome = mydocker({"run", "--rm", "busybox", ""});

    EXPECT_EQ(outcome.exit_code, 127);
    EXPECT_NE(outcome.err.find("name is empty"), std::string::npos) << outcome.err;
}

// D45: 512 KiB is the least, and too little for most.
TEST_F(Surroundings, ALimitOfMemoryThatIsAllowedButHardlyMeant) {
    remove_at_end("little");
    const Outcome least = mydocker({"create", "--name", "little", "-m", "524288", "busybox", "true"});
    const Outcome less = mydocker({"create", "-m", "524287", "busybox", "true"});

    EXPECT_EQ(least.exit_code, 0);
    EXPECT_TRUE(matches(least.err, "memory: a limit of 512 KiB, below 6 MiB, is too little")) << least.err;
    EXPECT_EQ(less.exit_code, 125);
    EXPECT_TRUE(matches(less.err, "memory: 524287 is below the minimum 512k")) << less.err;
    EXPECT_TRUE(matches(mydocker({"update", "-m", "1m", "little"}).err, "below 6 MiB"));
    EXPECT_EQ(mydocker({"update", "-m", "6m", "little"}).err, "");
}

TEST_F(Surroundings, ClosedStandardDescriptors) {
    const Outcome outcome =
        test::run({"sh", "-c", line({"run", "--rm", "busybox", "true"}) + "<&- >&- 2>&-; echo $?"});

    EXPECT_EQ(outcome.out, "0\n");
}

TEST_F(Surroundings, OddMaskAndSignalsAndDirectory) {
    const Outcome outcome = test::run(
        {"bash", "-c",
         "trap '' CHLD TERM HUP; umask 777; d=$(mktemp -d); chmod 700 $d; cd $d; rmdir $d; unset HOME; "
         "TZ=Moon/Base LC_ALL=xx " +
             line({"run", "--rm", "busybox", "sh", "-c",
                   "umask; sleep 5 & kill -TERM $!; wait $!; echo $?"})});

    EXPECT_EQ(outcome.out, "0022\n143\n") << outcome.err; // Signals are at their defaults inside.
}

TEST_F(Surroundings, InheritedDescriptorsStayOutside) {
    const Outcome outcome =
        test::run({"bash", "-c",
                   "for i in $(seq 10 60); do eval \"exec $i</etc/passwd\"; done; " +
                       line({"run", "--rm", "busybox", "sh", "-c", "ls /proc/self/fd | wc -l"})});

    EXPECT_EQ(outcome.out, "4\n") << outcome.err; // 0, 1, 2 and the directory that ls reads.
}

TEST_F(Surroundings, NotRoot) {
    const Outcome outcome =
        test::run({"setpriv", "--reuid", "65534", "--clear-groups", stage() + "/bin/mydocker", "--root",
                   "/nonexistent/x", "run", "busybox", "true"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("root"), std::string::npos) << outcome.err;
}

TEST_F(Surroundings, ReadOnlyRoot) {
    const TempDir directory;
    const Outcome outcome =
        test::run({"unshare", "-m", "sh", "-c",
                   "mount -t tmpfs -o ro t " + directory.path() + " && " + stage() + "/bin/mydocker --root " +
                       directory.path() + "/r --run-root " + (directory / "s") + " run --rm busybox true"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("Read-only file system (EROFS)"), std::string::npos) << outcome.err;
}

} // namespace
} // namespace mydocker::test
