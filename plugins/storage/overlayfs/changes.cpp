#include "changes.hpp"

#include "opaque_root.hpp"
#include "storage/common/tree.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <utility>

namespace mydocker::overlayfs {
namespace {

using storage::Compared;
using storage::Content;
using storage::Descend;
using storage::TreeEntry;

constexpr std::string_view kPrivate = "trusted.overlay.";

[[nodiscard]] bool is_whiteout(const struct stat& status) {
    return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

// Whether the directory hides what is below it. `path` is followed no further than its last name.
[[nodiscard]] bool is_opaque(const std::string& path) {
    char value = 0;
    return ::lgetxattr(path.c_str(), kOpaque, &value, 1) == 1 && value == 'y';
}

// What was copied up stands alone; with several names in the upper directory it was linked since then.
[[nodiscard]] bool has_new_name(const struct stat& status) {
    return !S_ISDIR(status.st_mode) && status.st_nlink > 1;
}

// Looks paths up in the layers as overlayfs does, and compares what it finds with the upper directory.
//
// For each directory on the way down to the present one, `visible_` has the layers, top-most first, whose
// directory of that path shows through. A layer's whiteout, file or opaque directory ends the list.
class ChangeWalk final : public storage::TreeVisitor {
  public:
    ChangeWalk(const ChangeSource& source, const ChangeVisitor& visit) : source_(source), visit_(visit) {}

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        if (entry.depth == 0) {
            // The roots of all layers are merged, opaque or not.
            std::vector<std::size_t> all;
            for (std::size_t i = source_.below.size(); i-- > 0;)
                all.push_back(i);
            visible_.clear();
            visible_.push_back(std::move(all));
            return Descend::yes;
        }
        auto lower = find(entry);
        if (!lower) return fail(lower);
        visible_.resize(entry.depth);
        const auto reported = report(entry, *lower);
        if (!reported) return fail(reported);
        return Descend::yes;
    }

  private:
    // What is to be seen of a path below the upper directory.
    struct Lower {
        std::optional<struct stat> status;
        std::string path;                     // of it, below the root
        std::vector<std::size_t> directories; // layers whose directories are merged there
    };

    [[nodiscard]] std::string path_in(std::size_t layer, const std::string& path) const {
        return "layers/" + source_.below[layer].str() + "/diff/" + path;
    }

    // The layers are sealed, and every directory on the way was looked at on the way: no link is met.
    [[nodiscard]] Result<Lower> find(const TreeEntry& entry) const {
        Lower lower;
        for (const std::size_t layer : visible_[entry.depth - 1]) {
            std::string path = path_in(layer, entry.path);
            struct stat status{};
            if (::fstatat(source_.root, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
                if (errno == ENOENT) continue;
                return fail_errno(errno, "look at '" + source_.data_dir + "/" + path + "'");
            }
            const bool directory = S_ISDIR(status.st_mode);
            if (is_whiteout(status) || (lower.status && !directory)) break;
            const bool opaque = directory && is_opaque(source_.data_dir + "/" + path);
            if (directory) lower.directories.push_back(layer);
            if (!lower.status) {
                lower.status = status;
                lower.path = std::move(path);
            }
            if (!directory || opaque) break;
        }
        return lower;
    }

    // Also sets what shows through below the entry, if it is a directory.
    [[nodiscard]] Status report(const TreeEntry& entry, Lower& lower) {
        if (is_whiteout(entry.status)) {
            if (!lower.status) return {}; // Of a name that nothing below has.
            return visit_({ChangeKind::removed, "/" + entry.path, "", false});
        }
        Change change{ChangeKind::added, "/" + entry.path, source_.upper_path + "/" + entry.path, false};
        if (!lower.status) {
            visible_.emplace_back();
            return visit_(change);
        }
        change.kind = ChangeKind::modified;
        const bool merges = S_ISDIR(entry.status.st_mode) && S_ISDIR(lower.status->st_mode);
        change.opaque = merges && is_opaque_here(entry);
        visible_.push_back(merges && !change.opaque ? std::move(lower.directories)
                                                    : std::vector<std::size_t>());
        if (change.opaque || has_new_name(entry.status)) return visit_(change);
        const auto same = storage::is_same_entry(Compared{entry.directory, entry.name, entry.status},
                                                 Compared{source_.root, lower.path, *lower.status}, kPrivate,
                                                 Content::compare);
        // What the container removes while it is looked at is no change any more.
        if (!same && same.error().code == Code::not_found) return {};
        if (!same) return fail(same);
        return *same ? Status{} : visit_(change);
    }

    // A running container may put a link where the directory was.
    [[nodiscard]] static bool is_opaque_here(const TreeEntry& entry) {
        const auto fd = storage::open_below(entry.directory, entry.name, O_PATH | O_NOFOLLOW);
        return fd && is_opaque("/proc/self/fd/" + std::to_string(fd->get()) + "/.");
    }

    const ChangeSource& source_;
    const ChangeVisitor& visit_;
    std::vector<std::vector<std::size_t>> visible_; // by depth
};

} // namespace

Status walk_changes(const ChangeSource& source, const ChangeVisitor& visit) {
    ChangeWalk walk(source, visit);
    return storage::walk_tree(source.upper, source.upper_path, storage::Order::bytes, walk);
}

} // namespace mydocker::overlayfs
