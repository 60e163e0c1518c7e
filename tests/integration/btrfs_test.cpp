// Containers on the storage driver btrfs, on a filesystem in a file: whatever becomes of them and of the
// commands, no subvolume, mount, loop device or process is left.
#include "support/storage_driver_fixture.hpp"

#include <cerrno>
#include <memory>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <vector>

namespace mydocker::test {
namespace {

// A btrfs filesystem in a file, mounted at `path`; gone with the object.
class BtrfsInFile {
  public:
    explicit BtrfsInFile(const std::string& path) : path_(path) {
        const std::string image = directory_ / "image";
        const Outcome made = run({"sh", "-c",
                                  "truncate -s 2G " + image + " && mkfs.btrfs --quiet " + image +
                                      " && mkdir -p " + path + " && mount -o loop " + image + " " + path});
        if (made.exit_code != 0) why_ = "no btrfs filesystem can be made: " + made.err;
    }
    BtrfsInFile(const BtrfsInFile&) = delete;
    BtrfsInFile& operator=(const BtrfsInFile&) = delete;
    ~BtrfsInFile() {
        if (!why_.empty()) return;
        EXPECT_EQ(::umount2(path_.c_str(), 0), 0) << "errno " << errno;
        const auto is_free = [&] { return run({"losetup", "-n", "-j", directory_ / "image"}).out.empty(); };
        EXPECT_TRUE(eventually(is_free)) << "the loop device stays";
    }

    // Why there is none; empty: it is there.
    [[nodiscard]] const std::string& why() const { return why_; }
    [[nodiscard]] std::string subvolumes() const {
        return run({"sh", "-c", "btrfs subvolume list " + path_ + " | sed 's/.* path //' | sort"}).out;
    }

  private:
    TempDir directory_;
    std::string path_;
    std::string why_;
};

class OnBtrfs : public StorageTest {
  protected:
    OnBtrfs() : StorageTest("btrfs") {}

    static void SetUpTestSuite() {
        ImageTest::SetUpTestSuite();
        if (missing(Need::root)) return;
        // What is mounted ends with the last process that is in here, even if that is killed.
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        filesystem() = std::make_unique<BtrfsInFile>(root() + "/storage/btrfs");
        if (!filesystem()->why().empty()) return;
        const std::string line = stage() + "/bin/mydocker --root " + root() + " --run-root " + run_root();
        (void)run({"sh", "-c", line + " --storage-driver btrfs run --rm busybox true"});
    }
    static void TearDownTestSuite() {
        filesystem().reset();
        ImageTest::TearDownTestSuite();
    }
    void SetUp() override {
        StorageTest::SetUp();
        if (IsSkipped()) return;
        if (!filesystem()->why().empty()) GTEST_SKIP() << filesystem()->why();
        take_inventory();
    }
    [[nodiscard]] std::string inventory() const override { return filesystem()->subvolumes(); }

    [[nodiscard]] static std::unique_ptr<BtrfsInFile>& filesystem() {
        static std::unique_ptr<BtrfsInFile> made;
        return made;
    }
};

TEST_F(OnBtrfs, AContainerIsRunCommittedAndRemoved) {
    remove_image_at_end("made");
    ASSERT_EQ(mydocker(on_driver({"run", "--name", "one", "busybox", "sh", "-c",
                                  "echo kept > /kept; rm /etc/profile"}))
                  .exit_code,
              0);
    EXPECT_EQ(mydocker({"diff", "one"}).out, "C /etc\nD /etc/profile\nA /kept\n");

    ASSERT_EQ(mydocker({"commit", "one", "made"}).exit_code, 0);
    const Outcome again = mydocker(
        on_driver({"run", "--rm", "made", "sh", "-c", "cat /kept; ls /etc/profile 2>&1; stat -f -c %t /"}));

    EXPECT_EQ(again.out, "kept\nls: /etc/profile: No such file or directory\n9123683e\n") << again.err;
    EXPECT_EQ(mydocker({"rm", "one"}).exit_code, 0);
}

TEST_F(OnBtrfs, ARunningContainerIsTheSameTreeInAnotherDriver) {
    start("here", "busybox", "mkdir /d; echo 1 > /d/1; ln /d/1 /d/2; rm -r /var; chmod 1711 /", "btrfs");
    remove_image_at_end("tree");

    ASSERT_EQ(mydocker({"commit", "here", "tree"}).exit_code, 0);

    start("there", "tree", ":", "vfs");
    EXPECT_EQ(tree_difference(list_tree(root_of("here")), list_tree(root_of("there"))), "");
}

TEST_F(OnBtrfs, SubvolumesThatAContainerMadeGoWithIt) {
    const std::string id = start("nested", "busybox", ":", "btrfs");
    const Outcome made =
        run({"sh", "-ec",
             "cd " + root() + "/storage/btrfs/rw/" + id +
                 "/diff; btrfs subvolume create outer; mkdir outer/d; "
                 "btrfs subvolume create outer/d/inner; echo 1 > outer/d/inner/file; "
                 "btrfs property set outer/d/inner ro true; btrfs property set outer ro true"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    ASSERT_EQ(mydocker({"exec", "nested", "cat", "/outer/d/inner/file"}).out, "1\n");

    const Outcome removed = mydocker({"rm", "-f", "nested"});

    EXPECT_EQ(removed.exit_code, 0) << removed.err;
}

TEST_F(OnBtrfs, AKilledRunIsSwept) {
    kill_here_and_there(on_driver({"run", "--name", "victim", "busybox", "true"}), [&] {
        (void)mydocker({"rm", "-f", "victim"}); // Absent but after the count.
    });
}

TEST_F(OnBtrfs, AKilledRemovalIsSwept) {
    kill_here_and_there({"rm", "victim"}, [&] {
        ASSERT_EQ(mydocker(on_driver({"run", "--name", "victim", "busybox", "touch", "/x"})).exit_code, 0);
    });
}

} // namespace
} // namespace mydocker::test
