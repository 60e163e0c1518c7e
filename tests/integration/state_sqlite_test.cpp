// Containers whose records the state store "sqlite" keeps: their whole life, by many commands at once.
#include "support/engine_fixture.hpp"

#include <filesystem>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

int count_of(const std::string& text, const std::string& piece) {
    int count = 0;
    for (std::size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1))
        ++count;
    return count;
}

class SqliteState : public EngineTest {
  protected:
    static void SetUpTestSuite() {
        EngineTest::SetUpTestSuite();
        if (missing(Need::root)) return;
        // The store's file stays, so it is made before anything is measured.
        (void)run({stage() + "/bin/mydocker", "--root", root(), "--run-root", run_root(), "--state-driver",
                   "sqlite", "run", "--rm", "busybox", "true"});
    }

    void TearDown() override {
        if (is_set_up()) (void)kept({"rm", "-f", "web", "site"});
        EngineTest::TearDown();
    }

    // A command on the records in the database.
    Outcome kept(std::vector<std::string> words) {
        words.insert(words.begin(), {"--state-driver", "sqlite"});
        return mydocker(words);
    }

    [[nodiscard]] static std::string store() { return root() + "/state/sqlite"; }
};

TEST_F(SqliteState, SeesAContainerThroughItsLife) {
    const Outcome run = kept({"run", "-d", "--name", "web", "busybox", "sleep", "1000"});
    ASSERT_EQ(run.exit_code, 0) << run.err;

    EXPECT_TRUE(matches(kept({"ps"}).out, "web"));
    EXPECT_EQ(kept({"exec", "web", "echo", "inside"}).out, "inside\n");
    EXPECT_EQ(kept({"rename", "web", "site"}).exit_code, 0);
    EXPECT_EQ(member(kept({"inspect", "site"}).out, "Status"), "running");
    EXPECT_EQ(kept({"stop", "-t", "0", "site"}).exit_code, 0);
    EXPECT_EQ(kept({"wait", "site"}).out, "137\n");
    EXPECT_TRUE(matches(kept({"ps", "-a"}).out, "site.*Exited|Exited.*site"));
    EXPECT_EQ(kept({"start", "site"}).exit_code, 0);
    EXPECT_EQ(kept({"rm", "-f", "site"}).exit_code, 0);
    EXPECT_EQ(kept({"ps", "-aq"}).out, "");
    EXPECT_FALSE(fs::exists(root() + "/state/json-file/names/web"));
}

TEST_F(SqliteState, TheEndOfAContainerIsRecordedWithoutACommand) {
    ASSERT_EQ(kept({"run", "-d", "--name", "web", "busybox", "sh", "-c", "exit 3"}).exit_code, 0);

    EXPECT_TRUE(eventually([&] { return member(kept({"inspect", "web"}).out, "ExitCode") == "3"; }));
    EXPECT_TRUE(eventually([&] { return member(kept({"inspect", "web"}).out, "Status") == "exited"; }));
}

TEST_F(SqliteState, OneOfAHundredGetsTheName) {
    const int count = repeats(100);
    const std::string one =
        line({"--state-driver", "sqlite", "run", "-d", "--name", "web", "busybox", "sleep", "1000"});
    const Outcome all = run({"sh", "-c",
                             "for i in $(seq " + std::to_string(count) + "); do (" + one +
                                 " 2>&1 >/dev/null && echo won) & done; wait"});

    EXPECT_EQ(count_of(all.out, "won\n"), 1) << all.out;
    EXPECT_EQ(count_of(all.out, "name 'web' is used by container"), count - 1) << all.out;
    EXPECT_TRUE(matches(kept({"ps"}).out, "web"));
}

TEST_F(SqliteState, NothingOfAChangeStaysWhenNobodyUsesTheStore) {
    ASSERT_EQ(kept({"run", "--rm", "busybox", "true"}).exit_code, 0);

    EXPECT_TRUE(eventually([] { return !fs::exists(store() + "/records.db-wal"); }));
    EXPECT_EQ(fs::status(store() + "/records.db").permissions(), fs::perms(0600));
}

} // namespace
} // namespace mydocker::test
