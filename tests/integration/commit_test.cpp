// commit, export, diff: an image of a container is the container's tree, and nothing of it is left when a
// commit is killed.
#include "support/faultline.hpp"
#include "support/image_fixture.hpp"

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <regex>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kChanges = "rm -r /etc/profile /var; mkdir -p -m 0700 /var; echo x > /var/x; "
                                 "rm /bin/vi; mkdir /bin/vi; echo y > /bin/vi/y; rm -r /usr; ln -s bin /usr; "
                                 "echo z >> /etc/passwd; chown 5:6 /etc/group; chmod 1711 /; "
                                 "touch -d @100 /tmp; mv /lib /lib2; ln /etc/shells /shells2; "
                                 "touch -r /etc/hosts /tmp/t; rm -f /tmp/t";

void set_time(const std::string& path, std::int64_t seconds, long nanoseconds) {
    const timespec times[2] = {{0, 0}, {seconds, nanoseconds}};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
}

void set_xattr(const std::string& path, const std::string& key, const std::string& value) {
    EXPECT_EQ(::lsetxattr(path.c_str(), key.c_str(), value.data(), value.size(), 0), 0) << path << " " << key;
}

// Everything that is hard for an archive, in a directory.
void make_odd_things(const std::string& at) {
    fs::create_directories(at + "/dir/deep");
    write_text(at + "/new\nline", "1");
    write_text(at + "/\xff\xfe bytes", "2");
    write_text(at + "/" + std::string(255, 'n'), "3");
    write_text(at + "/dir/one", "linked");
    fs::create_hard_link(at + "/dir/one", at + "/dir/deep/two");
    fs::create_hard_link(at + "/dir/one", at + "/a-third");
    fs::create_symlink(std::string(300, 't') + "\n", at + "/long-link");
    EXPECT_EQ(::lchown((at + "/long-link").c_str(), 3'000'000'000U, 4'000'000'000U), 0);
    EXPECT_EQ(::mkfifo((at + "/fifo").c_str(), 0640), 0);
    EXPECT_EQ(::mknod((at + "/null").c_str(), S_IFCHR | 0604, makedev(1, 3)), 0);
    EXPECT_EQ(::mknod((at + "/disk").c_str(), S_IFBLK | 0600, makedev(259, 1'000'000)), 0);
    write_text(at + "/dir/suid", "4");
    EXPECT_EQ(::chown((at + "/dir/suid").c_str(), 3'000'000'000U, 7), 0);
    EXPECT_EQ(::chmod((at + "/dir/suid").c_str(), 06755), 0);
    set_xattr(at + "/dir/suid", "security.capability",
              std::string("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20)); // cap_net_raw
    EXPECT_EQ(::truncate((at + "/dir/one").c_str(), 20LL << 30), 0); // 20 GiB, nearly all of it a hole
}

// Attributes and times, last: what is made in a directory changes its time.
void dress_odd_things(const std::string& at) {
    set_xattr(at + "/dir", "user.empty", "");
    set_xattr(at + "/dir/one", "user.bytes", std::string("\0\n=\xff", 4));
    set_xattr(at + "/dir/deep", "trusted.mine", "x");
    set_time(at + "/new\nline", -5, 250'000'000);
    set_time(at + "/\xff\xfe bytes", 1LL << 33, 1);
    set_time(at + "/fifo", 0, 999'999'999);
    set_time(at + "/long-link", -1, 0);
    set_time(at + "/dir/deep", 1'234'567'890, 123'456'789);
}

// Without the numbers of names: of a file in a lower layer overlayfs counts those that are hidden, too.
std::vector<std::string> uncounted(std::vector<std::string> tree) {
    const std::regex count(" names [0-9]+");
    for (std::string& line : tree)
        line = std::regex_replace(line, count, "");
    return tree;
}

class Commit : public ImageTest {
  protected:
    // A socket in the container; sockets are left out.
    void make_socket(const std::string& path) {
        const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (fd.get() < 0) FAIL() << "no socket";
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        path.copy(name.sun_path, sizeof name.sun_path - 1);
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0) << path;
    }
    // A hole of 20 GiB is one again.
    static void expect_hole(const std::string& root) {
        struct stat status{};
        ASSERT_EQ(::stat((root + "/odd/dir/one").c_str(), &status), 0);
        EXPECT_EQ(status.st_size, 20LL << 30);
        EXPECT_LT(status.st_blocks * 512, 1 << 20);
    }
    void start_odd(const std::string& name, const std::string& driver) {
        start(name, "busybox", kChanges, driver);
        fs::create_directory(root_of(name) + "/odd");
        make_odd_things(root_of(name) + "/odd");
        dress_odd_things(root_of(name) + "/odd");
        make_socket(root_of(name) + "/odd/socket");
    }
};

class CommitWith : public Commit, public ::testing::WithParamInterface<const char*> {};

TEST_P(CommitWith, ARunOfTheImageShowsTheSameTree) {
    start_odd("odd", GetParam());
    remove_image_at_end("odd");

    const Outcome outcome = mydocker({"commit", "odd", "odd"});

    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(outcome.out.starts_with("sha256:") && outcome.out.size() == 72) << outcome.out;
    start("again", "odd", ":", GetParam());
    expect_hole(root_of("again"));
    EXPECT_EQ(tree_difference(list_tree(root_of("odd")), list_tree(root_of("again"))), "");
    EXPECT_EQ(mydocker({"diff", "again"}).out.find("\nA "), std::string::npos);
}

TEST_P(CommitWith, TheImageIsTheSameForTheOtherDriver) {
    start("one", "busybox", kChanges, GetParam());
    remove_image_at_end("one");
    ASSERT_EQ(mydocker({"commit", "one", "one"}).exit_code, 0);

    start("two", "one", ":", std::string(GetParam()) == "vfs" ? "" : "vfs");

    EXPECT_EQ(tree_difference(uncounted(list_tree(root_of("one"))), uncounted(list_tree(root_of("two")))),
              "");
}

TEST_P(CommitWith, ACommitOfAnImageMadeSoWorksAgain) {
    start("first", "busybox", "mkdir -p /d/keep; echo 1 > /d/keep/1; echo 2 > /d/two", GetParam());
    remove_image_at_end("first");
    ASSERT_EQ(mydocker({"commit", "first", "first"}).exit_code, 0);
    start("second", "first", "rm -r /d; mkdir /d; echo 3 > /d/three", GetParam());
    remove_image_at_end("second");
    ASSERT_EQ(mydocker({"commit", "second", "second"}).exit_code, 0);

    start("third", "second", ":", GetParam());

    EXPECT_EQ(tree_difference(list_tree(root_of("second")), list_tree(root_of("third"))), "");
}

TEST_P(CommitWith, AnExportIsTheSameTreeAfterImport) {
    const TempDir work;
    start_odd("flat", GetParam());
    remove_image_at_end("flat");

    ASSERT_EQ(mydocker({"export", "-o", work / "flat.tar", "flat"}).exit_code, 0);
    ASSERT_EQ(mydocker({"import", work / "flat.tar", "flat"}).exit_code, 0);

    start("again", "flat", ":", GetParam());
    expect_hole(root_of("again"));
    EXPECT_EQ(tree_difference(list_tree(root_of("flat")), list_tree(root_of("again"))), "");
}

TEST_P(CommitWith, DiffTellsLikeDocker) {
    remove_container_at_end("told");
    const std::vector<std::string> driver{"--storage-driver", GetParam()};
    std::vector<std::string> words = std::string(GetParam()).empty() ? std::vector<std::string>{} : driver;
    for (const char* word : {"run", "--name", "told", "busybox", "sh", "-c",
                             "mkdir -p /new/dir; echo > '/new/a\nb'; rm /etc/profile; chmod 700 /home"})
        words.emplace_back(word);
    ASSERT_EQ(mydocker(words).exit_code, 0);

    EXPECT_EQ(mydocker({"diff", "told"}).out,
              "C /etc\nD /etc/profile\nC /home\nA /new\nA /new/a\\nb\nA /new/dir\n");
}

INSTANTIATE_TEST_SUITE_P(Drivers, CommitWith, ::testing::Values("", "vfs"),
                         [](const auto& row) { return std::string(row.param).empty() ? "selected" : "vfs"; });

TEST_F(Commit, OfAStoppedContainerMountsAndLeavesNothing) {
    remove_container_at_end("still");
    remove_image_at_end("still");
    ASSERT_EQ(mydocker({"run", "--name", "still", "busybox", "sh", "-c", "echo kept > /kept"}).exit_code, 0);

    ASSERT_EQ(mydocker({"commit", "still", "still:1"}).exit_code, 0);

    EXPECT_EQ(mydocker({"run", "--rm", "still:1", "cat", "/kept"}).out, "kept\n");
    EXPECT_EQ(mydocker({"rmi", "still:1"}).exit_code, 0);
}

TEST_F(Commit, GivesTheImageTheContainersConfigurationAndTheChanges) {
    remove_container_at_end("conf");
    remove_image_at_end("conf");
    ASSERT_EQ(mydocker({"run", "-e", "A=1", "-w", "/tmp", "-l", "l=2", "--name", "conf", "busybox", "sh",
                        "-c", "echo $A$B in $PWD"})
                  .out,
              "1 in /tmp\n");

    ASSERT_EQ(mydocker({"commit", "-a", "me", "-m", "why", "-c", "ENV B=3", "--pause=false", "conf", "conf"})
                  .exit_code,
              0);

    EXPECT_EQ(mydocker({"run", "--rm", "conf"}).out, "13 in /tmp\n");
    const Outcome config =
        test::run({"sh", "-c", "grep -l '\"author\":\"me\"' " + root() + "/content/blobs/sha256/*"});
    EXPECT_NE(config.out, "");
    EXPECT_EQ(
        test::run({"grep", "-c", "\"comment\":\"why\"", config.out.substr(0, config.out.find('\n'))}).out,
        "1\n");
}

TEST_F(Commit, GivesLabelsToTheContainersOfTheImage) {
    for (const char* name : {"first", "second"})
        remove_container_at_end(name);
    remove_image_at_end("labelled");
    ASSERT_EQ(mydocker({"create", "--name", "first", "busybox", "true"}).exit_code, 0);
    ASSERT_EQ(mydocker({"commit", "-c", "LABEL a=image b=image", "first", "labelled"}).exit_code, 0);

    ASSERT_EQ(
        mydocker({"run", "-d", "--name", "second", "-l", "b=mine", "labelled", "sleep", "1000"}).exit_code,
        0);

    EXPECT_EQ(mydocker({"ps", "-f", "label=a=image", "--format", "{{.Labels}}"}).out, "a=image,b=mine\n");
}

TEST_F(Commit, KeepsTheEntrypointAndTheHealthCheckThatWereGiven) {
    remove_container_at_end("told");
    remove_image_at_end("told-image:1");
    remove_image_at_end("told-image:2");
    ASSERT_EQ(mydocker({"create", "--name", "told", "--entrypoint", "echo", "--health-cmd", "true",
                        "--health-retries", "7", "busybox", "a"})
                  .exit_code,
              0);
    ASSERT_EQ(mydocker({"commit", "told", "told-image:1"}).exit_code, 0);
    const auto test_of = [&](const std::string& image) {
        return mydocker({"image", "inspect", "-f",
                         "{{json .Config.Healthcheck.Test}} {{.Config.Healthcheck.Retries}}", image})
            .out;
    };

    EXPECT_EQ(mydocker({"run", "--rm", "told-image:1"}).out, "a\n");
    EXPECT_EQ(mydocker({"run", "--rm", "told-image:1", "b"}).out, "b\n");
    EXPECT_EQ(test_of("told-image:1"), "[\"CMD-SHELL\",\"true\"] 7\n");
    const std::string change = "HEALTHCHECK --retries=2 CMD [\"ls\", \"/\"]";
    ASSERT_EQ(mydocker({"commit", "-c", change, "told", "told-image:2"}).exit_code, 0);
    EXPECT_EQ(test_of("told-image:2"), "[\"CMD\",\"ls\",\"/\"] 2\n");
}

TEST_F(Commit, LeavesTheLayersBelowAsTheyAre) {
    remove_container_at_end("below");
    remove_image_at_end("below");
    ASSERT_EQ(mydocker({"run", "--name", "below", "busybox", "touch", "/x"}).exit_code, 0);
    const Outcome before = test::run({"ls", root() + "/content/blobs/sha256"});
    ASSERT_EQ(mydocker({"commit", "below", "below"}).exit_code, 0);
    const Outcome after = test::run({"ls", root() + "/content/blobs/sha256"});

    for (std::size_t at = 0; at < before.out.size(); at += 65)
        EXPECT_NE(after.out.find(before.out.substr(at, 64)), std::string::npos);
    EXPECT_EQ(after.out.size(), before.out.size() + std::size_t{3} * 65); // layer, config, manifest
}

TEST_F(Commit, AFileNamedLikeAWhiteoutIsRefused) {
    remove_container_at_end("wh");
    ASSERT_EQ(mydocker({"run", "--name", "wh", "busybox", "touch", "/tmp/.wh.x"}).exit_code, 0);

    const Outcome outcome = mydocker({"commit", "wh", "wh"});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find("'/tmp/.wh.x'"), std::string::npos) << outcome.err;
    EXPECT_EQ(mydocker({"images"}).out.find("wh "), std::string::npos);
}

TEST_F(Commit, BadWordsAreRefusedBeforeAnythingIsDone) {
    remove_container_at_end("words");
    ASSERT_EQ(mydocker({"create", "--name", "words", "busybox"}).exit_code, 0);

    EXPECT_EQ(mydocker({"commit", "words", "Not/A:Name:"}).exit_code, 125);
    EXPECT_EQ(mydocker({"commit"}).exit_code, 125);
    EXPECT_EQ(mydocker({"commit", "-c", "RUN x", "words", "words"}).exit_code, 1);
    EXPECT_EQ(mydocker({"commit", "-c", "STOPSIGNAL FOO", "words", "words"}).exit_code, 1);
    EXPECT_EQ(mydocker({"commit", "-c", "HEALTHCHECK x", "words", "words"}).exit_code, 1);
    EXPECT_NE(mydocker({"commit", "nobody", "x"}).err.find("no container 'nobody'"), std::string::npos);
}

TEST_F(Commit, OfARunningContainerIsOneInstantOfIt) {
    start("live", "busybox",
          "(i=0; while :; do i=$((i+1)); echo $i > /one; echo $i > /two; done) & sleep 0.2; dd if=/dev/zero "
          "of=/between bs=1M count=60 2>/dev/null");
    remove_image_at_end("live");

    ASSERT_EQ(mydocker({"commit", "live", "live"}).exit_code, 0);

    const std::string both = mydocker({"run", "--rm", "live", "cat", "/one", "/two"}).out;
    const auto line = both.find('\n');
    ASSERT_NE(line, std::string::npos);
    // Either file may be caught empty, between truncation and write.
    const long one = std::atol(both.c_str());
    const long two = std::atol(both.c_str() + line);
    EXPECT_TRUE(one == 0 || two == 0 || std::abs(one - two) <= 1) << both;
}

// A commit killed at some moment: no image, the container goes on, the next command finds nothing wrong.
TEST_F(Commit, KilledAtAnyMomentLeavesNoImageAndNothingFrozen) {
    start("target", "busybox",
          "dd if=/dev/urandom of=/big bs=1M count=80 2>/dev/null; (while :; do date +%s%N > /tick; "
          "done) & sleep 0.1");
    const auto tick = [&] { return run({"cat", root_of("target") + "/tick"}).out; };
    const std::string whole = mydocker({"exec", "target", "md5sum", "/big"}).out;
    TraceRequest request{.words = command({"commit", "target", "never"}), .limit = std::chrono::minutes(1)};
    const Trace counted = trace(request);
    ASSERT_EQ(counted.outcome.exit_code, 0) << counted.outcome.err;
    ASSERT_EQ(mydocker({"rmi", "never"}).exit_code, 0);
    const std::size_t calls = counted.counts.at(Victim::command_line);

    constexpr std::size_t kPoints = 24;
    std::size_t strikes = 0; // No run makes quite as many calls as another.
    for (std::size_t i = 0; i < kPoints; ++i) {
        request.fault = {
            .kind = Fault::Kind::kill, .victim = Victim::command_line, .at = 1 + i * calls / kPoints};
        const Trace struck = trace(request);
        EXPECT_FALSE(struck.hung) << struck.struck;
        strikes += struck.struck.empty() ? 0 : 1;

        const std::string before = tick();
        EXPECT_TRUE(eventually([&] { return tick() != before; }, 3000)) << "frozen: " << struck.struck;
        // Struck at its last words, or the watcher in its place, it was done.
        if (mydocker({"images"}).out.contains("never")) {
            EXPECT_EQ(mydocker({"run", "--rm", "never", "md5sum", "/big"}).out, whole) << struck.struck;
            EXPECT_EQ(mydocker({"rmi", "never"}).exit_code, 0) << struck.struck;
        }
    }
    EXPECT_GE(strikes, kPoints - 2);

    remove_image_at_end("whole");
    ASSERT_EQ(mydocker({"commit", "target", "whole"}).exit_code, 0);
    EXPECT_TRUE(fs::is_empty(root() + "/content/ingest"));
}

TEST_F(Commit, WhatBothKilledLeaveFrozenIsThawedByTheNextCommand) {
    const std::string id = start("both", "busybox", "dd if=/dev/urandom of=/big bs=1M count=200 2>/dev/null");
    const std::string note = run_root() + "/" + id + "/frozen";

    // Stopped, so that there is time to find the watcher: `mydocker … __thaw ID`.
    const Outcome killed =
        run({"bash", "-c",
             line({"commit", "both", "never"}) + " & pid=$!; until [ -s " + note +
                 " ]; do :; done; kill -STOP $pid; for each in /proc/[0-9]*; do grep -qz '^__thaw$' "
                 "$each/cmdline "
                 "2>/dev/null && kill -9 ${each#/proc/}; done; kill -9 $pid; wait $pid; [ -s " +
                 note + " ] && echo frozen"});
    ASSERT_EQ(killed.out, "frozen\n") << killed.err;

    EXPECT_EQ(mydocker({"ps", "-q"}).out, id.substr(0, 12) + "\n");

    EXPECT_EQ(fs::file_size(note), 0U);
    remove_image_at_end("both"); // What the killed one spooled is swept by this one.
    EXPECT_EQ(mydocker({"commit", "both", "both"}).exit_code, 0);
}

TEST_F(Commit, IntoAFileIsTheFlatRootFilesystem) {
    const TempDir work;
    start("file", "busybox", "echo kept > /kept");

    ASSERT_EQ(mydocker({"commit", "-o", work / "root.tar", "file"}).exit_code, 0);

    EXPECT_EQ(run({"tar", "-xOf", work / "root.tar", "kept"}).out, "kept\n");
    EXPECT_EQ(run({"sh", "-c", "tar -tf " + (work / "root.tar") + " | grep -c '^proc/.'"}).out, "0\n");
    EXPECT_EQ(run({"ls", work.path()}).out, "root.tar\n");
    EXPECT_EQ(mydocker({"commit", "-o", work / "none/root.tar", "file"}).exit_code, 1);
    EXPECT_EQ(mydocker({"export", "file"}).out.substr(257, 5), "ustar");
}

} // namespace
} // namespace mydocker::test
