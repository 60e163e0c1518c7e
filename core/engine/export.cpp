// export, and `commit -o`: the flat root filesystem.
#include "base/sys.hpp"
#include "engine/contents.hpp"
#include "engine/root_view.hpp"
#include "image/tree_reader.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::engine {
namespace {

image::ByteSink into(int fd, const std::string& name) {
    return [fd, name](std::string_view bytes) { return files::write_all(fd, bytes, name); };
}

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

// A terminal, a pipe, a device: written in place.
bool is_special(const std::string& path) {
    const auto there = sys::fstatat(AT_FDCWD, path, 0);
    return there && !S_ISREG(there->st_mode);
}

std::string temporary_of(const std::string& path) {
    return path + ".tmp." + std::to_string(::getpid());
}

// In the place of whatever has the name now. The temporary name is gone in any case.
Status put_in_place(const std::string& temporary, const std::string& path) {
    if (::rename(temporary.c_str(), path.c_str()) == 0) return {};
    const int error = errno;
    (void)::unlink(temporary.c_str()); // The first error is the one to report.
    return fail_errno(error, "rename to '" + path + "'");
}

// For a file without a name.
Status name_file(int fd, const std::string& path) {
    const std::string temporary = temporary_of(path);
    const std::string unnamed = "/proc/self/fd/" + std::to_string(fd);
    if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0)
        return fail_errno(errno, "make '" + temporary + "'");
    return put_in_place(temporary, path);
}

} // namespace

Status export_rootfs(Engine& engine, std::string_view container, Stillness stillness,
                     const image::ByteSink& sink) {
    auto hold = Hold::take(engine, container, stillness);
    if (!hold) return fail(hold);
    auto root = open_layers(engine, hold->record(), Access::read_only);
    if (!root) return fail(root);
    auto done = image::archive_tree(root->get(), sink,
                                    [&](std::string_view text) { engine.diagnostics().warning(text); });
    if (!done) return fail(done, "container '" + hold->record().name.str() + "'");
    root->reset(); // Before the baton goes: whoever starts it next shall find it unmounted.
    return hold->release();
}

namespace {

// Where the filesystem has no files without a name (NFS, 9p, overlayfs before 6.2): if we are killed, its
// temporary name says what it is.
Status export_by_name(Engine& engine, std::string_view container, Stillness stillness,
                      const std::string& path) {
    const std::string temporary = temporary_of(path);
    auto fd = files::open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0600);
    if (!fd) return fail(fd, "write '" + path + "'");
    auto done = export_rootfs(engine, container, stillness, into(fd->get(), path));
    if (done) return put_in_place(temporary, path);
    (void)::unlink(temporary.c_str()); // The first error is the one to report.
    return done;
}

} // namespace

Status export_to_file(Engine& engine, std::string_view container, Stillness stillness,
                      const std::string& path) {
    if (is_special(path)) {
        auto fd = files::open(path, O_WRONLY);
        if (!fd) return fail(fd);
        return export_rootfs(engine, container, stillness, into(fd->get(), path));
    }
    // Without a name until it is whole: if we are killed, nothing is left. It may hold secrets.
    auto fd = files::open(directory_of(path), O_TMPFILE | O_WRONLY, 0600);
    if (!fd && fd.error().sys_errno == EOPNOTSUPP) return export_by_name(engine, container, stillness, path);
    if (!fd) return fail(fd, "write '" + path + "'");
    if (auto done = export_rootfs(engine, container, stillness, into(fd->get(), path)); !done) return done;
    return name_file(fd->get(), path);
}

} // namespace mydocker::engine
