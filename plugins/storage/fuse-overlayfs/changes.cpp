#include "changes.hpp"

#include "mydocker/support/files.hpp"
#include "storage/common/tree.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <span>
#include <string_view>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <utility>

namespace mydocker::fuse_overlayfs {
namespace {

using storage::Compared;
using storage::Content;
using storage::Descend;
using storage::TreeEntry;

constexpr std::string_view kMarker = ".wh.";
constexpr std::string_view kOpaqueFile = ".wh..wh..opq";
constexpr std::array kOpaqueAttributes{"trusted.overlay.opaque", "user.overlay.opaque",
                                       "user.fuseoverlayfs.opaque"};
// Its own attributes: of an entry they are all of one kind, by the rights that it had.
constexpr std::array<std::string_view, 2> kPrivate{"user.fuseoverlayfs.", "trusted.overlay."};

[[nodiscard]] bool is_whiteout(const struct stat& status) {
    return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

// `path`: of a directory, followed no further than its last name.
[[nodiscard]] bool is_opaque(const std::string& path) {
    struct stat status{};
    if (::lstat((path + "/" + std::string(kOpaqueFile)).c_str(), &status) == 0) return true;
    return std::ranges::any_of(kOpaqueAttributes, [&](const char* name) {
        char value = 0;
        return ::lgetxattr(path.c_str(), name, &value, 1) == 1 && value == 'y';
    });
}

// What was copied up stands alone; with several names in the upper directory it was linked since then.
[[nodiscard]] bool has_new_name(const struct stat& status) {
    return !S_ISDIR(status.st_mode) && status.st_nlink > 1;
}

// Looks paths up in the layers as fuse-overlayfs does, and compares what it finds with the upper directory.
class ChangeWalk final : public storage::TreeVisitor {
  public:
    ChangeWalk(const ChangeSource& source, const ChangeVisitor& visit) : source_(source), visit_(visit) {}

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        if (entry.depth == 0) return enter(entry, visible_roots());
        levels_.resize(entry.depth);
        const std::string_view above(entry.path.data(), entry.path.size() - entry.name.size());
        if (auto told = tell_gone(above, &entry.name); !told) return fail(told);
        if (entry.name.starts_with(kMarker)) return Descend::no; // Told where its name belongs.
        auto lower = find(entry.path, levels_.back().visible);
        if (!lower) return fail(lower);
        if (is_whiteout(entry.status)) {
            if (!lower->status) return Descend::no; // Of a name that nothing below has.
            if (auto told = visit_({ChangeKind::removed, "/" + entry.path, "", false}); !told)
                return fail(told);
            return Descend::no;
        }
        const bool opaque = merges(entry, *lower) && is_opaque_here(entry);
        if (auto reported = report(entry, *lower, opaque); !reported) return fail(reported);
        if (!S_ISDIR(entry.status.st_mode)) return Descend::no;
        if (!merges(entry, *lower) || opaque) lower->directories.clear();
        return enter(entry, std::move(lower->directories));
    }

    [[nodiscard]] Status leave(int, const std::string& path, const struct stat&) override {
        const auto depth = path.empty() ? 0U : static_cast<std::size_t>(std::ranges::count(path, '/')) + 1;
        levels_.resize(depth + 1);
        return tell_gone(path.empty() ? "" : path + "/", nullptr);
    }

  private:
    // A directory of the upper directory on the way down to the present one.
    struct Level {
        std::vector<std::size_t> visible; // layers whose directory of that path shows through, top-most first
        std::vector<std::string> gone;    // names with a ".wh." file, in byte order
        std::size_t next = 0;
    };

    // What is to be seen of a path below the upper directory.
    struct Lower {
        std::optional<struct stat> status;
        std::string path;                     // of it, below the data directory
        std::vector<std::size_t> directories; // layers whose directories are merged there
    };

    [[nodiscard]] std::string path_in(std::size_t layer, const std::string& path) const {
        return "layers/" + source_.below[layer].str() + "/diff/" + path;
    }

    [[nodiscard]] std::string whole(const std::string& path) const { return source_.data_dir + "/" + path; }

    // The kernel's overlayfs merges all roots; this one heeds an opaque one.
    [[nodiscard]] std::vector<std::size_t> visible_roots() const {
        std::vector<std::size_t> visible;
        for (std::size_t i = source_.below.size(); i-- > 0;) {
            visible.push_back(i);
            if (is_opaque(whole(path_in(i, ".")))) break;
        }
        return visible;
    }

    [[nodiscard]] Result<Descend> enter(const TreeEntry& entry, std::vector<std::size_t> visible) {
        Level level{.visible = std::move(visible), .gone = {}};
        if (!level.visible.empty()) {
            const auto fd = storage::open_below(entry.directory, entry.name, O_RDONLY | O_DIRECTORY);
            // What the container removes while it is looked at is no change any more.
            if (!fd && fd.error().code == Code::not_found) return Descend::no;
            if (!fd) return fail(fd);
            auto names = files::list_directory(fd->get(), entry.path);
            if (!names) return fail(names);
            for (const files::DirectoryEntry& found : *names)
                if (found.name.starts_with(kMarker) && found.name != kOpaqueFile)
                    level.gone.push_back(found.name.substr(kMarker.size()));
            std::ranges::sort(level.gone); // std::string compares as unsigned bytes.
        }
        levels_.push_back(std::move(level));
        return Descend::yes;
    }

    // The names with a ".wh." file before `end`, or all that are left. `above`: their directory, "etc/".
    [[nodiscard]] Status tell_gone(std::string_view above, const std::string* end) {
        Level& level = levels_.back();
        for (; level.next < level.gone.size(); ++level.next) {
            const std::string& name = level.gone[level.next];
            if (end != nullptr && name > *end) return {};
            if (end != nullptr && name == *end) continue; // It is there after all.
            const std::string path = std::string(above) + name;
            const auto lower = find(path, level.visible);
            if (!lower) return fail(lower);
            if (!lower->status) continue; // Of a name that nothing below has.
            if (auto told = visit_({ChangeKind::removed, "/" + path, "", false}); !told) return told;
        }
        return {};
    }

    [[nodiscard]] Result<std::optional<struct stat>> status_of(const std::string& path) const {
        struct stat status{};
        if (::fstatat(source_.root, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
        // A marker's name may be too long to be there.
        if (errno == ENOENT || errno == ENAMETOOLONG) return std::nullopt;
        return fail_errno(errno, "look at '" + whole(path) + "'");
    }

    // Whether the layer has a ".wh." file for what is at `path` below the data directory.
    [[nodiscard]] Result<bool> is_marked_gone(const std::string& path) const {
        const auto name = path.rfind('/') + 1;
        const auto found = status_of(path.substr(0, name) + std::string(kMarker) + path.substr(name));
        if (!found) return fail(found);
        return found->has_value();
    }

    // `visible`: the layers of the directory that the path is in. They are sealed, and every directory on the
    // way was looked at on the way: no link is met.
    [[nodiscard]] Result<Lower> find(const std::string& path, std::span<const std::size_t> visible) const {
        Lower lower;
        for (const std::size_t layer : visible) {
            std::string at = path_in(layer, path);
            const auto status = status_of(at);
            if (!status) return fail(status);
            if (!*status) {
                const auto gone = is_marked_gone(at);
                if (!gone) return fail(gone);
                if (*gone) break;
                continue;
            }
            const bool directory = S_ISDIR((*status)->st_mode);
            if (is_whiteout(**status) || (lower.status && !directory)) break;
            const bool last = !directory || is_opaque(whole(at));
            if (directory) lower.directories.push_back(layer);
            if (!lower.status) {
                lower.status = *status;
                lower.path = std::move(at);
            }
            if (last) break;
        }
        return lower;
    }

    [[nodiscard]] static bool merges(const TreeEntry& entry, const Lower& lower) {
        return lower.status && S_ISDIR(entry.status.st_mode) && S_ISDIR(lower.status->st_mode);
    }

    [[nodiscard]] Status report(const TreeEntry& entry, const Lower& lower, bool opaque) {
        const auto kind = lower.status ? ChangeKind::modified : ChangeKind::added;
        const Change change{kind, "/" + entry.path, source_.upper_path + "/" + entry.path, opaque};
        if (!lower.status || opaque || has_new_name(entry.status)) return visit_(change);
        const auto same = is_same(entry, lower);
        // What the container removes while it is looked at is no change any more.
        if (!same && same.error().code == Code::not_found) return {};
        if (!same) return fail(same);
        return *same ? Status{} : visit_(change);
    }

    // Whether all that the directory holds was copied up from below, and something was.
    [[nodiscard]] Result<bool> holds_copies_only(const TreeEntry& entry, const Lower& lower) const {
        const auto fd = storage::open_below(entry.directory, entry.name, O_RDONLY | O_DIRECTORY);
        if (!fd) return fail(fd);
        const auto names = files::list_directory(fd->get(), entry.path);
        if (!names) return fail(names);
        for (const files::DirectoryEntry& found : *names) {
            struct stat status{};
            if (::fstatat(fd->get(), found.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
                continue; // Gone.
            if (is_whiteout(status) || found.name.starts_with(kMarker)) return false;
            const auto below = find(entry.path + "/" + found.name, lower.directories);
            if (!below) return fail(below);
            if (!below->status) return false;
        }
        return !names->empty();
    }

    // What is copied up changes the times of the directory that it is copied into, and fuse-overlayfs does
    // not set them back: then they tell nothing.
    [[nodiscard]] Result<struct stat> comparable_status(const TreeEntry& entry, const Lower& lower) const {
        struct stat status = entry.status;
        if (!merges(entry, lower)) return status;
        const auto copies = holds_copies_only(entry, lower);
        if (!copies) return fail(copies);
        if (*copies) status.st_mtim = lower.status->st_mtim;
        return status;
    }

    [[nodiscard]] Result<bool> is_same(const TreeEntry& entry, const Lower& lower) const {
        const auto status = comparable_status(entry, lower);
        if (!status) return fail(status);
        const Compared upper{entry.directory, entry.name, *status};
        for (const std::string_view ignored : kPrivate) {
            auto same = storage::is_same_entry(upper, Compared{source_.root, lower.path, *lower.status},
                                               ignored, Content::compare);
            if (!same || *same) return same;
        }
        return false;
    }

    // A running container may put a link where the directory was.
    [[nodiscard]] static bool is_opaque_here(const TreeEntry& entry) {
        const auto fd = storage::open_below(entry.directory, entry.name, O_PATH | O_NOFOLLOW);
        return fd && is_opaque("/proc/self/fd/" + std::to_string(fd->get()) + "/.");
    }

    const ChangeSource& source_;
    const ChangeVisitor& visit_;
    std::vector<Level> levels_; // by depth
};

} // namespace

Status walk_changes(const ChangeSource& source, const ChangeVisitor& visit) {
    ChangeWalk walk(source, visit);
    return storage::walk_tree(source.upper, source.upper_path, storage::Order::bytes, walk);
}

} // namespace mydocker::fuse_overlayfs
