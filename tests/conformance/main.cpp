// mydocker-plugin-check: loads the plugin files on its command line as the engine would, rung by rung,
// and runs the conformance suites of their kinds over them. Knows no driver by name.
#include "conformance/conformance.hpp"

#include "config/check.hpp"
#include "plugin/crash.hpp"
#include "plugin/plugin_host.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using mydocker::conformance::Setting;
using mydocker::plugin::Kind;
using mydocker::plugin::OpenRequest;
using mydocker::plugin::Passport;
using mydocker::plugin::PluginHost;

constexpr const char* kUsage =
    "usage: mydocker-plugin-check [--gtest_…] [--option=KEY=VALUE]… PLUGIN.so…\n"
    "\n"
    "Judges plugins of mydocker: whether each file can be loaded, and whether its driver\n"
    "keeps the contract of its kind. Cases that this machine cannot run are skipped, with\n"
    "the reason. Run it as root. --gtest_filter=*PATTERN* picks cases, --gtest_list_tests\n"
    "lists them. --option gives the plugins behind it one, as mydocker.toml would.\n"
    "Exit status: 0 all kept, 1 something is wrong, 125 wrong usage.\n"
    "\n"
    "Each file must be called <kind>-<name>.so and lie where only root can write.\n";

constexpr std::string_view kOption = "--option=";

void print_diagnostic(mydocker::LogLevel level, std::string_view text) {
    if (level < mydocker::LogLevel::warning) return;
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

// Options of the command line, by key.
using GivenOptions = std::map<std::string, std::string>;

// The options of one setting, or else of the command line, typed by the driver's own specs, as the engine
// does with mydocker.toml.
mydocker::Result<mydocker::Options> typed_options(const Passport& passport, const Setting& setting,
                                                  GivenOptions options) {
    for (const auto& [key, text] : setting.options)
        options.insert_or_assign(key, text);
    mydocker::config::RawOptions given;
    for (const auto& [key, text] : options)
        given.push_back(
            {.key = key, .value = mydocker::config::Untyped{text}, .key_origin = {}, .value_origin = {}});
    return mydocker::config::check_options(kind_word(passport.kind), passport.name, passport.options, given);
}

// Registers a plugin for the suites of its kind. `open`: the PluginHost's function for the kind.
template <class Driver>
void add_subject(PluginHost& host, const std::string& path, const Passport& passport,
                 const GivenOptions& given,
                 mydocker::Result<std::unique_ptr<Driver>> (PluginHost::*open)(const OpenRequest&)) {
    const auto open_with = [&host, path, passport, given,
                            open](const Setting& setting) -> mydocker::Result<std::unique_ptr<Driver>> {
        auto options = typed_options(passport, setting, given);
        if (!options) return mydocker::fail(options);
        return (host.*open)({.name = passport.name,
                             .data_dir = setting.data_dir,
                             .run_dir = setting.run_dir,
                             .options = *std::move(options),
                             .file = path});
    };
    mydocker::conformance::subjects<Driver>().push_back({passport.name, open_with});
}

// Rungs 2 to 5 of one file, then its place among the subjects.
mydocker::Status add_plugin(PluginHost& host, const std::string& path, const GivenOptions& given) {
    auto plugin = host.load_file(path);
    if (!plugin) return mydocker::fail(plugin);
    if (auto defaults = typed_options(plugin->passport, {}, given); !defaults)
        return mydocker::fail(defaults, "plugin '" + path + "'");
    switch (plugin->passport.kind) {
    case Kind::storage:
        add_subject(host, path, plugin->passport, given, &PluginHost::open_storage);
        return {};
    case Kind::cgroup:
        add_subject(host, path, plugin->passport, given, &PluginHost::open_cgroup);
        return {};
    case Kind::log:
        add_subject(host, path, plugin->passport, given, &PluginHost::open_log);
        return {};
    case Kind::state:
        add_subject(host, path, plugin->passport, given, &PluginHost::open_state);
        return {};
    case Kind::network:
    case Kind::volume:
    case Kind::image:
        break;
    }
    return mydocker::fail(mydocker::Code::unsupported, "plugin '" + path + "' is a " +
                                                           std::string(kind_phrase(plugin->passport.kind)) +
                                                           ", a kind that has no suite yet");
}

int refuse_usage(const std::string& what) {
    std::fprintf(stderr, "mydocker-plugin-check: %s\n%s", what.c_str(), kUsage);
    return 125;
}

// The absolute path of an argument, for the loader must not search for it. The file's own name stays: a
// symbolic link is to be refused, not followed.
std::string absolute(const std::string& argument) {
    const auto slash = argument.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : argument.substr(0, slash + 1);
    char* resolved = ::realpath(directory.c_str(), nullptr);
    if (resolved == nullptr) return argument; // The rungs will say what is wrong with it.
    const std::string path(resolved);
    std::free(resolved);
    return path + "/" + argument.substr(slash == std::string::npos ? 0 : slash + 1);
}

} // namespace

int main(int argc, char** argv) {
    mydocker::plugin::install_crash_reporter("mydocker-plugin-check");
    PluginHost host({}, &print_diagnostic);
    std::vector<char*> google{argv[0]}; // GoogleTest's own arguments
    GivenOptions given;
    int plugins = 0;
    int refused = 0;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "-h" || argument == "--help") return std::fputs(kUsage, stdout) < 0 ? 1 : 0;
        if (argument.starts_with("--gtest_")) {
            google.push_back(argv[i]);
            continue;
        }
        if (argument.starts_with(kOption) && argument.find('=', kOption.size()) != argument.npos) {
            const std::string_view pair = argument.substr(kOption.size());
            given.insert_or_assign(std::string(pair.substr(0, pair.find('='))),
                                   std::string(pair.substr(pair.find('=') + 1)));
            continue;
        }
        if (argument.starts_with('-')) return refuse_usage("unknown flag " + std::string(argument));
        ++plugins;
        if (auto added = add_plugin(host, absolute(argv[i]), given); !added) {
            std::fprintf(stderr, "mydocker-plugin-check: %s\n", describe(added.error()).c_str());
            ++refused;
        }
    }
    if (plugins == 0) return refuse_usage("no plugin is named");
    if (refused > 0) return 1;
    int google_argc = static_cast<int>(google.size());
    google.push_back(nullptr);
    ::testing::InitGoogleTest(&google_argc, google.data());
    return RUN_ALL_TESTS() == 0 ? 0 : 1;
}
