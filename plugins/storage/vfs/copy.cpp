#include "copy.hpp"

#include "storage/common/tree.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/fs.h>
#include <map>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mydocker::vfs {
namespace {

using storage::Descend;
using storage::TreeEntry;

constexpr off_t kStatBlock = 512; // Unit of st_blocks, whatever the filesystem. Source: stat(2).

// Copies bytes one range at a time; 0 or the errno value. The kernel does it where it can.
[[nodiscard]] int copy_by_hand(int from, int to, off_t at, off_t end) {
    std::vector<char> block(64U << 10U);
    while (at < end) {
        const auto want = std::min(block.size(), static_cast<std::size_t>(end - at));
        const ssize_t count = ::pread(from, block.data(), want, at);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno;
        if (count == 0) return 0;
        for (ssize_t done = 0; done < count;) {
            const ssize_t put =
                ::pwrite(to, block.data() + done, static_cast<std::size_t>(count - done), at + done);
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return errno;
            done += put;
        }
        at += count;
    }
    return 0;
}

[[nodiscard]] bool cannot_copy_in_kernel(int error) {
    return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EBADF;
}

[[nodiscard]] int copy_range(int from, int to, off_t at, off_t end) {
    while (at < end) {
        off_t out = at;
        const ssize_t count = ::copy_file_range(from, &at, to, &out, static_cast<std::size_t>(end - at), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && cannot_copy_in_kernel(errno)) return copy_by_hand(from, to, at, end);
        if (count < 0) return errno;
        if (count == 0) return 0;
    }
    return 0;
}

// Only what is data; the rest stays a hole.
[[nodiscard]] int copy_sparse(int from, int to, off_t size) {
    for (off_t at = 0; at < size;) {
        const off_t data = ::lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) break; // Nothing but a hole from here on.
        if (data < 0) return copy_range(from, to, at, size);
        const off_t hole = ::lseek(from, data, SEEK_HOLE);
        const off_t end = hole < 0 ? size : std::min(hole, size);
        if (const int error = copy_range(from, to, data, end); error != 0) return error;
        at = end;
    }
    return ::ftruncate(to, size) == 0 ? 0 : errno;
}

class Copier final : public storage::TreeVisitor {
  public:
    Copier(const Place& from, const Place& to, const Host& host) : from_(from), to_(to), host_(host) {}

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        if (host_.cancelled()) return fail(Code::cancelled, "copy '" + from_.path + "'");
        if (entry.depth == 0) return Descend::yes;
        if (auto made = make_or_link(entry); !made) return fail(made);
        return Descend::yes;
    }

    // A directory gets its attributes last: what is made in it changes its times.
    [[nodiscard]] Status leave(int directory, const std::string& path, const struct stat& status) override {
        auto xattrs = storage::read_xattrs(directory, from_.path + "/" + path);
        if (!xattrs) return fail(xattrs);
        return set_attributes(path.empty() ? "." : path, status, *xattrs);
    }

  private:
    [[nodiscard]] std::unexpected<Error> failed(const char* what, const std::string& path) const {
        return fail_errno(errno, std::string(what) + " '" + to_.path + "/" + path + "'");
    }

    [[nodiscard]] Status make_or_link(const TreeEntry& entry) {
        if (S_ISDIR(entry.status.st_mode) || entry.status.st_nlink < 2) return make(entry);
        const auto [name, first] = names_.try_emplace({entry.status.st_dev, entry.status.st_ino}, entry.path);
        if (first) return make(entry);
        if (::linkat(to_.directory, name->second.c_str(), to_.directory, entry.path.c_str(), 0) == 0)
            return {};
        return failed("make link", entry.path);
    }

    [[nodiscard]] Status make(const TreeEntry& entry) {
        if (S_ISREG(entry.status.st_mode)) return copy_file(entry);
        const char* path = entry.path.c_str();
        if (S_ISDIR(entry.status.st_mode))
            return ::mkdirat(to_.directory, path, 0700) == 0 ? Status{}
                                                             : failed("make directory", entry.path);
        if (S_ISLNK(entry.status.st_mode)) {
            std::array<char, 4097> target{}; // A link is at most 4095 bytes long. Source: symlink(7).
            if (::readlinkat(entry.directory, entry.name.c_str(), target.data(), target.size() - 1) < 0)
                return failed("read the link for", entry.path);
            if (::symlinkat(target.data(), to_.directory, path) != 0) return failed("make link", entry.path);
        } else if (::mknodat(to_.directory, path, entry.status.st_mode, entry.status.st_rdev) != 0) {
            return failed("make node", entry.path);
        }
        const auto source = storage::open_below(entry.directory, entry.name, O_PATH | O_NOFOLLOW);
        if (!source) return fail(source);
        auto xattrs = storage::read_xattrs(source->get(), entry.path);
        if (!xattrs) return fail(xattrs);
        return set_attributes(entry.path, entry.status, *xattrs);
    }

    [[nodiscard]] Status copy_file(const TreeEntry& entry) {
        const auto source = files::open_at(entry.directory, entry.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (!source) return fail(source, "in '" + from_.path + "'");
        const UniqueFd copy(::openat(to_.directory, entry.path.c_str(),
                                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!copy) return failed("make file", entry.path);
        if (const int error = copy_content(source->get(), copy.get(), entry.status); error != 0)
            return fail_errno(error, "write '" + to_.path + "/" + entry.path + "'");
        auto xattrs = storage::read_xattrs(source->get(), entry.path);
        if (!xattrs) return fail(xattrs);
        return set_attributes(entry.path, entry.status, *xattrs);
    }

    [[nodiscard]] int copy_content(int source, int copy, const struct stat& status) {
        if (status.st_size == 0) return 0;
        if (clones_ && ::ioctl(copy, FICLONE, source) == 0) return 0;
        clones_ = false; // The filesystem has none; it is not asked again.
        if (status.st_blocks * kStatBlock < status.st_size) return copy_sparse(source, copy, status.st_size);
        return copy_range(source, copy, 0, status.st_size);
    }

    // Owner before mode and attributes: a change of owner clears setuid and file capabilities.
    [[nodiscard]] Status set_attributes(const std::string& path, const struct stat& status,
                                        const storage::Xattrs& xattrs) {
        const int to = to_.directory;
        if (::fchownat(to, path.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
            return failed("set the owner of", path);
        if (!S_ISLNK(status.st_mode) && ::fchmodat(to, path.c_str(), status.st_mode & 07777U, 0) != 0)
            return failed("set the mode of", path);
        if (auto set = set_xattrs(path, xattrs); !set) return set;
        const std::array times{status.st_atim, status.st_mtim};
        if (::utimensat(to, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
            return failed("set the times of", path);
        return {};
    }

    [[nodiscard]] Status set_xattrs(const std::string& path, const storage::Xattrs& xattrs) {
        if (xattrs.empty()) return {};
        const auto fd = storage::open_below(to_.directory, path, O_PATH | O_NOFOLLOW);
        if (!fd) return fail(fd);
        const std::string proc = "/proc/self/fd/" + std::to_string(fd->get());
        for (const auto& [name, value] : xattrs)
            if (::setxattr(proc.c_str(), name.c_str(), value.data(), value.size(), 0) != 0)
                return failed(("set extended attribute " + name + " of").c_str(), path);
        return {};
    }

    const Place& from_;
    const Place& to_;
    const Host& host_;
    bool clones_ = true;
    std::map<std::pair<dev_t, ino_t>, std::string> names_; // of what has several
};

} // namespace

Status copy_tree(const Place& from, const Place& to, const Host& host) {
    Copier copier(from, to, host);
    return storage::walk_tree(from.directory, from.path, storage::Order::any, copier);
}

} // namespace mydocker::vfs
