// Containers on the storage driver fuse-overlayfs: the process that serves a mount ends with it, whatever
// becomes of the container, the command or that process itself.
#include "support/storage_driver_fixture.hpp"

namespace mydocker::test {
namespace {

class OnFuseOverlayfs : public StorageTest {
  protected:
    OnFuseOverlayfs() : StorageTest("fuse-overlayfs") {}

    static void SetUpTestSuite() {
        StorageTest::SetUpTestSuite();
        if (missing(Need::root)) return;
        const std::string line = stage() + "/bin/mydocker --root " + root() + " --run-root " + run_root();
        why() = run({"sh", "-c", line + " --storage-driver fuse-overlayfs run --rm busybox true"}).err;
    }
    void SetUp() override {
        StorageTest::SetUp();
        if (IsSkipped()) return;
        if (why().contains("cannot be used here")) GTEST_SKIP() << why();
        ASSERT_EQ(why(), "");
        take_inventory();
    }

    // The processes that serve a mount of this test's; they have its layers open.
    [[nodiscard]] std::string inventory() const override {
        return run({"sh", "-c",
                    "for each in $(pgrep -x fuse-overlayfs); do ls -l /proc/$each/fd 2>/dev/null | grep -qF "
                    "' " +
                        root() + "/' && echo $each; done"})
            .out;
    }

  private:
    [[nodiscard]] static std::string& why() {
        static std::string text;
        return text;
    }
};

TEST_F(OnFuseOverlayfs, AContainerIsRunCommittedAndRemoved) {
    remove_image_at_end("made");
    ASSERT_EQ(
        mydocker(on_driver({"run", "--name", "one", "busybox", "sh", "-c",
                            "echo kept > /kept; rm /etc/profile; rm -r /var; mkdir /var; echo > /var/x"}))
            .exit_code,
        0);
    EXPECT_EQ(mydocker({"diff", "one"}).out, "C /etc\nD /etc/profile\nA /kept\nC /var\nA /var/x\n");

    ASSERT_EQ(mydocker({"commit", "one", "made"}).exit_code, 0);
    const Outcome again = mydocker(on_driver(
        {"run", "--rm", "made", "sh", "-c", "cat /kept; ls /etc/profile 2>&1; ls /var; mount | head -n 1"}));

    EXPECT_TRUE(
        again.out.starts_with("kept\nls: /etc/profile: No such file or directory\nx\nfuse-overlayfs on / "))
        << again.out << again.err;
    EXPECT_EQ(mydocker({"rm", "one"}).exit_code, 0);
}

TEST_F(OnFuseOverlayfs, ARunningContainerIsCommittedWithWhatItWrote) {
    start("live", "busybox", "echo 1 > /x", "fuse-overlayfs");
    remove_image_at_end("live");
    ASSERT_NE(inventory(), "");

    ASSERT_EQ(mydocker({"commit", "live", "live"}).exit_code, 0);

    EXPECT_EQ(mydocker({"run", "--rm", "live", "cat", "/x"}).out, "1\n");
}

TEST_F(OnFuseOverlayfs, AContainerWhoseServerWasKilledKeepsItsFiles) {
    start("orphan", "busybox", "echo 1 > /x", "fuse-overlayfs");

    ASSERT_EQ(run({"sh", "-c", "echo '" + inventory() + "' | xargs kill -9"}).exit_code, 0);

    EXPECT_NE(mydocker({"exec", "orphan", "cat", "/x"}).exit_code, 0);
    EXPECT_EQ(mydocker({"kill", "orphan"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return mydocker({"ps", "-q"}).out.empty(); }));
    EXPECT_EQ(mydocker({"start", "orphan"}).exit_code, 0);
    EXPECT_EQ(mydocker({"exec", "orphan", "cat", "/x"}).out, "1\n");
}

TEST_F(OnFuseOverlayfs, AKilledRunIsSwept) {
    kill_here_and_there(on_driver({"run", "--name", "victim", "busybox", "true"}), [&] {
        (void)mydocker({"rm", "-f", "victim"}); // Absent but after the count.
    });
}

TEST_F(OnFuseOverlayfs, AKilledRemovalIsSwept) {
    kill_here_and_there({"rm", "victim"}, [&] {
        ASSERT_EQ(mydocker(on_driver({"run", "--name", "victim", "busybox", "touch", "/x"})).exit_code, 0);
    });
}

} // namespace
} // namespace mydocker::test
