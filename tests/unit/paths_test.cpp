// Names on disk, ids, names of containers, and the installation.
#include "base/paths.hpp"

#include "base/paths_names.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <sys/stat.h>
#include <unordered_set>

namespace mydocker::paths {
namespace {

constexpr unsigned kPermissions = 07777;

unsigned mode_of(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & kPermissions : 0;
}

TEST(PathsTree, NamesEveryPlace) {
    const Roots roots{"/r", "/x"};
    const ContainerId id("abc");

    EXPECT_EQ(content(roots), "/r/content");
    EXPECT_EQ(bundle(roots, id), "/r/containers/abc");
    EXPECT_EQ(logs(roots, id), "/r/containers/abc/logs");
    EXPECT_EQ(baton(roots, id), "/x/abc/lock");
    EXPECT_EQ(exits(roots), "/x/exits");
    EXPECT_EQ(driver_data(roots, "storage", "vfs"), "/r/storage/vfs");
    EXPECT_EQ(driver_run(roots, "state", "json-file"), "/x/state/json-file");
}

class PathsRoots : public testing::Test {
  protected:
    test::TempDir temp;
    Roots roots{temp / "a/root", temp / "b/run"};
};

TEST_F(PathsRoots, AreMadeClosedAndMarked) {
    const auto made = make_roots(roots);

    ASSERT_TRUE(made) << describe(made.error());
    EXPECT_EQ(mode_of(roots.root), 0700U);
    EXPECT_EQ(mode_of(roots.run_root), 0700U);
    EXPECT_TRUE(std::filesystem::exists(roots.root + "/.mydocker"));
    EXPECT_TRUE(std::filesystem::exists(roots.run_root + "/.mydocker"));
}

TEST_F(PathsRoots, MadeAgainStay) {
    ASSERT_TRUE(make_roots(roots));
    test::write_text(roots.root + "/kept", "x");

    EXPECT_TRUE(make_roots(roots));
    EXPECT_TRUE(std::filesystem::exists(roots.root + "/kept"));
}

TEST_F(PathsRoots, OpenedByOthersAreClosedAgain) {
    ASSERT_TRUE(make_roots(roots));
    ASSERT_EQ(::chmod(roots.root.c_str(), 0755), 0);

    ASSERT_TRUE(make_roots(roots));

    EXPECT_EQ(mode_of(roots.root), 0700U);
}

TEST_F(PathsRoots, FullDirectoryOfSomebodyElseIsRefused) {
    std::filesystem::create_directories(roots.root + "/holiday");
    ASSERT_EQ(::chmod(roots.root.c_str(), 0755), 0);

    const auto made = make_roots(roots);

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::exists);
    EXPECT_EQ(mode_of(roots.root), 0755U);
}

TEST_F(PathsRoots, FreshFilesystemIsTaken) {
    std::filesystem::create_directories(roots.root + "/lost+found");

    EXPECT_TRUE(make_roots(roots));
}

TEST_F(PathsRoots, FileInTheWayIsNamed) {
    std::filesystem::create_directories(temp / "a");
    test::write_text(roots.root, "x");

    const auto made = make_roots(roots);

    ASSERT_FALSE(made);
    EXPECT_NE(made.error().text.find(roots.root), std::string::npos) << made.error().text;
}

TEST_F(PathsRoots, RelativePathIsRefused) {
    EXPECT_EQ(make_roots({"data", roots.run_root}).error().code, Code::invalid);
}

TEST(PathsIds, AreDrawnAnew) {
    const auto first = make_id();
    const auto second = make_id();

    ASSERT_TRUE(first && second);
    EXPECT_TRUE(is_id(first->str()));
    EXPECT_NE(first->str(), second->str());
    EXPECT_EQ(short_id(*first), first->str().substr(0, 12));
}

// D48: ten digits from the clock came twice within a day.
TEST(PathsIds, NeverComeTwice) {
    constexpr std::size_t kMany = 100'000;
    std::unordered_set<std::string> all;
    for (std::size_t i = 0; i < kMany; ++i)
        if (const auto id = make_id()) all.insert(id->str());

    EXPECT_EQ(all.size(), kMany);
}

TEST(PathsIds, AreCheckedStrictly) {
    const std::string good(64, 'a');

    EXPECT_TRUE(is_id(good));
    EXPECT_FALSE(is_id(good + "a"));
    EXPECT_FALSE(is_id(good.substr(1)));
    EXPECT_FALSE(is_id(good.substr(1) + "A"));
    EXPECT_FALSE(is_id(good.substr(1) + "g"));
    EXPECT_FALSE(is_id(good.substr(1) + "/"));
}

struct NameCase {
    const char* title;
    std::string name;
    const char* says; // empty: good
};

class PathsNames : public testing::TestWithParam<NameCase> {};

TEST_P(PathsNames, AreTakenOrRefusedWithTheRule) {
    const auto name = parse_name(GetParam().name);

    EXPECT_EQ(name.has_value(), std::string(GetParam().says).empty());
    if (name) {
        EXPECT_EQ(name->str(), GetParam().name);
    } else {
        EXPECT_EQ(name.error().code, Code::invalid);
        EXPECT_NE(name.error().text.find(GetParam().says), std::string::npos) << name.error().text;
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, PathsNames,
    testing::Values(NameCase{"one", "a", ""}, NameCase{"all_kinds", "A9_.-z", ""},
                    NameCase{"longest", std::string(253, 'x'), ""}, NameCase{"empty", "", "it is empty"},
                    NameCase{"too_long", std::string(254, 'x'), "longer than 253"},
                    NameCase{"dots", "..", "must start with"}, NameCase{"option", "-rf", "must start with"},
                    NameCase{"slash", "a/b", "only letters"}, NameCase{"space", "a b", "only letters"},
                    NameCase{"umlaut", "a\xC3\xA4", "only letters"},
                    NameCase{"nul", std::string("a\0b", 3), "only letters"},
                    NameCase{"newline", "a\n", "only letters"}),
    [](const auto& tested) { return tested.param.title; });

TEST(PathsMakeName, MakesGoodNamesThatDiffer) {
    std::set<std::string> names;
    for (int i = 0; i < 100; ++i) {
        const auto name = make_name();
        ASSERT_TRUE(name);
        EXPECT_TRUE(parse_name(name->str())) << name->str();
        names.insert(name->str());
    }

    EXPECT_GT(names.size(), 95U);
}

TEST(PathsMakeName, HasManyPairsOfDistinctWords) {
    const std::set<std::string_view> qualities(name_qualities().begin(), name_qualities().end());
    const std::set<std::string_view> animals(name_animals().begin(), name_animals().end());

    EXPECT_EQ(qualities.size(), name_qualities().size());
    EXPECT_EQ(animals.size(), name_animals().size());
    EXPECT_GT(qualities.size() * animals.size(), 10000U);
}

TEST(PathsInstallation, IsFoundFromBin) {
    const auto found = installation_of("/opt/md/bin/mydocker");

    ASSERT_TRUE(found);
    EXPECT_EQ(found->prefix, "/opt/md");
    EXPECT_EQ(found->program, "/opt/md/bin/mydocker");
    EXPECT_EQ(found->monitor, "/opt/md/libexec/mydocker/mydocker-monitor");
    EXPECT_EQ(found->init, "/opt/md/libexec/mydocker/mydocker-init");
    EXPECT_EQ(found->plugins, "/opt/md/lib/mydocker/plugins");
    EXPECT_EQ(found->images, "/opt/md/share/mydocker/images");
    EXPECT_EQ(found->config, "/opt/md/etc/mydocker/mydocker.toml");
}

TEST(PathsInstallation, IsFoundFromLibexec) {
    EXPECT_EQ(installation_of("/opt/md/libexec/mydocker/mydocker-monitor")->program, "/opt/md/bin/mydocker");
}

TEST(PathsInstallation, OfTheSystemIsConfiguredInEtc) {
    EXPECT_EQ(installation_of("/usr/bin/mydocker")->config, "/etc/mydocker/mydocker.toml");
    EXPECT_EQ(installation_of("/usr/local/bin/mydocker")->config, "/etc/mydocker/mydocker.toml");
    EXPECT_EQ(installation_of("/bin/mydocker")->monitor, "/libexec/mydocker/mydocker-monitor");
}

TEST(PathsInstallation, SurvivesAnUpgradeInPlace) {
    EXPECT_EQ(installation_of("/usr/bin/mydocker (deleted)")->program, "/usr/bin/mydocker");
}

TEST(PathsInstallation, ElsewhereIsAnErrorThatSaysSo) {
    const auto found = installation_of("/tmp/mydocker");

    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::not_found);
    EXPECT_NE(found.error().text.find("'/tmp/mydocker'"), std::string::npos);
}

} // namespace
} // namespace mydocker::paths
