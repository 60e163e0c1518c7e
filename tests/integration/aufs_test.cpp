// Containers on the storage driver "aufs": for kernels that have it. What the driver does without the kernel
// is in unit/storage_aufs_test.cpp, what any storage driver promises in conformance/.
#include "support/volume_fixture.hpp"

#include <algorithm>
#include <filesystem>

namespace mydocker::test {
namespace {

class OnAufs : public Volumes {
  protected:
    void SetUp() override {
        if (auto why = missing(Need::root)) GTEST_SKIP() << *why;
        if (auto why = missing(Need::aufs)) GTEST_SKIP() << *why;
        Volumes::SetUp();
    }

    Outcome on_aufs(std::vector<std::string> words) {
        words.insert(words.begin(), {"--storage-driver", "aufs"});
        return mydocker(words);
    }

    // `run --name NAME IMAGE sh -c SCRIPT`, and `commit NAME NEW`, if that is not empty.
    void run_script(const std::string& name, const std::string& image, const std::string& script,
                    const std::string& new_image = "") {
        remove_at_end(name);
        const Outcome ran = on_aufs({"run", "--name", name, image, "sh", "-c", script});
        ASSERT_EQ(ran.exit_code, 0) << ran.err;
        if (new_image.empty()) return;
        const Outcome made = mydocker({"commit", name, new_image});
        ASSERT_EQ(made.exit_code, 0) << made.err;
        remove_image_at_end(new_image);
    }
};

TEST_F(OnAufs, AContainerRunsAndKeepsWhatItWrote) {
    run_script("kept", "busybox", "stat -f -c %t /; echo first > /f");

    const Outcome again = mydocker({"start", "-a", "kept"});

    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_TRUE(again.out.starts_with("61756673")) << again.out;
    EXPECT_EQ(mydocker({"diff", "kept"}).out, "A /f\n");
}

TEST_F(OnAufs, DiffTellsLikeDocker) {
    run_script("told", "busybox", "mkdir -p /new/dir; echo > '/new/a\nb'; rm /etc/profile; chmod 700 /home");

    EXPECT_EQ(mydocker({"diff", "told"}).out,
              "C /etc\nD /etc/profile\nC /home\nA /new\nA /new/a\\nb\nA /new/dir\n");
}

TEST_F(OnAufs, AnImageMadeOfAContainerShowsItsTree) {
    run_script("one", "busybox", "mkdir -p /d/keep; echo 1 > /d/keep/1; echo 2 > /d/two", "aufs-one");
    run_script("two", "aufs-one", "rm -r /d; mkdir /d; echo 3 > /d/three; rm /etc/profile", "aufs-two");

    const std::string script = "find /d | sort; cat /d/three; ls -A /etc/profile";
    const Outcome shown = on_aufs({"run", "--rm", "aufs-two", "sh", "-c", script});
    const Outcome copied =
        mydocker({"--storage-driver", "vfs", "run", "--rm", "aufs-two", "sh", "-c", script});

    EXPECT_TRUE(shown.out.starts_with("/d\n/d/three\n3\n")) << shown.out << shown.err;
    EXPECT_NE(shown.err.find("/etc/profile"), std::string::npos) << shown.err;
    EXPECT_EQ(shown.out, copied.out);
}

TEST_F(OnAufs, MoreLayersThanOneCallTakesAreAllThere) {
    constexpr int kLayers = 50; // With 64-digit ids, some 40 go into the first call.
    std::string image = "busybox";
    for (int i = 0; i < kLayers; ++i) {
        const std::string number = std::to_string(i);
        run_script("layer" + number, image,
                   "echo " + number + " > /own" + number + "; echo " + number + " > /top",
                   "aufs-layer" + number);
        image = "aufs-layer" + number;
    }

    const Outcome shown =
        on_aufs({"run", "--rm", image, "sh", "-c", "ls /own* | wc -l; cat /top; echo x > /top"});

    EXPECT_EQ(shown.out, "50\n49\n") << shown.err;
}

TEST_F(OnAufs, VolumesAreFilledAndMounted) {
    const TempDir host;
    const std::string image = image_with("mkdir -p etc data/sub; echo f > data/sub/f; chown 12:34 data");

    const Outcome outcome = on_aufs(
        {"run", "--rm", "-v", "data:/data", "-v", host.path() + ":/host", "--tmpfs", "/t", image, "sh", "-c",
         "cat /data/sub/f; stat -c %u:%g /data; echo w > /data/w; echo h > /host/h; echo t > /t/t"});

    EXPECT_EQ(outcome.out, "f\n12:34\n") << outcome.err;
    EXPECT_TRUE(std::filesystem::exists(data("data") + "/w"));
    EXPECT_TRUE(std::filesystem::exists(host / "h"));
}

TEST_F(OnAufs, NothingStaysMountedOnTheHost) {
    const std::string before = content_of("/proc/self/mountinfo");

    run_script("mounted", "busybox", "true");

    EXPECT_EQ(content_of("/proc/self/mountinfo"), before);
    EXPECT_TRUE(std::ranges::none_of(std::filesystem::directory_iterator("/dev/shm"),
                                     [](const auto& entry) { return entry.path().extension() == ".xino"; }));
}

class WithoutAufs : public EngineTest {};

TEST_F(WithoutAufs, TheReasonIsOneLine) {
    if (!missing(Need::aufs)) GTEST_SKIP() << "this kernel has aufs";

    const Outcome refused = mydocker({"--storage-driver", "aufs", "run", "--rm", "busybox", "true"});

    EXPECT_EQ(refused.exit_code, 125);
    EXPECT_NE(refused.err.find("aufs cannot be used here: this kernel has no aufs"), std::string::npos)
        << refused.err;
    EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1) << refused.err;
}

} // namespace
} // namespace mydocker::test
