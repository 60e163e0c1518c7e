// The three notations of a mount.
#include "cli/mount_flags.hpp"

#include "base/notation.hpp"
#include "base/paths.hpp"
#include "base/sys.hpp"
#include "engine/mounts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <iterator>
#include <optional>

namespace mydocker::cli {
namespace {

using engine::MountRequest;
using Kind = MountRequest::Kind;

constexpr std::array<std::string_view, 6> kPropagations{"private", "rprivate", "shared",
                                                        "rshared", "slave",    "rslave"};

// Of what can be said for a bind mount (mount(8)); "r…": of those below it, too.
constexpr std::array<std::string_view, 7> kBindWords{"rro",  "nosuid", "suid", "noexec",
                                                     "exec", "nodev",  "dev"};

// What docker gives a tmpfs; a word given by the user comes later and wins.
constexpr std::array<const char*, 3> kTmpfsDefaults{"nosuid", "nodev", "noexec"};
constexpr std::array<std::string_view, 16> kTmpfsWords{
    "ro",      "rw",       "suid",       "nosuid",      "dev",      "nodev",      "exec", "noexec",
    "noatime", "relatime", "norelatime", "strictatime", "diratime", "nodiratime", "sync", "async"};
constexpr std::array<std::string_view, 7> kTmpfsKeys{"size",      "mode",      "uid", "gid",
                                                     "nr_inodes", "nr_blocks", "mpol"};

template <class List>
bool is_one_of(std::string_view word, const List& list) {
    return std::ranges::find(list, word) != std::end(list);
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts{""};
    for (const char c : text) {
        if (c == separator)
            parts.emplace_back();
        else
            parts.back() += c;
    }
    return parts;
}

bool is_path(std::string_view source) {
    return source.starts_with('/') || source.starts_with("./") || source.starts_with("../") ||
           source == "." || source == "..";
}

// Errors: not_found: it is relative, and `directory` empty because nobody knows where we are. Not "/": that
// would bind some other directory of the host.
Result<std::string> absolute(const std::string& path, const std::string& directory) {
    if (path.starts_with('/')) return path;
    if (directory.empty())
        return fail(Code::not_found, fmt::format("'{}': the working directory is gone", path));
    return directory + "/" + path;
}

Status set_host_path(MountRequest& mount, const std::string& path, const std::string& directory) {
    auto whole = absolute(path, directory);
    if (!whole) return fail(whole);
    mount.source = std::move(*whole);
    return {};
}

// The target, and whether it can be one.
Status set_target(MountRequest& mount, const std::string& text) {
    auto target = engine::clean_target(text);
    if (!target) return fail(target);
    mount.target = std::move(*target);
    return {};
}

Status set_source(MountRequest& mount, const std::string& source, const std::string& directory) {
    if (is_path(source)) {
        mount.kind = Kind::bind;
        mount.create_source = true;
        return set_host_path(mount, source, directory);
    }
    auto name = paths::parse_volume_name(source);
    if (!name) return fail(Code::invalid, name.error().text + "; a host path begins with '/' or './'");
    mount.kind = Kind::volume;
    mount.source = std::move(*name);
    return {};
}

Status set_propagation(MountRequest& mount, const std::string& word) {
    if (mount.kind != Kind::bind)
        return fail(Code::invalid, fmt::format("'{}' is for a host directory only", word));
    if (!is_one_of(word, kPropagations))
        return fail(Code::invalid, fmt::format("'{}' is no propagation; there are: {}", word,
                                               fmt::join(kPropagations, ", ")));
    if (!mount.propagation.empty())
        return fail(Code::invalid,
                    fmt::format("'{}' and '{}' contradict each other", mount.propagation, word));
    mount.propagation = word;
    return {};
}

// The options of -v: a word of each kind at most.
class VolumeOptions {
  public:
    explicit VolumeOptions(MountRequest& mount) : mount_(mount) {}

    Status take(const std::string& word) {
        if (word == "ro" || word == "rw") return take_access(word);
        if (word == "z" || word == "Z") return {}; // A label for SELinux, which confines no container here.
        if (is_one_of(word, kBindWords)) {
            mount_.options.push_back(word);
            return {};
        }
        if (word == "create" && mount_.kind == Kind::bind) return {}; // As it is without it, too.
        if (is_one_of(word, kPropagations)) return set_propagation(mount_, word);
        if (word != "nocopy") return fail(Code::invalid, fmt::format("unknown option '{}'", word));
        if (mount_.kind != Kind::volume) return fail(Code::invalid, "'nocopy' is for a volume only");
        mount_.copy = false;
        return {};
    }

  private:
    Status take_access(const std::string& word) {
        if (!access_.empty() && access_ != word)
            return fail(Code::invalid, fmt::format("'{}' and '{}' contradict each other", access_, word));
        access_ = word;
        mount_.read_only = word == "ro";
        return {};
    }

    MountRequest& mount_;
    std::string access_;
};

Result<MountRequest> read_volume(const std::string& text, const std::string& directory) {
    const std::vector<std::string> parts = split(text, ':');
    MountRequest mount;
    if (parts.size() == 1) {
        mount.kind = Kind::volume;
        if (auto set = set_target(mount, text); !set) return fail(set);
        return mount;
    }
    if (parts.size() > 3) return fail(Code::invalid, "it has more parts than SOURCE:TARGET:OPTIONS");
    if (auto set = set_source(mount, parts[0], directory); !set) return fail(set);
    if (auto set = set_target(mount, parts[1]); !set) return fail(set);
    if (parts.size() == 2) return mount;
    VolumeOptions options(mount);
    for (const std::string& word : split(parts[2], ','))
        if (auto taken = options.take(word); !taken) return fail(taken);
    return mount;
}

// "key" is as good as "key=true".
Result<bool> read_flag(const std::string& key, const std::optional<std::string>& value) {
    if (!value) return true;
    auto flag = parse_bool(*value);
    if (!flag) return fail(flag, key);
    return flag;
}

// --mount, key by key; what belongs to one type only is remembered until the type is known.
class MountKeys {
  public:
    MountKeys() { mount_.kind = Kind::volume; }

    Status take(const std::string& word) {
        const auto equals = word.find('=');
        const std::string key = word.substr(0, equals);
        std::optional<std::string> value;
        if (equals != std::string::npos) value = word.substr(equals + 1);
        if (key == "readonly" || key == "ro") return take_flag(key, value, mount_.read_only);
        if (key == "volume-nocopy") {
            only_for(key, Kind::volume);
            return take_flag(key, value, nocopy_);
        }
        if (!value || value->empty()) return fail(Code::invalid, fmt::format("key '{}' needs a value", key));
        return take_value(key, *value);
    }

    Result<MountRequest> finish(const std::string& directory) {
        if (mount_.target.empty()) return fail(Code::invalid, "it has no target");
        if (owner_ && *owner_ != mount_.kind)
            return fail(Code::invalid, fmt::format("key '{}' is not for this type", owned_));
        if (auto set = finish_source(directory); !set) return fail(set);
        if (!propagation_.empty())
            if (auto set = set_propagation(mount_, propagation_); !set) return fail(set);
        mount_.copy = !nocopy_;
        if (mount_.kind == Kind::tmpfs)
            mount_.options.insert(mount_.options.begin(), kTmpfsDefaults.begin(), kTmpfsDefaults.end());
        return mount_;
    }

  private:
    static Status take_flag(const std::string& key, const std::optional<std::string>& value, bool& to) {
        auto flag = read_flag(key, value);
        if (!flag) return fail(flag);
        to = *flag;
        return {};
    }

    Status take_value(const std::string& key, const std::string& value) {
        if (key == "type") return take_type(value);
        if (key == "source" || key == "src") {
            source_ = value;
            return {};
        }
        if (key == "target" || key == "destination" || key == "dst") return set_target(mount_, value);
        if (key == "bind-propagation") {
            only_for(key, Kind::bind);
            propagation_ = value;
            return {};
        }
        if (key == "tmpfs-size") return take_size(key, value);
        if (key == "tmpfs-mode") return take_mode(key, value);
        return fail(Code::invalid, fmt::format("unknown key '{}'", key));
    }

    Status take_type(const std::string& value) {
        constexpr std::array<std::pair<std::string_view, Kind>, 3> kTypes{
            {{"bind", Kind::bind}, {"volume", Kind::volume}, {"tmpfs", Kind::tmpfs}}};
        for (const auto& [name, kind] : kTypes) {
            if (value != name) continue;
            mount_.kind = kind;
            return {};
        }
        return fail(Code::invalid,
                    fmt::format("type '{}' is unknown; there are: bind, volume, tmpfs", value));
    }

    Status take_size(const std::string& key, const std::string& value) {
        only_for(key, Kind::tmpfs);
        auto size = notation::parse_size(value);
        if (!size) return fail(Code::invalid, fmt::format("{}: '{}' is no size; write 64m", key, value));
        mount_.options.push_back(fmt::format("size={}", *size));
        return {};
    }

    Status take_mode(const std::string& key, const std::string& value) {
        only_for(key, Kind::tmpfs);
        unsigned mode = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), mode, 8);
        if (error != std::errc() || end != value.data() + value.size() || mode > 07777)
            return fail(Code::invalid, fmt::format("{}: '{}' is no mode; write 1777", key, value));
        mount_.options.push_back(fmt::format("mode={:o}", mode));
        return {};
    }

    Status finish_source(const std::string& directory) {
        if (mount_.kind == Kind::tmpfs)
            return source_.empty() ? Status{} : fail(Code::invalid, "a tmpfs has no source");
        if (mount_.kind == Kind::volume) {
            if (source_.empty()) return {}; // an anonymous one
            auto name = paths::parse_volume_name(source_);
            if (!name) return fail(name);
            mount_.source = std::move(*name);
            return {};
        }
        if (!is_path(source_))
            return fail(Code::invalid,
                        fmt::format("the source '{}' is no path; it begins with '/' or './'", source_));
        return set_host_path(mount_, source_, directory);
    }

    void only_for(const std::string& key, Kind kind) {
        owner_ = kind;
        owned_ = key;
    }

    MountRequest mount_;
    std::string source_;
    std::string propagation_;
    bool nocopy_ = false;
    std::optional<Kind> owner_; // the type that a key given belongs to
    std::string owned_;         // that key
};

Status take_tmpfs_option(MountRequest& mount, const std::string& word) {
    const auto equals = word.find('=');
    const bool known = equals == std::string::npos
                           ? is_one_of(word, kTmpfsWords)
                           : is_one_of(word.substr(0, equals), kTmpfsKeys) && equals + 1 < word.size();
    if (!known) return fail(Code::invalid, fmt::format("unknown option '{}'", word));
    mount.options.push_back(word);
    return {};
}

Result<MountRequest> read_tmpfs(const std::string& text) {
    const auto colon = text.find(':');
    MountRequest mount;
    mount.kind = Kind::tmpfs;
    if (auto set = set_target(mount, text.substr(0, colon)); !set) return fail(set);
    mount.options.assign(kTmpfsDefaults.begin(), kTmpfsDefaults.end());
    if (colon == std::string::npos) return mount;
    for (const std::string& word : split(text.substr(colon + 1), ','))
        if (auto taken = take_tmpfs_option(mount, word); !taken) return fail(taken);
    return mount;
}

// Adds one flag's mounts, each with the flag and its text in its error.
template <class Parse>
Status add(std::string_view flag, const std::vector<std::string>& texts, const Parse& parse,
           std::vector<MountRequest>& to) {
    for (const std::string& text : texts) {
        Result<MountRequest> mount = parse(text);
        if (!mount) return fail(mount);
        const bool twice = std::ranges::find(to, mount->target, &MountRequest::target) != to.end();
        if (twice)
            return fail(Code::invalid,
                        fmt::format("{}: '{}': the target '{}' is given twice", flag, text, mount->target));
        to.push_back(std::move(*mount));
    }
    return {};
}

std::string clause(std::string_view flag, const std::string& text) {
    return fmt::format("{}: '{}'", flag, text);
}

} // namespace

void MountFlags::declare(FlagSet& app) {
    app.add_option("-v,--volume", volumes_,
                   "host path or volume to see inside, SOURCE:TARGET[:ro,…]; TARGET alone: a new volume");
    app.add_option("--mount", mounts_,
                   "the same in words: type=bind|volume|tmpfs,source=…,target=…,readonly");
    app.add_option("--tmpfs", tmpfs_, "file system in memory, TARGET[:size=64m,…]");
}

Result<std::vector<MountRequest>> MountFlags::parse() const {
    std::vector<MountRequest> mounts;
    if (volumes_.empty() && mounts_.empty() && tmpfs_.empty()) return mounts;
    auto directory = sys::getcwd();
    const std::string here = directory ? *directory : "";
    auto added =
        add("volume", volumes_, [&](const std::string& text) { return parse_volume(text, here); }, mounts);
    if (added)
        added =
            add("mount", mounts_, [&](const std::string& text) { return parse_mount(text, here); }, mounts);
    if (added) added = add("tmpfs", tmpfs_, parse_tmpfs, mounts);
    if (!added) return fail(added);
    return mounts;
}

Result<MountRequest> parse_volume(const std::string& text, const std::string& directory) {
    auto mount = read_volume(text, directory);
    if (!mount) return fail(mount, clause("volume", text));
    return mount;
}

Result<MountRequest> parse_mount(const std::string& text, const std::string& directory) {
    MountKeys keys;
    for (const std::string& word : split(text, ','))
        if (auto taken = keys.take(word); !taken) return fail(taken, clause("mount", text));
    auto mount = keys.finish(directory);
    if (!mount) return fail(mount, clause("mount", text));
    return mount;
}

Result<MountRequest> parse_tmpfs(const std::string& text) {
    auto mount = read_tmpfs(text);
    if (!mount) return fail(mount, clause("tmpfs", text));
    return mount;
}

} // namespace mydocker::cli
