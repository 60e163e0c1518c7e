#include "changes.hpp"

#include "names.hpp"
#include "storage/common/tree.hpp"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::aufs {
namespace {

using storage::Compared;
using storage::Content;
using storage::Descend;
using storage::TreeEntry;

[[nodiscard]] bool is_there(int directory, const std::string& path) {
    return ::faccessat(directory, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// A running container may put a link where the directory was.
[[nodiscard]] bool is_opaque(const TreeEntry& entry) {
    const auto fd = storage::open_below(entry.directory, entry.name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    return fd && is_there(fd->get(), kOpaque);
}

// Of a file with several names, aufs keeps one more: by file, how many.
using PseudoLinks = std::map<ino_t, nlink_t>;

[[nodiscard]] Result<PseudoLinks> read_pseudo_links(int root, const std::string& path) {
    PseudoLinks links;
    const auto directory = storage::open_below(root, kPseudoLinks, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory && directory.error().code == Code::not_found) return links;
    if (!directory) return fail(directory, "in '" + path + "'");
    const auto entries = files::list_directory(directory->get(), path + "/" + kPseudoLinks);
    if (!entries) return fail(entries);
    for (const auto& entry : *entries) {
        struct stat status{};
        // What went meanwhile is no link any more.
        if (::fstatat(directory->get(), entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
            ++links[status.st_ino];
    }
    return links;
}

// The directory of a path below a root, with a slash at its end; empty for the root.
[[nodiscard]] std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

// Looks paths up in the layers as aufs does, and compares what it finds with the writable branch.
//
// For each directory on the way down to the present one, `visible_` has the layers, top-most first, whose
// directory of that path shows through. A layer's whiteout, file or opaque directory ends the list.
class ChangeWalk final : public storage::TreeVisitor {
  public:
    ChangeWalk(const ChangeSource& source, const ChangeVisitor& visit, PseudoLinks pseudo_links)
        : source_(source),
          visit_(visit),
          pseudo_links_(std::move(pseudo_links)) {}

    [[nodiscard]] std::string_view sort_name(const std::string& name) const override {
        const std::string_view hidden = hidden_by(name);
        return hidden.empty() ? std::string_view(name) : hidden;
    }

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        if (entry.depth == 0) {
            // The roots of all layers are merged (see branch.hpp).
            std::vector<std::size_t> all;
            for (std::size_t i = source_.below.size(); i-- > 0;)
                all.push_back(i);
            visible_.clear();
            visible_.push_back(std::move(all));
            return Descend::yes;
        }
        if (is_own(entry.name)) return Descend::no;
        visible_.resize(entry.depth);
        const std::string_view hidden = hidden_by(entry.name);
        const auto reported = hidden.empty() ? report(entry) : report_whiteout(entry, std::string(hidden));
        if (!reported) return fail(reported);
        return Descend::yes;
    }

  private:
    // What is to be seen of a path below the writable branch.
    struct Lower {
        std::optional<struct stat> status;
        std::string path;                     // of it, below the root
        std::vector<std::size_t> directories; // layers whose directories are merged there
    };

    // The layers are sealed, and every directory on the way was looked at on the way: no link is met.
    [[nodiscard]] Result<Lower> find(const TreeEntry& entry, const std::string& name) const {
        Lower lower;
        for (const std::size_t layer : visible_[entry.depth - 1]) {
            const std::string where =
                "layers/" + source_.below[layer].str() + "/diff/" + parent_of(entry.path);
            if (is_there(source_.root, where + std::string(kWhiteout) + name)) break;
            std::string path = where + name;
            struct stat status{};
            if (::fstatat(source_.root, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
                if (errno == ENOENT) continue;
                return fail_errno(errno, "look at '" + source_.data_dir + "/" + path + "'");
            }
            const bool directory = S_ISDIR(status.st_mode);
            if (lower.status && !directory) break;
            const bool last = !directory || is_there(source_.root, path + "/" + kOpaque);
            if (directory) lower.directories.push_back(layer);
            if (!lower.status) {
                lower.status = status;
                lower.path = std::move(path);
            }
            if (last) break;
        }
        return lower;
    }

    [[nodiscard]] Status report_whiteout(const TreeEntry& entry, const std::string& name) const {
        const auto lower = find(entry, name);
        if (!lower) return fail(lower);
        if (!lower->status) return {}; // Of a name that nothing below has.
        return visit_({ChangeKind::removed, "/" + parent_of(entry.path) + name, "", false});
    }

    // Also sets what shows through below the entry, if it is a directory.
    [[nodiscard]] Status report(const TreeEntry& entry) {
        auto lower = find(entry, entry.name);
        if (!lower) return fail(lower);
        Change change{ChangeKind::added, "/" + entry.path, source_.upper_path + "/" + entry.path, false};
        if (!lower->status) {
            visible_.emplace_back();
            return visit_(change);
        }
        change.kind = ChangeKind::modified;
        const bool merges = S_ISDIR(entry.status.st_mode) && S_ISDIR(lower->status->st_mode);
        change.opaque = merges && is_opaque(entry);
        visible_.push_back(merges && !change.opaque ? std::move(lower->directories)
                                                    : std::vector<std::size_t>());
        if (change.opaque || has_new_name(entry.status)) return visit_(change);
        const auto same =
            storage::is_same_entry(Compared{entry.directory, entry.name, entry.status},
                                   Compared{source_.root, lower->path, *lower->status}, "", Content::compare);
        // What the container removes while it is looked at is no change any more.
        if (!same && same.error().code == Code::not_found) return {};
        if (!same) return fail(same);
        return *same ? Status{} : visit_(change);
    }

    // What was copied up stands alone; with several names in the branch it was linked since then.
    [[nodiscard]] bool has_new_name(const struct stat& status) const {
        if (S_ISDIR(status.st_mode) || status.st_nlink <= 1) return false;
        const auto own = pseudo_links_.find(status.st_ino);
        return status.st_nlink > 1 + (own == pseudo_links_.end() ? 0 : own->second);
    }

    const ChangeSource& source_;
    const ChangeVisitor& visit_;
    PseudoLinks pseudo_links_;
    std::vector<std::vector<std::size_t>> visible_; // by depth
};

} // namespace

Status walk_changes(const ChangeSource& source, const ChangeVisitor& visit) {
    auto pseudo_links = read_pseudo_links(source.upper, source.upper_path);
    if (!pseudo_links) return fail(pseudo_links);
    ChangeWalk walk(source, visit, std::move(*pseudo_links));
    return storage::walk_tree(source.upper, source.upper_path, storage::Order::bytes, walk);
}

} // namespace mydocker::aufs
