// Users and groups of the container's own files.
#include "runtime/init_user.hpp"

#include "base/sys.hpp"
#include "runtime/init_stages.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

namespace mydocker::runtime::init {
namespace {

constexpr std::size_t kLargestFile = std::size_t{8} << 20U;
constexpr std::size_t kLongestLine = std::size_t{64} << 10U;
constexpr std::size_t kMostGroups = 65536; // NGROUPS_MAX
constexpr std::uint32_t kUnchanged = ~std::uint32_t{0};

// Cuts the next field, up to a colon, off a line.
std::string_view take_field(std::string_view& line) {
    const auto colon = std::min(line.find(':'), line.size());
    const std::string_view field = line.substr(0, colon);
    line.remove_prefix(std::min(colon + 1, line.size()));
    return field;
}

// Whole, decimal, in range: "1x", "+1", " 1" and 4294967295 are no ids.
std::optional<std::uint32_t> parse_id(std::string_view text) {
    std::uint32_t id = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), id);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || id == kUnchanged)
        return std::nullopt;
    return id;
}

// Looked at before it is opened for reading: opening a device or a FIFO can have effects or wait.
Result<UniqueFd> open_regular(int root, const std::string& path) {
    constexpr std::uint64_t kResolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    for (const std::uint64_t flags :
         {std::uint64_t{O_PATH}, std::uint64_t{O_RDONLY | O_NONBLOCK | O_NOCTTY}}) {
        auto file = sys::openat2(root, path, flags, kResolve);
        if (!file) return file;
        auto status = sys::fstat(file->get());
        if (!status) return fail(status);
        if (!S_ISREG(status->st_mode)) return fail(Code::invalid, "'/" + path + "' is not a regular file");
        if (static_cast<std::uint64_t>(status->st_size) > kLargestFile)
            return fail(Code::invalid, "'/" + path + "' is larger than 8 MiB");
        if (flags != O_PATH) return file;
    }
    return fail(Code::internal, "unreachable");
}

// Calls visit(line) for each line until it returns false; a line longer than any honest one is skipped.
// The memory used does not depend on the file.
template <class Visit>
Status each_line(int fd, const std::string& path, Visit visit) {
    std::string buffer(kLongestLine, '\0');
    std::size_t used = 0;
    std::size_t total = 0;
    bool skipping = false;
    for (;;) {
        auto count = sys::read(fd, std::span<char>(buffer).subspan(used));
        if (!count) return fail(count, "'/" + path + "'");
        total += *count;
        if (total > kLargestFile) return fail(Code::invalid, "'/" + path + "' is larger than 8 MiB");
        used += *count;
        std::string_view rest(buffer.data(), used);
        for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            if (!skipping && !visit(rest.substr(0, end))) return {};
            skipping = false;
            rest.remove_prefix(end + 1);
        }
        if (*count == 0) {
            if (!rest.empty() && !skipping) (void)visit(rest);
            return {};
        }
        if (rest.size() == buffer.size()) {
            skipping = true;
            rest = {};
        }
        std::copy(rest.begin(), rest.end(), buffer.begin());
        used = rest.size();
    }
}

// Nothing: no such file. Walks until visit says stop.
template <class Visit>
Status each_line_of(int root, const std::string& path, Visit visit) {
    auto file = open_regular(root, path);
    if (!file && (file.error().sys_errno == ENOENT || file.error().sys_errno == ENOTDIR)) return {};
    if (!file) return fail(file);
    return each_line(file->get(), path, visit);
}

Result<std::optional<PasswdEntry>> find_passwd(int root, const PlannedUser& user) {
    std::optional<PasswdEntry> found;
    auto read = each_line_of(root, "etc/passwd", [&](std::string_view line) {
        auto entry = parse_passwd_line(line);
        const bool match = entry && (user.name.empty() ? entry->uid == user.uid : entry->name == user.name);
        if (match) found = std::move(entry);
        return !match;
    });
    if (!read) return fail(read);
    return found;
}

bool is_member(std::string_view members, std::string_view name) {
    while (!members.empty()) {
        const auto comma = std::min(members.find(','), members.size());
        if (members.substr(0, comma) == name) return true;
        members.remove_prefix(std::min(comma + 1, members.size()));
    }
    return false;
}

Result<std::uint32_t> find_group(int root, const std::string& name) {
    std::optional<std::uint32_t> gid;
    auto read = each_line_of(root, "etc/group", [&](std::string_view line) {
        const auto entry = parse_group_line(line);
        if (entry && entry->name == name) gid = entry->gid;
        return !gid;
    });
    if (!read) return fail(read);
    if (!gid) return fail(Code::not_found, "there is no group '" + name + "' in the image's /etc/group");
    return *gid;
}

void add_group(std::vector<std::uint32_t>& groups, std::uint32_t gid) {
    if (groups.size() < kMostGroups && std::ranges::find(groups, gid) == groups.end()) groups.push_back(gid);
}

// The groups that list the user, as a login would give them.
Status add_memberships(int root, const std::string& name, std::vector<std::uint32_t>& groups) {
    return each_line_of(root, "etc/group", [&](std::string_view line) {
        const auto entry = parse_group_line(line);
        if (entry && is_member(entry->members, name)) add_group(groups, entry->gid);
        return true;
    });
}

} // namespace

std::optional<PasswdEntry> parse_passwd_line(std::string_view line) {
    PasswdEntry entry;
    entry.name = take_field(line);
    (void)take_field(line); // The password is elsewhere.
    const auto uid = parse_id(take_field(line));
    const auto gid = parse_id(take_field(line));
    (void)take_field(line); // Who it is in words.
    entry.home = take_field(line);
    if (entry.name.empty() || !uid || !gid) return std::nullopt;
    entry.uid = *uid;
    entry.gid = *gid;
    return entry;
}

std::optional<GroupEntry> parse_group_line(std::string_view line) {
    GroupEntry entry;
    entry.name = take_field(line);
    (void)take_field(line);
    const auto gid = parse_id(take_field(line));
    if (entry.name.empty() || !gid) return std::nullopt;
    entry.gid = *gid;
    entry.members = line;
    return entry;
}

// The primary group is also a supplementary one, so that a process that changes its effective group
// cannot get around what is denied to the group.
Result<Identity> look_up(int root, const PlannedUser& user) {
    auto entry = find_passwd(root, user);
    if (!entry) return fail(entry);
    if (!*entry && !user.name.empty())
        return fail(Code::not_found, "there is no user '" + user.name + "' in the image's /etc/passwd");
    Identity identity;
    identity.uid = *entry ? (*entry)->uid : user.uid;
    identity.gid = *entry ? (*entry)->gid : 0;
    if (*entry) identity.home = (*entry)->home;
    if (user.group_given) {
        auto gid =
            user.group_name.empty() ? Result<std::uint32_t>(user.gid) : find_group(root, user.group_name);
        if (!gid) return fail(gid);
        identity.gid = *gid;
    }
    add_group(identity.groups, identity.gid);
    if (*entry && !user.group_given) {
        if (auto added = add_memberships(root, (*entry)->name, identity.groups); !added) return fail(added);
    }
    for (const std::uint32_t gid : user.additional_gids)
        add_group(identity.groups, gid);
    for (const std::string& name : user.additional_groups) {
        auto gid = find_group(root, name);
        if (!gid) return fail(gid);
        add_group(identity.groups, *gid);
    }
    return identity;
}

Status find_user(Init& init) {
    const PlannedUser& user = init.plan.user;
    if (user.lookup) {
        auto identity = look_up(init.root.get(), user);
        if (!identity) return fail(identity);
        init.identity = std::move(*identity);
    } else {
        init.identity = {user.uid, user.gid, user.additional_gids, {}};
    }
    if (init.identity.home.empty()) init.identity.home = init.identity.uid == 0 ? "/root" : "/";
    return {};
}

} // namespace mydocker::runtime::init
