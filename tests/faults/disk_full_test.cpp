// A disk that is full to different degrees, and locks whose holders are stopped or dead. The disk is a
// small tmpfs in a mount namespace of the test's own.
#include "support/engine_fixture.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kPage = 4096;
// A start needs less: some twenty small files and directories.
constexpr std::uint64_t kMostPages = 64;
constexpr std::uint64_t kMostInodes = 64;

// A tmpfs whose free space is chosen by a ballast file, free inodes by a remount.
class SmallDisk {
  public:
    explicit SmallDisk(std::string path) : path_(std::move(path)) {
        std::filesystem::create_directory(path_);
        if (::mount("small", path_.c_str(), "tmpfs", 0, "size=48m,mode=755") != 0)
            throw std::runtime_error(std::string("mount tmpfs: ") + std::strerror(errno));
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    ~SmallDisk() { (void)::umount2(path_.c_str(), MNT_DETACH); }

    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

    void leave_bytes(std::uint64_t bytes) const {
        give_back();
        const int fd = ::open(ballast().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        const std::uint64_t free = free_bytes();
        if (fd >= 0 && free > bytes) (void)::posix_fallocate(fd, 0, static_cast<off_t>(free - bytes));
        ::close(fd);
    }
    void leave_inodes(std::uint64_t inodes) const {
        struct statvfs status{};
        (void)::statvfs(path_.c_str(), &status);
        remount("nr_inodes=" + std::to_string(status.f_files - status.f_ffree + inodes));
    }
    void give_back() const {
        std::filesystem::remove(ballast());
        remount("nr_inodes=100000");
    }
    [[nodiscard]] std::uint64_t free_bytes() const {
        struct statvfs status{};
        (void)::statvfs(path_.c_str(), &status);
        return status.f_bavail * status.f_frsize;
    }

  private:
    [[nodiscard]] std::string ballast() const { return path_ + "/ballast"; }
    void remount(const std::string& options) const {
        (void)::mount("small", path_.c_str(), "tmpfs", MS_REMOUNT, options.c_str());
    }

    std::string path_;
};

class DiskFull : public EngineTest {
  protected:
    static void SetUpTestSuite() {
        EngineTest::SetUpTestSuite();
        if (missing(Need::root)) return;
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    }

    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        disk_ = std::make_unique<SmallDisk>(place_ / "disk");
        use(*disk_ / "root", place_ / "run");
        ASSERT_EQ(here({"run", "--rm", "busybox", "true"}).exit_code, 0);
    }
    void TearDown() override {
        if (!is_set_up()) return;
        for (const char* name : {"first", "second"})
            (void)here({"rm", "-f", name});
        here_meter_.reset();
        disk_.reset();
        EngineTest::TearDown();
    }

    // Both roots of the commands that follow; what is there now is no leak.
    void use(const std::string& root, const std::string& run_root) {
        root_ = root;
        run_root_ = run_root;
        ASSERT_EQ(here({"run", "--rm", "busybox", "true"}).exit_code, 0);
        here_meter_ = std::make_unique<LeakMeter>(std::vector<std::string>{root_, run_root_}, stage());
        here_meter_->ignore("/records/.pending"); // A failed writer's half, which the next one replaces.
        here_meter_->ignore(" tmpfs small ");     // The disk itself, whose options change.
    }

    Outcome here(const std::vector<std::string>& words) const {
        std::vector<std::string> all{stage() + "/bin/mydocker", "--root", root_, "--run-root", run_root_};
        all.insert(all.end(), words.begin(), words.end());
        return test::run(all);
    }

    // Starts and removes a container; whether there was room for it. If not, that must be all.
    bool start_on(const std::string& fullness) {
        const Outcome outcome = here({"run", "-d", "--name", "first", "busybox", "sleep", "1000"});
        if (outcome.exit_code == 0) {
            const Outcome removed = here({"rm", "-f", "first"});
            EXPECT_EQ(removed.exit_code, 0) << fullness << ": " << removed.err;
        } else {
            EXPECT_EQ(outcome.exit_code, 125) << fullness;
            EXPECT_TRUE(
                matches(outcome.err, "^mydocker: run: .*No space left on device \\(ENOSPC\\)[^\n]*\n$"))
                << fullness << ": " << outcome.err;
            EXPECT_EQ(outcome.out, "") << fullness;
        }
        const Outcome ps = here({"ps", "-aq"});
        EXPECT_EQ(ps.exit_code, 0) << fullness << ": " << ps.err;
        EXPECT_EQ(ps.out + ps.err, "") << fullness;
        EXPECT_EQ(here_meter().difference(), "") << fullness;
        return outcome.exit_code == 0;
    }

    [[nodiscard]] const LeakMeter& here_meter() const { return *here_meter_; }
    [[nodiscard]] const SmallDisk& disk() const { return *disk_; }
    [[nodiscard]] const TempDir& place() const { return place_; }

  private:
    TempDir place_;
    std::unique_ptr<SmallDisk> disk_;
    std::string root_;
    std::string run_root_;
    std::unique_ptr<LeakMeter> here_meter_;
};

TEST_F(DiskFull, AStartHasRoomOrFailsWhole) {
    int in_a_row = 0;
    std::uint64_t pages = 0;
    for (; pages <= kMostPages && in_a_row < 2; ++pages) {
        disk().leave_bytes(pages * kPage);
        in_a_row = start_on(std::to_string(pages) + " pages free") ? in_a_row + 1 : 0;
    }
    disk().give_back();

    EXPECT_EQ(in_a_row, 2) << "there was never room";
    EXPECT_TRUE(start_on("freed"));
    std::cout << "  a start needs " << pages - 2 << " pages" << std::endl;
}

TEST_F(DiskFull, AStartHasInodesOrFailsWhole) {
    int in_a_row = 0;
    std::uint64_t inodes = 0;
    for (; inodes <= kMostInodes && in_a_row < 2; ++inodes) {
        disk().leave_inodes(inodes);
        in_a_row = start_on(std::to_string(inodes) + " inodes free") ? in_a_row + 1 : 0;
    }
    disk().give_back();

    EXPECT_EQ(in_a_row, 2) << "there was never room";
    EXPECT_TRUE(start_on("freed"));
    std::cout << "  a start needs " << inodes - 2 << " inodes" << std::endl;
}

TEST_F(DiskFull, RunDirectoriesCountToo) {
    use(disk() / "root", disk() / "run");
    int in_a_row = 0;
    for (std::uint64_t pages = 0; pages <= kMostPages && in_a_row < 2; ++pages) {
        disk().leave_bytes(pages * kPage);
        in_a_row = start_on(std::to_string(pages) + " pages free") ? in_a_row + 1 : 0;
    }
    disk().give_back();

    EXPECT_EQ(in_a_row, 2) << "there was never room";
    EXPECT_TRUE(start_on("freed"));
}

TEST_F(DiskFull, WhatRunsIsShownStoppedAndRemovedWithoutAByte) {
    ASSERT_EQ(here({"run", "-d", "--name", "first", "busybox", "sleep", "1000"}).exit_code, 0);
    ASSERT_EQ(here({"run", "--name", "second", "busybox", "echo", "kept"}).exit_code, 0);
    disk().leave_bytes(0);
    ASSERT_EQ(disk().free_bytes(), 0U);

    const Outcome running = here({"ps"});
    const Outcome logs = here({"logs", "second"});
    const Outcome removed_old = here({"rm", "second"});
    disk().leave_bytes(0);
    const Outcome stopped = here({"stop", "-t", "0", "first"});
    const Outcome after = here({"ps", "-a"});
    disk().leave_bytes(0);
    const Outcome removed = here({"rm", "first"});

    EXPECT_EQ(running.exit_code, 0) << running.err;
    EXPECT_TRUE(matches(running.out, "first +[0-9]+ +Up")) << running.out;
    EXPECT_EQ(logs.out, "kept\n") << logs.err;
    EXPECT_EQ(removed_old.exit_code, 0) << removed_old.err;
    EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
    EXPECT_TRUE(matches(after.out, "first +- +Exited \\(137\\)")) << after.out << after.err;
    EXPECT_EQ(removed.exit_code, 0) << removed.err;
    EXPECT_EQ(here_meter().difference(), "");
    disk().give_back();
    EXPECT_TRUE(start_on("freed"));
}

TEST_F(DiskFull, WhatRunsIsRemovedByForceWithoutAByte) {
    ASSERT_EQ(here({"run", "-d", "--name", "first", "busybox", "sleep", "1000"}).exit_code, 0);
    disk().leave_bytes(0);

    const Outcome removed = here({"rm", "-f", "first"});

    EXPECT_EQ(removed.exit_code, 0) << removed.err;
    EXPECT_EQ(here({"ps", "-aq"}).out, "");
    EXPECT_EQ(here_meter().difference(), "");
}

TEST_F(DiskFull, WithoutAnInodeEither) {
    ASSERT_EQ(here({"run", "-d", "--name", "first", "busybox", "sleep", "1000"}).exit_code, 0);
    disk().leave_inodes(0);

    const Outcome stopped = here({"stop", "-t", "0", "first"});
    const Outcome removed = here({"rm", "first"});

    EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
    EXPECT_EQ(removed.exit_code, 0) << removed.err;
    EXPECT_EQ(here_meter().difference(), "");
}

TEST_F(DiskFull, AContainerWhoseOutputIsLostKeepsItsExitCode) {
    const std::string script = "while ! test -e /go; do sleep 0.01; done; "
                               "for i in $(seq 2000); do echo 01234567890123456789; done; exit 3";
    ASSERT_EQ(here({"run", "-d", "--name", "first", "busybox", "sh", "-c", script}).exit_code, 0);
    disk().leave_bytes(kPage);
    const std::string pid = member(here({"inspect", "first"}).out, "Pid");
    write_text("/proc/" + pid + "/root/go", "");

    const Outcome code = here({"wait", "first"});

    EXPECT_EQ(code.out, "3\n") << code.err;
    disk().give_back();
    EXPECT_EQ(here({"rm", "-f", "first"}).exit_code, 0);
    EXPECT_EQ(here_meter().difference(), "");
}

// --- S8: locks --------------------------------------------------------------------------------------

// A child of the test's that holds a lock file until it dies.
class LockHolder {
  public:
    explicit LockHolder(const std::string& path) {
        std::array<int, 2> ready{};
        if (::pipe2(ready.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        pid_ = ::fork();
        if (pid_ == 0) {
            const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
            struct flock lock{};
            lock.l_type = F_WRLCK;
            lock.l_whence = SEEK_SET;
            const char byte = ::fcntl(fd, F_OFD_SETLKW, &lock) == 0 ? 'y' : 'n';
            (void)!::write(ready[1], &byte, 1);
            for (;;)
                ::pause();
        }
        ::close(ready[1]);
        char byte = 'n';
        (void)!::read(ready[0], &byte, 1);
        ::close(ready[0]);
        holds_ = byte == 'y';
    }
    LockHolder(const LockHolder&) = delete;
    LockHolder& operator=(const LockHolder&) = delete;
    ~LockHolder() { end(); }

    void stop() const {
        ::kill(pid_, SIGSTOP);
        int status = 0;
        ::waitpid(pid_, &status, WUNTRACED);
    }
    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    [[nodiscard]] bool holds() const { return holds_; }
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
    bool holds_ = false;
};

class HeldLock : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        write_text(config_, "[state.json-file]\nlock_timeout = \"500ms\"\n");
    }
    [[nodiscard]] static std::string store_lock() { return root() + "/state/json-file/lock"; }

    Outcome impatient(std::vector<std::string> words) {
        words.insert(words.begin(), {"--config", config_});
        return mydocker(words);
    }

  private:
    TempDir directory_;
    std::string config_ = directory_ / "mydocker.toml";
};

TEST_F(HeldLock, OfAStoppedProcessIsNamedAndReadersNeverWait) {
    LockHolder holder(store_lock());
    ASSERT_TRUE(holder.holds());
    holder.stop();

    const Clock::time_point begin = Clock::now();
    const Outcome ps = impatient({"ps", "-a"});
    const auto ps_took = Clock::now() - begin;
    const Outcome create = impatient({"create", "busybox", "true"});

    EXPECT_EQ(ps.exit_code, 0) << ps.err;
    EXPECT_LT(ps_took, std::chrono::milliseconds(400));
    EXPECT_EQ(create.exit_code, 125);
    EXPECT_TRUE(
        matches(create.err, "is locked by pid " + std::to_string(holder.pid()) + " \\(.*, stopped\\)"))
        << create.err;

    holder.end();
    remove_at_end("now");
    EXPECT_EQ(impatient({"create", "--name", "now", "busybox", "true"}).exit_code, 0);
}

TEST_F(HeldLock, OfADeadProcessIsTakenOver) {
    LockHolder holder(store_lock());
    ASSERT_TRUE(holder.holds());
    holder.end();
    remove_at_end("next");

    const Outcome create = impatient({"create", "--name", "next", "busybox", "true"});

    EXPECT_EQ(create.exit_code, 0) << create.err;
    EXPECT_EQ(create.err, "");
}

TEST_F(HeldLock, AStoppedMonitorHidesNobodyAndItsContainerGoesOnceItRuns) {
    remove_at_end("asleep");
    ASSERT_EQ(mydocker({"run", "-d", "--name", "asleep", "busybox", "sleep", "1000"}).exit_code, 0);
    const std::string pid = member(mydocker({"inspect", "asleep"}).out, "Pid");
    const pid_t monitor = parent_of(std::stoi(pid));
    ASSERT_GT(monitor, 1);
    ASSERT_EQ(::kill(monitor, SIGSTOP), 0);

    const Clock::time_point begin = Clock::now();
    const Outcome ps = mydocker({"ps"});
    const Outcome other = mydocker({"run", "--rm", "busybox", "echo", "other"});
    const auto took = Clock::now() - begin;
    const Outcome removed = mydocker({"rm", "-f", "asleep"});
    ASSERT_EQ(::kill(monitor, SIGCONT), 0);

    EXPECT_TRUE(matches(ps.out, "asleep +" + pid + " +Up")) << ps.out;
    EXPECT_EQ(other.out, "other\n") << other.err;
    EXPECT_LT(took, std::chrono::seconds(2));
    EXPECT_EQ(removed.exit_code, 1);
    EXPECT_TRUE(matches(removed.err, "^mydocker: rm: .*asleep|^mydocker: rm: .*in another process's hands"))
        << removed.err;
    EXPECT_TRUE(eventually([&] { return mydocker({"ps", "-q"}).out.empty(); }));
    EXPECT_EQ(mydocker({"rm", "-f", "asleep"}).exit_code, 0);
}

} // namespace
} // namespace mydocker::test
