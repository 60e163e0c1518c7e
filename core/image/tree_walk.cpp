#include "image/tree_walk.hpp"

#include "base/sys.hpp"
#include "image/entry_path.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <vector>

namespace mydocker::image {

namespace {

// A level is a directory that was entered. Only the last kOpenLevels of them keep their descriptor; an older
// one is opened again by its path, and checked to be the one that was left.
class Walker {
  public:
    Walker(int start, const MetVisitor& visit) : start_(start), visit_(visit) {}

    [[nodiscard]] Status run() {
        auto copy = files::open_at(start_, ".", O_RDONLY | O_DIRECTORY);
        if (!copy) return fail(copy);
        auto status = sys::fstat(copy->get());
        if (!status) return fail(status);
        if (auto entered = enter(std::move(*copy), *status); !entered) return entered;
        while (!levels_.empty()) {
            auto stepped = levels_.back().next < levels_.back().names.size() ? step() : leave();
            if (!stepped) return stepped;
        }
        return {};
    }

  private:
    static constexpr std::size_t kOpenLevels = 64;

    struct Level {
        UniqueFd fd;
        struct stat status;
        std::vector<std::string> names;
        std::size_t next = 0;
        std::size_t path_length = 0;
    };

    [[nodiscard]] Status enter(UniqueFd fd, const struct stat& status) {
        auto entries = files::list_directory(fd.get(), path_);
        if (!entries && entries.error().code != Code::not_found) return fail(entries);
        Level level{std::move(fd), status, {}, 0, path_.size()};
        if (entries) // Else it was removed since it was opened.
            for (files::DirectoryEntry& entry : *entries)
                level.names.push_back(std::move(entry.name));
        std::ranges::sort(level.names); // std::string compares as unsigned bytes.
        levels_.push_back(std::move(level));
        if (levels_.size() > kOpenLevels) levels_[levels_.size() - 1 - kOpenLevels].fd.reset();
        return {};
    }

    [[nodiscard]] Status step() {
        Level& level = levels_.back();
        const std::string& name = level.names[level.next++];
        path_.resize(level.path_length);
        if (!path_.empty()) path_ += '/';
        path_ += name;
        auto fd = sys::openat(level.fd.get(), name, O_PATH | O_NOFOLLOW);
        if (!fd && fd.error().sys_errno == ENOENT) return {};
        if (!fd) return fail(fd.error().code, "open " + shown(path_), fd.error().sys_errno);
        auto status = sys::fstat(fd->get());
        if (!status) return fail(status);
        if (auto seen = visit_({fd->get(), path_, *status}); !seen) return seen;
        if (!S_ISDIR(status->st_mode)) return {};
        auto below = files::open_at(fd->get(), ".", O_RDONLY | O_DIRECTORY);
        if (below) return enter(std::move(*below), *status);
        if (below.error().sys_errno == ENOENT) return {};
        return fail(below.error().code, "open directory " + shown(path_), below.error().sys_errno);
    }

    [[nodiscard]] Status leave() {
        levels_.pop_back();
        if (levels_.empty() || levels_.back().fd) return {};
        Level& level = levels_.back();
        const std::string path = level.path_length == 0 ? "." : path_.substr(0, level.path_length);
        auto fd = sys::openat2(start_, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        auto status = fd ? sys::fstat(fd->get()) : fail(fd);
        if (!status || status->st_dev != level.status.st_dev || status->st_ino != level.status.st_ino)
            return fail(Code::conflict, "directory " + shown(path) + " was moved while it was read");
        level.fd = std::move(*fd);
        return {};
    }

    int start_;
    const MetVisitor& visit_;
    std::vector<Level> levels_;
    std::string path_;
};

} // namespace

Status walk_tree(int start, const MetVisitor& visit) {
    return Walker(start, visit).run();
}

} // namespace mydocker::image
