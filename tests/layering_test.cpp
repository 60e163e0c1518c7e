// Reads every #include and checks it against the table of who may include whom, so that a circle or a
// short cut fails the build, not a review.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Include {
    std::string file; // relative to the source tree
    std::string name; // what is included
};

std::string source_dir() {
    return MYDOCKER_SOURCE_DIR;
}

std::vector<Include> includes_below(const std::string& directory) {
    static const std::regex kInclude(R"re(^\s*#\s*include\s*["<]([^">]+)[">])re");
    static std::map<std::string, std::vector<Include>> known;
    if (const auto read = known.find(directory); read != known.end()) return read->second;
    std::vector<Include> found;
    for (const auto& entry : fs::recursive_directory_iterator(source_dir() + "/" + directory)) {
        const std::string extension = entry.path().extension().string();
        if (extension != ".cpp" && extension != ".hpp" && extension != ".h" && extension != ".c") continue;
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);) {
            std::smatch match;
            if (std::regex_search(line, match, kInclude))
                found.push_back({fs::relative(entry.path(), source_dir()).string(), match[1]});
        }
    }
    return known[directory] = std::move(found);
}

// The room that an include of ours leads to; "" for anything else.
std::string room_of(const std::string& name) {
    static const std::set<std::string> kRooms{"base",    "config", "plugin", "image",
                                              "runtime", "engine", "cli",    "mydocker"};
    const std::string first = name.substr(0, name.find('/'));
    return kRooms.contains(first) && name.find('/') != std::string::npos ? first : "";
}

void expect_only(const std::vector<Include>& includes, const std::set<std::string>& allowed) {
    for (const Include& include : includes) {
        const std::string room = room_of(include.name);
        EXPECT_TRUE(room.empty() || allowed.contains(room)) << include.file << " includes " << include.name;
    }
}

TEST(Layering, RoomsIncludeDownwardsOnly) {
    const std::map<std::string, std::set<std::string>> kAllowed{
        {"sdk", {"mydocker"}},
        {"base", {"mydocker", "base"}},
        {"config", {"mydocker", "base", "config"}},
        {"plugin", {"mydocker", "base", "plugin"}},
        {"image", {"mydocker", "base", "image"}},
        {"runtime", {"mydocker", "base", "runtime"}},
        {"engine", {"mydocker", "base", "config", "plugin", "image", "runtime", "engine"}},
        {"cli", {"mydocker", "base", "config", "plugin", "image", "runtime", "engine", "cli"}},
    };
    for (const auto& [room, allowed] : kAllowed)
        expect_only(includes_below("core/" + room), allowed);
}

TEST(Layering, PluginsIncludeTheSdkAndTheirOwn) {
    for (const Include& include : includes_below("plugins")) {
        const std::string room = room_of(include.name);
        EXPECT_TRUE(room.empty() || room == "mydocker") << include.file << " includes " << include.name;
    }
}

// A library that only some may see.
void expect_confined(const std::string& prefix, const std::set<std::string>& files) {
    for (const char* tree : {"core", "plugins"})
        for (const Include& include : includes_below(tree)) {
            if (!include.name.starts_with(prefix)) continue;
            const bool allowed = std::ranges::any_of(
                files, [&](const std::string& file) { return include.file.starts_with(file); });
            EXPECT_TRUE(allowed) << include.file << " includes " << include.name;
        }
}

TEST(Layering, LibrariesAreSeenWhereTheyBelong) {
    expect_confined("nlohmann", {"core/base/json.cpp"});
    expect_confined("toml++", {"core/config/load.cpp"});
    expect_confined("boost/dll", {"core/plugin/plugin_host.cpp"});
    expect_confined("boost/log", {"plugins/log/"});
    expect_confined("boost/", {"plugins/log/", "core/plugin/plugin_host.cpp"});
    expect_confined("CLI/", {"core/cli/"});
    expect_confined("seccomp.h", {"core/runtime/seccomp"});
}

TEST(Layering, SdkIncludesTheStandardLibraryAndTheKernelOnly) {
    for (const Include& include : includes_below("core/sdk/include")) {
        EXPECT_FALSE(include.name.starts_with("boost/") || include.name.starts_with("fmt/"))
            << include.file << " includes " << include.name;
    }
}

TEST(Layering, InitAndMonitorCarryNoHeavyLibraries) {
    // What the two small programs are made of, apart from the SDK.
    const std::vector<std::string> kSmall{
        "core/base/sys",        "core/base/process",       "core/base/spawn",       "core/base/codec",
        "core/runtime/init",    "core/runtime/plan_codec", "core/runtime/protocol", "core/runtime/launch",
        "core/runtime/mount",   "core/engine/monitor",     "core/engine/session",   "core/engine/copier",
        "core/plugin/passport", "core/plugin/plugin_host", "core/plugin/adapt_log", "core/plugin/crash"};
    const std::set<std::string> kHeavy{"base/json.hpp", "base/diag.hpp",     "iostream",
                                       "sstream",       "fstream",           "regex",
                                       "fmt/format.h",  "config/config.hpp", "image/store.hpp"};
    for (const Include& include : includes_below("core")) {
        const bool is_small = std::ranges::any_of(
            kSmall, [&](const std::string& part) { return include.file.starts_with(part); });
        EXPECT_FALSE(is_small && kHeavy.contains(include.name))
            << include.file << " includes " << include.name;
    }
}

TEST(Layering, NoDriverIsNamedInTheCore) {
    static const std::regex kDriver(
        R"re("(overlayfs|aufs|vfs|btrfs|json-file|text-file|sqlite|journald)")re");
    for (const char* room : {"engine", "runtime", "image", "cli", "plugin", "base"})
        for (const auto& entry : fs::recursive_directory_iterator(source_dir() + "/core/" + room)) {
            if (!entry.is_regular_file()) continue;
            std::ifstream file(entry.path());
            int number = 0;
            for (std::string line; std::getline(file, line);) {
                ++number;
                const auto comment = line.find("//");
                EXPECT_FALSE(std::regex_search(line.substr(0, comment), kDriver))
                    << entry.path() << ":" << number << ": " << line;
            }
        }
}

// The pages that say where things are; paths stand there as seen from the top or from the page.
TEST(Layering, TheMapsNameFilesThatExist) {
    static const std::regex kPath(R"(`([\w.-]+(/[\w.-]+)+\.(hpp|cpp|h|md|cmake)|\w+/[\w/-]+/)`)");
    for (const std::string page :
         {"README.md", "CONTRIBUTING.md", "core/README.md", "core/doc/formats.md", "tests/README.md"}) {
        std::ifstream file(source_dir() + "/" + page);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        ASSERT_FALSE(text.empty()) << page;
        const fs::path beside = fs::path(source_dir() + "/" + page).parent_path();
        for (std::sregex_iterator each(text.begin(), text.end(), kPath); each != std::sregex_iterator();
             ++each) {
            const std::string path = (*each)[1];
            const bool is_pattern = path.find("NNN") != std::string::npos;
            EXPECT_TRUE(is_pattern || fs::exists(source_dir() + "/" + path) || fs::exists(beside / path))
                << page << " names " << path;
        }
    }
}

} // namespace
