#include "config/source.hpp"

#include "config/keys.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mydocker::config {
namespace {

constexpr std::string_view kSuffix = ".toml";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

[[nodiscard]] Origin in_file(const std::string& path) {
    return Origin{.source = Source::file, .name = path};
}

[[nodiscard]] Complaint of_errno(const std::string& path, std::string text, int error) {
    return Complaint{
        .origin = in_file(path), .text = std::move(text), .code = code_from_errno(error), .sys_errno = error};
}

[[nodiscard]] Complaint refused(const std::string& file, const std::string& component,
                                const std::string& why) {
    return Complaint{
        .origin = in_file(file), .text = "refused: " + component + " " + why, .code = Code::denied};
}

// Why a file or directory lets others than root decide; empty: it does not.
[[nodiscard]] std::string lets_others(const struct stat& status, const std::string& path) {
    if (status.st_uid != 0)
        return "belongs to user " + std::to_string(status.st_uid) + "; chown root " + path;
    // In a sticky directory others may add files, but not replace root's.
    if (S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0) return {};
    if ((status.st_mode & S_IWGRP) != 0) return "is writable by group; chmod go-w " + path;
    if ((status.st_mode & S_IWOTH) != 0) return "is writable by others; chmod go-w " + path;
    return {};
}

constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY; // O_NONBLOCK: a FIFO must not hang us

[[nodiscard]] UniqueFd open_without_links(const std::string& path) {
    open_how how{};
    how.flags = kFlags;
    how.resolve = RESOLVE_NO_SYMLINKS;
    return UniqueFd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
}

// `seen`: the tables that were begun so far.
[[nodiscard]] bool is_blank_line(std::string_view line, std::vector<std::string_view>& seen) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty()) return true;
    if (line.front() == '#')
        return std::ranges::all_of(line, [](char c) { return c == '\t' || (c >= 0x20 && c <= 0x7e); });
    if (line.front() != '[' || !line.ends_with(']')) return false;
    const std::string_view table = line.substr(1, line.size() - 2);
    if (!is_table(table) || std::ranges::find(seen, table) != seen.end()) return false;
    seen.push_back(table);
    return true;
}

[[nodiscard]] std::string real_path(const std::string& path) {
    struct Free {
        void operator()(char* text) const { std::free(text); }
    };
    const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
    return real ? std::string(real.get()) : path;
}

} // namespace

std::expected<std::optional<std::string>, Complaint> SourceReader::read(const std::string& path,
                                                                        IfMissing missing) {
    UniqueFd fd = open_without_links(path);
    Links links = Links::none;
    if (!fd && errno != ENOENT) { // A link on the way (ELOOP), or a kernel without openat2.
        fd.reset(::open(path.c_str(), kFlags));
        links = Links::maybe;
    }
    if (!fd) {
        const int error = errno;
        if (missing == IfMissing::nothing && (error == ENOENT || error == ENOTDIR))
            return std::optional<std::string>();
        return std::unexpected(of_errno(path, "", error));
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) return std::unexpected(of_errno(path, "stat", errno));
    if (!S_ISREG(status.st_mode))
        return std::unexpected(Complaint{.origin = in_file(path),
                                         .text = S_ISDIR(status.st_mode) ? "is a directory, not a file"
                                                                         : "is not a regular file"});
    if (auto reason = distrust(status, path, links)) return std::unexpected(std::move(*reason));
    const Complaint too_large{.origin = in_file(path), .text = "the file is larger than 1 MiB"};
    if (static_cast<std::uint64_t>(status.st_size) > kMaxFileBytes) return std::unexpected(too_large);
    auto text = mydocker::files::read_all(fd.get(), path, kMaxFileBytes);
    if (text) return std::optional<std::string>(std::move(*text));
    if (text.error().code == Code::invalid) return std::unexpected(too_large); // It grew.
    return std::unexpected(of_errno(path, "read", text.error().sys_errno));
}

std::expected<std::vector<std::string>, Complaint> SourceReader::list(const std::string& directory) {
    std::vector<std::string> paths;
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        const int error = errno;
        if (error == ENOENT) return paths;
        return std::unexpected(of_errno(directory, "", error));
    }
    const auto entries = mydocker::files::list_directory(fd.get(), directory);
    if (!entries) return std::unexpected(of_errno(directory, "read directory", entries.error().sys_errno));
    for (const auto& entry : *entries)
        if (entry.name.ends_with(kSuffix) && !entry.name.starts_with("."))
            paths.push_back(directory + "/" + entry.name);
    std::ranges::sort(paths);
    return paths;
}

// Whoever can write the file, or put another in its place, decides what root will do.
std::optional<Complaint> SourceReader::distrust(const struct stat& status, const std::string& path,
                                                Links links) {
    if (::geteuid() != 0) return std::nullopt;
    if (const std::string why = lets_others(status, path); !why.empty()) return refused(path, path, why);
    const std::string absolute = path.starts_with('/') ? path : real_path(".") + "/" + path;
    if (auto reason = distrust_parents(absolute, path)) return reason;
    // A link leads elsewhere: then both ways, of the link and of the file, have to be root's.
    if (links == Links::none) return std::nullopt;
    return distrust_parents(real_path(absolute), path);
}

std::optional<Complaint> SourceReader::distrust_parents(const std::string& path, const std::string& file) {
    for (std::size_t slash = path.rfind('/'); slash != std::string::npos;
         slash = slash == 0 ? std::string::npos : path.rfind('/', slash - 1)) {
        const std::string directory = slash == 0 ? "/" : path.substr(0, slash);
        if (!trusted_directories_.insert(directory).second) return std::nullopt; // and all above it
        struct stat status{};
        if (::stat(directory.c_str(), &status) != 0) return of_errno(file, "stat " + directory, errno);
        if (const std::string why = lets_others(status, directory); !why.empty()) {
            trusted_directories_.erase(directory);
            return refused(file, directory, why);
        }
    }
    return std::nullopt;
}

bool is_blank(std::string_view text) {
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    std::vector<std::string_view> seen;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (!is_blank_line(text.substr(0, end), seen)) return false;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return true;
}

} // namespace mydocker::config
