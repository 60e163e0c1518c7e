#include "probe.hpp"

#include "mydocker/support/files.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <string_view>
#include <sys/vfs.h>

namespace mydocker::btrfs {
namespace {

struct Filesystem {
    std::uint32_t magic;
    const char* name;
};

// Where a data directory is usually found instead. Source: statfs(2).
constexpr std::array kUsual{
    Filesystem{EXT4_SUPER_MAGIC, "ext4"}, Filesystem{XFS_SUPER_MAGIC, "xfs"},
    Filesystem{TMPFS_MAGIC, "tmpfs"},     Filesystem{OVERLAYFS_SUPER_MAGIC, "overlayfs"},
    Filesystem{F2FS_SUPER_MAGIC, "f2fs"}, Filesystem{NFS_SUPER_MAGIC, "NFS"},
    Filesystem{FUSE_SUPER_MAGIC, "FUSE"}, Filesystem{V9FS_MAGIC, "9p"},
    Filesystem{RAMFS_MAGIC, "ramfs"},     Filesystem{REISERFS_SUPER_MAGIC, "reiserfs"},
    Filesystem{0x2fc12fc1, "ZFS"},        Filesystem{0xca451a4e, "bcachefs"},
};

[[nodiscard]] std::string name_of(std::uint32_t magic) {
    for (const Filesystem& filesystem : kUsual)
        if (filesystem.magic == magic) return filesystem.name;
    return "another filesystem";
}

// The directory, or the nearest one above it that is there.
[[nodiscard]] Result<UniqueFd> open_nearest(std::string path) {
    for (;;) {
        auto fd = files::open(path, O_PATH | O_DIRECTORY);
        if (fd || fd.error().sys_errno != ENOENT || path == "/") return fd;
        path = files::detail::parent_of(path);
    }
}

} // namespace

Status probe_filesystem(const std::string& data_dir) {
    const auto directory = open_nearest(data_dir);
    if (!directory) return fail(directory);
    struct statfs status{};
    if (::fstatfs(directory->get(), &status) != 0)
        return fail_errno(errno, "look at the filesystem of '" + data_dir + "'");
    const auto magic = static_cast<std::uint32_t>(status.f_type);
    if (magic == BTRFS_SUPER_MAGIC) return {};
    return fail(Code::unsupported,
                "btrfs cannot be used here: '" + data_dir + "' is on " + name_of(magic) +
                    "; mount a btrfs filesystem there, or have root (--root, mydocker.toml) "
                    "on one");
}

} // namespace mydocker::btrfs
