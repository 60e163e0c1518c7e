// Defects of the teaching program that no other test would find: each test names its row, "D17". Not here:
// the rows that tests of their subject cover.
#include "support/image_fixture.hpp"
#include "support/record_file.hpp"
#include "support/tar_writer.hpp"
#include "support/terminal.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <sstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

class SeedDefect : public ImageTest {
  protected:
    // Starts a container that sleeps; its id.
    std::string sleeper(const std::string& name, const std::vector<std::string>& flags = {}) {
        remove_container_at_end(name);
        return start_detached(name, flags, {"sleep", "1000"});
    }
    // The archive of a root filesystem of a static busybox, without a shell's name, and one file.
    static void write_root(const std::string& path, const std::string& version) {
        TarMaker tar;
        tar.directory("bin").file("bin/busybox", content_of("/bin/busybox"), 0755).file("version", version);
        write_text(path, tar.finish());
    }
    std::string shown(const std::string& name, const std::string& format) {
        return mydocker({"inspect", "-f", format, name}).out;
    }
};

// A command line, for a shell, with roots of its own.
std::string seed_engine(const std::string& place) {
    return stage() + "/bin/mydocker --root " + place + "/root --run-root " + place + "/run ";
}

std::set<std::string> seed_lines(const std::string& text) {
    std::set<std::string> lines;
    std::istringstream all(text);
    for (std::string line; std::getline(all, line);)
        lines.insert(line);
    return lines;
}

// D2: it was shown with its words run together.
TEST_F(SeedDefect, D2PsShowsTheWordsOfACommandApart) {
    remove_container_at_end("words");
    ASSERT_EQ(mydocker({"create", "--name", "words", "busybox", "echo", "a b", "it's", "c"}).exit_code, 0);

    EXPECT_EQ(mydocker({"ps", "-a", "--no-trunc", "--format", "{{.Command}}"}).out,
              "echo 'a b' 'it'\\''s' c\n");
}

// D7, D9: two variables had any run of the program enter a process and run a command there; and the whole
// environment went into the container.
TEST_F(SeedDefect, D7D9TheCallersEnvironmentDoesNothingAndGoesNowhere) {
    sleeper("entered", {"--hostname", "box"});
    const std::string canary = "/tmp/seed-canary-" + std::to_string(::getpid());
    const std::set<std::string> want{"HOME=/root", "HOSTNAME=box",
                                     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};

    for (const std::string& pid : {std::string("1"), member(mydocker({"inspect", "entered"}).out, "Pid")}) {
        const std::vector<std::string> triggers{"mydocker_pid=" + pid, "mydocker_cmd=touch " + canary,
                                                "SECRET=1"};
        EXPECT_EQ(mydocker_with(triggers, {"ps"}).exit_code, 0);
        EXPECT_EQ(seed_lines(mydocker_with(triggers, {"exec", "entered", "env"}).out), want);
        EXPECT_EQ(
            seed_lines(mydocker_with(triggers, {"run", "--rm", "--hostname", "box", "busybox", "env"}).out),
            want);
    }

    EXPECT_FALSE(fs::exists(canary));
    EXPECT_FALSE(fs::exists(root_of("entered") + canary));
}

struct SeedImageCase {
    const char* title;
    std::vector<std::string> changes; // of the image's configuration, as flags of commit
    std::vector<std::string> words;   // behind "run --rm", the image among them
    std::string want;
    int code = 0;
};

const std::vector<SeedImageCase> kSeedImages{
    {"env", {"-c", "ENV A=1 B='x y'"}, {"img", "sh", "-c", "echo $A-$B"}, "1-x y\n"},
    {"env, replaced", {"-c", "ENV A=1"}, {"-e", "A=2", "img", "sh", "-c", "echo $A"}, "2\n"},
    {"path without it", {"-c", "ENV PATH=/nowhere"}, {"img", "sh"}, "", 127},
    {"cmd", {"-c", "CMD [\"echo\",\"a b\"]"}, {"img"}, "a b\n"},
    {"cmd, replaced", {"-c", "CMD [\"echo\",\"a b\"]"}, {"img", "echo", "c"}, "c\n"},
    {"cmd for a shell", {"-c", "CMD echo $HOME"}, {"img"}, "/root\n"},
    {"entrypoint", {"-c", "ENTRYPOINT [\"echo\",\"e\"]"}, {"img"}, "e\n"},
    {"both", {"-c", "ENTRYPOINT [\"echo\",\"e\"]", "-c", "CMD [\"c d\"]"}, {"img"}, "e c d\n"},
    {"all", {"-c", "ENTRYPOINT [\"echo\",\"e\"]", "-c", "CMD [\"c\"]"}, {"img", "w"}, "e w\n"},
    {"user", {"-c", "USER nobody"}, {"img", "id", "-un"}, "nobody\n"},
    {"numbers", {"-c", "USER 1000:1001"}, {"img", "sh", "-c", "id -u; id -g"}, "1000\n1001\n"},
    {"directory", {"-c", "WORKDIR /srv/app"}, {"img", "pwd"}, "/srv/app\n"},
    {"directory, replaced", {"-c", "WORKDIR /srv/app"}, {"-w", "/tmp", "img", "pwd"}, "/tmp\n"},
};

// D11: images had no configuration, and commands were looked for along the host's PATH.
TEST_F(SeedDefect, D11AnImagesConfigurationCounts) {
    remove_container_at_end("base");
    remove_image_at_end("img");
    ASSERT_EQ(mydocker({"create", "--name", "base", "busybox"}).exit_code, 0);
    for (const SeedImageCase& each : kSeedImages) {
        std::vector<std::string> commit{"commit"};
        std::ranges::copy(each.changes, std::back_inserter(commit));
        commit.insert(commit.end(), {"base", "img"});
        ASSERT_EQ(mydocker(commit).exit_code, 0) << each.title;
        std::vector<std::string> words{"run", "--rm"};
        std::ranges::copy(each.words, std::back_inserter(words));

        const Outcome outcome = mydocker(words);

        EXPECT_EQ(outcome.out, each.want) << each.title << ": " << outcome.err;
        EXPECT_EQ(outcome.exit_code, each.code) << each.title;
        EXPECT_EQ(mydocker({"rmi", "img"}).exit_code, 0) << each.title;
    }
}

dev_t seed_device(const std::string& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_dev;
}

// D13: the container had the descriptors of the caller's terminal, and could type into it.
TEST_F(SeedDefect, D13TheCallersTerminalIsNotInTheContainer) {
    remove_container_at_end("typist");
    Terminal terminal(command({"run", "--rm", "-ti", "--name", "typist", "busybox", "sh"}));
    ASSERT_TRUE(terminal.expect("# ")) << terminal.output();
    const std::string first = "/proc/" + member(mydocker({"inspect", "typist"}).out, "Pid");

    const dev_t callers = seed_device("/proc/" + std::to_string(terminal.pid()) + "/fd/0");

    for (const char* fd : {"/fd/0", "/fd/1", "/fd/2"})
        EXPECT_NE(seed_device(first + fd), callers) << fd;
}

// D15: nobody reaped what others left.
TEST_F(SeedDefect, D15AThousandOrphansLeaveNoZombie) {
    const std::string script =
        "i=0; while [ $i -lt " + std::to_string(repeats(1000)) +
        " ]; do (true & ); i=$((i+1)); done; n=0; while z=$(cat /proc/[0-9]*/status 2>/dev/null | "
        "grep -c '^State:.Z'); [ $z -gt 0 ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done; echo $z left; "
        "grep -o 'VmRSS.*[0-9]' /proc/1/status | tr -d 'VmRSS: \t'";

    const Outcome outcome = mydocker({"run", "--rm", "--init", "busybox", "sh", "-c", script});

    ASSERT_TRUE(outcome.out.starts_with("0 left\n")) << outcome.out << outcome.err;
    const int limit = is_sanitized() ? 600 : 300; // That is a debug build.
    EXPECT_LT(std::stoi(outcome.out.substr(7)), limit) << "KiB";
}

// D17: the program's own log lines were in the container's log.
TEST_F(SeedDefect, D17NothingOfTheEnginesIsInTheLog) {
    remove_container_at_end("quiet");
    const Outcome made =
        mydocker({"--log-level", "debug", "run", "-d", "--name", "quiet", "busybox", "echo", "hi"});
    ASSERT_EQ(mydocker({"wait", "quiet"}).out, "0\n") << made.err;

    const Outcome logs = mydocker({"logs", "quiet"});

    EXPECT_EQ(logs.out + logs.err, "hi\n");
    EXPECT_EQ(made.out.size(), 65U) << made.out;
}

// D25: nothing of /proc was masked: the container's root could write core_pattern and sysrq-trigger. Files
// are opened for appending, and nothing is written: should one be open, the host is none the worse.
TEST_F(SeedDefect, D25NothingMaskedHoldsAnythingAndNothingReadOnlyCanBeWritten) {
    sleeper("masked");
    const std::string masked = shown("masked", "{{range .HostConfig.MaskedPaths}}{{.}} {{end}}");
    const std::string read_only = shown("masked", "{{range .HostConfig.ReadonlyPaths}}{{.}} {{end}}");
    const std::string script =
        "set -f; for m in " + masked.substr(0, masked.find('\n')) +
        "; do set +f; for p in $m; do [ -e $p ] || continue; "
        "if [ -d $p ]; then n=$(ls -A $p | wc -l); else n=$(head -c 1 $p | wc -c); fi; "
        "[ $n = 0 ] || echo $p holds something; done; set -f; done; "
        "for p in " +
        read_only.substr(0, read_only.find('\n')) +
        "; do [ -e $p ] && find $p -type f; done | while read f; do (: >> $f) 2>/dev/null && echo $f is "
        "open; "
        "done; echo seen $(find " +
        read_only.substr(0, read_only.find('\n')) + " -type f 2>/dev/null | wc -l)";

    const Outcome outcome = mydocker({"exec", "masked", "sh", "-c", script});

    ASSERT_TRUE(outcome.out.starts_with("seen ")) << outcome.out << outcome.err;
    EXPECT_GT(std::stoi(outcome.out.substr(5)), 100) << "sysctls";
    EXPECT_TRUE(masked.contains("/proc/kcore ") && read_only.contains("/proc/sysrq-trigger ")) << masked;
}

// D23: /dev was an empty tmpfs.
TEST_F(SeedDefect, D23DevIsComplete) {
    const Outcome outcome = shell(
        {}, "cd /dev; ls | tr '\\n' ' '; echo; stat -c '%n %t:%T %a' null zero full random urandom tty; "
            "for i in fd stdin stdout stderr ptmx; do readlink $i; done; exec 3<>ptmx; "
            "stat -c '%g %a' pts/0; touch mqueue/q shm/sem.s && ls mqueue shm; "
            "df -k shm | awk 'NR == 2 { print $2 }'; echo > null && head -c 3 zero | wc -c; "
            "echo x 2> null > full || echo is full");

    EXPECT_EQ(outcome.out,
              "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero \n"
              "null 1:3 666\nzero 1:5 666\nfull 1:7 666\nrandom 1:8 666\nurandom 1:9 666\ntty 5:0 666\n"
              "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n"
              "5 620\nmqueue:\nq\n\nshm:\nsem.s\n65536\n3\nis full\n")
        << outcome.err;
}

// D24: no /sys, no cgroups; and what is there is as closed as it can be.
TEST_F(SeedDefect, D24TheMountsAreTheseAndNoOthers) {
    const Outcome outcome = shell(
        {},
        "awk '$5 == \"/\" || $5 ~ \"^/etc/\" { print $5; next } $5 !~ \"^/(proc|sys)/\" { type = $0; "
        "sub(/.* - /, \"\", type); sub(/ .*/, \"\", type); sub(/,relatime/, \"\", $6); "
        "print $5, type, $6 }' /proc/self/mountinfo | sort; "
        "awk '$5 ~ \"^/sys/fs/cgroup\" { all++; if ($6 !~ /^ro,/) open++ } "
        "END { print (all > 0), open + 0 }' /proc/self/mountinfo; cut -d: -f3 /proc/self/cgroup | sort -u");

    EXPECT_EQ(outcome.out, "/\n/dev tmpfs rw,nosuid\n/dev/mqueue mqueue rw,nosuid,nodev,noexec\n"
                           "/dev/pts devpts rw,nosuid,noexec\n/dev/shm tmpfs rw,nosuid,nodev,noexec\n"
                           "/etc/hostname\n/etc/hosts\n/etc/resolv.conf\n"
                           "/proc proc rw,nosuid,nodev,noexec\n/sys sysfs ro,nosuid,nodev,noexec\n1 0\n/\n")
        << outcome.err;
}

// D26, D30: mount and tar were whatever PATH led to.
TEST_F(SeedDefect, D26D30NothingOfPathIsRun) {
    const TempDir files;
    fs::create_directory(files / "path");
    for (const char* name :
         {"mount", "umount", "tar", "gzip", "sh", "cp", "rm", "kill", "nsenter", "ip", "ps"}) {
        write_text(files / "path/" + name, "#!/bin/sh\necho \"$0\" >> " + files.path() + "/ran\n");
        fs::permissions(files / "path/" + name, fs::perms(0755));
    }
    write_root(files / "root", "1\n");
    ASSERT_EQ(test::run({"sh", "-c", "cd " + files.path() + " && gzip < root > root.tar"}).exit_code, 0);
    remove_container_at_end("path");
    remove_image_at_end("path");
    remove_image_at_end("path-copy");

    const std::vector<std::vector<std::string>> lines{
        {"import", files / "root.tar", "path"},
        {"run", "-d", "--name", "path", "-v", files.path() + ":/v", "path", "/bin/busybox", "sleep", "1000"},
        {"exec", "path", "/bin/busybox", "true"},
        {"top", "path"},
        {"cp", "path:/version", files / "copy"},
        {"commit", "path", "path-copy"},
        {"rm", "-f", "path"}};
    for (const std::vector<std::string>& words : lines) {
        std::vector<std::string> line{"env", "PATH=" + files / "path"};
        std::ranges::copy(command(words), std::back_inserter(line));
        const Outcome outcome = test::run(line);
        EXPECT_EQ(outcome.exit_code, 0) << words.front() << ": " << outcome.err;
    }

    EXPECT_EQ(content_of(files / "ran"), "");
    EXPECT_EQ(content_of(files / "copy"), "1\n");
}

// D27, D39: places were hard coded, and where no cgroups were found files of the working directory took their
// place. Here everything but two roots is read-only, and they know nothing of each other.
TEST_F(SeedDefect, D27D39TwoRootsAreDisjointAndNothingElseIsWritten) {
    const TempDir place;
    const std::string script =
        "cd " + place.path() +
        " && mount -t tmpfs t . && cd $PWD || exit; while read -r _ at type flags _; do "
        "case $type in proc | sysfs | cgroup* | dev*) continue ;; esac; [ \"$at\" != $PWD ] || continue; "
        "case $flags in rw*) mount -o remount,bind,ro \"$at\" ;; esac; done < /proc/self/mounts 2> "
        "/dev/null; "
        "touch /seed 2> /dev/null && rm /seed && echo writable; a='" +
        seed_engine(place / "a") + "'; b='" + seed_engine(place / "b") +
        "'; for m in \"$a\" \"$b\"; do $m run -d -m 64m --name same busybox "
        "sleep 1000 > /dev/null & done; wait; $a ps --format '{{.Names}}'; $b ps --format '{{.Names}}'; "
        "$a rm -f same; $a ps -aq; $b exec same echo alive; $b rm -f same; ls -A";

    const Outcome outcome = test::run({"unshare", "-m", "sh", "-c", script});

    EXPECT_EQ(outcome.out, "same\nsame\nsame\nalive\nsame\na\nb\n") << outcome.err;
    EXPECT_EQ(outcome.err, "");
}

// D29: first runs met in the directory that one of them was unpacking.
TEST_F(SeedDefect, D29ManyFirstRunsAtOnceAllRun) {
    const TempDir place;

    const Outcome outcome = test::run({"bash", "-c",
                                       "for i in $(seq 20); do " + seed_engine(place.path()) +
                                           "run --rm busybox sh -c 'ls -l /bin | wc -l' & done; wait"});

    EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 20) << outcome.out;
    EXPECT_EQ(seed_lines(outcome.out).size(), 1U) << outcome.out;
    EXPECT_EQ(outcome.err, "");
}

// D29, D62: what had been unpacked under a name was used for ever. D4: exec needed a shell in the image.
TEST_F(SeedDefect, D29D4ANewImageOfANameIsUsedAndNeedsNoShell) {
    const TempDir files;
    remove_image_at_end("named");
    for (const std::string version : {"1\n", "2\n"}) {
        const std::string name = "of-" + version.substr(0, 1);
        remove_container_at_end(name);
        write_root(files / "root.tar", version);
        ASSERT_EQ(mydocker({"import", files / "root.tar", "named"}).exit_code, 0);
        remove_image_at_end(shown("named", "{{.Id}}").substr(0, 71));
        ASSERT_EQ(mydocker({"run", "-d", "--name", name, "named", "/bin/busybox", "sleep", "1000"}).exit_code,
                  0);

        EXPECT_EQ(mydocker({"exec", name, "/bin/busybox", "cat", "/version"}).out, version);
        EXPECT_EQ(mydocker({"exec", name, "/bin/busybox", "echo", "a;id", "$(id)"}).out, "a;id $(id)\n");
        EXPECT_EQ(mydocker({"exec", name, "sh"}).exit_code, 127);
    }
}

// D33, D35: rm went on into what was mounted below the layer, and forgot the container whatever failed.
TEST_F(SeedDefect, D33D35RmStopsAtAMountAndGoesOnLater) {
    const TempDir canary;
    write_text(canary / "bird", "alive");
    remove_container_at_end("held");
    ASSERT_EQ(mydocker({"run", "--name", "held", "busybox", "mkdir", "-p", "/mnt/here"}).exit_code, 0);
    const std::string id = shown("held", "{{.Id}}").substr(0, 64);
    std::string place;
    for (const auto& entry : fs::recursive_directory_iterator(root() + "/storage"))
        if (entry.path().string().ends_with("/mnt/here")) place = entry.path();
    ASSERT_EQ(::mount(canary.path().c_str(), place.c_str(), nullptr, MS_BIND, nullptr), 0) << place;

    const Outcome refused = mydocker({"rm", "held"});
    const bool is_known = fs::exists(RecordFile(root(), id).path());
    const std::string bird = content_of(canary / "bird");
    EXPECT_EQ(::umount2(place.c_str(), MNT_DETACH), 0);

    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_TRUE(refused.err.contains("mnt/here") && refused.err.contains("(EBUSY)")) << refused.err;
    EXPECT_TRUE(is_known);
    EXPECT_EQ(bird, "alive");
    EXPECT_EQ(mydocker({"rm", "-f", "held"}).exit_code, 0);
    EXPECT_FALSE(fs::exists(RecordFile(root(), id).path()));
}

std::string seed_limit(const std::string& id, const std::string& controller, const std::string& file) {
    const std::string tree = missing(Need::cgroup_v1) ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controller;
    return content_of(tree + "/mydocker/" + id + "/" + file);
}

// D38: there was one cgroup for all, and it went with the first of them.
TEST_F(SeedDefect, D38EachContainerHasItsLimitsToItsOwnEnd) {
    for (const auto& [first, second] : {std::pair("64", "96"), std::pair("96", "64")}) {
        const std::string one = sleeper("one", {"--pids-limit", first});
        const std::string other = sleeper("other", {"--pids-limit", second});
        EXPECT_EQ(seed_limit(one, "pids", "pids.max"), std::string(first) + "\n");

        EXPECT_EQ(mydocker({"rm", "-f", "one"}).exit_code, 0);

        EXPECT_EQ(seed_limit(other, "pids", "pids.max"), std::string(second) + "\n");
        EXPECT_EQ(mydocker({"exec", "other", "true"}).exit_code, 0);
        EXPECT_EQ(mydocker({"rm", "-f", "other"}).exit_code, 0);
    }
}

// D45: memory was limited, swap was not; and nobody knew why it had ended.
TEST_F(SeedDefect, D45MemoryIsLimitedWithItsSwapAndTheKillIsKnown) {
    const std::string id = sleeper("calm", {"-m", "64m"});
    remove_container_at_end("hog");

    const Outcome hog = mydocker(
        {"run", "--name", "hog", "-m", "32m", "busybox", "sh", "-c", "x=a; while :; do x=$x$x; done"});

    EXPECT_EQ(hog.exit_code, 137) << hog.err;
    EXPECT_EQ(shown("hog", "{{.State.OOMKilled}} {{.State.ExitCode}}"), "true 137\n");
    const std::string swap =
        seed_limit(id, "memory", "memory.memsw.limit_in_bytes") + seed_limit(id, "memory", "memory.swap.max");
    EXPECT_TRUE(swap == "67108864\n" || swap == "0\n" || swap.empty()) << swap; // Empty: not accounted here.
}

// What others than root may do in the engine's directories, layers left out; the files that are mounted in
// the container, any user of it may read.
std::string seed_open_places(const std::string& top) {
    std::string found;
    for (fs::recursive_directory_iterator each(top), end; each != end; ++each) {
        const fs::path parent = each->path().parent_path().filename();
        const std::string name = each->path().filename();
        const bool is_shown = name == "hosts" || name == "hostname" || name == "resolv.conf";
        if (each->is_symlink()) continue;
        if (parent == "layers" || parent == "rw") each.disable_recursion_pending();
        const auto others = fs::perms(is_shown ? 0022 : 0077);
        if ((each->symlink_status().permissions() & others) != fs::perms::none)
            found += each->path().string() + "\n";
    }
    return found;
}

// D51: directories were 0622, and the mask of the caller decided.
TEST_F(SeedDefect, D51FilesAreClosedWhateverTheUmask) {
    for (const std::string mask : {"000", "077"}) {
        const TempDir place;
        const std::string line = seed_engine(place.path());

        const Outcome outcome = test::run(
            {"sh", "-c",
             "umask " + mask + "; " + line + "run -d --name box busybox sleep 1000 > /dev/null && " + line +
                 "run --rm -u 1000 --hostname h busybox cat /etc/hostname && " + line + "commit box made"});

        EXPECT_TRUE(outcome.out.starts_with("h\nsha256:")) << mask << outcome.out << outcome.err;
        EXPECT_EQ(seed_open_places(place.path()), "") << mask;
        EXPECT_EQ(test::run({"sh", "-c", line + "rm -f box"}).exit_code, 0);
    }
}

// D55: what had died could be neither stopped nor removed.
TEST_F(SeedDefect, D55WhatIsDeadIsStoppedAndRemoved) {
    for (const bool is_monitor : {false, true}) { // Its process is killed, or that one's parent.
        sleeper("dead");
        const pid_t own = std::stoi(member(mydocker({"inspect", "dead"}).out, "Pid"));
        const pid_t victim = is_monitor ? parent_of(own) : own;
        ASSERT_GT(victim, 1);

        ASSERT_EQ(::kill(victim, SIGKILL), 0);

        EXPECT_EQ(mydocker({"stop", "dead"}).exit_code, 0) << is_monitor;
        EXPECT_EQ(mydocker({"rm", "dead"}).exit_code, 0) << is_monitor;
    }
}

// D59: after a boot there were layers without records.
TEST_F(SeedDefect, D59ABootLeavesRecordsLayersAndLogs) {
    remove_container_at_end("kept");
    ASSERT_EQ(mydocker({"run", "--name", "kept", "busybox", "sh", "-c", "cat /f; echo kept | tee /f"}).out,
              "kept\n");
    const RecordFile record(root(), shown("kept", "{{.Id}}").substr(0, 64));
    record.set_member("pid", "4242");
    record.set_member("boot_id", "\"00000000-0000-4000-8000-000000000000\"");
    record.set_member("state", "\"running\"");
    record.set_member("transition", "\"active\"");
    fs::remove_all(run_root());

    EXPECT_TRUE(mydocker({"ps", "-a"}).out.contains("Exited (137)"));
    EXPECT_EQ(mydocker({"start", "-a", "kept"}).out, "kept\nkept\n");
    EXPECT_EQ(mydocker({"logs", "kept"}).out, "kept\nkept\nkept\n");
}

// D61: a log was read into memory as a whole.
TEST_F(SeedDefect, D61LogsNeedsLittleMemoryForALongLog) {
    if (is_sanitized()) GTEST_SKIP() << "measures memory, which the sanitizer uses too";
    // When so much has been read; the rest is more than a pipe holds, so that it is there still.
    const auto peak_kib = [&](const std::string& name, int lines, int read) {
        remove_container_at_end(name);
        (void)mydocker({"run", "-d", "--name", name, "--log-opt", "max_size=1g", "busybox", "sh", "-c",
                        "yes $1 | head -n " + std::to_string(lines), "x", std::string(1000, 'x')});
        EXPECT_EQ(mydocker({"wait", name}).out, "0\n");
        const std::string script = "exec 3< <(exec " + line({"logs", name}) + "); pid=$!; head -c " +
                                   std::to_string(read) +
                                   " <&3 >/dev/null; awk '/VmHWM/ {print $2}' "
                                   "/proc/$pid/status; cat <&3 >/dev/null";
        return std::atol(test::run({"bash", "-c", script}).out.c_str());
    };

    const long brief = peak_kib("brief", 300, 1);
    const long whole = peak_kib("whole", 16'000, 15'500'000);

    EXPECT_GT(std::min(brief, whole), 0);
    EXPECT_LT(whole - brief, 8 * 1024);
}

// D62: an image of a container had what was in its volumes.
TEST_F(SeedDefect, D62ACommitHasNothingOfTheVolumes) {
    const TempDir host;
    write_text(host / "secret", "of the host");
    remove_container_at_end("source");
    remove_image_at_end("made");
    const Outcome ran = mydocker({"run", "--name", "source", "-v", host.path() + ":/data", "-v",
                                  "seed:/named", "busybox", "cp", "/data/secret", "/named/copy"});

    ASSERT_EQ(mydocker({"commit", "source", "made"}).exit_code, 0) << ran.err;

    EXPECT_EQ(mydocker({"run", "--rm", "made", "find", "/data", "/named"}).out, "/data\n/named\n");
    EXPECT_EQ(mydocker({"rm", "source"}).exit_code, 0);
    EXPECT_EQ(mydocker({"volume", "rm", "seed"}).exit_code, 0);
}

// D63: nothing was locked.
TEST_F(SeedDefect, D63ManyCommandsOnOneContainerLeaveItWhole) {
    remove_container_at_end("busy");
    const std::string id =
        mydocker({"create", "--name", "busy", "busybox", "sleep", "1000"}).out.substr(0, 12);

    const Outcome starts = test::run(
        {"bash", "-c", "for i in $(seq 10); do " + line({"start", "busy"}) + "2>/dev/null & done; wait"});
    EXPECT_NE(starts.out, "");
    EXPECT_EQ(std::ranges::count(test::run({"pgrep", "-fx", "mydocker-monitor " + id}).out, '\n'), 1);

    const Outcome storm =
        test::run({"bash", "-c",
                   "m() { " + line({}) +
                       "\"$@\" busy >/dev/null 2>&1; c=$?; [ $c -lt 126 ] || echo \"$* ended with $c\"; }; "
                       "for verb in start 'stop -t 0' kill 'restart -t 0' pause unpause; do "
                       "(for i in 1 2 3 4 5; do m $verb; done) & done; wait"});
    EXPECT_EQ(storm.out, "");
    EXPECT_EQ(mydocker({"rm", "-f", "busy"}).exit_code, 0);
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

// D66: `init` took its command from descriptor 3, whoever had opened it.
TEST_F(SeedDefect, D66InitByHandRunsNothing) {
    const TempDir files;
    const std::string orders = files / "orders";
    write_text(orders, "touch " + files / "canary");
    for (const char* program : {"/libexec/mydocker/mydocker-init", "/bin/mydocker init"})
        for (const std::string& given : {" 3< " + orders, " 3< " + orders + " 4< " + orders}) {
            const Outcome outcome = test::run({"sh", "-c", stage() + program + given});

            EXPECT_EQ(outcome.exit_code, 1) << program << given;
            EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
            EXPECT_FALSE(fs::exists(files / "canary")) << program << given;
        }
}

} // namespace
} // namespace mydocker::test
