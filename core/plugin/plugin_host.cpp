// The only file that sees Boost.DLL.
#include "plugin/plugin_host.hpp"

#include "plugin/adapt.hpp"
#include "plugin/crash.hpp"
#include "plugin/ownership.hpp"

// Its paths and errors from the standard library: nothing of Boost to link.
#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <algorithm>
#include <cerrno>
#include <dlfcn.h>
#include <exception>
#include <fcntl.h>
#include <optional>
#include <set>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace mydocker::plugin {
namespace {

std::string file_name(Kind kind, std::string_view name) {
    return std::string(kind_word(kind)) + "-" + std::string(name) + ".so";
}

// Kind and name in "<kind>-<name>.so"; nothing for other file names.
std::optional<std::pair<Kind, std::string>> parse_file_name(std::string_view file) {
    const auto dash = file.find('-');
    if (dash == std::string_view::npos || !file.ends_with(".so")) return std::nullopt;
    const auto kind = parse_kind(file.substr(0, dash));
    const std::string_view name = file.substr(dash + 1, file.size() - dash - 1 - 3);
    if (!kind || !is_plugin_name(name)) return std::nullopt;
    return std::pair(*kind, std::string(name));
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

struct FoundFile {
    Kind kind;
    std::string name;
    std::string path;
    bool hidden;
};

// Plugin files by kind and name, the one that counts first. A directory that is missing has none.
Result<std::vector<FoundFile>> scan(const std::vector<std::string>& directories) {
    std::vector<FoundFile> found;
    std::set<std::pair<Kind, std::string>> seen;
    for (const std::string& directory : directories) {
        auto fd = files::open(directory, O_RDONLY | O_DIRECTORY);
        if (!fd && fd.error().code == Code::not_found) continue;
        if (!fd) return fail(fd);
        auto entries = files::list_directory(fd->get(), directory);
        if (!entries) return fail(entries);
        for (const files::DirectoryEntry& entry : *entries)
            if (auto plugin = parse_file_name(entry.name)) {
                const bool first = seen.insert(*plugin).second;
                found.push_back({plugin->first, plugin->second, directory + "/" + entry.name, !first});
            }
    }
    std::ranges::sort(found, {}, [](const FoundFile& file) {
        return std::tie(file.kind, file.name, file.hidden, file.path);
    });
    return found;
}

// The loader's own words out of what Boost.DLL throws, made plain.
std::string loader_words(std::string_view thrown) {
    constexpr std::string_view kBefore = "dlerror system message: ";
    constexpr std::string_view kMissing = ": cannot open shared object file: No such file or directory";
    constexpr std::string_view kUndefined = "undefined symbol: ";
    if (const auto at = thrown.find(kBefore); at != std::string_view::npos) {
        thrown.remove_prefix(at + kBefore.size());
        thrown = thrown.substr(0, thrown.rfind(')'));
    }
    if (const auto at = thrown.find(kMissing); at != std::string_view::npos)
        return "needs " + std::string(thrown.substr(0, at)) + ", which is not installed";
    if (const auto at = thrown.find(kUndefined); at != std::string_view::npos)
        return "needs symbol '" + std::string(thrown.substr(at + kUndefined.size())) +
               "', which nothing defines";
    return "cannot be loaded: " + std::string(thrown);
}

// Maps the library and copies its descriptor in.
Result<md_plugin> load_library(const std::string& path, const std::string& label) {
    // Now: a missing symbol must be found here, not end the process later. RTLD_NODELETE: the code
    // stays until the process ends, whoever closes the handle.
    constexpr auto kMode = static_cast<boost::dll::load_mode::type>(
        boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local | RTLD_NODELETE);
    const CallMark mark(label.c_str(), "its constructors");
    try {
        const boost::dll::shared_library library(path, kMode);
        if (!library.has("mydocker_plugin"))
            return fail(Code::plugin_fault,
                        "plugin '" + path + "' has a passport, but does not export mydocker_plugin");
        return wire::copy_in<md_plugin>(&library.get<const md_plugin>("mydocker_plugin"));
    } catch (const std::exception& error) {
        return fail(Code::plugin_fault, "plugin '" + path + "' " + loader_words(error.what()));
    }
}

bool same_options(const md_plugin& descriptor, const Passport& passport) {
    std::size_t i = 0;
    bool same = true;
    const auto read = wire::each<md_option_spec>(descriptor.option_specs, [&](const md_option_spec& spec) {
        if (i < passport.options.size()) {
            const OptionSpec& said = passport.options[i];
            same = same && wire::view(spec.key) == said.key &&
                   wire::view(spec.default_value) == said.default_value &&
                   spec.type == static_cast<std::uint32_t>(said.type);
        }
        ++i;
        return Status{};
    });
    return read && same && i == passport.options.size();
}

// The descriptor repeats the passport, field by field, and has what every plugin needs.
Status check_descriptor(const md_plugin& descriptor, const Passport& passport, const std::string& path) {
    struct Field {
        std::string_view name;
        bool same;
    };
    const auto wrong = [&](std::string_view field, std::string_view how) {
        return fail(Code::plugin_fault, "plugin '" + path + "': descriptor field '" + std::string(field) +
                                            "' " + std::string(how));
    };
    for (const Field& field : {Field{"abi_major", descriptor.abi_major == passport.abi_major},
                               Field{"abi_minor", descriptor.abi_minor == passport.abi_minor},
                               Field{"kind", descriptor.kind == static_cast<std::uint32_t>(passport.kind)},
                               Field{"name", wire::view(descriptor.name) == passport.name},
                               Field{"version", wire::view(descriptor.version) == passport.version},
                               Field{"option_specs", same_options(descriptor, passport)}})
        if (!field.same) return wrong(field.name, "is not what its passport says; rebuild the plugin");
    if (descriptor.open == nullptr) return wrong("open", "is empty");
    if (descriptor.close == nullptr) return wrong("close", "is empty");
    if (descriptor.table == nullptr) return wrong("table", "is empty");
    return {};
}

std::string label_of(const Passport& passport) {
    return std::string(kind_word(passport.kind)) + " " + passport.name;
}

} // namespace

PluginHost::PluginHost(PluginSource source, DiagnosticFn log)
    : source_(std::move(source)),
      log_(std::move(log)) {}

PluginHost::~PluginHost() = default;

Result<std::string> PluginHost::find(Kind kind, std::string_view name) const {
    const std::string wanted = std::string(kind_phrase(kind)) + " '" + std::string(name) + "'";
    if (!is_plugin_name(name))
        return fail(Code::invalid, wanted + " is no name of a driver, which is of a-z 0-9 - _");
    for (const std::string& directory : source_.directories) {
        std::string path = directory + "/" + file_name(kind, name);
        if (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return path;
        const int error = errno;
        if (error != ENOENT && error != ENOTDIR) return fail_errno(error, "look for plugin '" + path + "'");
    }
    std::vector<std::string> names;
    if (auto found = scan(source_.directories))
        for (const FoundFile& file : *found)
            if (file.kind == kind && !file.hidden) names.push_back(file.name);
    if (source_.directories.empty())
        return fail(Code::not_found, wanted + " not found: there is no plugin directory");
    return fail(Code::not_found, wanted + " not found in " + joined(source_.directories) +
                                     (names.empty() ? "; there are none" : "; there are: " + joined(names)));
}

Status PluginHost::check_directory(const std::string& path) {
    const auto known = directories_.find(path);
    if (known != directories_.end()) return known->second;
    return directories_.emplace(path, check_directory_ownership(path)).first->second;
}

Result<Passport> PluginHost::inspect(const std::string& path) {
    if (const auto known = passports_.find(path); known != passports_.end()) return known->second;
    const auto slash = path.rfind('/');
    if (!path.starts_with('/')) // The loader would search for it, or take it from the current directory.
        return fail(Code::invalid, "plugin '" + path + "' is not an absolute path");
    if (auto own = check_directory(slash == 0 ? "/" : path.substr(0, slash)); !own)
        return fail(own, "plugin '" + path + "'");
    if (auto own = check_file_ownership(path); !own) return fail(own);
    auto passport = read_passport(path);
    if (!passport) return fail(passport);
    if (auto abi = check_abi(*passport, path); !abi) return fail(abi);
    const std::string expected = file_name(passport->kind, passport->name);
    if (path.substr(slash + 1) != expected) {
        const auto said = parse_file_name(path.substr(slash + 1));
        const std::string is = "plugin '" + path + "' is a " + std::string(kind_phrase(passport->kind));
        if (said && said->first != passport->kind)
            return fail(Code::invalid, is + ", not a " + std::string(kind_phrase(said->first)));
        return fail(Code::invalid, is + " with the name '" + passport->name + "'; its file must be called '" +
                                       expected + "'");
    }
    return passports_.emplace(path, *std::move(passport)).first->second;
}

Result<Passport> PluginHost::passport(Kind kind, std::string_view name) {
    auto path = find(kind, name);
    if (!path) return fail(path);
    return inspect(*path);
}

Result<std::vector<PluginFile>> PluginHost::list() {
    auto found = scan(source_.directories);
    if (!found) return fail(found);
    std::vector<PluginFile> plugins;
    plugins.reserve(found->size());
    for (const FoundFile& file : *found)
        plugins.push_back({file.path, file.kind, file.name, inspect(file.path), file.hidden});
    return plugins;
}

Result<LoadedPlugin> PluginHost::load(Kind kind, std::string_view name) {
    auto path = find(kind, name);
    if (!path) return fail(path);
    return load_file(*path);
}

Result<LoadedPlugin> PluginHost::load_file(const std::string& path) {
    if (const auto known = loaded_.find(path); known != loaded_.end()) return known->second;
    auto passport = inspect(path);
    if (!passport) return fail(passport);
    auto descriptor = load_library(path, label_of(*passport));
    if (!descriptor) return fail(descriptor);
    if (auto good = check_descriptor(*descriptor, *passport, path); !good) return fail(good);
    return loaded_.emplace(path, LoadedPlugin{path, *std::move(passport), *descriptor}).first->second;
}

Result<LoadedPlugin> PluginHost::load_for(Kind kind, const OpenRequest& request) {
    if (request.file.empty()) return load(kind, request.name);
    auto passport = inspect(request.file);
    if (!passport) return fail(passport);
    if (passport->kind != kind)
        return fail(Code::invalid, "plugin '" + request.file + "' is a " +
                                       std::string(kind_phrase(passport->kind)) + ", not a " +
                                       std::string(kind_phrase(kind)));
    return load_file(request.file);
}

Result<std::unique_ptr<Instance>> PluginHost::open_instance(const LoadedPlugin& plugin,
                                                            const OpenRequest& request) const {
    return Instance::open(plugin.descriptor,
                          std::make_unique<HostView>(label_of(plugin.passport), request, log_));
}

} // namespace mydocker::plugin
