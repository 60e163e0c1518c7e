// System calls on files. Those on mounts, processes and sockets are in sys_*.cpp. Nothing is decided here.
#include "base/sys.hpp"

#include "base/sys_result.hpp"

#include <array>
#include <cstddef>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mydocker::sys {

using detail::done;
using detail::failed;
using detail::owned;
using detail::retry;

Result<UniqueFd> openat(int directory, const std::string& path, int flags, mode_t mode) {
    return owned(retry([&] { return ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode); }), "open '",
                 path, "'");
}

Result<UniqueFd> openat2(int directory, const std::string& path, std::uint64_t flags, std::uint64_t resolve,
                         mode_t mode) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve;
    // EAGAIN: a rename or mount somewhere raced with a ".."; the manual says to try again.
    constexpr int kTries = 1000;
    long fd = -1;
    for (int tries = 0; tries < kTries; ++tries) {
        fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    return owned(fd, "open '", path, "'");
}

Status mkdirat(int directory, const std::string& path, mode_t mode) {
    return done(::mkdirat(directory, path.c_str(), mode), "make directory '", path, "'");
}

Status mknodat(int directory, const std::string& path, mode_t mode, dev_t device) {
    return done(::mknodat(directory, path.c_str(), mode, device), "make device node '", path, "'");
}

Status symlinkat(const std::string& target, int directory, const std::string& path) {
    return done(::symlinkat(target.c_str(), directory, path.c_str()), "make symbolic link '", path, "'");
}

Status unlinkat(int directory, const std::string& path, int flags) {
    return done(::unlinkat(directory, path.c_str(), flags), "remove '", path, "'");
}

Status renameat(int old_directory, const std::string& old_path, int directory, const std::string& path) {
    return done(::renameat(old_directory, old_path.c_str(), directory, path.c_str()), "rename '", old_path,
                "' to '", path, "'");
}

Status fchmod(int fd, mode_t mode) {
    return done(::fchmod(fd, mode), "change mode");
}

Status fchmodat(int directory, const std::string& path, mode_t mode) {
    return done(::fchmodat(directory, path.c_str(), mode, 0), "change mode of '", path, "'");
}

Status fchown(int fd, uid_t uid, gid_t gid) {
    return done(::fchown(fd, uid, gid), "change owner");
}

Status fchownat(int directory, const std::string& path, uid_t uid, gid_t gid, int flags) {
    return done(::fchownat(directory, path.c_str(), uid, gid, flags), "change owner of '", path, "'");
}

Result<struct stat> fstat(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return failed("stat a descriptor");
    return status;
}

Result<struct stat> fstatat(int directory, const std::string& path, int flags) {
    struct stat status{};
    if (::fstatat(directory, path.c_str(), &status, flags) != 0) return failed("stat '", path, "'");
    return status;
}

Result<std::string> readlinkat(int directory, const std::string& path) {
    std::array<char, 4096> buffer;
    const ssize_t count = ::readlinkat(directory, path.c_str(), buffer.data(), buffer.size());
    if (count < 0) return failed("read link '", path, "'");
    return std::string(buffer.data(), static_cast<std::size_t>(count));
}

Result<std::vector<std::string>> list_names(int directory) {
    std::vector<std::string> names;
    alignas(dirent64) std::array<char, 8192> buffer;
    for (;;) {
        const ssize_t count = ::getdents64(directory, buffer.data(), buffer.size());
        if (count < 0) return failed("read a directory");
        if (count == 0) return names;
        for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
            const std::string_view name(entry->d_name);
            if (name != "." && name != "..") names.emplace_back(name);
            at += entry->d_reclen;
        }
    }
}

Status chdir(const std::string& path) {
    return done(::chdir(path.c_str()), "change to directory '", path, "'");
}

Status fchdir(int fd) {
    return done(::fchdir(fd), "change to a directory");
}

Status chroot(const std::string& path) {
    return done(::chroot(path.c_str()), "change the root to '" + path + "'");
}

Result<std::string> getcwd() {
    std::array<char, 4096> buffer;
    // Not the library's: that one replaces what the kernel says of a directory outside the root.
    const long count = ::syscall(SYS_getcwd, buffer.data(), buffer.size());
    if (count < 0) return failed("find the working directory");
    return std::string(buffer.data());
}

Result<std::size_t> read(int fd, std::span<char> buffer) {
    const ssize_t count = retry([&] { return ::read(fd, buffer.data(), buffer.size()); });
    if (count < 0) return failed("read");
    return static_cast<std::size_t>(count);
}

Result<std::size_t> pread(int fd, std::span<char> buffer, off_t offset) {
    const ssize_t count = retry([&] { return ::pread(fd, buffer.data(), buffer.size(), offset); });
    if (count < 0) return failed("read");
    return static_cast<std::size_t>(count);
}

Result<std::size_t> write(int fd, std::string_view bytes) {
    const ssize_t count = retry([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (count < 0) return failed("write");
    return static_cast<std::size_t>(count);
}

Status write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        auto count = write(fd, bytes);
        if (!count) return fail(count);
        bytes.remove_prefix(*count);
    }
    return {};
}

Result<UniqueFd> dup(int fd) {
    return owned(::fcntl(fd, F_DUPFD_CLOEXEC, 3), "duplicate a descriptor");
}

Status dup2(int fd, int target) {
    if (fd == target) return set_inheritable(fd);
    return done(retry([&] { return ::dup2(fd, target); }), "duplicate a descriptor");
}

Status set_inheritable(int fd) {
    return done(::fcntl(fd, F_SETFD, 0), "make a descriptor inheritable");
}

Status set_nonblocking(int fd, bool on) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return failed("read a descriptor's flags");
    const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted == flags) return {};
    return done(::fcntl(fd, F_SETFL, wanted), "set a descriptor's flags");
}

Status close_range(unsigned first, unsigned last, unsigned flags) {
    return done(::close_range(first, last, static_cast<int>(flags)), "close descriptors");
}

Result<UniqueFd> memfd_create(const std::string& name, unsigned flags) {
    return owned(::memfd_create(name.c_str(), flags | MFD_CLOEXEC), "make memory file '", name, "'");
}

Status seal(int fd, int seals) {
    return done(::fcntl(fd, F_ADD_SEALS, seals), "seal a memory file");
}

Result<Pipe> pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return failed("make a pipe");
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// --- locks ---------------------------------------------------------------------------------------

namespace {

struct flock whole_file() {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

} // namespace

Result<bool> try_lock(int fd) {
    struct flock lock = whole_file();
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    return failed("lock a file");
}

Status wait_lock(int fd) {
    struct flock lock = whole_file();
    return done(retry([&] { return ::fcntl(fd, F_OFD_SETLKW, &lock); }), "lock a file");
}

Status wait_read_lock(int fd) {
    struct flock lock = whole_file();
    lock.l_type = F_RDLCK;
    return done(retry([&] { return ::fcntl(fd, F_OFD_SETLKW, &lock); }), "lock a file");
}

Result<bool> flock(int fd, int operation) {
    if (retry([&] { return ::flock(fd, operation); }) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    return failed("lock a directory");
}

// --- misc ----------------------------------------------------------------------------------------

Status random_bytes(std::span<unsigned char> buffer) {
    while (!buffer.empty()) {
        const ssize_t count = retry([&] { return ::getrandom(buffer.data(), buffer.size(), 0); });
        if (count < 0) return failed("draw random bytes");
        buffer = buffer.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

namespace {

std::int64_t clock_ns(clockid_t clock) {
    timespec now{};
    (void)::clock_gettime(clock, &now); // These clocks always exist.
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

} // namespace

std::int64_t realtime_ns() {
    return clock_ns(CLOCK_REALTIME);
}

std::int64_t monotonic_ns() {
    return clock_ns(CLOCK_MONOTONIC);
}

} // namespace mydocker::sys
