#include "store_directory.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::storage {
namespace {

[[nodiscard]] Status make_directory(int directory, const char* name, const std::string& whole) {
    if (::mkdirat(directory, name, 0700) == 0 || errno == EEXIST) return {};
    return fail_errno(errno, "make directory '" + whole + "'");
}

[[nodiscard]] bool is_out_of_room(int error) {
    return error == ENOSPC || error == EDQUOT;
}

} // namespace

std::unexpected<Error> fail_undone(Error first, const Status& undone) {
    if (!undone) first.text += " (and what was made is still there: " + describe(undone.error()) + ")";
    return std::unexpected(std::move(first));
}

bool is_still_there(int root, const std::string& path, int fd) {
    struct stat held{};
    struct stat found{};
    return ::fstat(fd, &held) == 0 && ::fstatat(root, path.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

StoreDirectory::Lock& StoreDirectory::Lock::operator=(Lock&& other) noexcept {
    if (this != &other) {
        release();
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

void StoreDirectory::Lock::release() noexcept {
    if (fd_ >= 0) (void)::flock(std::exchange(fd_, -1), LOCK_UN); // Cannot fail on a lock that is held.
}

Result<int> StoreDirectory::open() {
    if (fd_) return fd_.get();
    auto fd = files::open(path_, O_RDONLY | O_DIRECTORY);
    if (!fd) return fail(fd);
    fd_ = std::move(*fd);
    return fd_.get();
}

Result<int> StoreDirectory::make() {
    // A probe in another process may take away an empty directory that it has made for itself.
    constexpr int kTries = 10;
    Status made;
    for (int i = 0; i < kTries; ++i) {
        if (made = make_directory(AT_FDCWD, path_.c_str(), path_); !made) return fail(made);
        if (fd_ && !is_still_there(AT_FDCWD, path_, fd_.get())) fd_.reset();
        if (const auto fd = open(); fd) {
            // What things are moved out to comes first: where there is something to remove, it is there.
            for (const char* name : {kRemoved, kLayers, kStaging, kWritable})
                if (made) made = make_directory(*fd, name, path_of(name));
            if (made) return fd;
        } else {
            made = fail(fd);
        }
        if (made.error().code != Code::not_found) break;
    }
    return fail(made);
}

Result<StoreDirectory::Lock> StoreDirectory::lock(Mode mode) {
    const auto fd = open();
    if (!fd) return fail(fd);
    while (::flock(*fd, mode == Mode::shared ? LOCK_SH : LOCK_EX) != 0)
        if (errno != EINTR) return fail_errno(errno, "lock '" + path_ + "'");
    return Lock(*fd);
}

Result<std::string> StoreDirectory::move_out(const std::string& from) {
    const auto fd = open();
    if (!fd) return fail(fd);
    const auto slash = from.rfind('/');
    const std::string base = std::string(kRemoved) + "/" +
                             (slash == std::string::npos ? from : from.substr(slash + 1)) + "." +
                             std::to_string(::getpid()) + ".";
    for (;;) {
        std::string to = base + std::to_string(++moved_);
        if (::renameat(*fd, from.c_str(), *fd, to.c_str()) == 0) return to;
        const int error = errno;
        if (is_out_of_room(error)) return from; // A full disk must not keep anybody from removing.
        // A killed process of the same number left that name.
        if (error == EEXIST || error == ENOTEMPTY) continue;
        return fail_errno(error, "move '" + path_of(from) + "' out of sight");
    }
}

Status StoreDirectory::discard(const std::string& name, std::span<const Leftover> usual) {
    const auto fd = open();
    if (!fd) return fail(fd);
    for (const Leftover& leftover : usual)
        // What is not there, or not empty, is the business of the general way below.
        (void)::unlinkat(*fd, (name + "/" + leftover.path).c_str(), leftover.directory ? AT_REMOVEDIR : 0);
    if (::unlinkat(*fd, name.c_str(), AT_REMOVEDIR) == 0) return {};
    // Another process that sweeps may take things from under our hands.
    constexpr int kTries = 100;
    Status removed;
    for (int i = 0; i < kTries; ++i) {
        removed = remove_(AT_FDCWD, path_of(name));
        if (removed || removed.error().code != Code::not_found) break;
    }
    return removed;
}

} // namespace mydocker::storage
