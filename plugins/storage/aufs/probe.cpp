#include "probe.hpp"

#include "mydocker/support/files.hpp"

#include <cerrno>
#include <linux/magic.h>
#include <string_view>
#include <sys/mount.h>
#include <sys/vfs.h>

namespace mydocker::aufs {
namespace {

[[nodiscard]] std::unexpected<Error> unsupported(const std::string& why, int error = 0) {
    return fail(Code::unsupported, "aufs cannot be used here: " + why, error);
}

[[nodiscard]] bool is_listed() {
    const auto known = files::read_file("/proc/filesystems", 1U << 16U);
    return known && known->find("\taufs\n") != std::string::npos;
}

// aufs cannot be mounted by the root of a user namespace. In the initial one all ids are mapped.
[[nodiscard]] bool is_initial_user_namespace() {
    const auto map = files::read_file("/proc/self/uid_map", 1U << 16U);
    return !map || map->find("4294967295") != std::string::npos;
}

} // namespace

Status probe_kernel() {
    const UniqueFd context(::fsopen("aufs", FSOPEN_CLOEXEC)); // Loads the module, too.
    const int error = context ? 0 : errno;
    if (error == EPERM) return unsupported("mounting needs CAP_SYS_ADMIN", error);
    // Before 5.2 there was no fsopen(2): then the module must be there already.
    if (error == ENODEV || (error == ENOSYS && !is_listed()))
        return unsupported(
            "this kernel has no aufs, which is not a part of Linux, and no module of it loads");
    if (error != 0 && error != ENOSYS) return fail_errno(error, "set up an aufs mount");
    if (is_initial_user_namespace()) return {};
    return unsupported("it cannot be mounted in a user namespace");
}

const char* refused_filesystem(long type) {
    switch (type) {
    case 0x61756673: // "aufs", which linux/magic.h does not have
        return "aufs itself";
    case OVERLAYFS_SUPER_MAGIC:
        return "overlayfs";
    case ECRYPTFS_SUPER_MAGIC:
        return "eCryptfs";
    case RAMFS_MAGIC:
        return "ramfs";
    case PROC_SUPER_MAGIC:
        return "procfs";
    case SYSFS_MAGIC:
        return "sysfs";
    case DEBUGFS_MAGIC:
        return "debugfs";
    case FUSE_SUPER_MAGIC:
        return "FUSE";
    case V9FS_MAGIC:
        return "9p, which aufs takes for reading alone";
    default:
        return nullptr;
    }
}

Status probe_filesystem(const std::string& data_dir) {
    std::string path = data_dir;
    struct statfs status{};
    while (::statfs(path.c_str(), &status) != 0) {
        const int error = errno;
        if (error != ENOENT || path == "/")
            return fail_errno(error, "look at the filesystem of '" + path + "'");
        path.resize(path.rfind('/'));
        if (path.empty()) path = "/";
    }
    const char* refused = refused_filesystem(static_cast<long>(status.f_type));
    if (refused == nullptr) return {};
    return unsupported("'" + path + "' is on " + refused);
}

} // namespace mydocker::aufs
