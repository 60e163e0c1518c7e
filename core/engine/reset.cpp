#include "engine/reset.hpp"

#include "base/sys.hpp"
#include "engine/baton.hpp"
#include "engine/finish.hpp"
#include "engine/lifecycle.hpp"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <optional>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace mydocker::engine {
namespace {

// The root, opened where it is, if it may be emptied.
Result<UniqueFd> open_marked(const std::string& path) {
    const auto refuse = [&](std::string_view why) {
        return fail(Code::denied, fmt::format("reset '{}': {}; nothing was deleted", path, why));
    };
    auto fd = sys::openat2(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    if (!fd && fd.error().sys_errno == ELOOP) return refuse("a symbolic link leads to it");
    if (!fd) return fail(fd, fmt::format("reset '{}'", path));
    auto status = sys::fstat(fd->get());
    if (!status) return fail(status);
    if (status->st_uid != ::geteuid()) return refuse("it belongs to somebody else");
    auto marker = sys::fstatat(fd->get(), std::string(paths::kMarker), AT_SYMLINK_NOFOLLOW);
    if (!marker || !S_ISREG(marker->st_mode) || marker->st_uid != ::geteuid())
        return refuse(fmt::format("it has no '{}' of ours, so it is not ours", paths::kMarker));
    return fd;
}

// A path as mountinfo writes it. Source: proc_pid_mountinfo(5); fs/seq_file.c, mangle_path().
std::string mangled(std::string_view path) {
    std::string text;
    for (const char c : path)
        text += std::string_view(" \t\n\\").contains(c) ? fmt::format("\\{:03o}", c) : std::string(1, c);
    return text;
}

// Nobody's data is to go because it is mounted here. Source: proc_pid_mountinfo(5), field 5.
Status check_mounts(int root) {
    // As the kernel calls it: two slashes in a row are one there.
    auto path = sys::readlinkat(AT_FDCWD, "/proc/self/fd/" + std::to_string(root));
    if (!path) return fail(path);
    const std::string below = mangled(*path) + "/";
    auto text = files::read_file("/proc/self/mountinfo");
    if (!text) return fail(text);
    for (std::string_view left = *text; !left.empty();) {
        std::string_view line = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(line.size() + 1, left.size()));
        for (int field = 1; field < 5; ++field)
            line.remove_prefix(std::min(line.find(' ') + 1, line.size()));
        const std::string_view point = line.substr(0, line.find(' '));
        if (point.starts_with(below))
            return fail(Code::busy, fmt::format("reset '{}': something is mounted on '{}'; unmount it first; "
                                                "nothing was deleted",
                                                *path, point));
    }
    return {};
}

Status check_roots(const paths::Roots& roots) {
    for (const std::string& path : {roots.root, roots.run_root}) {
        auto fd = open_marked(path);
        if (!fd) return fail(fd);
        if (auto free = check_mounts(fd->get()); !free) return free;
    }
    return {};
}

// With the driver that is gone its container's files go as files; but what runs has to end.
Status end_containers(Engine& engine) {
    auto containers = list(engine);
    if (!containers) return fail(containers);
    for (const Summary& summary : *containers) {
        if (!summary.record) continue;
        if (summary.record->is_live())
            if (auto killed = kill(engine, summary.id, SIGKILL);
                !killed && killed.error().code != Code::conflict && killed.error().code != Code::not_found)
                return killed;
        (void)remove(engine, summary.id, Force::yes); // What stays of it goes with the roots.
    }
    return {};
}

// What is still in somebody's hands: a container's monitor, or the command that brings it to its end.
Result<std::optional<ContainerId>> find_held(const paths::Roots& roots) {
    auto directory = files::open(roots.run_root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return fail(directory);
    auto names = sys::list_names(directory->get());
    if (!names) return fail(names);
    for (const std::string& name : *names)
        if (paths::is_id(name) && Baton::is_held(roots, ContainerId(name))) return ContainerId(name);
    return std::nullopt;
}

// One round: ends what there is, then looks whether anything is new, or held, with everybody else shut out.
// Absent: nothing is, and they stay shut out. Else who is in the way.
Result<std::optional<std::string>> try_to_be_alone(Engine& engine) {
    if (auto ended = end_containers(engine); !ended) return fail(ended);
    auto alone = engine.take_roots_alone();
    if (!alone) return fail(alone);
    if (!*alone)
        return fmt::format("another command of mydocker is at work here ('fuser {}' names it)",
                           engine.roots().run_root);
    auto held = find_held(engine.roots());
    if (!held) return fail(held);
    if (*held)
        return fmt::format("container '{}' is in another process's hands ('mydocker-monitor' in ps)",
                           paths::short_id(**held));
    return std::nullopt;
}

// Whoever ends a container needs the roots for it, so they are given back between two rounds.
Status be_alone(Engine& engine) {
    const std::int64_t deadline = sys::monotonic_ns() + std::chrono::nanoseconds(kSettleLimit).count();
    for (;;) {
        auto in_the_way = try_to_be_alone(engine);
        if (!in_the_way) return fail(in_the_way);
        if (!*in_the_way) return {};
        if (sys::monotonic_ns() > deadline)
            return fail(Code::conflict, **in_the_way + "; end that first; no more was deleted");
        if (auto shared = engine.share_roots(); !shared) return shared;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

Status empty_root(const std::string& path) {
    auto fd = open_marked(path);
    if (!fd) return fail(fd);
    auto names = sys::list_names(fd->get());
    if (!names) return fail(names);
    for (const std::string& name : *names) {
        if (name == paths::kMarker) continue;
        if (auto removed = files::remove_tree(fd->get(), name); !removed) return fail(removed, path);
    }
    return {};
}

} // namespace

Result<std::vector<std::string>> reset_plan(Engine& engine) {
    if (auto fit = check_roots(engine.roots()); !fit) return fail(fit);
    auto containers = list(engine);
    if (!containers) return fail(containers);
    std::size_t live = 0;
    for (const Summary& summary : *containers)
        if (summary.record && summary.record->is_live()) ++live;
    return std::vector<std::string>{
        fmt::format("all containers: {}, of which {} run and are killed", containers->size(), live),
        "all images, volumes with their data, logs and records",
        fmt::format("everything below {} and {}", engine.roots().root, engine.roots().run_root)};
}

Status reset(Engine& engine) {
    if (auto fit = check_roots(engine.roots()); !fit) return fit;
    if (auto alone = be_alone(engine); !alone) return alone;
    // What dies with the boot last: until then the locks of what is there are.
    if (auto emptied = empty_root(engine.roots().root); !emptied) return emptied;
    return empty_root(engine.roots().run_root);
}

} // namespace mydocker::engine
