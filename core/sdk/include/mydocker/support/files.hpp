// Small helpers on files for drivers and engine alike: descriptors, whole-file reads, atomic
// writes, tree removal. Source only: no ABI promise; a driver may use other means.
#pragma once

#include "mydocker/result.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mydocker {

// Owns a file descriptor.
class UniqueFd {
  public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void reset(int fd = -1) noexcept {
        const int old = std::exchange(fd_, fd);
        if (old >= 0) ::close(old);
    }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

namespace files {

inline constexpr std::size_t kMaxFileBytes = 64U << 20U;

namespace detail {

[[nodiscard]] inline std::string quoted(std::string_view path) {
    return "'" + std::string(path) + "'";
}

[[nodiscard]] inline std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace detail

// Opens below `directory` (AT_FDCWD: the working directory); close-on-exec always.
[[nodiscard]] inline Result<UniqueFd> open_at(int directory, const std::string& path, int flags,
                                              mode_t mode = 0) {
    for (;;) {
        UniqueFd fd(::openat(directory, path.c_str(), flags | O_CLOEXEC, mode));
        if (fd) return fd;
        const int error = errno;
        if (error != EINTR) return fail_errno(error, "open " + detail::quoted(path));
    }
}

[[nodiscard]] inline Result<UniqueFd> open(const std::string& path, int flags, mode_t mode = 0) {
    return open_at(AT_FDCWD, path, flags, mode);
}

// Reads to the end. Errors: invalid when there are more than `limit` bytes.
[[nodiscard]] inline Result<std::string> read_all(int fd, std::string_view name,
                                                  std::size_t limit = kMaxFileBytes) {
    std::string text;
    std::size_t used = 0;
    for (;;) {
        if (text.size() - used < 4096) text.resize(std::max<std::size_t>(8192, text.size() * 2));
        const ssize_t count = ::read(fd, text.data() + used, text.size() - used);
        if (count < 0) {
            const int error = errno;
            if (error == EINTR) continue;
            return fail_errno(error, "read " + detail::quoted(name));
        }
        if (count == 0) break;
        used += static_cast<std::size_t>(count);
        if (used > limit)
            return fail(Code::invalid,
                        detail::quoted(name) + " is larger than " + std::to_string(limit) + " bytes");
    }
    text.resize(used);
    return text;
}

[[nodiscard]] inline Result<std::string> read_file_at(int directory, const std::string& path,
                                                      std::size_t limit = kMaxFileBytes) {
    auto fd = open_at(directory, path, O_RDONLY);
    if (!fd) return fail(fd);
    return read_all(fd->get(), path, limit);
}

[[nodiscard]] inline Result<std::string> read_file(const std::string& path,
                                                   std::size_t limit = kMaxFileBytes) {
    return read_file_at(AT_FDCWD, path, limit);
}

// Writes all of it, whatever the kernel takes at a time.
[[nodiscard]] inline Status write_all(int fd, std::string_view bytes, std::string_view name) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0) {
            const int error = errno;
            if (error == EINTR) continue;
            return fail_errno(error, "write " + detail::quoted(name));
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

// Writes an existing file in one write(2), as control files want it.
[[nodiscard]] inline Status write_control(int directory, const std::string& path, std::string_view text) {
    auto fd = open_at(directory, path, O_WRONLY);
    if (!fd) return fail(fd);
    for (;;) {
        if (::write(fd->get(), text.data(), text.size()) >= 0) return {};
        const int error = errno;
        if (error != EINTR)
            return fail_errno(error, "write '" + std::string(text) + "' to " + detail::quoted(path));
    }
}

enum class Sync : std::uint32_t { none, data };

// Replaces a file in one step: temporary file in the same directory, then rename. With Sync::data
// the content and the directory entry are on disk before it returns. On failure the old file is
// untouched and the temporary one is gone.
[[nodiscard]] inline Status write_atomically(int directory, const std::string& path, std::string_view bytes,
                                             mode_t mode = 0600, Sync sync = Sync::none) {
    const std::string temporary = path + ".tmp." + std::to_string(::getpid());
    auto undo = [&](const Error& error) {
        (void)::unlinkat(directory, temporary.c_str(), 0); // The first error is the one to report.
        return std::unexpected<Error>(error);
    };
    auto fd = open_at(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
    if (!fd) return fail(fd);
    if (::fchmod(fd->get(), mode) != 0) // The umask must not decide.
        return undo(Error{code_from_errno(errno), errno, "chmod " + detail::quoted(temporary)});
    if (auto written = write_all(fd->get(), bytes, path); !written) return undo(written.error());
    if (sync == Sync::data && ::fsync(fd->get()) != 0)
        return undo(Error{code_from_errno(errno), errno, "fsync " + detail::quoted(temporary)});
    if (::renameat(directory, temporary.c_str(), directory, path.c_str()) != 0)
        return undo(Error{code_from_errno(errno), errno, "rename to " + detail::quoted(path)});
    if (sync == Sync::none) return {};
    auto parent = open_at(directory, detail::parent_of(path), O_RDONLY | O_DIRECTORY);
    if (!parent) return fail(parent);
    if (::fsync(parent->get()) != 0) return fail_errno(errno, "fsync directory of " + detail::quoted(path));
    return {};
}

[[nodiscard]] inline Status write_atomically(const std::string& path, std::string_view bytes,
                                             mode_t mode = 0600, Sync sync = Sync::none) {
    return write_atomically(AT_FDCWD, path, bytes, mode, sync);
}

// Writes a file that nobody reads yet: created or overwritten in place, with exactly `mode`.
[[nodiscard]] inline Status write_new(const std::string& path, std::string_view bytes, mode_t mode) {
    auto fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
    if (!fd) return fail(fd);
    if (::fchmod(fd->get(), mode) != 0) return fail_errno(errno, "chmod " + detail::quoted(path));
    return write_all(fd->get(), bytes, path);
}

// Makes a directory and its missing parents, each with exactly `mode`. Again: succeeds.
[[nodiscard]] inline Status make_directories(const std::string& path, mode_t mode = 0700) {
    if (::mkdir(path.c_str(), mode) == 0) {
        if (::chmod(path.c_str(), mode) != 0) return fail_errno(errno, "chmod " + detail::quoted(path));
        return {};
    }
    int error = errno;
    if (error == EEXIST) {
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, "stat " + detail::quoted(path));
        if (S_ISDIR(status.st_mode)) return {};
        return fail_errno(ENOTDIR, "make directory " + detail::quoted(path));
    }
    if (error != ENOENT) return fail_errno(error, "make directory " + detail::quoted(path));
    const std::string parent = detail::parent_of(path);
    if (parent == path || parent == ".") return fail_errno(error, "make directory " + detail::quoted(path));
    if (auto made = make_directories(parent, mode); !made) return made;
    if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
    error = errno;
    return fail_errno(error, "make directory " + detail::quoted(path));
}

struct DirectoryEntry {
    std::string name;
    unsigned char type = DT_UNKNOWN; // DT_…, as d_type
};

// The entries of an open directory, "." and ".." left out, in no order. The descriptor's offset moves.
[[nodiscard]] inline Result<std::vector<DirectoryEntry>> list_directory(int fd, std::string_view name) {
    const int copy = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return fail_errno(errno, "open directory " + detail::quoted(name));
    struct Close {
        void operator()(DIR* directory) const { ::closedir(directory); }
    };
    const std::unique_ptr<DIR, Close> stream(::fdopendir(copy));
    if (!stream) {
        const int error = errno;
        ::close(copy);
        return fail_errno(error, "read directory " + detail::quoted(name));
    }
    std::vector<DirectoryEntry> entries;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get());
        if (entry == nullptr && errno != 0)
            return fail_errno(errno, "read directory " + detail::quoted(name));
        if (entry == nullptr) return entries;
        const std::string_view entry_name(entry->d_name);
        if (entry_name != "." && entry_name != "..")
            entries.push_back({std::string(entry_name), entry->d_type});
    }
}

namespace detail {

// Opens a directory without following a link or crossing a mount. Source: openat2(2).
[[nodiscard]] inline UniqueFd open_same_mount(int directory, const std::string& name) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
    return UniqueFd(static_cast<int>(::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how)));
}

// Removes what is below one directory. A tree may be deeper than descriptors last: from kDepth on, a
// directory is moved up to the top of the tree and taken from there.
class TreeRemover {
  public:
    static constexpr int kDepth = 64;

    explicit TreeRemover(int top) : top_(top) {}

    [[nodiscard]] Status empty(int fd, const std::string& path, int depth) {
        for (;;) {
            auto entries = list_directory(fd, path);
            if (!entries) return fail(entries);
            if (entries->empty()) return {};
            for (const DirectoryEntry& entry : *entries)
                if (auto gone = remove_entry(fd, path, entry, depth); !gone) return gone;
            if (depth > 0) return {};
        }
    }

  private:
    [[nodiscard]] Status remove_entry(int fd, const std::string& path, const DirectoryEntry& entry,
                                      int depth) {
        const std::string whole = path + "/" + entry.name;
        if (entry.type != DT_DIR) {
            if (::unlinkat(fd, entry.name.c_str(), 0) == 0 || errno == ENOENT) return {};
            if (errno != EISDIR) return fail_errno(errno, "remove " + detail::quoted(whole));
        }
        if (::unlinkat(fd, entry.name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
        if (errno == EBUSY)
            return fail(Code::busy, "remove " + detail::quoted(whole) + ", which is a mount point", EBUSY);
        if (errno != ENOTEMPTY && errno != EEXIST)
            return fail_errno(errno, "remove " + detail::quoted(whole));
        if (depth >= kDepth) return hoist(fd, entry.name, whole);
        const UniqueFd below = open_same_mount(fd, entry.name);
        if (!below) {
            const int error = errno;
            if (error == ENOENT) return {};
            if (error == EXDEV)
                return fail(Code::busy, "remove " + detail::quoted(whole) + ", which is a mount point",
                            EBUSY);
            return fail_errno(error, "open directory " + detail::quoted(whole));
        }
        if (auto emptied = empty(below.get(), whole, depth + 1); !emptied) return emptied;
        if (::unlinkat(fd, entry.name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
        if (errno == ENOTEMPTY && depth + 1 >= kDepth)
            return {}; // Something was moved up; the next round takes it.
        return fail_errno(errno, "remove " + detail::quoted(whole));
    }

    [[nodiscard]] Status hoist(int fd, const std::string& name, const std::string& whole) {
        const std::string moved = ".remove." + std::to_string(++moved_);
        if (::renameat2(fd, name.c_str(), top_, moved.c_str(), RENAME_NOREPLACE) == 0 || errno == ENOENT)
            return {};
        if (errno == EEXIST) return hoist(fd, name, whole);
        return fail_errno(errno, "move " + detail::quoted(whole));
    }

    int top_;
    std::uint64_t moved_ = 0;
};

} // namespace detail

// Removes a file or a whole tree, however deep; follows no link and crosses no mount. Absent:
// succeeds. Errors: busy, naming the place, when something is mounted in it.
[[nodiscard]] inline Status remove_tree(int directory, const std::string& path) {
    if (::unlinkat(directory, path.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR && errno != EPERM) return fail_errno(errno, "remove " + detail::quoted(path));
    if (::unlinkat(directory, path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    if (errno != ENOTEMPTY && errno != EEXIST) return fail_errno(errno, "remove " + detail::quoted(path));
    const UniqueFd top(::openat(directory, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!top) return fail_errno(errno, "open directory " + detail::quoted(path));
    if (auto emptied = detail::TreeRemover(top.get()).empty(top.get(), path, 0); !emptied) return emptied;
    if (::unlinkat(directory, path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, "remove " + detail::quoted(path));
}

[[nodiscard]] inline Status remove_tree(const std::string& path) {
    return remove_tree(AT_FDCWD, path);
}

} // namespace files
} // namespace mydocker
