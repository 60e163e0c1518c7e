// The kernel could tell what was touched since a generation (BTRFS_IOC_TREE_SEARCH_V2, send), without a look
// at the rest. But it tells what is in its trees, and the last changes of inodes get there with the next
// commit: it would have to be waited for, which takes seconds on a busy disk. stat(2) knows at once.
#include "changes.hpp"

#include "mydocker/support/files.hpp"
#include "storage/common/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <optional>
#include <set>
#include <string_view>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace mydocker::btrfs {
namespace {

using storage::Compared;
using storage::Content;
using storage::Descend;
using storage::TreeEntry;

using Before = std::optional<struct stat>; // nothing: the layer does not have it

// What becomes of the differences.
class Judge {
  public:
    Judge() = default;
    Judge(const Judge&) = delete;
    Judge& operator=(const Judge&) = delete;
    virtual ~Judge() = default;

    [[nodiscard]] virtual Status removed(const std::string& path) = 0;
    // New, or touched since the snapshot.
    [[nodiscard]] virtual Status touched(const TreeEntry& entry, const Before& before) = 0;
};

[[nodiscard]] bool is_earlier(const timespec& left, const timespec& right) {
    return std::pair(left.tv_sec, left.tv_nsec) < std::pair(right.tv_sec, right.tv_nsec);
}

[[nodiscard]] bool is_same_time(const timespec& left, const timespec& right) {
    return left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec;
}

// One walk over the snapshot, with the layer's names merged in: both are in byte order, so a name of the
// layer that was passed over is gone.
class ChangeWalk final : public storage::TreeVisitor {
  public:
    ChangeWalk(const ChangeSource& source, Judge& judge) : source_(source), judge_(judge) {}

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        if (entry.depth == 0) {
            device_ = entry.status.st_dev;
            return enter("", source_.base >= 0);
        }
        levels_.resize(entry.depth);
        const std::string_view above(entry.path.data(), entry.path.size() - entry.name.size());
        if (auto told = tell_removed(levels_.back(), above, &entry.name); !told) return fail(told);
        const auto before = take_before(levels_.back(), entry);
        if (!before) return fail(before);
        if (!*before || !is_untouched(entry.status, **before))
            if (auto told = judge_.touched(entry, *before); !told) return fail(told);
        if (!S_ISDIR(entry.status.st_mode)) return Descend::no;
        return enter(entry.path, *before && S_ISDIR((*before)->st_mode));
    }

    [[nodiscard]] Status leave(int, const std::string& path, const struct stat&) override {
        const auto depth = path.empty() ? 0U : static_cast<std::size_t>(std::ranges::count(path, '/')) + 1;
        levels_.resize(depth + 1);
        return tell_removed(levels_.back(), path.empty() ? "" : path + "/", nullptr);
    }

  private:
    // A directory of the snapshot on the way down to the present one.
    struct Level {
        std::vector<std::string> names; // what the layer has in it, in byte order
        std::size_t next = 0;
    };

    [[nodiscard]] Result<Descend> enter(const std::string& path, bool in_base) {
        levels_.emplace_back();
        if (!in_base) return Descend::yes;
        const auto fd = storage::open_below(source_.base, path, O_RDONLY | O_DIRECTORY);
        if (!fd) return fail(fd, "in the layer below");
        auto entries = files::list_directory(fd->get(), path);
        if (!entries) return fail(entries, "in the layer below");
        std::vector<std::string>& names = levels_.back().names;
        for (files::DirectoryEntry& entry : *entries)
            names.push_back(std::move(entry.name));
        std::ranges::sort(names); // std::string compares as unsigned bytes.
        return Descend::yes;
    }

    // The names of the layer before `end`, or all that are left. `above`: their directory, "etc/".
    [[nodiscard]] Status tell_removed(Level& level, std::string_view above, const std::string* end) {
        for (; level.next < level.names.size(); ++level.next) {
            const std::string& name = level.names[level.next];
            if (end != nullptr && name >= *end) break;
            if (auto told = judge_.removed(std::string(above) + name); !told) return told;
        }
        return {};
    }

    // What the layer has under the name. Every directory on the way was seen to be one in the layer, too,
    // which nobody changes: no link is met.
    [[nodiscard]] Result<Before> take_before(Level& level, const TreeEntry& entry) const {
        if (level.next == level.names.size() || level.names[level.next] != entry.name) return Before();
        ++level.next;
        struct stat status{};
        if (::fstatat(source_.base, entry.path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
        return fail_errno(errno, "look at '" + entry.path + "' in the layer below");
    }

    // An inode that kept its number and its ctime, which is of before the snapshot was complete, was not
    // touched since. The numbers of another subvolume, nested in this one, say nothing.
    [[nodiscard]] bool is_untouched(const struct stat& now, const struct stat& before) const {
        return now.st_dev == device_ && now.st_ino == before.st_ino &&
               is_same_time(now.st_ctim, before.st_ctim) && is_earlier(now.st_ctim, source_.made);
    }

    const ChangeSource& source_;
    Judge& judge_;
    dev_t device_ = 0; // of the snapshot
    std::vector<Level> levels_;
};

class Tell final : public Judge {
  public:
    Tell(const ChangeSource& source, const ChangeVisitor& visit) : source_(source), visit_(visit) {}

    [[nodiscard]] Status removed(const std::string& path) override {
        return visit_({ChangeKind::removed, "/" + path, "", false});
    }

    [[nodiscard]] Status touched(const TreeEntry& entry, const Before& before) override {
        const auto same = before ? is_same(entry, *before) : Result<bool>(false);
        // What the container removes while it is looked at is no change any more.
        if (!same && same.error().code == Code::not_found) return {};
        if (!same) return fail(same);
        if (*same) return {};
        const auto kind = before ? ChangeKind::modified : ChangeKind::added;
        return visit_({kind, "/" + entry.path, source_.snapshot_path + "/" + entry.path, false});
    }

  private:
    [[nodiscard]] Result<bool> is_same(const TreeEntry& entry, const struct stat& before) const {
        // Linked since then: whoever copies the changes must see that both names are one file.
        if (!S_ISDIR(entry.status.st_mode) && entry.status.st_nlink > before.st_nlink) return false;
        return storage::is_same_entry(Compared{entry.directory, entry.name, entry.status},
                                      Compared{source_.base, entry.path, before}, "", Content::compare);
    }

    const ChangeSource& source_;
    const ChangeVisitor& visit_;
};

// Adds up; files of several names once.
class Measure final : public Judge {
  public:
    [[nodiscard]] Status removed(const std::string&) override { return {}; }

    [[nodiscard]] Status touched(const TreeEntry& entry, const Before&) override {
        const struct stat& status = entry.status;
        const bool has_names = !S_ISDIR(status.st_mode) && status.st_nlink > 1;
        if (has_names && !seen_.emplace(status.st_dev, status.st_ino).second) return {};
        usage_.bytes += static_cast<std::uint64_t>(status.st_blocks) * kStatBlock;
        ++usage_.inodes;
        return {};
    }

    [[nodiscard]] const Usage& usage() const { return usage_; }

  private:
    static constexpr std::uint64_t kStatBlock = 512; // Unit of st_blocks, whatever the filesystem: stat(2).

    Usage usage_;
    std::set<std::pair<dev_t, ino_t>> seen_;
};

[[nodiscard]] Status walk(const ChangeSource& source, Judge& judge) {
    ChangeWalk walk(source, judge);
    return storage::walk_tree(source.snapshot, source.snapshot_path, storage::Order::bytes, walk);
}

} // namespace

Status walk_changes(const ChangeSource& source, const ChangeVisitor& visit) {
    Tell tell(source, visit);
    return walk(source, tell);
}

Result<Usage> measure_changes(const ChangeSource& source) {
    Measure measure;
    if (auto walked = walk(source, measure); !walked) return fail(walked);
    return measure.usage();
}

} // namespace mydocker::btrfs
