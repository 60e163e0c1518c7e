// cp: docker's rules; and that nothing a container does to its names or programs reaches the host.
#include "support/image_fixture.hpp"
#include "support/tar_writer.hpp"

#include <filesystem>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

// One use of cp, on either side of the wall: "FROM" and "TO" are paths in a directory where lie
//   file, dir/in, dir/sub/deep, link → file, dirlink → dir, target/ (empty), old (a file)
struct Rule {
    const char* name;
    const char* from;
    const char* to;
    const char* want; // what is there afterwards, as "path=content"; empty: refused
    bool follow = false;
};

const Rule kRules[] = {
    {"FileToNewName", "file", "new", "new=1"},
    {"FileOntoFile", "file", "old", "old=1"},
    {"FileIntoDirectory", "file", "target", "target/file=1"},
    {"FileIntoDirectoryWithSlash", "file", "target/", "target/file=1"},
    {"FileToAbsentDirectory", "file", "none/", ""},
    {"FileBelowAbsentDirectory", "file", "none/x", ""},
    {"FileWithSlash", "file/", "new", ""},
    {"DirectoryToNewName", "dir", "new", "new/in=2 new/sub/deep=3"},
    {"DirectoryToNewNameWithSlash", "dir", "new/", "new/in=2"},
    {"DirectoryIntoDirectory", "dir", "target", "target/dir/in=2"},
    {"DirectoryOntoFile", "dir", "old", ""},
    {"ContentsIntoDirectory", "dir/.", "target", "target/in=2 target/sub/deep=3"},
    {"ContentsToNewName", "dir/.", "new", "new/in=2"},
    {"LinkItself", "link", "target", "target/link->file"},
    {"LinkFollowed", "link", "target", "target/link=1", true},
    {"LinkToDirectoryWithSlash", "dirlink/", "target", "target/dirlink/in=2"},
    {"OntoALinkItsTarget", "file", "oldlink", "old=1 oldlink->old"},
    {"IntoALinkToADirectory", "file", "targetlink", "target/file=1"},
    {"Absent", "none", "target", ""},
};

void make_things(const std::string& at) {
    fs::create_directories(at + "/dir/sub");
    fs::create_directories(at + "/target");
    write_text(at + "/file", "1");
    write_text(at + "/dir/in", "2");
    write_text(at + "/dir/sub/deep", "3");
    write_text(at + "/old", "old");
    fs::create_symlink("file", at + "/link");
    fs::create_symlink("dir", at + "/dirlink");
    fs::create_symlink("old", at + "/oldlink");
    fs::create_symlink("target", at + "/targetlink");
}

void expect_things(const std::string& at, const std::string& want) {
    std::istringstream words(want);
    for (std::string word; words >> word;) {
        if (const auto arrow = word.find("->"); arrow != std::string::npos) {
            EXPECT_EQ(fs::read_symlink(at + "/" + word.substr(0, arrow)).string(), word.substr(arrow + 2));
            continue;
        }
        const auto equals = word.find('=');
        EXPECT_EQ(content_of(at + "/" + word.substr(0, equals)), word.substr(equals + 1)) << word;
    }
}

class Copy : public ImageTest {
  protected:
    void expect_host_unchanged() { EXPECT_EQ(tree_difference(before_, list_tree(canary_.path())), ""); }
    void SetUp() override {
        ImageTest::SetUp();
        write_text(canary_ / "secret", "host");
        fs::create_directory(canary_ / "d");
        before_ = list_tree(canary_.path());
    }

    TempDir canary_; // a directory of the host's that containers know the name of
    std::vector<std::string> before_;
};

class CopyRule : public Copy, public ::testing::WithParamInterface<Rule> {};

TEST_P(CopyRule, HoldsOutOfARunningContainer) {
    const TempDir work;
    make_things(work.path());
    start("out", "busybox", "mkdir /w");
    make_things(root_of("out") + "/w");
    std::vector<std::string> words{"cp", std::string("out:/w/") + GetParam().from, work / GetParam().to};
    if (GetParam().follow) words.insert(words.begin() + 1, "-L");

    const Outcome outcome = mydocker(words);

    EXPECT_EQ(outcome.exit_code == 0, *GetParam().want != '\0') << outcome.err;
    expect_things(work.path(), GetParam().want);
}

TEST_P(CopyRule, HoldsIntoAStoppedContainer) {
    const TempDir work;
    make_things(work.path());
    remove_container_at_end("in");
    ASSERT_EQ(mydocker({"create", "--name", "in", "busybox", "sleep", "1000"}).exit_code, 0);
    ASSERT_EQ(mydocker({"cp", work.path(), "in:/w"}).exit_code, 0);
    std::vector<std::string> words{"cp", work / GetParam().from, std::string("in:w/") + GetParam().to};
    if (GetParam().follow) words.insert(words.begin() + 1, "-L");

    const Outcome outcome = mydocker(words);

    EXPECT_EQ(outcome.exit_code == 0, *GetParam().want != '\0') << outcome.err;
    ASSERT_EQ(mydocker({"start", "in"}).exit_code, 0);
    expect_things(root_of("in") + "/w", GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(Docker, CopyRule, ::testing::ValuesIn(kRules),
                         [](const auto& row) { return row.param.name; });

TEST_F(Copy, ADirectoryNeverGivesWayToAFile) {
    start("way", "busybox", "mkdir -p /w/file; echo kept > /w/file/kept");
    const TempDir work;
    write_text(work / "file", "x");

    EXPECT_EQ(mydocker({"cp", work / "file", "way:/w"}).exit_code, 1);

    EXPECT_EQ(content_of(root_of("way") + "/w/file/kept"), "kept\n");
}

TEST_F(Copy, OwnersAreTheCallersOrKept) {
    start("own", "busybox", "echo x > /f; chown 7:8 /f; chmod 6751 /f");
    ASSERT_EQ(::mknod((root_of("own") + "/dev0").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
    const TempDir work;
    ASSERT_EQ(mydocker({"cp", "own:/f", work / "mine"}).exit_code, 0);
    ASSERT_EQ(mydocker({"cp", "-a", "own:/f", work / "kept"}).exit_code, 0);
    const Outcome device = mydocker({"cp", "own:/dev0", work.path()});
    struct stat mine{};
    struct stat kept{};
    ASSERT_EQ(::stat((work / "mine").c_str(), &mine), 0);
    ASSERT_EQ(::stat((work / "kept").c_str(), &kept), 0);

    EXPECT_EQ(mine.st_uid, ::geteuid());
    EXPECT_EQ(mine.st_mode & 07777U, 0751U) << "what a container made must not run with the caller's rights";
    EXPECT_EQ(kept.st_uid, 7U);
    EXPECT_EQ(kept.st_mode & 07777U, 06751U);
    EXPECT_FALSE(fs::exists(work / "dev0"));
    EXPECT_NE(device.err.find("left out: device"), std::string::npos) << device.err;

    ASSERT_EQ(::chown((work / "mine").c_str(), 5, 6), 0);
    ASSERT_EQ(mydocker({"cp", work / "mine", "own:/mine"}).exit_code, 0);
    ASSERT_EQ(mydocker({"cp", "-a", work / "mine", "own:/kept"}).exit_code, 0);
    ASSERT_EQ(::stat((root_of("own") + "/mine").c_str(), &mine), 0);
    ASSERT_EQ(::stat((root_of("own") + "/kept").c_str(), &kept), 0);
    EXPECT_EQ(mine.st_uid, 0U);
    EXPECT_EQ(kept.st_uid, 5U);
}

TEST_F(Copy, StreamsGoBothWays) {
    start("stream", "busybox",
          "mkdir -p /w/d; echo x > /w/d/f; ln /w/d/f /w/d/g; ln -s f /w/d/l; mkdir /into");

    const Outcome outcome =
        run({"sh", "-c", line({"cp", "stream:/w/d", "-"}) + " | " + line({"cp", "-a", "-", "stream:/into"})});

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(
        tree_difference(list_tree(root_of("stream") + "/w/d"), list_tree(root_of("stream") + "/into/d")), "");
    EXPECT_EQ(mydocker({"cp", "-", "stream:/none"}, TarMaker().file("x", "x").finish()).exit_code, 1);
    EXPECT_EQ(mydocker({"cp", "-", "stream:/into"}, "no archive at all").exit_code, 1);
}

TEST_F(Copy, ATreeIsTheSameAfterGoingInAndOut) {
    const TempDir work;
    make_things(work / "tree");
    ASSERT_EQ(::lchown((work / "tree/link").c_str(), 11, 12), 0);
    ASSERT_EQ(::chmod((work / "tree/dir").c_str(), 0711), 0);
    fs::create_hard_link(work / "tree/file", work / "tree/dir/same");
    ASSERT_EQ(::mkfifo((work / "tree/fifo").c_str(), 0600), 0);
    start("there", "busybox", ":");

    ASSERT_EQ(mydocker({"cp", "-a", work / "tree", "there:/tree"}).exit_code, 0);
    ASSERT_EQ(mydocker({"cp", "-a", "there:/tree", work / "back"}).exit_code, 0);

    EXPECT_EQ(tree_difference(list_tree(work / "tree"), list_tree(work / "back")), "");
}

TEST_F(Copy, BadWordsAreRefused) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"cp"}, {"cp", "a:/x"}, {"cp", "/x", "/y"}, {"cp", "a:/x", "b:/y"}, {"cp", "", "a:/x"}})
        EXPECT_EQ(mydocker(words).exit_code, 125);
    EXPECT_NE(mydocker({"cp", "nobody:/x", "/tmp"}).err.find("no container 'nobody'"), std::string::npos);
}

// --- what a container may try --------------------------------------------------------------------

TEST_F(Copy, LinksInTheContainerLeadNowhereOutside) {
    const TempDir work;
    write_text(work / "file", "mine");
    start("links", "busybox",
          "ln -s / /root1; ln -s ../../../../../../.. /root2; ln -s /proc/self/root /root3; "
          "ln -s /proc/1/root/ /root4; ln -s " +
              canary_.path() + " /there; ln -s " + (canary_ / "secret") + " /secret");

    for (const std::string from : {"/root1", "/root2", "/root3", "/root4", ""}) {
        (void)mydocker({"cp", "links:" + from + canary_.path() + "/secret", work / "out"});
        (void)mydocker({"cp", work / "file", "links:" + from + canary_.path() + "/secret"});
        (void)mydocker({"cp", "-L", "links:" + from + "/secret", work / "out"});
        (void)mydocker({"cp", work / "file", "links:" + from + "/secret"});
        (void)mydocker({"cp", work / "file", "links:" + from + "/there/d"});
        (void)mydocker(
            {"cp", "links:" + from + "/../../../../.." + canary_.path() + "/secret", work / "out"});
    }

    EXPECT_FALSE(fs::exists(work / "out"));
    EXPECT_EQ(mydocker({"cp", "links:/root1/etc/hostname", work / "name"}).exit_code, 0);
    EXPECT_EQ(content_of(work / "name"), content_of(root_of("links") + "/etc/hostname"));
    expect_host_unchanged();
}

TEST_F(Copy, ArchivesCannotLeadOutside) {
    start("tar", "busybox", "mkdir /into; ln -s " + canary_.path() + " /into/link");
    const std::string secret = canary_ / "secret";
    const std::string archives[] = {
        TarMaker().file("../../../../../.." + secret, "evil").finish(),
        TarMaker().file(secret, "evil").finish(),
        TarMaker().symlink("l", canary_.path()).file("l/secret", "evil").finish(),
        TarMaker().file("link/secret", "evil").finish(),
        TarMaker().hard_link("h", "../../../../../.." + secret).finish(),
        TarMaker().hard_link("h", "link/secret").file("h", "evil").finish(),
        TarMaker().add({.path = "link", .type = '5', .mode = 0777}).finish(),
    };

    for (const std::string& archive : archives)
        (void)mydocker({"cp", "-", "tar:/into"}, archive);

    expect_host_unchanged();
}

// Each exchange of directory and link is one system call in the container, all the time.
TEST_F(Copy, ExchangingNamesMeanwhileLeadsNowhereOutside) {
    const TempDir work;
    write_text(work / "new", "evil");
    fs::create_directory(work / "out");
    const std::string host = canary_.path();
    start(
        "flip", "busybox",
        "mkdir -p /real/x /tmp; echo inside > /real/secret; cp /real/secret /real/x; ln -s " + host +
            " /evil; (while :; do mv /real /tmp/r; mv /evil /real; mv /real /evil; mv /tmp/r /real; done) & "
            "(while :; do mv /real/x /real/y; ln -s " +
            host + " /real/x; rm /real/x; mv /real/y /real/x; done) 2>/dev/null & :");
    const int times = repeats(400); // five copies each

    const Outcome outcome = run({"bash", "-c",
                                 "for i in $(seq " + std::to_string(times) + "); do " +
                                     line({"cp", "flip:/real/secret", work / "out/a"}) + "; " +
                                     line({"cp", "flip:/real", work / "out"}) + "; " +
                                     line({"cp", "-L", "flip:/real/x", work / "out/x"}) + "; " +
                                     line({"cp", work / "new", "flip:/real/d"}) + "; " +
                                     line({"cp", work / "new", "flip:/real/secret"}) +
                                     "; done 2>/dev/null; grep -rl host " + (work / "out")});

    EXPECT_EQ(outcome.out, "") << "read from the host";
    EXPECT_TRUE(fs::exists(work / "out/a")) << "nothing was copied at all";
    expect_host_unchanged();
}

// NFS and others have no files without a name: there the archive is made under a temporary one.
TEST_F(Copy, ExportsWhereAFileNeedsANameAtOnce) {
    if (run({"sh", "-c", "command -v strace"}).exit_code != 0) GTEST_SKIP() << "needs strace";
    const TempDir place;
    start("plain", "busybox", ":");
    const std::string archive = place / "a.tar";
    const std::string without = "strace -f -qq -o " + (place / "trace") + " -P " + place.path() +
                                " -e inject=openat:error=EOPNOTSUPP ";

    const Outcome made = run({"sh", "-c", without + line({"export", "-o", archive, "plain"})});
    const Outcome missing = run({"sh", "-c", without + line({"export", "-o", place / "b.tar", "none"})});

    EXPECT_EQ(made.exit_code, 0) << made.err;
    EXPECT_TRUE(content_of(place / "trace").contains("O_TMPFILE"));
    EXPECT_TRUE(run({"tar", "tf", archive}).out.contains("bin/busybox"));
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_EQ(run({"ls", place.path()}).out, "a.tar\ntrace\n") << "no temporary name is left";
}

// The image's programs and libraries are traps; the tracer sees that none is run or read, and that nothing
// is mounted where anybody could see it.
TEST_F(Copy, RunsNothingOfTheContainersAndAttachesNoMount) {
    if (run({"sh", "-c", "command -v strace"}).exit_code != 0) GTEST_SKIP() << "needs strace";
    const TempDir work;
    write_text(work / "file", "x");
    start("trap", "busybox",
          "for p in tar xz unpigz gzip zstd mount ps iptables sh; do printf '#!/bin/busybox sh\\ntouch "
          "/sprung\\n' "
          "> /usr/bin/$p; chmod 755 /usr/bin/$p; done; mkdir -p /lib64 /lib/x86_64-linux-gnu; for l in "
          "libnss_files.so.2 "
          "libc.so.6 libnss_dns.so.2; do echo trap > /lib64/$l; echo trap > /lib/x86_64-linux-gnu/$l; done; "
          "rm /usr/bin/sh");
    remove_image_at_end("trap");
    const std::string trace = work / "trace";
    const std::string strace =
        "strace -f -qq -o " + trace + " -e trace=execve,execveat,chroot,mount,move_mount,umount2 ";

    for (const std::string& words :
         {line({"cp", "trap:/etc", work / "out"}), line({"cp", work / "file", "trap:/tmp"}),
          line({"cp", "trap:/etc", "-"}) + " > " + (work / "a.tar"),
          line({"cp", "-", "trap:/tmp"}) + " < " + (work / "a.tar"),
          line({"export", "-o", work / "b.tar", "trap"}), line({"commit", "trap", "trap"})}) {
        const Outcome outcome = run({"sh", "-c", strace + words});
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        std::istringstream lines(content_of(trace));
        for (std::string each; std::getline(lines, each);) {
            const bool own =
                each.find("exec") != std::string::npos && each.find(stage()) != std::string::npos;
            const bool home =
                each.find("chroot(\".\")") != std::string::npos; // Back from the namespace it came from.
            const bool end = each.find("+++") != std::string::npos || each.find("---") != std::string::npos ||
                             each.find("resumed>") != std::string::npos;
            EXPECT_TRUE(own || home || end) << each;
        }
    }
    EXPECT_FALSE(fs::exists(root_of("trap") + "/sprung"));
    // Nor is a library of the container's opened: no system call of ours names one.
    ASSERT_EQ(run({"sh", "-c",
                   "strace -f -qq -o " + trace + " -e trace=open,openat,openat2 " +
                       line({"cp", "trap:/etc", work / "again"})})
                  .exit_code,
              0);
    EXPECT_EQ(content_of(trace).find("libnss"), std::string::npos);
}

TEST_F(Copy, LeavesModesOfTheHostAlone) {
    const TempDir work;
    fs::create_directory(work / "private");
    ASSERT_EQ(::chmod((work / "private").c_str(), 0700), 0);
    start("modes", "busybox", "mkdir /private; chmod 777 /private; touch /private/x");

    ASSERT_EQ(mydocker({"cp", "modes:/private/.", work / "private"}).exit_code, 0);

    struct stat status{};
    ASSERT_EQ(::stat((work / "private").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0700U);
    EXPECT_TRUE(fs::exists(work / "private/x"));
}

} // namespace
} // namespace mydocker::test
