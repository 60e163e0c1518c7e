// System calls on mounts, the rest of sys.hpp. Nothing is decided here.
#include "base/sys.hpp"

#include "base/sys_result.hpp"

#include <array>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace mydocker::sys {
using detail::done;
using detail::owned;

namespace {

const char* or_null(const std::string& text) {
    return text.empty() ? nullptr : text.c_str();
}

} // namespace

Status mount(const std::string& source, const std::string& target, const std::string& type,
             unsigned long flags, const std::string& data) {
    return done(::mount(or_null(source), target.c_str(), or_null(type), flags, or_null(data)), "mount '",
                source.empty() ? type : source, "' on '", target, "'");
}

Status umount2(const std::string& target, int flags) {
    return done(::umount2(target.c_str(), flags), "unmount '", target, "'");
}

Status pivot_root(const std::string& new_root, const std::string& put_old) {
    return done(::syscall(SYS_pivot_root, new_root.c_str(), put_old.c_str()), "pivot_root to '", new_root,
                "'");
}

Result<UniqueFd> open_tree(int directory, const std::string& path, unsigned flags) {
    return owned(::open_tree(directory, path.c_str(), flags | OPEN_TREE_CLOEXEC), "open mount '", path, "'");
}

Status move_mount(int from_directory, const std::string& from_path, int to_directory,
                  const std::string& to_path, unsigned flags) {
    return done(::move_mount(from_directory, from_path.c_str(), to_directory, to_path.c_str(), flags),
                "attach a mount at '", to_path, "'");
}

Status mount_setattr(int directory, const std::string& path, unsigned flags, const MountAttr& attr) {
    ::mount_attr wanted{};
    wanted.attr_set = attr.attr_set;
    wanted.attr_clr = attr.attr_clr;
    wanted.propagation = attr.propagation;
    wanted.userns_fd = attr.userns_fd;
    return done(::mount_setattr(directory, path.c_str(), flags, &wanted, sizeof wanted),
                "set the attributes of mount '", path, "'");
}

Result<UniqueFd> fsopen(const std::string& type, unsigned flags) {
    return owned(::fsopen(type.c_str(), flags | FSOPEN_CLOEXEC), "open filesystem type '", type, "'");
}

Status fsconfig_flag(int fs, const std::string& key) {
    return done(::fsconfig(fs, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0), "set mount option '", key, "'");
}

Status fsconfig_string(int fs, const std::string& key, const std::string& value) {
    return done(::fsconfig(fs, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0), "set mount option '", key,
                "=", value, "'");
}

Status fsconfig_fd(int fs, const std::string& key, int value) {
    return done(::fsconfig(fs, FSCONFIG_SET_FD, key.c_str(), nullptr, value), "set mount option '", key, "'");
}

Status fsconfig_create(int fs) {
    return done(::fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "make the filesystem");
}

Result<UniqueFd> fsmount(int fs, unsigned flags, unsigned attributes) {
    return owned(::fsmount(fs, flags | FSMOUNT_CLOEXEC, attributes), "mount a filesystem");
}

// Each read(2) yields one message, "e text" for an error; the last one is about the last failure.
std::string fs_message(int fs) {
    std::string last;
    std::array<char, 1024> buffer;
    for (;;) {
        const ssize_t count = ::read(fs, buffer.data(), buffer.size());
        if (count <= 0) return last;
        std::string_view text(buffer.data(), static_cast<std::size_t>(count));
        if (!text.starts_with("e ") && !last.empty()) continue;
        if (text.size() > 2 && text[1] == ' ') text.remove_prefix(2);
        while (!text.empty() && (text.back() == '\n' || text.back() == '\0'))
            text.remove_suffix(1);
        last.assign(text);
    }
}

Result<long> fstatfs_type(int fd) {
    struct statfs status{};
    if (auto read = done(::fstatfs(fd, &status), "find the type of a filesystem"); !read) return fail(read);
    return static_cast<long>(status.f_type);
}

Result<bool> fstatfs_noexec(int fd) {
    struct statfs status{};
    if (auto read = done(::fstatfs(fd, &status), "find the flags of a filesystem"); !read) return fail(read);
    return (status.f_flags & ST_NOEXEC) != 0;
}

} // namespace mydocker::sys
