// The rungs of the handshake, each with the sentence by which it refuses.
#include "plugin/ownership.hpp"
#include "plugin/plugin_host.hpp"
#include "support/plugin_dir.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace mydocker;
using plugin::Kind;
using plugin::PluginHost;

class Rungs : public ::testing::Test {
  protected:
    void SetUp() override {
        if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    }

    [[nodiscard]] PluginHost host() const { return PluginHost(plugins_.source(), {}); }
    // What load says of a storage driver.
    [[nodiscard]] std::string refusal(const std::string& name) const {
        PluginHost fresh(plugins_.source(), {});
        auto loaded = fresh.load(Kind::storage, name);
        return loaded ? "fine" : describe(loaded.error());
    }

    test::PluginDir plugins_;
};

// --- 1 select
// -----------------------------------------------------------------------------------------------

TEST_F(Rungs, UnknownDriverIsToldWhichThereAre) {
    (void)plugins_.add("storage-echo.so");
    (void)plugins_.add("storage-faulty.so");
    (void)plugins_.add("log-echo.so");

    EXPECT_EQ(refusal("zfsx"),
              "storage driver 'zfsx' not found in " + plugins_.path() + "; there are: echo, faulty");
}

TEST_F(Rungs, EmptyAndMissingDirectoriesAreTold) {
    const PluginHost none({}, {});
    const PluginHost missing({{"/nonexistent/plugins"}}, {});

    EXPECT_EQ(refusal("echo"), "storage driver 'echo' not found in " + plugins_.path() + "; there are none");
    EXPECT_EQ(none.find(Kind::log, "x").error().text, "log sink 'x' not found: there is no plugin directory");
    EXPECT_EQ(missing.find(Kind::log, "x").error().text,
              "log sink 'x' not found in /nonexistent/plugins; there are none");
}

TEST_F(Rungs, NameIsNeverAPath) {
    for (const char* name : {"", "../x", "a/b", "X", "a.so", "-x", "a b", "a\nb"}) {
        auto found = host().find(Kind::storage, name);

        ASSERT_FALSE(found) << name;
        EXPECT_EQ(found.error().code, Code::invalid) << name;
    }
}

TEST_F(Rungs, FirstDirectoryWinsAndTheOtherIsHidden) {
    const test::PluginDir later;
    const std::string first = plugins_.add("storage-echo.so");
    (void)later.add("storage-echo.so");
    PluginHost both({{plugins_.path(), later.path()}}, {});

    auto listed = both.list();

    EXPECT_EQ(both.find(Kind::storage, "echo").value(), first);
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->size(), 2U);
    EXPECT_EQ((*listed)[0].path, first);
    EXPECT_FALSE((*listed)[0].hidden);
    EXPECT_TRUE((*listed)[1].hidden);
}

TEST_F(Rungs, ListShowsBadFilesWithTheReasonAndSkipsOthers) {
    (void)plugins_.add("storage-echo.so");
    (void)plugins_.add("storage-nopass.so");
    (void)plugins_.add("storage-echo.so", "README");

    auto listed = host().list();

    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->size(), 2U);
    EXPECT_TRUE((*listed)[0].passport);
    EXPECT_EQ((*listed)[1].name, "nopass");
    EXPECT_FALSE((*listed)[1].passport);
}

// --- 2 own
// ---------------------------------------------------------------------------------------------------

TEST_F(Rungs, FileWritableByOthersIsRefused) {
    const std::string path = plugins_.add("storage-echo.so");

    ASSERT_EQ(::chmod(path.c_str(), 0775), 0);
    EXPECT_EQ(refusal("echo"),
              "plugin '" + path + "' is writable by group 0; chmod go-w it, or keep plugins elsewhere");
    ASSERT_EQ(::chmod(path.c_str(), 0757), 0);
    EXPECT_EQ(refusal("echo"),
              "plugin '" + path + "' is writable by everybody; chmod go-w it, or keep plugins elsewhere");
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
    ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    EXPECT_EQ(refusal("echo"), "plugin '" + path +
                                   "' belongs to uid 65534, who could replace what is loaded "
                                   "from it; chown it to root");
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
    EXPECT_EQ(refusal("echo"), "fine");
}

TEST_F(Rungs, ParentWritableByOthersIsRefusedByName) {
    const std::string middle = plugins_ / "middle";
    const std::string bottom = middle + "/bottom";
    std::filesystem::create_directories(bottom);
    ASSERT_EQ(::chmod(middle.c_str(), 0777), 0);
    std::filesystem::rename(plugins_.add("storage-echo.so"), bottom + "/storage-echo.so");
    PluginHost host({{bottom}}, {});

    auto loaded = host.load(Kind::storage, "echo");

    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Code::denied);
    EXPECT_EQ(loaded.error().text,
              "plugin '" + bottom + "/storage-echo.so': directory '" + middle +
                  "' is writable by everybody; chmod go-w it, or keep plugins elsewhere");
}

TEST_F(Rungs, StickyDirectoryIsAllowedOnTheWayAndNotAsTheLast) {
    const std::string sticky = plugins_ / "sticky";
    const std::string below = sticky + "/below";
    std::filesystem::create_directories(below);
    ASSERT_EQ(::chmod(sticky.c_str(), 01777), 0);

    EXPECT_TRUE(plugin::check_directory_ownership(below));
    auto last = plugin::check_directory_ownership(sticky);
    ASSERT_FALSE(last);
    EXPECT_TRUE(last.error().text.starts_with("directory '" + sticky + "' is writable by everybody"))
        << last.error().text;
}

TEST_F(Rungs, LinkIsFollowedToWhatIsBehindItAndItsOwnerChecked) {
    const std::string open_to_all = plugins_ / "open";
    ASSERT_TRUE(std::filesystem::create_directory(open_to_all));
    ASSERT_EQ(::chmod(open_to_all.c_str(), 0777), 0);
    const std::string good = plugins_ / "good";
    const std::string bad = plugins_ / "bad";
    const std::string loop = plugins_ / "loop";
    std::filesystem::create_directory_symlink("../../../usr/./lib", good);
    std::filesystem::create_directory_symlink(open_to_all, bad);
    std::filesystem::create_directory_symlink("loop", loop);
    const std::string foreign = plugins_ / "foreign";
    std::filesystem::create_directory_symlink("/usr", foreign);
    ASSERT_EQ(::lchown(foreign.c_str(), 65534, 65534), 0);

    EXPECT_TRUE(plugin::check_directory_ownership(good));
    EXPECT_TRUE(
        plugin::check_directory_ownership(bad).error().text.starts_with("directory '" + open_to_all + "'"));
    EXPECT_EQ(plugin::check_directory_ownership(loop).error().sys_errno, ELOOP);
    EXPECT_TRUE(plugin::check_directory_ownership(foreign).error().text.starts_with(
        "link '" + foreign + "' belongs to uid 65534"));
}

TEST_F(Rungs, LinkInPlaceOfTheFileIsRefused) {
    const std::string real = plugins_.add("storage-echo.so", "real.so");
    std::filesystem::create_symlink(real, plugins_ / "storage-echo.so");

    EXPECT_EQ(refusal("echo"),
              "plugin '" + plugins_ / "storage-echo.so" + "' is a symbolic link; put the file itself there");
}

TEST_F(Rungs, RelativePathsAreRefused) {
    PluginHost relative({{"plugins"}}, {});

    EXPECT_EQ(relative.inspect("storage-echo.so").error().text,
              "plugin 'storage-echo.so' is not an absolute path");
}

// --- 3 passport
// ------------------------------------------------------------------------------------------------

TEST_F(Rungs, PluginOfAnotherKindOrNameIsTold) {
    const std::string kind = plugins_.add("log-c-lines.so", "storage-lines.so");
    const std::string name = plugins_.add("storage-echo.so", "storage-parrot.so");

    EXPECT_EQ(refusal("lines"), "plugin '" + kind + "' is a log sink, not a storage driver");
    EXPECT_EQ(refusal("parrot"), "plugin '" + name +
                                     "' is a storage driver with the name 'echo'; its file must be "
                                     "called 'storage-echo.so'");
}

TEST_F(Rungs, PassportRunsNothingOfThePlugin) {
    (void)plugins_.add("storage-suicide.so");

    auto passport = host().passport(Kind::storage, "suicide"); // Its constructor would end this process.

    ASSERT_TRUE(passport) << describe(passport.error());
    EXPECT_EQ(passport->name, "suicide");
}

// --- 4 load
// ----------------------------------------------------------------------------------------------------

TEST_F(Rungs, UndefinedSymbolAndMissingLibraryAreNamed) {
    const std::string undefined = plugins_.add("storage-undefined.so");
    const std::string needy = plugins_.add("storage-needy.so");

    EXPECT_EQ(refusal("undefined"),
              "plugin '" + undefined + "' needs symbol 'foo_v2', which nothing defines");
    EXPECT_EQ(refusal("needy"),
              "plugin '" + needy + "' needs libmydocker-absent.so.3, which is not installed");
}

TEST_F(Rungs, SecondLoadIsTheSame) {
    (void)plugins_.add("storage-echo.so");
    PluginHost host({{plugins_.path()}}, {});

    auto first = host.load(Kind::storage, "echo");
    auto second = host.load(Kind::storage, "echo");

    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->descriptor.table, second->descriptor.table);
}

TEST_F(Rungs, SeveralInstancesAreOpenAtATime) {
    (void)plugins_.add("storage-echo.so");
    PluginHost host({{plugins_.path()}}, {});

    auto first = host.open_storage({.name = "echo", .data_dir = "/a", .run_dir = "/r", .options = {}});
    auto second = host.open_storage({.name = "echo", .data_dir = "/b", .run_dir = "/r", .options = {}});

    ASSERT_TRUE(first && second);
    EXPECT_NE((*first)->create_layer(LayerId("x"), {}).error().text.find("'/a'"), std::string::npos);
    EXPECT_NE((*second)->create_layer(LayerId("x"), {}).error().text.find("'/b'"), std::string::npos);
}

// --- 5 descriptor
// ------------------------------------------------------------------------------------------------

TEST_F(Rungs, DescriptorThatDiffersFromThePassportIsNamed) {
    const std::string path = plugins_.add("storage-mismatch.so");

    EXPECT_EQ(refusal("mismatch"), "plugin '" + path +
                                       "': descriptor field 'version' is not what its passport says; "
                                       "rebuild the plugin");
}

TEST_F(Rungs, EmptyAndMissingRequiredSlotsAreNamed) {
    const std::string hollow = plugins_.add("storage-hollow.so");
    const std::string cut = plugins_.add("log-c-short.so");
    PluginHost host({{plugins_.path()}}, {});

    auto driver = host.open_storage({.name = "hollow", .data_dir = "/d", .run_dir = "/r", .options = {}});
    auto sink = host.open_log({.name = "c-short", .data_dir = "/d", .run_dir = "/r", .options = {}});

    ASSERT_FALSE(driver || sink);
    EXPECT_EQ(driver.error().text, "plugin '" + hollow + "': descriptor field 'create_rw' is empty");
    EXPECT_EQ(sink.error().text, "plugin '" + cut + "': descriptor field 'remove' is empty");
}

TEST_F(Rungs, FileIsOpenedByItsPathOnlyAsItsOwnKind) {
    const std::string path = plugins_.add("storage-echo.so");
    PluginHost elsewhere({}, {});

    auto driver =
        elsewhere.open_storage({.name = {}, .data_dir = "/d", .run_dir = "/r", .options = {}, .file = path});
    auto store =
        elsewhere.open_state({.name = {}, .data_dir = "/d", .run_dir = "/r", .options = {}, .file = path});

    EXPECT_TRUE(driver);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().text, "plugin '" + path + "' is a storage driver, not a state store");
}

} // namespace
