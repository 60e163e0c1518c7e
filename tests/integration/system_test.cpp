// `system check` and `system recover`: what no container accounts for, by kind, and whose it is.
#include "support/engine_fixture.hpp"

#include <filesystem>
#include <unistd.h>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

class System : public EngineTest {
  protected:
    static std::string an_id(char digit) { return std::string(64, digit); }
};

// An empty cgroup below the engines' common parent, wherever this host has its controllers.
class StrayCgroup {
  public:
    explicit StrayCgroup(const std::string& id) {
        const std::string top = "/sys/fs/cgroup";
        parent_ = fs::exists(top + "/memory") ? top + "/memory/mydocker" : top + "/mydocker";
        had_parent_ = fs::exists(parent_);
        path_ = parent_ + "/" + id;
        fs::create_directories(path_);
    }
    ~StrayCgroup() {
        (void)::rmdir(path_.c_str()); // Gone already where the test is about that.
        if (!had_parent_) (void)::rmdir(parent_.c_str());
    }
    StrayCgroup(const StrayCgroup&) = delete;
    StrayCgroup& operator=(const StrayCgroup&) = delete;

    [[nodiscard]] bool exists() const { return fs::exists(path_); }

  private:
    std::string parent_;
    std::string path_;
    bool had_parent_ = false;
};

TEST_F(System, CheckOfAWholeEngineFindsNothing) {
    remove_at_end("whole");
    ASSERT_EQ(mydocker({"run", "-d", "--name", "whole", "busybox", "sleep", "1000"}).exit_code, 0);

    const Outcome checked = mydocker({"system", "check"});

    EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
}

TEST_F(System, ABundleThatNoRecordKnowsIsNamedAndTakenAwayWhenAskedTo) {
    const std::string bundle = root() + "/containers/" + an_id('a');
    fs::create_directories(bundle);

    const Outcome checked = mydocker({"system", "check"});
    const Outcome kept = mydocker({"system", "recover"});
    EXPECT_TRUE(fs::exists(bundle));
    const Outcome recovered = mydocker({"system", "recover", "--orphans"});

    EXPECT_EQ(kept.exit_code, 1);
    EXPECT_NE(kept.out.find(an_id('a')), std::string::npos) << kept.out;

    EXPECT_EQ(checked.exit_code, 1) << checked.err;
    EXPECT_NE(checked.out.find(an_id('a')), std::string::npos) << checked.out;
    EXPECT_EQ(recovered.exit_code, 0) << recovered.out << recovered.err;
    EXPECT_FALSE(fs::exists(bundle));
    EXPECT_EQ(mydocker({"system", "check"}).exit_code, 0);
}

TEST_F(System, AnotherEnginesEmptyCgroupIsLeftAlone) {
    const StrayCgroup stray(an_id('b'));

    const Outcome checked = mydocker({"system", "check"});
    const Outcome recovered = mydocker({"system", "recover"});

    EXPECT_EQ(checked.exit_code, 0) << checked.out;
    EXPECT_EQ(recovered.exit_code, 0) << recovered.out << recovered.err;
    EXPECT_TRUE(stray.exists());
}

TEST_F(System, ACgroupOfARunDirectoryWithoutOwnerIsNamedAndTakenAway) {
    const StrayCgroup stray(an_id('c'));
    const std::string directory = run_root() + "/" + an_id('c');
    fs::create_directories(directory);
    write_text(directory + "/lock", "");

    const Outcome checked = mydocker({"system", "check"});
    const Outcome recovered = mydocker({"system", "recover"});

    EXPECT_EQ(checked.exit_code, 1);
    EXPECT_NE(checked.out.find("cgroup"), std::string::npos) << checked.out;
    EXPECT_EQ(recovered.exit_code, 0) << recovered.out << recovered.err;
    EXPECT_FALSE(stray.exists());
    EXPECT_FALSE(fs::exists(directory));
}

TEST_F(System, AnOrdinaryCommandTakesAwayTheCgroupBeforeTheRunDirectoryThatTellsWhoseItIs) {
    const StrayCgroup stray(an_id('d'));
    const std::string directory = run_root() + "/" + an_id('d');
    fs::create_directories(directory);
    write_text(directory + "/lock", "");

    const Outcome listed = mydocker({"ps", "-a"});

    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    EXPECT_FALSE(stray.exists());
    EXPECT_FALSE(fs::exists(directory));
}

} // namespace
} // namespace mydocker::test
