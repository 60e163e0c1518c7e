// The command's terminal: a pty of the container's own devpts, opened inside its root.
#include "runtime/init_stages.hpp"

#include "base/sys.hpp"
#include "runtime/mount.hpp"

#include <algorithm>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <utility>

namespace mydocker::runtime::init {
namespace {

// The devpts mount of the plan, by the descriptor we made it with.
Result<int> devpts(const Init& init) {
    const std::size_t first = init.plan.rootfs.size();
    for (std::size_t i = 0; i < init.plan.mounts.size(); ++i)
        if (init.plan.mounts[i].mount.type == "devpts") return init.mounts[first + i].get();
    return fail(Code::invalid, "there is no devpts mount");
}

Result<UniqueFd> open_master(const Init& init) {
    auto directory = devpts(init);
    if (!directory) return fail(directory);
    return sys::openat(*directory, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
}

// In a container that runs already its devpts is looked up, and whoever is in there may have put something
// else in its place: that is refused, not opened.
Result<UniqueFd> find_master(const Init& init) {
    auto directory =
        sys::openat2(init.root.get(), "dev/pts", O_PATH | O_DIRECTORY, resolve_in_root(Links::refuse));
    if (!directory) return fail(directory, "the container has no terminals");
    auto type = sys::fstatfs_type(directory->get());
    if (!type) return fail(type);
    if (*type != DEVPTS_SUPER_MAGIC)
        return fail(Code::invalid, "the container has no terminals: its '/dev/pts' is no devpts mount");
    return sys::openat2(directory->get(), "ptmx", O_RDWR | O_NOCTTY,
                        RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
}

// Bound from the open descriptor: nothing that the image has at /dev/pts or /dev/console is looked up.
Status bind_console(const Init& init) {
    auto tree = sys::open_tree(init.terminal.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
    if (!tree) return fail(tree);
    auto console = open_target(init.root.get(), "/dev/console", TargetKind::file, Links::refuse);
    if (!console) return fail(console);
    return attach(tree->get(), console->get(), "/dev/console");
}

constexpr unsigned kPtySlaveMajor = 136; // to 143; Documentation/admin-guide/devices.txt
constexpr unsigned kPtySlaveMajors = 8;

Status check_terminal(int terminal) {
    auto status = sys::fstat(terminal);
    if (!status) return fail(status);
    const unsigned number = major(status->st_rdev);
    if (S_ISCHR(status->st_mode) && number >= kPtySlaveMajor && number < kPtySlaveMajor + kPtySlaveMajors)
        return {};
    return fail(Code::internal, "what should be a terminal is not");
}

bool joins_mounts(const Init& init) {
    return std::ranges::find(init.plan.join, NamespaceKind::mount) != init.plan.join.end();
}

} // namespace

Status open_terminal(Init& init) {
    if (!init.plan.terminal) return {};
    auto master = joins_mounts(init) ? find_master(init) : open_master(init);
    if (!master) return fail(master);
    auto terminal = sys::open_pty_peer(master->get());
    if (!terminal) return fail(terminal);
    if (auto sane = check_terminal(terminal->get()); !sane) return sane;
    init.terminal_master = std::move(*master);
    init.terminal = std::move(*terminal);
    const ConsoleSize size = init.plan.console_size;
    if (size.rows != 0 || size.columns != 0) {
        auto set = sys::set_window_size(init.terminal.get(), winsize{size.rows, size.columns, 0, 0});
        if (!set) return set;
    }
    if (!joins_mounts(init)) { // The console is the first process's.
        if (auto bound = bind_console(init); !bound) return fail(bound, "'/dev/console'");
    }
    for (int stream = 0; stream < 3; ++stream)
        if (auto moved = sys::dup2(init.terminal.get(), stream); !moved) return moved;
    return sys::set_controlling_terminal(0);
}

} // namespace mydocker::runtime::init
