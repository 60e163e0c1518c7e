#include "description.hpp"

#include <algorithm>
#include <ranges>
#include <span>
#include <string_view>
#include <sys/mount.h>

namespace mydocker::aufs {
namespace {

// mount(2) takes one page, terminator included; 198 bytes are left for what an engine adds.
constexpr std::size_t kRoom = 4095 - 198;

constexpr std::string_view kListKey = "br=";
constexpr std::string_view kAppendKey = "append=";

using Branches = std::span<const std::string>;

// Top-most first. Whiteouts in a branch that is plain "ro" count for nothing, so layers are "ro+wh".
[[nodiscard]] std::vector<std::string> branches_of(const Stack& stack, Access access) {
    std::vector<std::string> branches;
    branches.reserve(stack.below.size() + 1);
    branches.push_back(std::string(kUpper) + (access == Access::read_write ? "=rw" : "=ro+wh"));
    for (const LayerId& layer : stack.below | std::views::reverse)
        branches.push_back("../../layers/" + layer.str() + "/diff=ro+wh");
    return branches;
}

// How many of the first ones go into `room` bytes when each takes `around` more than its name.
[[nodiscard]] std::size_t count_fitting(Branches branches, std::size_t room, std::size_t around) {
    std::size_t count = 0;
    for (std::size_t used = 0; count < std::min(branches.size(), kMaxBranchesACall); ++count) {
        used += branches[count].size() + around;
        if (used > room) break;
    }
    return count;
}

[[nodiscard]] std::string join_branches(Branches branches, std::string_view key, char separator) {
    std::string text;
    for (const std::string& branch : branches) {
        if (!text.empty()) text += separator;
        text.append(key).append(branch);
    }
    return text;
}

[[nodiscard]] std::vector<std::string> appends(Branches branches) {
    std::vector<std::string> calls;
    while (!branches.empty()) {
        const std::size_t count = count_fitting(branches, kRoom, kAppendKey.size() + 1);
        calls.push_back(join_branches(branches.first(count), kAppendKey, ','));
        branches = branches.subspan(count);
    }
    return calls;
}

} // namespace

Mount describe_mount(const Stack& stack, Access access) {
    Mount mount;
    mount.type = "aufs";
    mount.source = "none";
    mount.target = "/";
    mount.flags = access == Access::read_only ? MS_RDONLY : 0;
    mount.directory = stack.rw;
    // dirperm1: else a directory of mode 0700 in a lower layer denies what its copy above allows.
    mount.options = {"xino=" + stack.xino, "dirperm1", "dio"};
    std::size_t others = kListKey.size();
    for (const std::string& option : mount.options)
        others += option.size() + 1;
    const std::vector<std::string> branches = branches_of(stack, access);
    const Branches all(branches);
    // The first one in any case: a page that it does not fit into is refused in words when mounted.
    const std::size_t first =
        std::max<std::size_t>(1, count_fitting(all, kRoom - std::min(kRoom, others), 1));
    mount.options.insert(mount.options.begin(),
                         std::string(kListKey) + join_branches(all.first(first), "", ':'));
    mount.remounts = appends(all.subspan(first));
    return mount;
}

} // namespace mydocker::aufs
