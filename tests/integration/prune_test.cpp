// The prune verbs, `system df`, `system reset` and `doctor`.
#include "support/engine_fixture.hpp"

#include "mydocker/support/files.hpp"

#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <sys/file.h>
#include <sys/mount.h>

namespace mydocker::test {
namespace {

class Pruning : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        for (const char* name : {"lives", "ended", "labelled"})
            remove_at_end(name);
        ASSERT_EQ(mydocker({"run", "-d", "--name", "lives", "busybox", "sleep", "1000"}).exit_code, 0);
        ASSERT_EQ(mydocker({"run", "--name", "ended", "busybox", "dd", "if=/dev/zero", "of=/big", "bs=1M",
                            "count=3"})
                      .exit_code,
                  0);
        ASSERT_EQ(mydocker({"create", "--name", "labelled", "-l", "keep=yes", "busybox", "true"}).exit_code,
                  0);
    }

    [[nodiscard]] bool has(const std::string& name) { return mydocker({"inspect", name}).exit_code == 0; }
};

TEST_F(Pruning, RemovesTheContainersThatDoNotRun) {
    const std::string id = member(mydocker({"inspect", "ended"}).out, "Id");

    const Outcome pruned = mydocker({"container", "prune", "-f"});

    EXPECT_EQ(pruned.exit_code, 0) << pruned.err;
    EXPECT_TRUE(pruned.out.starts_with("Deleted Containers:\n")) << pruned.out;
    EXPECT_NE(pruned.out.find(id + "\n"), std::string::npos) << pruned.out;
    EXPECT_TRUE(matches(pruned.out, "\n\nTotal reclaimed space: 3\\.[0-9]+MB\n$")) << pruned.out;
    EXPECT_TRUE(has("lives"));
    EXPECT_FALSE(has("ended"));
    EXPECT_FALSE(has("labelled"));
    EXPECT_EQ(mydocker({"container", "prune", "-f"}).out, "Total reclaimed space: 0B\n");
}

TEST_F(Pruning, AsksFirst) {
    const Outcome no = mydocker({"container", "prune"}, "n\n");
    EXPECT_EQ(no.out, "WARNING! This will remove all stopped containers.\n"
                      "Are you sure you want to continue? [y/N] ");
    EXPECT_EQ(no.exit_code, 0);
    EXPECT_EQ(mydocker({"container", "prune"}).exit_code, 0); // The end of the input is no yes.
    EXPECT_TRUE(has("ended"));

    EXPECT_EQ(mydocker({"container", "prune"}, "y\n").exit_code, 0);

    EXPECT_FALSE(has("ended"));
}

TEST_F(Pruning, TakesOnlyWhatFitsTheFilter) {
    EXPECT_EQ(mydocker({"container", "prune", "-f", "--filter", "until=24h"}).out,
              "Total reclaimed space: 0B\n");
    EXPECT_EQ(mydocker({"container", "prune", "-f", "--filter", "label!=keep"}).exit_code, 0);
    EXPECT_FALSE(has("ended"));
    EXPECT_TRUE(has("labelled"));
    EXPECT_EQ(mydocker({"container", "prune", "-f", "--filter", "label=keep=no"}).exit_code, 0);
    EXPECT_TRUE(has("labelled"));
    EXPECT_EQ(mydocker({"container", "prune", "-f", "--filter", "label=keep=yes"}).exit_code, 0);
    EXPECT_FALSE(has("labelled"));

    const Outcome bad = mydocker({"container", "prune", "-f", "--filter", "colour=red"});
    EXPECT_EQ(bad.exit_code, 125);
    EXPECT_NE(bad.err.find("'colour=red'"), std::string::npos) << bad.err;
}

TEST_F(Pruning, RemovesImagesWithoutANameOrAllUnused) {
    ASSERT_EQ(mydocker({"commit", "-m", "1", "ended", "mine"}).exit_code, 0);
    ASSERT_EQ(mydocker({"commit", "-m", "2", "ended", "mine"}).exit_code, 0);

    const Outcome dangling = mydocker({"image", "prune", "-f"});
    EXPECT_TRUE(matches(dangling.out, "^Deleted Images:\ndeleted: sha256:[0-9a-f]{64}\n\n"
                                      "Total reclaimed space: "))
        << dangling.out << dangling.err;
    EXPECT_NE(mydocker({"images"}).out.find("mine"), std::string::npos);

    const Outcome unused = mydocker({"image", "prune", "-a", "-f"});
    EXPECT_NE(unused.out.find("untagged: mine:latest\ndeleted: sha256:"), std::string::npos) << unused.out;
    const std::string images = mydocker({"images"}).out;
    EXPECT_EQ(images.find("mine"), std::string::npos);
    EXPECT_NE(images.find("busybox"), std::string::npos); // A container uses it.
    EXPECT_EQ(mydocker({"run", "--rm", "busybox", "true"}).exit_code, 0);
}

TEST_F(Pruning, RemovesAllThatNobodyNeeds) {
    ASSERT_EQ(mydocker({"run", "--name", "more", "-v", "/data", "busybox", "true"}).exit_code, 0);
    ASSERT_EQ(mydocker({"commit", "ended", "mine"}).exit_code, 0);
    ASSERT_EQ(mydocker({"volume", "create", "named"}).exit_code, 0);

    const Outcome pruned = mydocker({"system", "prune", "-a", "--volumes", "-f"});

    EXPECT_EQ(pruned.exit_code, 0) << pruned.err;
    for (const char* part :
         {"Deleted Containers:\n", "Deleted Volumes:\n", "Deleted Images:\n", "untagged: mine:latest\n"})
        EXPECT_NE(pruned.out.find(part), std::string::npos) << pruned.out;
    EXPECT_TRUE(has("lives"));
    EXPECT_EQ(mydocker({"volume", "rm", "named"}).exit_code, 0); // It has a name: it stayed.
    EXPECT_EQ(mydocker({"run", "--rm", "busybox", "true"}).exit_code, 0);
}

TEST_F(Pruning, ShowsWhatIsUsed) {
    const Outcome df = mydocker({"system", "df"});

    EXPECT_EQ(df.exit_code, 0) << df.err;
    EXPECT_TRUE(matches(df.out, "^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\n"
                                "Images +1 +1 +[0-9.]+.?B +0B \\(0%\\)\n"
                                "Containers +3 +1 +3\\.[0-9]+MB +3\\.[0-9]+MB \\([0-9]+%\\)\n"
                                "Local Volumes +0 +0 +0B +0B\n"
                                "Unpacked Layers +1 +1 +[0-9.]+.?B +0B \\(0%\\)\n$"))
        << df.out;
    EXPECT_TRUE(
        mydocker({"system", "df", "--format", "{{.Type}}={{.TotalCount}}"}).out.starts_with("Images=1\n"));
    const Outcome each = mydocker({"system", "df", "-v"});
    EXPECT_TRUE(matches(each.out, "busybox +latest +[0-9a-f]{12} .* 3\n")) << each.out;
    EXPECT_TRUE(matches(each.out, "3\\.[0-9]+MB +.* Exited \\(0\\) [^\n]+ ago +ended\n")) << each.out;
}

TEST_F(Pruning, TheDoctorFindsThisHostFit) {
    const Outcome text = mydocker({"doctor"});

    EXPECT_EQ(text.exit_code, 0) << text.out << text.err;
    EXPECT_TRUE(matches(text.out, "\\[ok +\\] kernel: Linux ")) << text.out;
    EXPECT_NE(text.out.find("limits of memory: "), std::string::npos) << text.out;
    EXPECT_TRUE(mydocker({"doctor", "--format", "json"}).out.starts_with("[\n"));
    EXPECT_EQ(mydocker({"doctor", "--format", "xml"}).exit_code, 125);
}

TEST_F(Pruning, TheDoctorNamesWhatIsWrongAndARemedy) {
    const Outcome text = mydocker({"--storage-driver", "nowhere", "doctor"});

    EXPECT_EQ(text.exit_code, 1);
    EXPECT_TRUE(matches(text.out, "\\[bad +\\] storage: .*nowhere.*\n +→ ")) << text.out;
}

// --- reset, on roots of its own ------------------------------------------------------------------------

class Reset : public Pruning {
  protected:
    [[nodiscard]] Outcome with_own(std::vector<std::string> words, const std::string& input = {}) const {
        words.insert(words.begin(),
                     {stage() + "/bin/mydocker", "--root", own_ / "root", "--run-root", own_ / "run"});
        return run(Command{.words = std::move(words), .input = input, .environment = {}, .directory = {}});
    }
    // The same for a shell.
    [[nodiscard]] std::string own_line(const std::string& words) const {
        return stage() + "/bin/mydocker --root " + (own_ / "root") + " --run-root " + (own_ / "run") + " " +
               words;
    }
    [[nodiscard]] UniqueFd open_run_root() const {
        return UniqueFd(::open((own_ / "run").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    [[nodiscard]] std::size_t files_in(const std::string& name) const {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(own_ / name))
            ++count;
        return count;
    }

    TempDir own_;
};

TEST_F(Reset, LeavesNothingButTheMarkers) {
    ASSERT_EQ(
        with_own({"run", "-d", "--name", "box", "-v", "data:/data", "busybox", "sleep", "1000"}).exit_code,
        0);
    ASSERT_EQ(with_own({"run", "--name", "ended", "busybox", "true"}).exit_code, 0);

    const Outcome no = with_own({"system", "reset"}, "n\n");
    EXPECT_NE(no.out.find("all containers: 2, of which 1 run"), std::string::npos) << no.out;
    EXPECT_NE(with_own({"ps"}).out.find("box"), std::string::npos);
    const Outcome reset = with_own({"system", "reset", "-f"});

    EXPECT_EQ(reset.exit_code, 0) << reset.err;
    EXPECT_EQ(files_in("root"), 1U);
    EXPECT_EQ(files_in("run"), 1U);
    EXPECT_EQ(with_own({"run", "--rm", "busybox", "echo", "again"}).out, "again\n");
    EXPECT_EQ(with_own({"system", "reset", "-f"}).exit_code, 0);
}

// Whatever they meet, the roots before, in or after the reset: each says so or works, and none is left over.
TEST_F(Reset, NothingIsMadeBesideIt) {
    ASSERT_EQ(with_own({"create", "--name", "box", "busybox", "true"}).exit_code, 0);

    const Outcome outcome = run({"bash", "-c",
                                 "for i in $(seq 12); do " + own_line("run -d busybox sleep 1000") +
                                     " >/dev/null 2>&1 & done; sleep 0.1; " + own_line("system reset -f") +
                                     "; code=$?; wait; for id in $(" + own_line("ps -q") + "); do " +
                                     own_line("exec") + " $id true || code=9; done; exit $code"});

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(with_own({"system", "reset", "-f"}).exit_code, 0);
    EXPECT_EQ(files_in("root"), 1U);
    EXPECT_EQ(files_in("run"), 1U);
}

TEST_F(Reset, WaitsForWhoeverIsAtWork) {
    ASSERT_EQ(with_own({"create", "--name", "box", "busybox", "true"}).exit_code, 0);
    const UniqueFd run_root = open_run_root();
    ASSERT_EQ(::flock(run_root.get(), LOCK_SH), 0);

    auto reset = std::async(std::launch::async, [&] { return with_own({"system", "reset", "-f"}); });

    // Only the lock is in its way now.
    EXPECT_TRUE(eventually([&] { return files_in("root/containers") == 0; }));
    EXPECT_EQ(reset.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
    EXPECT_GT(files_in("root"), 1U);
    ASSERT_EQ(::flock(run_root.get(), LOCK_UN), 0);
    EXPECT_EQ(reset.get().exit_code, 0);
    EXPECT_EQ(files_in("root"), 1U);
}

TEST_F(Reset, WhoeverComesMeanwhileWaitsForIt) {
    ASSERT_EQ(with_own({"volume", "create", "data"}).exit_code, 0);
    const UniqueFd run_root = open_run_root();
    ASSERT_EQ(::flock(run_root.get(), LOCK_EX), 0);

    auto create = std::async(std::launch::async,
                             [&] { return with_own({"create", "--name", "box", "busybox", "true"}); });

    EXPECT_EQ(create.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
    ASSERT_EQ(::flock(run_root.get(), LOCK_UN), 0);
    EXPECT_EQ(create.get().exit_code, 0);
}

TEST_F(Reset, AWatcherIsNotInItsWay) {
    ASSERT_EQ(with_own({"create", "--name", "box", "busybox", "true"}).exit_code, 0);
    const std::string seen = own_ / "events";

    const Outcome outcome =
        run({"bash", "-c",
             own_line("events --since 1h") + " >" + seen + " & watcher=$!; until grep -q create " + seen +
                 "; do sleep 0.02; done; " + own_line("system reset -f") +
                 "; code=$?; kill $watcher; exit $code"});

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

// The kernel's list of mounts writes some paths in another way than users.
TEST_F(Reset, SeesAMountWhateverTheRootIsCalled) {
    std::filesystem::create_directory(own_ / "a b");
    const std::string root = own_ / "a b//root";
    const auto with_odd = [&](std::vector<std::string> words) {
        words.insert(words.begin(),
                     {stage() + "/bin/mydocker", "--root", root, "--run-root", own_ / "odd-run"});
        return run(words);
    };
    ASSERT_EQ(with_odd({"volume", "create", "data"}).exit_code, 0);
    const std::string mine = root + "/volumes/data/_data";
    ASSERT_EQ(::mount("tmpfs", mine.c_str(), "tmpfs", 0, nullptr), 0);

    const Outcome mounted = with_odd({"system", "reset", "-f"});

    EXPECT_EQ(::umount(mine.c_str()), 0);
    EXPECT_EQ(mounted.exit_code, 1);
    EXPECT_NE(mounted.err.find("nothing was deleted"), std::string::npos) << mounted.err;
    EXPECT_TRUE(std::filesystem::exists(root + "/containers")) << "nothing was";
}

TEST_F(Reset, TouchesNothingThatIsNotOurs) {
    ASSERT_EQ(with_own({"create", "--name", "box", "busybox", "true"}).exit_code, 0);
    std::filesystem::create_directory(own_ / "root/mine");
    ASSERT_EQ(::mount("tmpfs", (own_ / "root/mine").c_str(), "tmpfs", 0, nullptr), 0);
    write_text(own_ / "root/mine/letter", "dear");

    const Outcome mounted = with_own({"system", "reset", "-f"});
    EXPECT_EQ(mounted.exit_code, 1);
    EXPECT_NE(mounted.err.find("something is mounted"), std::string::npos) << mounted.err;
    EXPECT_TRUE(std::filesystem::exists(own_ / "root/mine/letter"));
    ASSERT_EQ(::umount((own_ / "root/mine").c_str()), 0);

    std::filesystem::rename(own_ / "root/.mydocker", own_ / "marker");
    EXPECT_NE(with_own({"system", "reset", "-f"}).exit_code, 0);
    EXPECT_TRUE(std::filesystem::exists(own_ / "root/containers"));

    std::filesystem::rename(own_ / "marker", own_ / "root/.mydocker");
    std::filesystem::rename(own_ / "root", own_ / "elsewhere");
    std::filesystem::create_directory_symlink(own_ / "elsewhere", own_ / "root");
    const Outcome linked = with_own({"system", "reset", "-f"});
    EXPECT_EQ(linked.exit_code, 1);
    EXPECT_NE(linked.err.find("symbolic link"), std::string::npos) << linked.err;
    EXPECT_TRUE(std::filesystem::exists(own_ / "elsewhere/containers"));
}

} // namespace
} // namespace mydocker::test
