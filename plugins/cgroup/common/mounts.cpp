#include "mounts.hpp"

#include "units.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace mydocker::cgroup {
namespace {

// The v1 controllers that there are and will be: v1 takes no new ones. Everything else among the
// superblock's options (xattr, clone_children, seclabel, name=…) is no controller.
constexpr std::array<std::string_view, 16> kControllers = {
    "blkio",   "cpu",    "cpuacct", "cpuset",  "debug",    "devices",    "dmem", "freezer",
    "hugetlb", "memory", "misc",    "net_cls", "net_prio", "perf_event", "pids", "rdma"};

[[nodiscard]] bool is_controller(std::string_view option) {
    return std::ranges::find(kControllers, option) != kControllers.end();
}

constexpr std::array kTreeOptions = {
    std::string_view("nsdelegate"),
    std::string_view("favordynmods"),
    std::string_view("memory_localevents"),
    std::string_view("memory_recursiveprot"),
    std::string_view("memory_hugetlb_accounting"),
    std::string_view("pids_localevents"),
};

[[nodiscard]] bool is_tree_option(std::string_view option) {
    return std::ranges::find(kTreeOptions, option) != kTreeOptions.end();
}

[[nodiscard]] bool has_option(std::string_view options, std::string_view wanted) {
    const auto all = split(options, ',');
    return std::ranges::find(all, wanted) != all.end();
}

// Blanks, line ends and backslashes are written as three octal digits after a backslash.
[[nodiscard]] std::string unescaped(std::string_view text) {
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && at + 3 < text.size() && is_octal(text[at + 1]) && is_octal(text[at + 2]) &&
            is_octal(text[at + 3])) {
            const int value = (text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0');
            plain += static_cast<char>(static_cast<unsigned char>(value));
            at += 3;
        } else {
            plain += text[at];
        }
    }
    return plain;
}

// 36 35 98:0 /root /mount/point rw,noatime optional:1 - type source rw,options
[[nodiscard]] std::optional<CgroupMount> parse_line(std::string_view line) {
    const auto dash = line.find(" - cgroup");
    if (dash == std::string_view::npos) return std::nullopt;
    const auto before = words_of(line.substr(0, dash));
    const auto after = words_of(line.substr(dash + 3));
    if (before.size() < 6 || after.size() < 3) return std::nullopt;
    if (after[0] != "cgroup" && after[0] != "cgroup2") return std::nullopt;
    CgroupMount mount;
    mount.version = after[0] == "cgroup2" ? Version::v2 : Version::v1;
    mount.device = before[2];
    mount.point = unescaped(before[4]);
    mount.read_only = has_option(before[5], "ro") || has_option(after[2], "ro");
    if (mount.version == Version::v2) {
        for (const std::string_view option : split(after[2], ','))
            if (is_tree_option(option)) mount.options.emplace_back(option);
        return mount;
    }
    for (const std::string_view option : split(after[2], ','))
        if (is_controller(option)) mount.controllers.emplace_back(option);
    return mount;
}

} // namespace

std::vector<CgroupMount> parse_mountinfo(std::string_view text) {
    std::vector<CgroupMount> mounts;
    for (const std::string_view line : lines_of(text))
        if (auto mount = parse_line(line)) mounts.push_back(std::move(*mount));
    return mounts;
}

Result<std::vector<CgroupMount>> cgroup_mounts() {
    auto text = files::read_file("/proc/self/mountinfo");
    if (!text) return fail(text);
    return parse_mountinfo(*text);
}

bool is_out_of_reach(const Error& error) {
    return error.code == Code::not_found || error.code == Code::denied || error.code == Code::invalid;
}

Error probe_error(Error error) {
    if (is_out_of_reach(error)) error.code = Code::unsupported;
    return error;
}

Result<UniqueFd> open_mount(const CgroupMount& mount) {
    auto fd = files::open(mount.point, O_RDONLY | O_DIRECTORY);
    if (!fd) return fail(fd);
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0) return fail_errno(errno, "stat '" + mount.point + "'");
    // mountinfo lists mounts that later ones cover: what the path leads to now decides.
    const std::string device =
        std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
    if (device != mount.device)
        return fail(Code::not_found, "open '" + mount.point + "': another mount hides the cgroup hierarchy");
    return fd;
}

} // namespace mydocker::cgroup
