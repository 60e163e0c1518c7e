#include "server.hpp"

#include "spawn.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::fuse_overlayfs {
namespace {

constexpr const char* kDevice = "/dev/fuse";

[[nodiscard]] std::unexpected<Error> unsupported(const std::string& why, int error) {
    return fail(Code::unsupported, "fuse-overlayfs cannot be used here: " + why, error);
}

[[nodiscard]] Result<UniqueFd> open_connection() {
    UniqueFd fd(::open(kDevice, O_RDWR | O_CLOEXEC));
    if (fd) return fd;
    const int error = errno;
    if (error == ENOENT)
        return unsupported("there is no /dev/fuse (try modprobe fuse; in a container, give it the device)",
                           error);
    if (error == ENODEV || error == ENXIO)
        return unsupported("this kernel has no FUSE behind /dev/fuse (try modprobe fuse)", error);
    if (error == EPERM || error == EACCES)
        return unsupported("/dev/fuse may not be opened (in a container, allow it the device c 10:229)",
                           error);
    return fail_errno(error, "open '" + std::string(kDevice) + "'");
}

[[nodiscard]] Result<UniqueFd> open_context() {
    UniqueFd context(::fsopen("fuse", FSOPEN_CLOEXEC)); // Loads the module, too.
    if (context) return context;
    const int error = errno;
    if (error == EPERM) return unsupported("mounting needs CAP_SYS_ADMIN", error);
    if (error == ENODEV) return unsupported("this kernel has no FUSE (try modprobe fuse)", error);
    if (error == ENOSYS) return unsupported("this kernel makes no mount aside (fsopen is of 5.2)", error);
    return fail_errno(error, "set up a FUSE mount");
}

// Users of all kinds go in, and the kernel checks their rights, as it does everywhere else.
[[nodiscard]] Status configure(int context, int connection) {
    const std::string number = std::to_string(connection);
    const std::array<std::pair<const char*, const char*>, 5> values{{{"source", "fuse-overlayfs"},
                                                                     {"fd", number.c_str()},
                                                                     {"rootmode", "40000"},
                                                                     {"user_id", "0"},
                                                                     {"group_id", "0"}}};
    for (const auto& [key, value] : values)
        if (::fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) != 0)
            return fail_errno(errno, "set the option " + std::string(key) + " of a FUSE mount");
    for (const char* flag : {"allow_other", "default_permissions"})
        if (::fsconfig(context, FSCONFIG_SET_FLAG, flag, nullptr, 0) != 0)
            return fail_errno(errno, "set the option " + std::string(flag) + " of a FUSE mount");
    if (::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return fail_errno(errno, "make a FUSE filesystem");
    return {};
}

struct Halves {
    UniqueFd mount;
    UniqueFd connection; // for the daemon
};

[[nodiscard]] Result<Halves> make_mount() {
    // First, for the module makes the device.
    const auto context = open_context();
    if (!context) return fail(context);
    auto connection = open_connection();
    if (!connection) return fail(connection);
    if (auto configured = configure(context->get(), connection->get()); !configured) return fail(configured);
    UniqueFd mount(::fsmount(context->get(), FSMOUNT_CLOEXEC, 0));
    if (!mount) return fail_errno(errno, "make a FUSE mount");
    return Halves{std::move(mount), std::move(*connection)};
}

// The first question, which waits until the daemon is at work; the kernel answers it if there is none.
[[nodiscard]] Status ask(int mount) {
    struct stat status{};
    if (::fstatat(mount, "", &status, AT_EMPTY_PATH) == 0) return {};
    return fail_errno(errno, "ask fuse-overlayfs for its root directory");
}

} // namespace

Result<UniqueFd> serve(const Service& service, const Host& host) {
    auto made = make_mount();
    if (!made) return fail(made);
    const SpawnRequest request{.program = service.program,
                               .words = {"fuse-overlayfs", "-o", service.options, "/dev/fd/3"},
                               .directory = service.directory,
                               .fds = {made->connection.get(), service.token}};
    if (auto started = run_to_end(request, host); !started) return fail(started);
    made->connection.reset(); // Now the daemon alone has it: with its end, the connection ends.
    if (auto answered = ask(made->mount.get()); !answered) return fail(answered);
    return std::move(made->mount);
}

Status probe_kernel() {
    if (const auto context = open_context(); !context) return fail(context);
    if (const auto connection = open_connection(); !connection) return fail(connection);
    // Whoever mounts makes a copy of our mount, which is attached nowhere.
    const UniqueFd aside(::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!aside) return fail_errno(errno, "copy the mount of '/'");
    const UniqueFd copy(::open_tree(aside.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
    if (copy) return {};
    const int error = errno;
    return unsupported("this kernel copies no mount that is attached nowhere (Linux 6.15 does)", error);
}

} // namespace mydocker::fuse_overlayfs
