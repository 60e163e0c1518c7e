// Loading mydocker.toml: the order of its sources, every complaint with its place, limits and trust.
#include "config/check.hpp"
#include "config/config.hpp"
#include "config/source.hpp"
#include "support/support.hpp"

#include "mydocker/support/files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::config {
namespace {

namespace fs = std::filesystem;

class ConfigLoad : public testing::Test {
  protected:
    void write(const std::string& name, const std::string& text) const {
        fs::create_directories(fs::path(directory_ / name).parent_path());
        ASSERT_TRUE(mydocker::files::write_atomically(directory_ / name, text, 0644));
    }

    [[nodiscard]] LoadRequest request() const {
        return LoadRequest{.main_file = directory_ / "mydocker.toml",
                           .drop_ins = directory_ / "conf.d",
                           .chosen_file = {},
                           .overrides = {},
                           .environment = [this](const char* name) -> const char* {
                               const auto found = environment_.find(name);
                               return found == environment_.end() ? nullptr : found->second.c_str();
                           }};
    }

    // The complaints about one file, without its path.
    [[nodiscard]] std::vector<std::string> complaints(const std::string& text) const {
        write("mydocker.toml", text);
        std::vector<std::string> lines;
        for (const Complaint& complaint : examine(request()).complaints)
            lines.push_back(without_directory(describe(complaint.error())));
        return lines;
    }

    [[nodiscard]] std::string without_directory(std::string text) const {
        for (auto at = text.find(directory_.path()); at != std::string::npos;
             at = text.find(directory_.path()))
            text.erase(at, directory_.path().size());
        return text;
    }

    [[nodiscard]] std::string first_error(const LoadRequest& request) const {
        const auto loaded = load(request);
        return loaded ? "" : without_directory(describe(loaded.error()));
    }

    test::TempDir directory_;
    std::map<std::string, std::string> environment_;
};

TEST_F(ConfigLoad, TakesDefaultsWithoutAnyFile) {
    const auto config = load(request());

    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_EQ(config->root.value, "/var/lib/mydocker");
    EXPECT_EQ(config->root.origin.text(), "default");
    EXPECT_EQ(config->log_driver.value, "json-file");
    EXPECT_EQ(config->diagnostics_level.value, LogLevel::warning);
    EXPECT_EQ(config->max_layer_size.value, 64ULL << 30U);
    EXPECT_TRUE(config->options.empty());
}

TEST_F(ConfigLoad, TakesEveryKeyWithItsOrigin) {
    write("mydocker.toml", R"(config_version = 1
root = "/a/"
run_root = "/b"
plugin_dirs = ["/p", "/q"]
storage.driver = "vfs"
storage.candidates = ["vfs"]
[cgroup]
driver = "v1"
[log]
driver = "text-file"
[state]
driver = "sqlite"
[run]
default_image = ""
create_bind_sources = false
[diagnostics]
level = "debug"
format = "json"
driver = "syslog"
[images]
max_layer_size = "1.5g"
max_entries = 5
max_layers = 7
)");

    const auto config = load(request());

    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_EQ(config->root.value, "/a");
    EXPECT_EQ(without_directory(config->root.origin.text()), "/mydocker.toml:2:8");
    EXPECT_EQ(config->run_root.value, "/b");
    EXPECT_EQ(config->plugin_dirs.value, (std::vector<std::string>{"/p", "/q"}));
    EXPECT_EQ(config->storage_driver.value, "vfs");
    EXPECT_EQ(config->storage_candidates.value, std::vector<std::string>{"vfs"});
    EXPECT_EQ(config->cgroup_driver.value, "v1");
    EXPECT_EQ(config->log_driver.value, "text-file");
    EXPECT_EQ(config->state_driver.value, "sqlite");
    EXPECT_EQ(config->default_image.value, "");
    EXPECT_FALSE(config->create_bind_sources.value);
    EXPECT_EQ(config->diagnostics_level.value, LogLevel::debug);
    EXPECT_EQ(config->diagnostics_format.value, LogFormat::json);
    EXPECT_EQ(config->diagnostics_driver.value, "syslog");
    EXPECT_EQ(config->max_layer_size.value, 1536ULL << 20U);
    EXPECT_EQ(config->max_entries.value, 5U);
    EXPECT_EQ(config->max_layers.value, 7U);
    EXPECT_EQ(without_directory(config->max_layers.origin.text()), "/mydocker.toml:23:14");
}

TEST_F(ConfigLoad, KeepsDriverOptionsRawWithTheirOrigins) {
    write("mydocker.toml", "[log.json-file]\nmax_size = \"10m\"\nmax_files = 3\nlabels = [\"a\"]\n"
                           "deep.er = true\n[log.other]\nratio = 0.5\n");

    const auto config = load(request());

    ASSERT_TRUE(config) << describe(config.error());
    const RawOptions& options = config->options_of("log", "json-file");
    ASSERT_EQ(options.size(), 4U);
    EXPECT_EQ(options[0].key, "deep.er");
    EXPECT_EQ(options[1].value, RawValue(std::vector<std::string>{"a"}));
    EXPECT_EQ(options[2].value, RawValue(std::int64_t{3}));
    EXPECT_EQ(options[3].value, RawValue(std::string("10m")));
    EXPECT_EQ(without_directory(options[3].key_origin.text()), "/mydocker.toml:2:1");
    EXPECT_EQ(without_directory(options[3].value_origin.text()), "/mydocker.toml:2:12");
    EXPECT_EQ(config->options_of("log", "other")[0].value, RawValue(0.5));
    EXPECT_TRUE(config->options_of("storage", "json-file").empty());
}

TEST_F(ConfigLoad, LetsLaterSourcesWin) {
    write("mydocker.toml", "root = \"/main\"\nrun_root = \"/main\"\n[log]\ndriver = \"main\"\n"
                           "[state]\ndriver = \"main\"\n[state.x]\na = 1\nb = 1\n");
    write("conf.d/20.toml", "run_root = \"/twenty\"\n[log]\ndriver = \"twenty\"\n");
    write("conf.d/10.toml", "[log]\ndriver = \"ten\"\n[state]\ndriver = \"ten\"\n[state.x]\nb = 2\n");
    write("conf.d/30.conf", "not read = ");
    write("conf.d/.hidden.toml", "not read = ");
    environment_["MYDOCKER_ROOT"] = "/env";
    environment_["MYDOCKER_RUN_ROOT"] = "/env";
    LoadRequest flags = request();
    flags.overrides = {{"root", "/flag", "--root"}, {"diagnostics.level", "error", "--log-level"}};

    const auto config = load(flags);

    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_EQ(config->root.value, "/flag");
    EXPECT_EQ(config->root.origin.text(), "flag --root");
    EXPECT_EQ(config->run_root.value, "/env");
    EXPECT_EQ(config->run_root.origin.text(), "environment MYDOCKER_RUN_ROOT");
    EXPECT_EQ(config->log_driver.value, "twenty");
    EXPECT_EQ(without_directory(config->log_driver.origin.text()), "/conf.d/20.toml:3:10");
    EXPECT_EQ(config->state_driver.value, "ten");
    EXPECT_EQ(config->diagnostics_level.value, LogLevel::error);
    EXPECT_EQ(config->options_of("state", "x")[0].value, RawValue(std::int64_t{1}));
    EXPECT_EQ(config->options_of("state", "x")[1].value, RawValue(std::int64_t{2}));
}

TEST_F(ConfigLoad, ReadsAChosenFileInsteadOfTheMainOneAndItsDropIns) {
    write("mydocker.toml", "root = \"/main\"\n");
    write("conf.d/1.toml", "run_root = \"/drop-in\"\n");
    write("env.toml", "[log]\ndriver = \"env\"\n");
    write("flag.toml", "[log]\ndriver = \"flag\"\n");
    environment_["MYDOCKER_CONFIG"] = directory_ / "env.toml";

    const auto by_environment = load(request());
    LoadRequest chosen = request();
    chosen.chosen_file = directory_ / "flag.toml";
    const auto by_flag = load(chosen);

    EXPECT_EQ(by_environment->log_driver.value, "env");
    EXPECT_EQ(by_environment->root.value, "/var/lib/mydocker");
    EXPECT_EQ(by_environment->run_root.value, "/run/mydocker");
    EXPECT_EQ(by_flag->log_driver.value, "flag");
    EXPECT_EQ(files(chosen), std::vector<std::string>{directory_ / "flag.toml"});
}

struct Row {
    const char* name;
    std::string text;
    std::vector<std::string> said;
};

const std::vector<Row>& rows() {
    const std::string at = "config /mydocker.toml:";
    static const std::vector<Row> list = {
        {"nothing", "", {}},
        {"B3 no equals sign", "root \"/x\"\n", {at + "1:6: expected '=', saw '\"'"}},
        {"B4 integer for text",
         "\n\n[storage]\ndriver = 3\n",
         {at + "4:10: storage.driver is an integer; a text is needed"}},
        {"B4 text for boolean",
         "run.create_bind_sources = \"yes\"",
         {at + "1:27: run.create_bind_sources is a text; a boolean is needed"}},
        {"B4 text for list",
         "plugin_dirs = \"/x\"",
         {at + "1:15: plugin_dirs is a text; a list of texts is needed"}},
        {"B4 list of integers",
         "plugin_dirs = [1]",
         {at + "1:15: plugin_dirs is a list of other things than texts; a list of texts is needed"}},
        {"B4 date", "root = 1979-05-27", {at + "1:8: root is a date; a text is needed"}},
        {"B4 table for text",
         "[storage.driver]\nx = 1",
         {at + "1:1: storage.driver is a table; a text is needed"}},
        {"B4 text for table", "storage = \"vfs\"", {at + "1:11: storage is a text; a table is needed"}},
        {"B4 tables in a list",
         "[[log]]\ndriver = \"x\"",
         {at + "1:1: log is a list of other things than texts; a table is needed"}},
        {"B4 boolean for size",
         "images.max_layer_size = true",
         {at + "1:25: images.max_layer_size is a boolean; a size (\"64g\") is needed"}},
        {"B4 no size",
         "images.max_layer_size = \"5x\"",
         {at + "1:25: images.max_layer_size: \"5x\" is no size; write 512m or 2g"}},
        {"B4 out of range",
         "images.max_layers = 0",
         {at + "1:21: images.max_layers: 0 is out of range: at least 1"}},
        {"B4 no choice",
         "[diagnostics]\nlevel = \"loud\"",
         {at + "2:9: diagnostics.level: \"loud\" is none of debug, info, warning, error"}},
        {"B4 relative path", "root = \"var\"", {at + "1:8: root: \"var\" is no absolute path"}},
        {"B4 path with dots", "root = \"/var/../etc\"", {at + "1:8: root: \"/var/../etc\" has \"..\" in it"}},
        {"B4 path with control characters",
         "root = \"/a\\u0000b\"",
         {at + "1:8: root has control characters in it"}},
        {"B4 driver that is a path",
         "log.driver = \"../x\"",
         {at + "1:14: log.driver: \"../x\" is no driver's name: it is made of a-z 0-9 - _"}},
        {"B5 unknown table",
         "\n\n[storge]\ndriver = 3\n",
         {at + "3:2: unknown table \"storge\"; nearest: \"storage\""}},
        {"B5 unknown key",
         "[log]\ndrivre = \"x\"",
         {at + "2:1: unknown key \"log.drivre\"; nearest: \"log.driver\""}},
        {"B5 unknown key on top", "rot = \"/x\"", {at + "1:1: unknown key \"rot\"; nearest: \"root\""}},
        {"B5 nothing like it",
         "[completely-different]",
         {at + "1:2: unknown table \"completely-different\""}},
        {"B5 options of no kind", "[run.busybox]\na = 1", {at + "1:6: unknown table \"run.busybox\""}},
        {"B5 driver option that is none",
         "[storage]\nmetacopy = true",
         {at + "2:1: unknown key \"storage.metacopy\""}},
        {"B5 driver name that is none",
         "[storage.\"../x\"]\na = 1",
         {at + "1:10: \"../x\" is no driver's name: it is made of a-z 0-9 - _"}},
        {"B7 option of no type",
         "[storage.vfs]\na = 07:32:00",
         {at + "2:5: [storage.vfs] option \"a\" is a time of day, which no option takes"}},
        {"B8 duplicate key",
         "root = \"/x\"\nroot = \"/y\"",
         {at + "2:8: cannot redefine existing string 'root'"}},
        {"B8 not UTF-8", "root = \"/\xff\"", {at + "1:9: encountered invalid utf-8 sequence"}},
        {"B8 BOM and CRLF", "\xef\xbb\xbfroot = \"/x\"\r\n[log]\r\ndriver = \"y\"\r\n", {}},
        {"x- is the user's", "x-mine = 3\n[x-other]\ndriver = 3\n[[x-list]]\n", {}},
        {"all at once, in the order of the file",
         "zoot = 1\n[storage]\ndriver = 3\n[diagnostics]\nlevel = \"x\"\n[alog]\n",
         {at + "1:1: unknown key \"zoot\"; nearest: \"root\"",
          at + "3:10: storage.driver is an integer; a text is needed",
          at + "5:9: diagnostics.level: \"x\" is none of debug, info, warning, error",
          at + "6:2: unknown table \"alog\"; nearest: \"log\""}},
    };
    return list;
}

TEST_F(ConfigLoad, ComplainsOfEveryMistakeAtItsPlace) {
    for (const Row& row : rows())
        EXPECT_EQ(complaints(row.text), row.said) << row.name;
}

TEST_F(ConfigLoad, FailsWithTheFirstComplaint) {
    write("mydocker.toml", "zoot = 1\n[storage]\ndriver = 3\n");

    EXPECT_EQ(first_error(request()), "config /mydocker.toml:1:1: unknown key \"zoot\"; nearest: \"root\"");
}

TEST_F(ConfigLoad, KeepsWhatIsRightOfABrokenFile) {
    write("mydocker.toml", "root = \"/x\"\n[log]\ndriver = 3\n");

    const auto examined = examine(request());

    EXPECT_EQ(examined.complaints.size(), 1U);
    EXPECT_EQ(examined.config.root.value, "/x");
    EXPECT_EQ(examined.config.log_driver.value, "json-file");
}

TEST_F(ConfigLoad, WarnsOfUnknownKeysOfANewerFile) {
    write("mydocker.toml", "config_version = 2\nfuture = 1\n[log]\ndriver = \"x\"\n[log.x]\nnew = 1\n");
    write("conf.d/1.toml", "future = 2\n");

    const auto examined = examine(request());

    ASSERT_EQ(examined.config.warnings.size(), 1U);
    EXPECT_EQ(without_directory(describe(examined.config.warnings[0].error())),
              "config /mydocker.toml:2:1: unknown key \"future\"");
    EXPECT_TRUE(examined.config.options_of("log", "x")[0].lenient);
    ASSERT_EQ(examined.complaints.size(), 1U) << "the drop-in does not say that it is newer";
}

TEST_F(ConfigLoad, NamesTheFlagOrVariableThatIsWrong) {
    environment_["MYDOCKER_ROOT"] = "relative";
    EXPECT_EQ(first_error(request()), "environment MYDOCKER_ROOT: \"relative\" is no absolute path");

    environment_.clear();
    LoadRequest flags = request();
    flags.overrides = {{"diagnostics.level", "loud", "--log-level"}};
    EXPECT_EQ(first_error(flags), "flag --log-level: \"loud\" is none of debug, info, warning, error");
}

TEST_F(ConfigLoad, RefusesAChosenFileThatIsNoFile) {
    LoadRequest chosen = request();
    chosen.chosen_file = directory_ / "x";
    EXPECT_EQ(first_error(chosen), "config /x: No such file or directory (ENOENT)");
    EXPECT_EQ(load(chosen).error().code, Code::not_found);

    fs::create_directory(chosen.chosen_file);
    EXPECT_EQ(first_error(chosen), "config /x: is a directory, not a file");

    fs::remove(chosen.chosen_file);
    ASSERT_EQ(::mkfifo(chosen.chosen_file.c_str(), 0644), 0);
    EXPECT_EQ(first_error(chosen), "config /x: is not a regular file");
}

TEST_F(ConfigLoad, RefusesFilesBeyondItsLimitsQuickly) {
    std::string keys;
    for (int i = 0; i < 100'000; ++i)
        keys += "k" + std::to_string(i) + "=1\n";
    std::string dots = "a";
    for (int i = 0; i < 100'000; ++i)
        dots += ".a";
    const std::vector<Row> huge = {
        {"100 MiB", std::string(100U << 20U, '\n'), {"config /mydocker.toml: the file is larger than 1 MiB"}},
        {"nested lists",
         "a = " + std::string(10'000, '['),
         {"config /mydocker.toml:1:37: nested too deeply"}},
        {"nested tables", "[" + dots + "]", {"config /mydocker.toml:1:67: nested too deeply"}},
        {"dotted keys", dots + " = 1", {"config /mydocker.toml:1:66: nested too deeply"}},
        {"many keys", keys, {"config /mydocker.toml:20001:7: more than 20000 keys and elements"}},
    };
    for (const Row& row : huge) {
        write("mydocker.toml", row.text);
        const std::clock_t start = std::clock(); // Of the processor: others may be at work here.
        const auto error = first_error(request());
        EXPECT_LT(std::clock() - start, CLOCKS_PER_SEC / 20) << row.name;
        EXPECT_EQ(error, row.said[0]);
    }
}

TEST_F(ConfigLoad, CountsNoBracketsOrDotsInTextsAndComments) {
    const std::string many(1000, '[');
    const std::string dots(1000, '.');

    EXPECT_EQ(complaints("x-a = \"" + many + dots + "\\\"" + many + "\"\nx-b = '" + many + "\\'\n# " + many +
                         "\nx-c = \"\"\"\n\"" + many + "\"\"\"\nx-d = '''\n" + many + "'''\n"),
              std::vector<std::string>());
}

TEST_F(ConfigLoad, RefusesFilesThatOthersCanWriteWhileRoot) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    write("etc/mydocker.toml", "root = \"/x\"\n");
    LoadRequest chosen = request();
    chosen.chosen_file = directory_ / "etc/mydocker.toml";
    const std::string before = "config /etc/mydocker.toml: refused: ";

    ::chmod((directory_ / "etc/mydocker.toml").c_str(), 0664);
    EXPECT_EQ(first_error(chosen),
              before + "/etc/mydocker.toml is writable by group; chmod go-w /etc/mydocker.toml");
    EXPECT_EQ(load(chosen).error().code, Code::denied);
    ::chmod((directory_ / "etc/mydocker.toml").c_str(), 0646);
    EXPECT_EQ(first_error(chosen),
              before + "/etc/mydocker.toml is writable by others; chmod go-w /etc/mydocker.toml");
    ::chmod((directory_ / "etc/mydocker.toml").c_str(), 0644);

    ::chmod((directory_ / "etc").c_str(), 0775);
    EXPECT_EQ(first_error(chosen), before + "/etc is writable by group; chmod go-w /etc");
    ::chmod((directory_ / "etc").c_str(), 0755);

    ASSERT_EQ(::chown((directory_ / "etc").c_str(), 1234, 0), 0);
    EXPECT_EQ(first_error(chosen), before + "/etc belongs to user 1234; chown root /etc");
    ASSERT_EQ(::chown((directory_ / "etc").c_str(), 0, 0), 0);

    EXPECT_EQ(first_error(chosen), "");
}

TEST_F(ConfigLoad, LooksBehindLinksForWhoCanWrite) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    write("open/real.toml", "root = \"/x\"\n");
    fs::create_directory(directory_ / "etc");
    fs::create_symlink(directory_ / "open/real.toml", directory_ / "etc/link.toml");
    LoadRequest chosen = request();
    chosen.chosen_file = directory_ / "etc/link.toml";

    EXPECT_EQ(first_error(chosen), "");
    ::chmod((directory_ / "open").c_str(), 0757);
    EXPECT_EQ(first_error(chosen),
              "config /etc/link.toml: refused: /open is writable by others; chmod go-w /open");
}

TEST(ConfigBlank, KnowsWhatNeedsNoParser) {
    const std::vector<std::pair<std::string, bool>> rows = {
        {"", true},
        {"\n \t\r\n", true},
        {"# comment", true},
        {"\xef\xbb\xbf# a\r\n  # b\n", true},
        {"[storage]\n#a\n[run]", true},
        {"[storge]\n", false},
        {"[log]\n[log]\n", false},
        {"[log.x]\n", false},
        {"a = 1", false},
        {"# a\n[b]\n", false},
        {"# \xc3\xa9", false},
        {"#\x01", false},
        {std::string("\0", 1), false},
        {"# a\n\n\"", false},
    };
    for (const auto& [text, blank] : rows)
        EXPECT_EQ(is_blank(text), blank) << text;
}

TEST_F(ConfigLoad, ShowsWhatItReadsBackAsTheSame) {
    write("mydocker.toml",
          "root = \"/a\\tb\"\n[storage.overlayfs]\nmetacopy = true\n"
          "list = [\"a\\\"\", \"\\u00e9\"]\nfloat = 1e300\nnumber = -3\n[images]\nmax_layer_size = 1000\n");
    // Tabs are control characters, so this root is refused; the default stays.
    LoadRequest flags = request();
    flags.overrides = {{"run_root", "/run/\xff\"\\x", "--run-root"}};
    const Config config = examine(flags).config;

    const std::string shown = show(config, ShowOrigin::yes);
    write("shown.toml", shown);
    LoadRequest chosen = request();
    chosen.chosen_file = directory_ / "shown.toml";
    const auto again = load(chosen);

    ASSERT_TRUE(again) << describe(again.error()) << "\n" << shown;
    EXPECT_EQ(show(*again, ShowOrigin::no), show(config, ShowOrigin::no));
    EXPECT_EQ(again->options_of("storage", "overlayfs").size(), 4U);
    EXPECT_NE(shown.find("run_root = \"/run/\xef\xbf\xbd\\\"\\\\x\""), std::string::npos) << shown;
    EXPECT_NE(shown.find("# flag --run-root"), std::string::npos);
    EXPECT_NE(shown.find("/mydocker.toml:3:12"), std::string::npos);
    EXPECT_NE(shown.find("max_layer_size = \"1000\""), std::string::npos);
}

} // namespace
} // namespace mydocker::config
