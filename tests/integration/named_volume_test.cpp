// Volumes with and without a name: how they are made, filled, kept and taken away.
#include "support/faultline.hpp"
#include "support/volume_fixture.hpp"

#include <filesystem>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

// --- named volumes --------------------------------------------------------------------------------------

TEST_F(Volumes, ANamedVolumeIsMadeAndOutlivesTheContainer) {
    ASSERT_EQ(shell({"-v", "data:/d"}, "echo kept > /d/f").exit_code, 0);

    const Outcome outcome = shell({"-v", "data:/elsewhere:ro"}, "cat /elsewhere/f; touch /elsewhere/x");

    EXPECT_EQ(outcome.out, "kept\n");
    EXPECT_NE(outcome.err.find("Read-only file system"), std::string::npos) << outcome.err;
    EXPECT_EQ(volumes(), "data\n");
}

TEST_F(Volumes, TheTableAndTheJsonAreDockers) {
    ASSERT_EQ(mydocker({"volume", "create", "--label", "a=b", "data"}).out, "data\n");
    ASSERT_EQ(mydocker({"volume", "create", "data"}).exit_code, 0);

    EXPECT_EQ(mydocker({"volume", "ls"}).out, "DRIVER   VOLUME NAME\nlocal    data\n");
    const std::string shown = mydocker({"volume", "inspect", "data"}).out;
    EXPECT_EQ(member(shown, "Name"), "data");
    EXPECT_EQ(member(shown, "Mountpoint"), data("data"));
    EXPECT_EQ(member(shown, "a"), "b");
    EXPECT_EQ(mydocker({"volume", "rm", "data"}).out, "data\n");
    EXPECT_EQ(volumes(), "");
}

TEST_F(Volumes, AnAbsentVolumeIsAnErrorUnlessForced) {
    const Outcome refused = mydocker({"volume", "rm", "nobody"});

    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_EQ(refused.err, "mydocker: volume rm: no volume 'nobody'\n");
    EXPECT_EQ(mydocker({"volume", "rm", "-f", "nobody"}).exit_code, 0);
    EXPECT_EQ(mydocker({"volume", "inspect", "nobody"}).exit_code, 1);
}

TEST_F(Volumes, AVolumeInUseStays) {
    remove_at_end("user");
    ASSERT_EQ(mydocker({"create", "--name", "user", "-v", "data:/d", "busybox", "true"}).exit_code, 0);

    const Outcome refused = mydocker({"volume", "rm", "-f", "data"});

    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("volume 'data' is used by container 'user'"), std::string::npos)
        << refused.err;
    EXPECT_EQ(mydocker({"volume", "prune", "-a", "-f"}).out, "Total reclaimed space: 0B\n");
    ASSERT_EQ(mydocker({"rm", "-v", "user"}).exit_code, 0);
    EXPECT_EQ(volumes(), "data\n"); // It has a name: rm -v takes none of those.
    EXPECT_EQ(mydocker({"volume", "rm", "data"}).exit_code, 0);
}

TEST_F(Volumes, AnEmptyVolumeIsFilledFromTheImage) {
    const std::string image = image_with(
        "mkdir -p etc data/sub; echo f > data/sub/f; ln data/sub/f data/hard; ln -s /etc/shadow data/link; "
        "chown 12:34 data/sub/f data; chmod 4711 data/sub/f; chmod 1770 data");

    const Outcome outcome =
        shell_in(image, {"-v", "data:/data"},
                 "cat /data/sub/f; stat -c '%u:%g %a %h' /data/sub/f /data; readlink /data/link");

    EXPECT_EQ(outcome.out.substr(0, outcome.out.find("12:34 1770")), "f\n12:34 4711 2\n") << outcome.err;
    EXPECT_TRUE(outcome.out.ends_with("/etc/shadow\n")) << outcome.out;
    EXPECT_TRUE(fs::is_symlink(data("data") + "/link"));
}

TEST_F(Volumes, AVolumeIsFilledOnceOnly) {
    const std::string image = image_with("mkdir -p etc data; echo f > data/f");
    ASSERT_EQ(
        shell_in(image, {"-v", "data:/data"}, "echo mine > /data/mine; echo changed > /data/f").exit_code, 0);

    const Outcome outcome = shell_in(image, {"-v", "data:/data"}, "cat /data/f");

    EXPECT_EQ(outcome.out, "changed\n") << outcome.err;
}

TEST_F(Volumes, NothingIsCopiedWithNocopy) {
    const std::string image = image_with("mkdir -p etc data; echo f > data/f");

    EXPECT_EQ(shell_in(image, {"-v", "one:/data:nocopy"}, "ls /data").out, "");
    EXPECT_EQ(shell_in(image, {"--mount", "source=two,target=/data,volume-nocopy"}, "ls /data").out, "");
}

TEST_F(Volumes, NothingOfTheHostIsCopied) {
    const TempDir canary;
    write_text(canary / "secret", "secret\n");
    const std::string image =
        image_with("mkdir etc; ln -s " + canary.path() + " abs; ln -s ../../../../../../.." + canary.path() +
                   " rel; ln -s /proc/self/root" + canary.path() + " magic");

    for (const char* target : {"/abs", "/rel", "/magic"}) {
        (void)shell_in(image, {"-v", "data:" + std::string(target)}, "true");
        EXPECT_TRUE(!fs::exists(data("data")) || fs::is_empty(data("data"))) << target;
    }
}

TEST_F(Volumes, CopyingMountsNothingOnTheHost) {
    const std::string image = image_with("mkdir -p etc data; echo f > data/f");
    const std::string before = content_of("/proc/self/mountinfo");
    remove_at_end("copy");

    ASSERT_EQ(mydocker({"create", "--name", "copy", "-v", "data:/data", image, "sh"}).exit_code, 0);

    EXPECT_EQ(content_of("/proc/self/mountinfo"), before);
    EXPECT_EQ(content_of(data("data") + "/f"), "f\n");
}

TEST_F(Volumes, AreFilledWhereTheRootIsMadeWithMountOnly) {
    if (auto why = missing(Need::overlayfs)) GTEST_SKIP() << *why;
    const TempDir host;
    write_text(host / "c.toml",
               "[storage]\ndriver = \"overlayfs\"\n[storage.overlayfs]\nlowerdir_syntax = \"list\"\n");
    const std::string image = image_with("mkdir -p etc data; echo f > data/f");
    const std::string before = content_of("/proc/self/mountinfo");

    const Outcome outcome = mydocker({"--config", host / "c.toml", "run", "--rm", "-v", "data:/data", "-v",
                                      host.path() + ":/host", image, "sh", "-c", "cat /data/f; ls /host"});

    EXPECT_EQ(outcome.out, "f\nc.toml\n") << outcome.err;
    EXPECT_EQ(content_of("/proc/self/mountinfo"), before);
}

TEST_F(Volumes, AreFilledFromAnyStorageDriver) {
    const std::string image = image_with("mkdir -p etc data; echo f > data/f");

    const Outcome outcome = mydocker(
        {"--storage-driver", "vfs", "run", "--rm", "-v", "data:/data", image, "sh", "-c", "cat /data/f"});

    EXPECT_EQ(outcome.out, "f\n") << outcome.err;
    EXPECT_TRUE(fs::exists(data("data") + "/f"));
}

TEST_F(Volumes, ManyAtOnceShareOneFill) {
    const std::string image =
        image_with("mkdir -p etc data; for i in $(seq 100); do echo $i > data/$i; done");
    const std::string user =
        line({"run", "--rm", "-v", "data:/data", image, "sh", "-c", "find /data -type f | wc -l"});

    const Outcome outcome = test::run({"bash", "-c", "for i in $(seq 10); do " + user + " & done; wait"});

    std::string want;
    for (int i = 0; i < 10; ++i)
        want += "100\n";
    EXPECT_EQ(outcome.out, want) << outcome.err;
}

// --- anonymous volumes ----------------------------------------------------------------------------------

TEST_F(Volumes, AnAnonymousVolumeGoesWithRm) {
    remove_at_end("anon");
    EXPECT_EQ(shell({"-v", "/d"}, "echo x > /d/f; cat /d/f").out, "x\n");
    EXPECT_EQ(volumes(), "");

    ASSERT_EQ(mydocker({"run", "--name", "anon", "-v", "/d", "busybox", "true"}).exit_code, 0);
    EXPECT_EQ(volumes().size(), 65U);

    ASSERT_EQ(mydocker({"rm", "-v", "anon"}).exit_code, 0);
    EXPECT_EQ(volumes(), "");
}

TEST_F(Volumes, AnAnonymousVolumeThatIsLeftIsPruned) {
    ASSERT_EQ(mydocker({"volume", "create", "data"}).exit_code, 0);
    ASSERT_EQ(mydocker({"run", "--name", "anon", "-v", "/d", "busybox", "true"}).exit_code, 0);
    ASSERT_EQ(mydocker({"rm", "anon"}).exit_code, 0);
    EXPECT_EQ(volumes().size(), 65U + 5U);

    EXPECT_EQ(mydocker({"volume", "prune"}, "n\n").exit_code, 0);
    EXPECT_EQ(volumes().size(), 65U + 5U);
    EXPECT_EQ(mydocker({"volume", "prune"}, "y\n").exit_code, 0);
    EXPECT_EQ(volumes(), "data\n");
    EXPECT_TRUE(mydocker({"volume", "prune", "-a", "-f"})
                    .out.starts_with("Deleted Volumes:\ndata\n\nTotal reclaimed space: "));
}

TEST_F(Volumes, TheImagesVolumesAreAnonymousOnes) {
    const std::string image = image_with("mkdir -p etc data; echo f > data/f", R"({"/data":{}})");
    remove_at_end("imagevol");

    const Outcome outcome = mydocker({"run", "--name", "imagevol", image, "sh", "-c", "cat /data/f"});
    const std::string name = volumes().substr(0, 64);

    EXPECT_EQ(outcome.out, "f\n") << outcome.err;
    EXPECT_EQ(content_of(data(name) + "/f"), "f\n");
    EXPECT_EQ(shell_in(image, {"--tmpfs", "/data"}, "ls /data").out, "");
    EXPECT_EQ(mydocker({"rm", "-v", "imagevol"}).exit_code, 0);
}

TEST_F(Volumes, AnImagesVolumeOutsideTheRootIsRefused) {
    const std::string image = image_with("mkdir etc", R"({"../../etc":{}})");

    const Outcome outcome = mydocker({"run", "--rm", image, "true"});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_NE(outcome.err.find("asks for a volume"), std::string::npos) << outcome.err;
}

// --- failures -------------------------------------------------------------------------------------------

TEST_F(Volumes, ARunThatFailsLeavesNoVolume) {
    EXPECT_EQ(mydocker({"run", "-v", "data:/d", "-v", "/anon", "busybox", "no-such-command"}).exit_code, 127);
    EXPECT_EQ(volumes(), "");

    EXPECT_EQ(mydocker({"run", "-v", "data:/d", "--cgroup-parent", "../x", "busybox", "true"}).exit_code,
              125);
    EXPECT_EQ(volumes(), "");
}

TEST_F(Volumes, ARunThatFailsKeepsAVolumeThatWasThere) {
    ASSERT_EQ(shell({"-v", "data:/d"}, "echo kept > /d/f").exit_code, 0);

    EXPECT_EQ(mydocker({"run", "-v", "data:/d", "busybox", "no-such-command"}).exit_code, 127);

    EXPECT_EQ(content_of(data("data") + "/f"), "kept\n");
}

TEST_F(Volumes, AKilledCommandLineLeavesNoAnonymousVolume) {
    const std::string image =
        image_with("mkdir -p etc data; for i in $(seq 300); do echo $i > data/$i; done");
    const std::vector<std::string> words =
        command({"run", "--rm", "-v", "/data", "-v", "data:/data2", image, "sh", "-c", "ls"});
    ASSERT_EQ(test::run(words).exit_code, 0); // The image has been unpacked.
    ASSERT_EQ(mydocker({"volume", "rm", "data"}).exit_code, 0);
    const Trace counted = trace({.words = words});
    ASSERT_EQ(counted.outcome.exit_code, 0) << counted.outcome.err;
    ASSERT_EQ(mydocker({"volume", "rm", "data"}).exit_code, 0);
    const std::size_t calls = counted.counts.at(Victim::command_line);

    constexpr std::size_t kPoints = 20;
    std::size_t strikes = 0; // No run makes quite as many calls as another.
    for (std::size_t i = 0; i < kPoints; ++i) {
        const Fault fault{
            .kind = Fault::Kind::kill, .victim = Victim::command_line, .at = 1 + i * calls / kPoints};
        const Trace struck = trace({.words = words, .fault = fault});
        strikes += struck.struck.empty() ? 0 : 1;
        ASSERT_TRUE(eventually([&] { return mydocker({"ps", "-aq"}).out.empty(); })) << struck.struck;
        ASSERT_EQ(mydocker({"volume", "rm", "-f", "data"}).exit_code, 0) << struck.struck;
        ASSERT_EQ(volumes(), "") << struck.struck;
    }
    EXPECT_GE(strikes, kPoints - 2);
}

} // namespace
} // namespace mydocker::test
