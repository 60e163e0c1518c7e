// Names on disk, ids and names of containers, and where the program is installed.
#include "base/paths.hpp"

#include "base/paths_names.hpp"
#include "base/sys.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <sys/file.h>
#include <unistd.h>
#include <vector>

namespace mydocker::paths {
namespace {

constexpr mode_t kRootMode = 0700;
constexpr mode_t kPermissions = 07777;

bool is_digit(char character) {
    return character >= '0' && character <= '9';
}

bool is_letter_or_digit(char character) {
    return is_digit(character) || (character >= 'a' && character <= 'z') ||
           (character >= 'A' && character <= 'Z');
}

std::string quoted(std::string_view path) {
    return "'" + std::string(path) + "'";
}

Result<bool> has_marker(int directory) {
    auto found = sys::fstatat(directory, std::string(kMarker), AT_SYMLINK_NOFOLLOW);
    if (found) return S_ISREG(found->st_mode);
    if (found.error().sys_errno == ENOENT) return false;
    return fail(found);
}

// Whether the directory may become ours: nothing is in it, or only what every fresh filesystem has.
Result<bool> is_vacant(int directory, const std::string& path) {
    auto entries = files::list_directory(directory, path);
    if (!entries) return fail(entries);
    return std::ranges::all_of(*entries, [](const auto& entry) { return entry.name == "lost+found"; });
}

// A directory that is there already is taken over only if it is ours or vacant: closing somebody's /home
// by a mistyped option, and offering it to `system reset`, would be worse than an error.
Status claim(int directory, const std::string& path) {
    auto marked = has_marker(directory);
    if (!marked) return fail(marked);
    if (*marked) return {};
    auto vacant = is_vacant(directory, path);
    if (!vacant) return fail(vacant);
    if (!*vacant) {
        // Another command may have made the root between the two looks.
        marked = has_marker(directory);
        if (!marked) return fail(marked);
        if (*marked) return {};
        return fail(Code::exists, "use directory " + quoted(path) + ", which is not empty and has no '" +
                                      std::string(kMarker) + "'; choose another one");
    }
    auto made = sys::openat(directory, std::string(kMarker), O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
    if (!made) return fail(made);
    return {};
}

Result<UniqueFd> open_root(const std::string& path) {
    if (path.empty() || path.front() != '/')
        return fail(Code::invalid, "use directory " + quoted(path) + ", which is no absolute path");
    if (auto made = files::make_directories(path, kRootMode); !made) return fail(made);
    auto directory = files::open(path, O_RDONLY | O_DIRECTORY);
    if (!directory) return fail(directory);
    auto status = sys::fstat(directory->get());
    if (!status) return fail(status);
    if (status->st_uid != ::geteuid())
        return fail(Code::denied, "use directory " + quoted(path) + ", which belongs to user " +
                                      std::to_string(status->st_uid));
    if (auto claimed = claim(directory->get(), path); !claimed) return fail(claimed);
    // Set-user-id files in layers must not be within other users' reach (CVE-2021-41091).
    if ((status->st_mode & kPermissions) != kRootMode)
        if (auto closed = sys::fchmod(directory->get(), kRootMode); !closed) return fail(closed);
    return directory;
}

Status make_rooms(int root, std::initializer_list<const char*> rooms) {
    for (const char* room : rooms)
        if (auto made = sys::mkdirat(root, room, kRootMode); !made && made.error().sys_errno != EEXIST)
            return made;
    return {};
}

// Names of containers and of volumes: what can stand in a path and on a command line as it is.
Status check_name(std::string_view text, std::string_view what) {
    const auto refuse = [&](std::string_view why) {
        constexpr std::size_t kShown = 64;
        const std::string shown(text.substr(0, kShown));
        return fail(Code::invalid, "'" + shown + (text.size() > kShown ? "…' " : "' ") + "is no " +
                                       std::string(what) + ": " + std::string(why));
    };
    if (text.empty()) return refuse("it is empty");
    if (text.size() > kMaxNameLength)
        return refuse("it is longer than " + std::to_string(kMaxNameLength) + " bytes");
    if (!is_letter_or_digit(text.front()))
        return refuse("it must start with a letter or digit (a-z, A-Z, 0-9)");
    const bool plain = std::ranges::all_of(text, [](char character) {
        return is_letter_or_digit(character) || character == '_' || character == '.' || character == '-';
    });
    if (!plain) return refuse("only letters, digits, '_', '.' and '-' are allowed");
    return {};
}

// A number below `limit` from random bits; a slight preference for the lower ones does not matter here.
std::size_t pick(std::uint32_t bits, std::size_t limit) {
    return bits % limit;
}

Installation installation_at(std::string_view prefix) {
    const std::string base(prefix);
    const bool is_system = prefix.empty() || prefix == "/usr" || prefix == "/usr/local";
    return {
        .prefix = base.empty() ? "/" : base,
        .program = base + "/bin/mydocker",
        .monitor = base + "/libexec/mydocker/mydocker-monitor",
        .init = base + "/libexec/mydocker/mydocker-init",
        .plugins = base + "/lib/mydocker/plugins",
        .images = base + "/share/mydocker/images",
        .config = (is_system ? "" : base) + "/etc/mydocker/mydocker.toml",
    };
}

} // namespace

std::string content(const Roots& roots) {
    return roots.root + "/content";
}

std::string volumes(const Roots& roots) {
    return roots.root + "/volumes";
}

std::string volume_data(const Roots& roots, std::string_view name) {
    return volumes(roots) + "/" + std::string(name) + "/_data";
}

std::string containers(const Roots& roots) {
    return roots.root + "/containers";
}

std::string bundle(const Roots& roots, const ContainerId& id) {
    return containers(roots) + "/" + id.str();
}

std::string logs(const Roots& roots, const ContainerId& id) {
    return bundle(roots, id) + "/logs";
}

std::string run_directory(const Roots& roots, const ContainerId& id) {
    return roots.run_root + "/" + id.str();
}

std::string baton(const Roots& roots, const ContainerId& id) {
    return run_directory(roots, id) + "/lock";
}

std::string exits(const Roots& roots) {
    return roots.run_root + "/exits";
}

std::string events(const Roots& roots) {
    return roots.run_root + "/events";
}

std::string driver_data(const Roots& roots, std::string_view kind, std::string_view driver) {
    return roots.root + "/" + std::string(kind) + "/" + std::string(driver);
}

std::string driver_run(const Roots& roots, std::string_view kind, std::string_view driver) {
    return roots.run_root + "/" + std::string(kind) + "/" + std::string(driver);
}

Result<UniqueFd> make_roots(const Roots& roots) {
    auto run_root = open_root(roots.run_root);
    if (!run_root) return fail(run_root, "run root");
    // Before anything is made that a reset at work would take away again.
    if (auto locked = sys::flock(run_root->get(), LOCK_SH); !locked) return fail(locked, "run root");
    auto root = open_root(roots.root);
    if (!root) return fail(root, "root");
    if (auto made = make_rooms(root->get(), {"storage", "state", "cgroup", "log", "containers"}); !made)
        return fail(made, "root");
    if (auto made = make_rooms(run_root->get(), {"storage", "state", "cgroup", "log"}); !made)
        return fail(made, "run root");
    return run_root;
}

Result<ContainerId> make_id() {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<unsigned char, kIdLength / 2> bits{};
    if (auto drawn = sys::random_bytes(bits); !drawn) return fail(drawn);
    std::string id;
    id.reserve(kIdLength);
    for (const unsigned char byte : bits) {
        id.push_back(kDigits[byte >> 4U]);
        id.push_back(kDigits[byte & 0xFU]);
    }
    return ContainerId(std::move(id));
}

bool is_id(std::string_view text) {
    return text.size() == kIdLength && std::ranges::all_of(text, [](char character) {
               return is_digit(character) || (character >= 'a' && character <= 'f');
           });
}

std::string short_id(const ContainerId& id) {
    return id.str().substr(0, kShortIdLength);
}

Result<ContainerName> parse_name(std::string_view text) {
    if (auto sane = check_name(text, "container name"); !sane) return fail(sane);
    return ContainerName(text);
}

Result<std::string> parse_volume_name(std::string_view text) {
    if (auto sane = check_name(text, "volume name"); !sane) return fail(sane);
    return std::string(text);
}

Result<ContainerName> make_name() {
    constexpr std::size_t kNumbers = 1000;
    std::array<std::uint32_t, 3> bits{};
    std::array<unsigned char, sizeof bits> bytes{};
    if (auto drawn = sys::random_bytes(bytes); !drawn) return fail(drawn);
    std::memcpy(bits.data(), bytes.data(), bytes.size());
    std::string name(name_qualities()[pick(bits[0], name_qualities().size())]);
    name += "_";
    name += name_animals()[pick(bits[1], name_animals().size())];
    name += "_" + std::to_string(pick(bits[2], kNumbers));
    return ContainerName(std::move(name));
}

Result<Installation> find_installation() {
    auto program = sys::readlinkat(AT_FDCWD, "/proc/self/exe");
    if (!program) return fail(program, "find the own program");
    return installation_of(*program);
}

Result<Installation> installation_of(std::string_view program) {
    const std::string_view directory = program.substr(0, program.rfind('/'));
    // Only the directory counts: after an upgrade the kernel calls the file "mydocker (deleted)".
    for (const std::string_view place : {"/bin", "/libexec/mydocker"})
        if (directory.ends_with(place))
            return installation_at(directory.substr(0, directory.size() - place.size()));
    return fail(Code::not_found, "find the parts of mydocker: its program " + quoted(program) +
                                     " is not in a directory 'bin'; install it with its parts beside it");
}

} // namespace mydocker::paths
