#include "mount_points.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>
#include <unistd.h>

namespace mydocker::btrfs {
namespace {

// The path of what is open, as the kernel calls it.
[[nodiscard]] Result<std::string> path_of(int fd) {
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    std::array<char, PATH_MAX> path{};
    const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
    if (size < 0) return fail_errno(errno, "read link '" + link + "'");
    return std::string(path.data(), static_cast<std::size_t>(size));
}

// "a\040b" → "a b". Source: fs/seq_file.c, mangle_path(): three octal digits for a blank and its like.
[[nodiscard]] std::string unmangled(std::string_view text) {
    std::string path;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || text.size() - i < 4) {
            path += text[i];
            continue;
        }
        const auto digit = [&](std::size_t at) { return text[i + at] - '0'; };
        path += static_cast<char>(digit(1) * 64 + digit(2) * 8 + digit(3));
        i += 3;
    }
    return path;
}

// The next line, taken off `text`.
[[nodiscard]] std::string_view take_line(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line;
}

[[nodiscard]] std::string_view mount_point(std::string_view line) {
    for (int field = 1; field < 5; ++field)
        line.remove_prefix(std::min(line.find(' ') + 1, line.size()));
    return line.substr(0, line.find(' '));
}

} // namespace

Result<std::optional<std::string>> find_mount_below(int directory) {
    const auto path = path_of(directory);
    if (!path) return fail(path);
    const auto text = files::read_file("/proc/thread-self/mountinfo");
    if (!text) return fail(text);
    for (std::string_view left = *text; !left.empty();) {
        const std::string point = unmangled(mount_point(take_line(left)));
        if (!point.starts_with(*path)) continue;
        std::string rest = point.substr(path->size());
        if (rest.empty() || rest.front() == '/') return rest;
    }
    return std::nullopt;
}

} // namespace mydocker::btrfs
