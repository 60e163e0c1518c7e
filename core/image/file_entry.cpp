#include "image/file_entry.hpp"

#include "base/sys.hpp"
#include "image/entry_path.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace mydocker::image {

namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10U;
constexpr std::size_t kMostExtents = 100'000; // A file with more is mostly data: it is stored whole.
constexpr std::size_t kMostXattrBytes = std::size_t{64} << 10U; // Of all names, and of a value. xattr(7).

// Descriptors opened with O_PATH have no xattr calls of their own; their name in /proc leads to the thing.
std::string proc_name(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

bool is_part_of_tree(std::string_view xattr) {
    return !xattr.starts_with("trusted.overlay.") && !xattr.starts_with("user.overlay.") &&
           xattr != "security.selinux" && xattr != "security.ima" && xattr != "security.evm";
}

Result<std::string> list_xattrs(const std::string& file, const std::string& name) {
    std::array<char, 1024> first{};
    ssize_t size = ::listxattr(file.c_str(), first.data(), first.size());
    if (size >= 0) return std::string(first.data(), static_cast<std::size_t>(size));
    if (errno == EOPNOTSUPP) return std::string();
    std::string names(kMostXattrBytes, '\0');
    if (errno == ERANGE) size = ::listxattr(file.c_str(), names.data(), names.size());
    if (size < 0) return fail_errno(errno, "list the xattrs of " + shown(name));
    names.resize(static_cast<std::size_t>(size));
    return names;
}

Status read_xattrs(int fd, TarEntry& entry, const DiagnosticFn& warn) {
    const std::string file = proc_name(fd);
    auto names = list_xattrs(file, entry.path);
    if (!names) return fail(names);
    std::string value;
    for (std::string_view rest = *names; !rest.empty();) {
        const std::string key(rest.substr(0, rest.find('\0')));
        rest.remove_prefix(std::min(key.size() + 1, rest.size()));
        if (!is_part_of_tree(key)) continue;
        if (key.find('=') != std::string::npos) {
            if (warn)
                warn("left out: xattr " + shown(key) + " of " + shown(entry.path) +
                     ", whose name no archive can hold");
            continue;
        }
        value.resize(kMostXattrBytes);
        const ssize_t size = ::getxattr(file.c_str(), key.c_str(), value.data(), value.size());
        if (size < 0 && errno == ENODATA) continue;
        if (size < 0) return fail_errno(errno, "read xattr " + shown(key) + " of " + shown(entry.path));
        entry.xattrs.emplace_back(key, value.substr(0, static_cast<std::size_t>(size)));
    }
    std::ranges::sort(entry.xattrs);
    return {};
}

std::optional<EntryType> type_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return EntryType::file;
    case S_IFDIR:
        return EntryType::directory;
    case S_IFLNK:
        return EntryType::symlink;
    case S_IFCHR:
        return EntryType::char_device;
    case S_IFBLK:
        return EntryType::block_device;
    case S_IFIFO:
        return EntryType::fifo;
    default:
        return std::nullopt;
    }
}

} // namespace

Result<std::optional<TarEntry>> read_entry(int fd, const struct stat& status, std::string name,
                                           const DiagnosticFn& warn) {
    const auto type = type_of(status.st_mode);
    if (!type) {
        if (warn) warn("left out: socket " + shown(name));
        return std::nullopt;
    }
    TarEntry entry;
    entry.type = *type;
    entry.path = std::move(name);
    if (*type == EntryType::directory && !entry.path.ends_with('/')) entry.path += '/';
    entry.mode = status.st_mode & 07777U;
    entry.uid = status.st_uid;
    entry.gid = status.st_gid;
    entry.mtime = status.st_mtim;
    if (*type == EntryType::file) entry.size = static_cast<std::uint64_t>(status.st_size);
    if (*type == EntryType::char_device || *type == EntryType::block_device) {
        entry.device_major = major(status.st_rdev);
        entry.device_minor = minor(status.st_rdev);
    }
    if (*type == EntryType::symlink) {
        auto target = sys::readlinkat(fd, "");
        if (!target) return fail(target, "link " + shown(entry.path));
        entry.link = std::move(*target);
    }
    if (auto read = read_xattrs(fd, entry, warn); !read) return fail(read);
    return entry;
}

// By way of /proc: what the descriptor stands for cannot be exchanged for a device between look and open.
Result<UniqueFd> open_for_reading(int fd) {
    auto file = files::open(proc_name(fd), O_RDONLY | O_NOATIME);
    // An owner of another user namespace's may not be spared the time of access.
    if (!file && file.error().sys_errno == EPERM) file = files::open(proc_name(fd), O_RDONLY);
    return file;
}

void find_holes(int fd, const struct stat& status, TarEntry& entry) {
    constexpr off_t kStatBlock = 512; // Unit of st_blocks, whatever the filesystem. Source: stat(2).
    if (status.st_blocks * kStatBlock >= status.st_size) return;
    std::vector<Extent> extents;
    for (off_t at = 0; at < status.st_size;) {
        const off_t begin = ::lseek(fd, at, SEEK_DATA);
        if (begin < 0 && errno == ENXIO) break; // Nothing but a hole up to the end.
        const off_t end = begin < 0 ? -1 : ::lseek(fd, begin, SEEK_HOLE);
        if (end < 0 || extents.size() == kMostExtents) return; // Stored whole, then.
        if (begin >= status.st_size) break;
        at = std::min(end, status.st_size);
        extents.push_back({static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(at - begin)});
    }
    const bool whole = extents.size() == 1 && extents[0] == Extent{0, entry.size};
    if (!whole) entry.extents = std::move(extents);
}

FileData::FileData() : buffer_(kChunk) {}

void FileData::begin(UniqueFd fd, const TarEntry& entry) {
    fd_ = std::move(fd);
    name_ = entry.path;
    extents_ = entry.extents ? *entry.extents : std::vector<Extent>{{0, entry.size}};
    extent_ = 0;
    done_ = 0;
    torn_ = false;
}

Result<DataChunk> FileData::data() {
    while (extent_ < extents_.size() && done_ == extents_[extent_].size) {
        ++extent_;
        done_ = 0;
    }
    if (extent_ == extents_.size()) return DataChunk{};
    const Extent& extent = extents_[extent_];
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), extent.size - done_));
    const std::uint64_t offset = extent.offset + done_;
    auto count = sys::pread(fd_.get(), std::span(buffer_).first(wanted), static_cast<off_t>(offset));
    if (!count) return fail(count.error().code, "read " + shown(name_), count.error().sys_errno);
    if (*count == 0) {
        torn_ = true;
        std::ranges::fill(buffer_, '\0');
        count = wanted;
    }
    done_ += *count;
    return DataChunk{offset, std::string_view(buffer_.data(), *count)};
}

} // namespace mydocker::image
