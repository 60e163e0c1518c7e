#include "changes.hpp"

#include "storage/common/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace mydocker::vfs {
namespace {

using storage::Compared;
using storage::Content;
using storage::Descend;
using storage::TreeEntry;

// The status of what is at `path` below `root`, no link followed; nothing, if there is nothing.
[[nodiscard]] Result<std::optional<struct stat>> status_of(int root, const std::string& path) {
    const auto fd = storage::open_below(root, path, O_PATH | O_NOFOLLOW);
    const int error = fd ? 0 : fd.error().sys_errno;
    // A link or a file on the way to it: the name is not there either.
    if (error == ENOENT || error == ENOTDIR || error == ELOOP) return std::nullopt;
    if (!fd) return fail(fd);
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0) return fail_errno(errno, "look at '" + path + "'");
    return status;
}

// The order of a walk: by components, each by its bytes, parents first.
[[nodiscard]] bool is_before(const std::string& left, const std::string& right) {
    const auto weight = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
    return std::ranges::lexicographical_compare(left, right, {}, weight, weight);
}

// First pass, over the layer: what is gone.
class FindRemoved final : public storage::TreeVisitor {
  public:
    explicit FindRemoved(int copy) : copy_(copy) {}

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        if (entry.depth == 0) return Descend::yes;
        const auto now = status_of(copy_, entry.path);
        if (!now) return fail(now);
        if (!*now) removed_.push_back(entry.path);
        return *now && S_ISDIR((*now)->st_mode) ? Descend::yes : Descend::no;
    }
    [[nodiscard]] std::vector<std::string> take() { return std::move(removed_); }

  private:
    int copy_;
    std::vector<std::string> removed_;
};

// Second pass, over the copy: what is new or different, with what is gone put in at its place.
class FindChanged final : public storage::TreeVisitor {
  public:
    FindChanged(const ChangeSource& source, std::vector<std::string> removed, const ChangeVisitor& visit)
        : source_(source),
          removed_(std::move(removed)),
          visit_(visit) {}

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        if (entry.depth == 0) {
            in_base_.assign(1, source_.base >= 0);
            return Descend::yes;
        }
        in_base_.resize(entry.depth);
        std::optional<struct stat> before;
        if (in_base_.back()) {
            auto found = status_of(source_.base, entry.path);
            if (!found) return fail(found);
            before = *found;
        }
        in_base_.push_back(before && S_ISDIR(before->st_mode) && S_ISDIR(entry.status.st_mode));
        const auto same = before ? is_unchanged(entry, *before) : false;
        // What the container removes while it is looked at is no change any more.
        if (!same && same.error().code == Code::not_found) return Descend::no;
        if (!same) return fail(same);
        if (*same) return Descend::yes;
        if (auto told = tell_removed(&entry.path); !told) return fail(told);
        const auto kind = before ? ChangeKind::modified : ChangeKind::added;
        if (auto told = visit_({kind, "/" + entry.path, source_.copy_path + "/" + entry.path, false}); !told)
            return fail(told);
        return Descend::yes;
    }

    // Reports what is gone and comes before `path`; all that is left, without one.
    [[nodiscard]] Status tell_removed(const std::string* path) {
        while (next_ < removed_.size() && (path == nullptr || is_before(removed_[next_], *path)))
            if (auto told = visit_({ChangeKind::removed, "/" + removed_[next_++], "", false}); !told)
                return told;
        return {};
    }

  private:
    [[nodiscard]] Result<bool> is_unchanged(const TreeEntry& entry, const struct stat& before) const {
        // Linked since then: whoever copies the changes must see that both names are one file.
        if (!S_ISDIR(entry.status.st_mode) && entry.status.st_nlink > before.st_nlink) return false;
        const timespec& changed = entry.status.st_ctim;
        const bool untouched =
            std::pair(changed.tv_sec, changed.tv_nsec) < std::pair(source_.made.tv_sec, source_.made.tv_nsec);
        return storage::is_same_entry(Compared{entry.directory, entry.name, entry.status},
                                      Compared{source_.base, entry.path, before}, "",
                                      untouched ? Content::trust_metadata : Content::compare);
    }

    const ChangeSource& source_;
    std::vector<std::string> removed_; // in the order of the walk
    const ChangeVisitor& visit_;
    std::size_t next_ = 0;
    std::vector<bool> in_base_; // by depth: whether the directory is one in the layer, too
};

} // namespace

Status walk_changes(const ChangeSource& source, const ChangeVisitor& visit) {
    FindRemoved removed(source.copy);
    if (source.base >= 0)
        if (auto walked = storage::walk_tree(source.base, source.base_path, storage::Order::bytes, removed);
            !walked)
            return walked;
    FindChanged changed(source, removed.take(), visit);
    if (auto walked = storage::walk_tree(source.copy, source.copy_path, storage::Order::bytes, changed);
        !walked)
        return walked;
    return changed.tell_removed(nullptr);
}

} // namespace mydocker::vfs
