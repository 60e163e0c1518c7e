#include "probe.hpp"

#include "mydocker/support/files.hpp"
#include "opaque_root.hpp"
#include "storage/common/store_directory.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <string_view>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utility>

namespace mydocker::overlayfs {
namespace {

constexpr const char* kTrial = "probe";

[[nodiscard]] std::unexpected<Error> unsupported(const std::string& why, int error = 0) {
    return fail(Code::unsupported, "overlayfs cannot be used here: " + why, error);
}

// Whether the error says nothing of what this host can do: a second try may succeed.
[[nodiscard]] bool is_passing(int error) {
    switch (code_from_errno(error)) {
    case Code::no_space:
    case Code::busy:
    case Code::cancelled:
        return true;
    default:
        return error == EIO;
    }
}

// Filesystems that overlayfs refuses for its upper directory, or that cannot keep what it puts there.
[[nodiscard]] const char* refused_filesystem(long magic) {
    switch (magic) {
    case OVERLAYFS_SUPER_MAGIC:
        return "overlayfs itself, which cannot be stacked for writing";
    case NFS_SUPER_MAGIC:
        return "NFS, a network filesystem";
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
        return "SMB, a network filesystem";
    case V9FS_MAGIC:
        return "9p, a network filesystem";
    case FUSE_SUPER_MAGIC:
        return "FUSE";
    case MSDOS_SUPER_MAGIC:
        return "FAT";
    case 0x61756673: // aufs, which linux/magic.h does not have
        return "aufs, a union itself";
    default:
        return nullptr;
    }
}

[[nodiscard]] Status check_type(int fd, const std::string& path) {
    struct statfs status{};
    if (::fstatfs(fd, &status) != 0) return fail_errno(errno, "look at the filesystem of '" + path + "'");
    const char* refused = refused_filesystem(static_cast<long>(status.f_type));
    if (refused == nullptr) return {};
    return unsupported("'" + path + "' is on " + refused);
}

// Whether the kernel tells the types of what is in the directory; true if there is nothing in it. For
// "." and ".." it always does. Source: overlayfs looks in the same way.
[[nodiscard]] Result<bool> has_types(int fd, const std::string& path) {
    auto entries = files::list_directory(fd, path);
    if (!entries) return fail(entries);
    for (const auto& entry : *entries)
        if (entry.type == DT_UNKNOWN) return false;
    return true;
}

[[nodiscard]] Status check_types(int fd, const std::string& path) {
    const auto typed = has_types(fd, path);
    if (!typed) return fail(typed);
    if (*typed) return {};
    return unsupported("the filesystem of '" + path +
                       "' does not tell file types in listings (xfs made with ftype=0?)");
}

// Makes what overlayfs would make: an opaque directory and a whiteout.
[[nodiscard]] Status try_upper(int trial, const std::string& path) {
    if (::fsetxattr(trial, kOpaque, "y", 1, 0) != 0) {
        const int error = errno;
        if (is_passing(error)) return fail_errno(error, "try overlayfs in '" + path + "'");
        if (error == EPERM)
            return unsupported("setting trusted extended attributes needs CAP_SYS_ADMIN", error);
        return unsupported("the filesystem of '" + path + "' keeps no trusted extended attributes", error);
    }
    if (::mknodat(trial, "whiteout", S_IFCHR | 0600, 0) != 0) {
        const int error = errno;
        if (is_passing(error)) return fail_errno(error, "try overlayfs in '" + path + "'");
        return unsupported("no whiteout (character device 0:0) can be made in '" + path + "'", error);
    }
    return check_types(trial, path);
}

[[nodiscard]] Status try_filesystem(int directory, const std::string& path) {
    // One at a time: the trial has a fixed name, so that what a killed one left is known by it.
    if (::flock(directory, LOCK_EX) != 0) return fail_errno(errno, "lock '" + path + "'");
    const auto remove = [&] {
        (void)::unlinkat(directory, (std::string(kTrial) + "/whiteout").c_str(), 0);
        return ::unlinkat(directory, kTrial, AT_REMOVEDIR);
    };
    int made = ::mkdirat(directory, kTrial, 0700);
    if (made != 0 && errno == EEXIST && remove() == 0) made = ::mkdirat(directory, kTrial, 0700);
    if (made != 0) return fail_errno(errno, "make directory '" + path + "/" + kTrial + "'");
    const UniqueFd trial(::openat(directory, kTrial, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    auto tried = trial ? try_upper(trial.get(), path)
                       : Status(fail_errno(errno, "open directory '" + path + "/" + kTrial + "'"));
    if (remove() != 0 && tried) tried = fail_errno(errno, "remove directory '" + path + "/" + kTrial + "'");
    (void)::flock(directory, LOCK_UN); // Cannot fail on a lock that is held.
    return tried;
}

// The same without a trial, for a directory that the driver has put writable layers into already.
[[nodiscard]] Status look_at_filesystem(int directory, const std::string& path) {
    if (::fgetxattr(directory, kOpaque, nullptr, 0) < 0 && errno == EOPNOTSUPP)
        return unsupported("the filesystem of '" + path + "' keeps no trusted extended attributes",
                           EOPNOTSUPP);
    return check_types(directory, path);
}

[[nodiscard]] bool may_mount() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    return ::syscall(SYS_capget, &header, sets.data()) == 0 &&
           (sets[0].effective & (1U << CAP_SYS_ADMIN)) != 0;
}

// Whether the running kernel is of the version or newer.
[[nodiscard]] bool is_kernel_from(long major, long minor) {
    utsname host{};
    if (::uname(&host) != 0) return false;
    char* end = nullptr;
    const long have_major = std::strtol(static_cast<const char*>(host.release), &end, 10);
    const long have_minor = *end == '.' ? std::strtol(end + 1, nullptr, 10) : 0;
    return have_major > major || (have_major == major && have_minor >= minor);
}

// Before 6.5 overlayfs reads its options only when the filesystem is made; until then the kernel takes any
// word, so that one taken says nothing.
[[nodiscard]] bool knows_its_options(int context) {
    return ::fsconfig(context, FSCONFIG_SET_STRING, "no_such_option", "", 0) != 0;
}

} // namespace

bool has_lowerdir_append() {
    // Every kernel from 6.8 on has it; to ask costs 50 µs, nearly all of it to close the context.
    if (is_kernel_from(6, 8)) return true;
    const UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
    return context && knows_its_options(context.get()) &&
           ::fsconfig(context.get(), FSCONFIG_SET_STRING, "lowerdir+", "/", 0) == 0;
}

Status probe_kernel() {
    // Known by now, and we may mount: the common case, at a thirtieth of the cost.
    if (::access("/sys/module/overlay", F_OK) == 0 && may_mount()) return {};
    const UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC)); // Loads the module, too.
    if (context) return {};
    const int error = errno;
    if (is_passing(error)) return fail_errno(error, "set up an overlayfs mount");
    if (error == EPERM) return unsupported("mounting needs CAP_SYS_ADMIN", error);
    if (error == ENODEV) return unsupported("this kernel has no overlayfs (module overlay)", error);
    if (error != ENOSYS) return unsupported("the kernel refuses to set up a mount", error);
    const auto known = files::read_file("/proc/filesystems", 1U << 16U);
    if (!known && is_passing(known.error().sys_errno)) return fail(known);
    if (known && known->find("\toverlay\n") != std::string::npos) return {};
    return unsupported("this kernel lists no overlayfs (try modprobe overlay)");
}

namespace {

struct Attempt {
    Status outcome;
    // Another process, which had made the directory for its own trial, has removed it meanwhile.
    bool gone = false;
};

[[nodiscard]] Attempt try_once(const std::string& data_dir) {
    const int made = ::mkdir(data_dir.c_str(), 0700) == 0 ? 0 : errno;
    if (made != 0 && made != EEXIST) return {fail_errno(made, "make directory '" + data_dir + "'")};
    auto directory = files::open(data_dir, O_RDONLY | O_DIRECTORY);
    if (!directory) return {fail(directory), directory.error().code == Code::not_found};
    auto tried = check_type(directory->get(), data_dir);
    const bool used = ::faccessat(directory->get(), storage::kWritable, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (tried)
        tried = used ? look_at_filesystem(directory->get(), data_dir)
                     : try_filesystem(directory->get(), data_dir);
    struct stat status{};
    const bool gone = !tried && ::fstat(directory->get(), &status) == 0 && status.st_nlink == 0;
    if (made == 0) (void)::rmdir(data_dir.c_str()); // Not empty: another process has begun to use it.
    return {std::move(tried), gone};
}

} // namespace

Status probe_filesystem(const std::string& data_dir) {
    constexpr int kMostTries = 100; // As many as begin at once.
    Attempt last;
    for (int i = 0; i < kMostTries; ++i) {
        last = try_once(data_dir);
        if (!last.gone) break;
    }
    return last.outcome;
}

} // namespace mydocker::overlayfs
