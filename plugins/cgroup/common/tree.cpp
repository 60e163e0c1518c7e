#include "tree.hpp"

#include "units.hpp"

#include <algorithm>

namespace mydocker::cgroup {
namespace {

constexpr std::size_t kLongestName = 255;  // NAME_MAX, for each part
constexpr std::size_t kLongestPath = 3072; // leaves room for the mount point and a file's name
// Each round of a lost race takes another container's end at exactly the wrong moment.
constexpr int kMostRounds = 1000;

[[nodiscard]] std::vector<std::string> subdirectories(const std::vector<files::DirectoryEntry>& entries) {
    std::vector<std::string> names;
    for (const files::DirectoryEntry& entry : entries)
        if (entry.type == DT_DIR) names.push_back(entry.name);
    return names;
}

// The names of the cgroups directly below an open one. A directory without any has the two links of
// "." and of its name: then the listing, which costs a call for every few dozen control files, is spared.
[[nodiscard]] Result<std::vector<std::string>> children(int fd, const std::string& where) {
    struct stat status{};
    if (::fstat(fd, &status) == 0 && status.st_nlink == 2) return std::vector<std::string>{};
    auto entries = files::list_directory(fd, where);
    if (!entries) {
        if (is_gone(entries.error().sys_errno)) return std::vector<std::string>{};
        return fail(entries);
    }
    return subdirectories(*entries);
}

[[nodiscard]] UniqueFd open_directory(int directory, const std::string& name) {
    return UniqueFd(::openat(directory, name.empty() ? "." : name.c_str(),
                             O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

[[nodiscard]] bool removed(int directory, const std::string& name) {
    return ::unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0 || is_gone(errno);
}

// Goes through the tree below an open cgroup with one descriptor, which moves down by name and up by
// "..": a container may nest its cgroups deeper than paths or descriptors reach.
class Descent {
  public:
    explicit Descent(const Place& place) : where_(place.quoted()) {}

    // enter: called with each cgroup, before its children; leave: with a cgroup's parent and name, after.
    [[nodiscard]] Status run(UniqueFd top, const std::function<Status(int)>& enter,
                             const std::function<void(int, const std::string&)>& leave) {
        current_ = std::move(top);
        if (auto entered = arrive(enter); !entered) return entered;
        while (!levels_.empty()) {
            if (levels_.back().below.empty()) {
                if (auto up = ascend(leave); !up) return up;
                continue;
            }
            const std::string name = std::move(levels_.back().below.back());
            levels_.back().below.pop_back();
            UniqueFd next = open_directory(current_.get(), name);
            if (!next) {
                const int error = errno;
                if (is_gone(error)) continue;
                return fail_errno(error, "open cgroup '" + name + "' below " + where_);
            }
            current_ = std::move(next);
            name_ = name;
            if (auto entered = arrive(enter); !entered) return entered;
        }
        return {};
    }

  private:
    struct Level {
        std::string name;
        std::vector<std::string> below; // yet to visit
    };

    [[nodiscard]] Status arrive(const std::function<Status(int)>& enter) {
        if (auto entered = enter(current_.get()); !entered) return entered;
        auto below = children(current_.get(), where_);
        if (!below) return fail(below);
        levels_.push_back({std::move(name_), std::move(*below)});
        return {};
    }

    [[nodiscard]] Status ascend(const std::function<void(int, const std::string&)>& leave) {
        const Level done = std::move(levels_.back());
        levels_.pop_back();
        if (levels_.empty()) return {};
        UniqueFd up = open_directory(current_.get(), "..");
        if (!up) return fail_errno(errno, "go up from cgroup '" + done.name + "' below " + where_);
        current_ = std::move(up);
        if (leave) leave(current_.get(), done.name);
        return {};
    }

    std::string where_;
    UniqueFd current_;
    std::string name_;
    std::vector<Level> levels_;
};

[[nodiscard]] Status read_processes(int fd, const Place& place, std::vector<pid_t>& pids) {
    auto text = files::read_file_at(fd, "cgroup.procs");
    if (!text) {
        const int error = text.error().sys_errno;
        // A threaded cgroup shows none of its own: its processes are listed further up.
        if (is_gone(error) || error == EOPNOTSUPP) return {};
        return fail(text, "list the processes of " + place.quoted());
    }
    for (const std::string_view line : lines_of(*text))
        if (const auto pid = parse_number(line); pid && *pid != 0) pids.push_back(static_cast<pid_t>(*pid));
    return {};
}

[[nodiscard]] std::unexpected<Error> not_made(const Place& place, int error) {
    const std::string text = "make cgroup " + place.quoted();
    if (error == ENOSPC) return fail_errno(error, text + ": the kernel has no room for another");
    if (error == EAGAIN) // A level above allows no more, or no deeper, cgroups.
        return fail(Code::no_space, text + ": cgroup.max.descendants or cgroup.max.depth is reached", error);
    return fail_errno(error, text);
}

[[nodiscard]] Status make_parents(const Place& place) {
    for (std::size_t slash = place.name.find('/'); slash != std::string::npos;
         slash = place.name.find('/', slash + 1)) {
        const std::string parent = place.name.substr(0, slash);
        if (::mkdirat(place.root, parent.c_str(), 0755) == 0) continue;
        const int error = errno;
        if (error != EEXIST && !is_gone(error)) return not_made({place.root, place.point, parent}, error);
    }
    return {};
}

[[nodiscard]] std::unexpected<Error> still_busy(const Place& place) {
    const auto pids = processes_of(place);
    std::string text = "remove cgroup " + place.quoted() + ": ";
    if (!pids)
        text += describe(pids.error());
    else if (pids->empty())
        text += "the kernel has not let go of its last processes";
    else
        text += name_processes(*pids) + (pids->size() == 1 ? " is" : " are") + " still there";
    return fail(Code::busy, std::move(text), EBUSY);
}

} // namespace

int milliseconds_left(Deadline deadline) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return 0;
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

Status check_name(std::string_view name) {
    const auto refuse = [&](std::string_view why) {
        return fail(Code::invalid, "cgroup name '" + std::string(name) + "' " + std::string(why));
    };
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (name.empty()) return fail(Code::invalid, "a cgroup needs a name");
    if (std::ranges::any_of(name, is_control))
        return fail(Code::invalid, "a cgroup name has control characters");
    if (name.front() == '/') return refuse("is absolute; it must be relative");
    if (name.size() > kLongestPath) return refuse("is too long");
    for (const std::string_view part : split(name, '/')) {
        if (part.empty()) return refuse("has an empty part");
        if (part == "." || part == "..") return refuse("leads out of its place");
        if (part.size() > kLongestName) return refuse("has a part of more than 255 bytes");
    }
    return {};
}

Result<Locator> to_locator(std::string_view version, const CgroupName& name) {
    if (auto fit = check_name(name.str()); !fit) return fail(fit);
    return Locator(std::string(version) + ":" + name.str());
}

Result<std::string> from_locator(std::string_view version, const Locator& locator) {
    const std::string_view text = locator.str();
    if (text.size() <= version.size() || !text.starts_with(version) || text[version.size()] != ':')
        return fail(Code::invalid,
                    "'" + std::string(text) + "' is no locator of the backend " + std::string(version));
    const std::string_view name = text.substr(version.size() + 1);
    if (auto fit = check_name(name); !fit) return fail(fit);
    return std::string(name);
}

Status make(const Place& place) {
    int error = ENOENT;
    for (int round = 0; round < kMostRounds; ++round) {
        if (::mkdirat(place.root, place.name.c_str(), 0755) == 0) return {};
        error = errno;
        if (error == EEXIST) return {};
        if (!is_gone(error)) break;
        if (auto made = make_parents(place); !made) return made;
    }
    return not_made(place, error);
}

Status walk(const Place& place, const std::function<Status(int)>& visit) {
    UniqueFd top = open_directory(place.root, place.name);
    if (!top) {
        const int error = errno;
        if (is_gone(error)) return {};
        return fail_errno(error, "open cgroup " + place.quoted());
    }
    return Descent(place).run(std::move(top), visit, {});
}

Result<std::vector<pid_t>> processes_of(const Place& place) {
    std::vector<pid_t> pids;
    auto walked = walk(place, [&](int fd) { return read_processes(fd, place, pids); });
    if (!walked) return fail(walked);
    std::ranges::sort(pids);
    const auto again = std::ranges::unique(pids);
    pids.erase(again.begin(), again.end());
    return pids;
}

Status remove_cgroup(const Place& place, Deadline deadline, const ExitWait& wait) {
    for (int round = 0;; ++round) {
        if (removed(place.root, place.name)) return {};
        const int error = errno;
        if (error != EBUSY && error != ENOTEMPTY) return fail_errno(error, "remove cgroup " + place.quoted());
        // EBUSY stands for both: processes in it, cgroups below it.
        UniqueFd top = open_directory(place.root, place.name);
        if (!top && is_gone(errno)) return {};
        if (top) {
            auto emptied = Descent(place).run(
                std::move(top), [](int) { return Status{}; },
                [](int parent, const std::string& name) { (void)removed(parent, name); });
            if (!emptied && !is_gone(emptied.error().sys_errno)) return emptied;
            if (removed(place.root, place.name)) return {};
        }
        if (milliseconds_left(deadline) == 0) return still_busy(place);
        wait(place, deadline, round);
    }
}

void remove_empty_parents(const Place& place) {
    for (Place parent = place.parent(); !parent.name.empty(); parent = parent.parent())
        if (!removed(parent.root, parent.name)) return; // Others are in it.
}

Result<std::vector<std::string>> children_of(const Place& place) {
    const UniqueFd top = open_directory(place.root, place.name);
    if (!top) {
        const int error = errno;
        if (is_gone(error)) return std::vector<std::string>{};
        return fail_errno(error, "open cgroup " + place.quoted());
    }
    return children(top.get(), place.quoted());
}

std::string name_processes(const std::vector<pid_t>& pids) {
    constexpr std::size_t kNamed = 8;
    std::string text = pids.size() == 1 ? "process " : "processes ";
    for (std::size_t at = 0; at < std::min(pids.size(), kNamed); ++at)
        text += (at == 0 ? "" : ", ") + std::to_string(pids[at]);
    if (pids.size() > kNamed) text += " and " + std::to_string(pids.size() - kNamed) + " more";
    return text;
}

} // namespace mydocker::cgroup
