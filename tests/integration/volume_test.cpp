// Host directories, file systems in memory and volumes as a container sees them.
#include "support/volume_fixture.hpp"

#include <filesystem>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

// --- those of another container -------------------------------------------------------------------------

TEST_F(Volumes, AnotherContainersAreSeenToo) {
    const TempDir host;
    const TempDir own;
    write_text(host / "in", "from outside\n");
    remove_at_end("first");
    ASSERT_EQ(mydocker({"run", "-d", "--name", "first", "-v", host.path() + ":/h:ro", "-v", "named:/n", "-v",
                        "/anonymous", "--tmpfs", "/scratch", "busybox", "sh", "-c",
                        "echo 1 > /n/x; echo 2 > /anonymous/x; exec sleep 1000"})
                  .exit_code,
              0);
    ASSERT_TRUE(eventually([&] { return mydocker({"exec", "first", "cat", "/anonymous/x"}).out == "2\n"; }));

    const Outcome second = shell({"--volumes-from", "first"},
                                 "cat /h/in /n/x /anonymous/x; echo 3 > /n/x; touch /h/no; test -e /scratch");

    EXPECT_EQ(second.out, "from outside\n1\n2\n") << second.err;
    EXPECT_EQ(second.exit_code, 1);
    EXPECT_NE(second.err.find("Read-only file system"), std::string::npos) << second.err;
    EXPECT_EQ(mydocker({"exec", "first", "cat", "/n/x"}).out, "3\n");
    EXPECT_EQ(mydocker({"exec", "first", "cat", "/anonymous/x"}).out, "2\n") << "it went with the second";
    EXPECT_EQ(shell({"--volumes-from", "first:ro", "-v", own.path() + ":/h"}, "touch /n/y || ls -A /h").out,
              "");
    EXPECT_EQ(mydocker({"run", "--volumes-from", "nobody", "busybox", "true"}).exit_code, 125);
    EXPECT_EQ(mydocker({"run", "--volumes-from", "first:yes", "busybox", "true"}).exit_code, 125);
}

// --- host directories ---------------------------------------------------------------------------------

TEST_F(Volumes, AHostDirectoryIsSharedAndOutlivesTheContainer) {
    const TempDir host;
    write_text(host / "in", "from outside\n");

    const Outcome outcome = shell({"-v", host.path() + ":/v"}, "cat /v/in; echo from inside > /v/out");

    EXPECT_EQ(outcome.out, "from outside\n") << outcome.err;
    EXPECT_EQ(content_of(host / "out"), "from inside\n");
}

TEST_F(Volumes, AMissingHostDirectoryIsMade) {
    const TempDir host;

    const Outcome outcome = shell({"-v", host.path() + "/a/b:/v"}, "echo x > /v/f");

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(content_of(host / "a/b/f"), "x\n");
    EXPECT_EQ(fs::status(host / "a").permissions(), fs::perms(0755));
}

TEST_F(Volumes, AMissingHostDirectoryIsAnErrorWhereTheConfigurationSaysSo) {
    const TempDir host;
    write_text(host / "c.toml", "[run]\ncreate_bind_sources = false\n");

    const Outcome outcome = mydocker(
        {"--config", host / "c.toml", "run", "--rm", "-v", host.path() + "/a:/v", "busybox", "true"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("volume: '" + host.path() + "/a' does not exist"), std::string::npos)
        << outcome.err;
    EXPECT_FALSE(fs::exists(host / "a"));
}

TEST_F(Volumes, MountNeverMakesAHostDirectory) {
    const TempDir host;

    const Outcome outcome = shell({"--mount", "type=bind,source=" + host.path() + "/a,target=/v"}, "true");

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("/a' does not exist"), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(host / "a"));
}

TEST_F(Volumes, ARelativePathIsSeenFromTheWorkingDirectory) {
    const TempDir host;
    fs::create_directories(host / "here");
    write_text(host / "here/f", "x\n");

    const Outcome outcome =
        test::run(Command{.words = command({"run", "--rm", "-v", "./here:/v", "busybox", "cat", "/v/f"}),
                          .input = {},
                          .environment = {},
                          .directory = host.path()});

    EXPECT_EQ(outcome.out, "x\n") << outcome.err;
}

TEST_F(Volumes, AFileGoesOntoAFile) {
    const TempDir host;
    write_text(host / "f", "mine\n");

    const Outcome outcome = shell({"-v", host.path() + "/f:/etc/passwd", "-v", host.path() + "/f:/new/file"},
                                  "cat /etc/passwd /new/file");

    EXPECT_EQ(outcome.out, "mine\nmine\n") << outcome.err;
}

TEST_F(Volumes, AFileDoesNotGoOntoADirectory) {
    const TempDir host;
    write_text(host / "f", "mine\n");

    const Outcome outcome = shell({"-v", host.path() + "/f:/etc"}, "true");

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("a file does not go on a directory"), std::string::npos) << outcome.err;
}

TEST_F(Volumes, ReadOnlyIsSoForMountsBelowToo) {
    const TempDir host;
    const std::string script = "mkdir " + host.path() + "/sub && mount -t tmpfs t " + host.path() +
                               "/sub && " +
                               line({"run", "--rm", "-v", host.path() + ":/v:ro", "busybox", "sh", "-c",
                                     "touch /v/a; touch /v/sub/b; ls /v"});

    const Outcome outcome = test::run({"unshare", "-m", "sh", "-c", script});

    EXPECT_EQ(outcome.out, "sub\n");
    EXPECT_NE(outcome.err.find("/v/a: Read-only file system"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("/v/sub/b: Read-only file system"), std::string::npos) << outcome.err;
}

TEST_F(Volumes, TwentyAtOnceInTheOrderOfTheirTargets) {
    const TempDir host;
    std::vector<std::string> flags;
    // Deepest first on the command line.
    std::string target = "/d";
    for (int i = 0; i < 20; ++i) {
        fs::create_directories(host / std::to_string(i));
        write_text(host / (std::to_string(i) + "/f"), std::to_string(i) + "\n");
        flags.insert(flags.begin(), {"-v", host / std::to_string(i) + ":" + target});
        target += "/d";
    }

    const Outcome outcome = shell(flags, "cat /d/f /d/d/f /d/d/d/f; find /d -name f | wc -l");

    EXPECT_EQ(outcome.out, "0\n1\n2\n20\n") << outcome.err;
}

TEST_F(Volumes, MountsOfTheHostPassOnlyWhereAskedFor) {
    const TempDir host;
    const std::string words =
        line({"run", "--rm", "-i", "-v", host.path() + ":/private", "-v", host.path() + ":/slave:rslave",
              "busybox", "sh", "-c", "echo ready; read x; ls /private/sub; ls /slave/sub"});
    const std::string script =
        "cd " + host.path() + "; mount -t tmpfs t . && mount --make-shared . && cd . && cd " + host.path() +
        " && mkdir sub && mkfifo go out && { cat go | " + words +
        "> out & } && exec 3>go && { read ready; mount -t tmpfs t sub; touch sub/seen; echo >&3; "
        "exec 3>&-; cat; } < out; wait";

    const Outcome outcome = test::run({"unshare", "-m", "bash", "-c", script});

    EXPECT_EQ(outcome.out, "seen\n") << outcome.err;
}

TEST_F(Volumes, PropagationFromAPrivateMountIsRefused) {
    const TempDir host;
    const std::string script = "mount -t tmpfs t " + host.path() + " && mount --make-private " + host.path() +
                               " && " +
                               line({"run", "--rm", "-v", host.path() + ":/v:rshared", "busybox", "true"});

    const Outcome outcome = test::run({"unshare", "-m", "sh", "-c", script});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("does not lie on a shared mount"), std::string::npos) << outcome.err;
}

TEST_F(Volumes, SurviveAStart) {
    const TempDir host;
    remove_at_end("again");
    ASSERT_EQ(mydocker({"run", "--name", "again", "-v", host.path() + ":/v", "-v", "data:/d", "--tmpfs",
                        "/t:size=1m", "busybox", "sh", "-c",
                        "echo x >> /v/f; echo x >> /d/f; echo x >> /t/f; cat /t/f"})
                  .exit_code,
              0);

    const Outcome outcome = mydocker({"start", "-a", "again"});

    EXPECT_EQ(outcome.out, "x\n") << outcome.err;
    EXPECT_EQ(content_of(host / "f"), "x\nx\n");
    EXPECT_EQ(content_of(data("data") + "/f"), "x\nx\n");
}

// --- the container's side -----------------------------------------------------------------------------

TEST_F(Volumes, PlacesThatTheImageLacksAreMadeInTheWritableLayer) {
    const TempDir host;

    const Outcome outcome = shell({"-v", host.path() + ":/new/deep/place"}, "stat -c %F /new/deep/place");
    const Outcome after = shell({}, "ls /new");

    EXPECT_EQ(outcome.out, "directory\n") << outcome.err;
    EXPECT_NE(after.exit_code, 0);
}

TEST_F(Volumes, ALinkOfTheImageLeadsNoMountOutside) {
    const TempDir host;
    const TempDir canary;
    write_text(host / "mine", "mine\n");
    const std::string image =
        image_with("mkdir etc tmp; ln -s " + canary.path() + " data; ln -s ../../../../.." + canary.path() +
                   " up; ln -s /proc/1/root" + canary.path() + " magic");

    for (const char* target : {"/data", "/up", "/data/below"}) {
        const Outcome outcome =
            shell_in(image, {"-v", host.path() + ":" + target}, "cat " + std::string(target) + "/mine");
        EXPECT_EQ(outcome.out, "mine\n") << target << outcome.err;
    }
    EXPECT_NE(shell_in(image, {"-v", host.path() + ":/magic"}, "true").exit_code, 0);
    EXPECT_TRUE(fs::is_empty(canary.path()));
}

TEST_F(Volumes, ALinkOfTheImageLeadsNoMountOverProc) {
    const TempDir host;
    const std::string image = image_with("mkdir etc; ln -s /proc data");

    const Outcome outcome = shell_in(image, {"-v", host.path() + ":/data"}, "true");

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("refusing to mount over /proc"), std::string::npos) << outcome.err;
}

TEST_F(Volumes, OfAReadOnlyContainerAreWritable) {
    const TempDir host;

    const Outcome outcome = shell({"--read-only", "-v", host.path() + ":/new", "-v", "data:/d", "--tmpfs",
                                   "/t", "--tmpfs", "/run:size=1m"},
                                  "touch /new/a /d/a /t/a /run/a /tmp/a && echo written; touch /x; "
                                  "grep -c ' /run ' /proc/self/mountinfo");

    EXPECT_EQ(outcome.out, "written\n1\n");
    EXPECT_NE(outcome.err.find("/x: Read-only file system"), std::string::npos) << outcome.err;
}

TEST_F(Volumes, InMemoryAreAsLargeAndAsClosedAsAskedFor) {
    const Outcome outcome = shell(
        {"--tmpfs", "/a:size=1m,mode=700", "--mount", "type=tmpfs,target=/b,tmpfs-size=2m,tmpfs-mode=1770",
         "--mount", "type=tmpfs,target=/c,readonly", "--tmpfs", "/e:exec"},
        "df -k /a /b | awk 'NR>1{print $2}'; stat -c %a /a /b; touch /c/x 2>/dev/null || echo ro; "
        "cp /bin/busybox /a/b /b/ 2>/dev/null; cp /bin/busybox /e/busybox && /e/busybox echo runs; "
        "grep ' /a ' /proc/self/mountinfo | grep -c noexec");

    EXPECT_EQ(outcome.out, "1024\n2048\n700\n1770\nro\nruns\n1\n") << outcome.err;
}

} // namespace
} // namespace mydocker::test
