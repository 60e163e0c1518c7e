// The baton. Source: fcntl(2), open file description locks.
#include "engine/baton.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

namespace mydocker::engine {
namespace {

// Its run directory is emptied when the baton is given up: that of no id would be the run root.
Status check_id(const ContainerId& id) {
    if (paths::is_id(id.str())) return {};
    return fail(Code::invalid, "'" + id.str() + "' is no container's id");
}

// Whether the locked file is still the one at its path: a finished owner may have unlinked it between
// our open and our lock.
bool is_current(int fd, const std::string& path) {
    const auto held = sys::fstat(fd);
    const auto there = sys::fstatat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
    return held && there && held->st_ino == there->st_ino && held->st_dev == there->st_dev;
}

// The lock file, made with its directory if need be.
Result<UniqueFd> open_lock(const paths::Roots& roots, const ContainerId& id) {
    const std::string path = paths::baton(roots, id);
    for (;;) {
        // The run directory may be taken away by a finishing owner at any time: then it is made again.
        if (auto made = sys::mkdirat(AT_FDCWD, paths::run_directory(roots, id), 0700);
            !made && made.error().sys_errno != EEXIST)
            return fail(made, "take the baton of '" + paths::short_id(id) + "'");
        auto fd = sys::openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        if (fd || fd.error().sys_errno != ENOENT) return fd;
    }
}

// One try. Nothing: somebody holds it. `stale` is set when the file must be opened anew.
Result<bool> try_once(int fd, const std::string& path, bool& stale) {
    auto locked = sys::try_lock(fd);
    if (!locked) return fail(locked, "lock '" + path + "'");
    stale = !is_current(fd, path);
    return *locked && !stale;
}

constexpr int kShortWaits = 25;
constexpr int kShortWait_ms = 1;

// When waiting ends, if it does.
class Deadline {
  public:
    explicit Deadline(std::optional<std::chrono::milliseconds> limit) {
        if (limit) at_ns_ = sys::monotonic_ns() + std::chrono::nanoseconds(*limit).count();
    }
    [[nodiscard]] bool has_passed() const { return at_ns_ && left_ms() <= 0; }
    // As poll(2) takes it: until then, or for `most_ms` if that is less; negative: for ever.
    [[nodiscard]] int timeout_ms(int most_ms) const {
        if (!at_ns_) return most_ms;
        // The clock goes on since it was asked whether it has passed.
        const int left = static_cast<int>(std::clamp<std::int64_t>(left_ms(), 0, kLongest));
        return most_ms < 0 ? left : std::min(left, most_ms);
    }

  private:
    static constexpr std::int64_t kLongest = 1'000'000;
    [[nodiscard]] std::int64_t left_ms() const { return (*at_ns_ - sys::monotonic_ns()) / 1'000'000; }

    std::optional<std::int64_t> at_ns_;
};

// Most are free, or will be in a moment: an owner that records an end takes some 10 ms. To close a watch
// takes as long, since the kernel waits for its readers (fsnotify_put_mark_wait). So this comes first, for a
// moment. None: somebody holds it still.
Result<UniqueFd> take_soon(const paths::Roots& roots, const ContainerId& id, const Deadline& deadline) {
    const std::string path = paths::baton(roots, id);
    auto lock = open_lock(roots, id);
    for (int i = 0; i < kShortWaits; ++i) {
        if (!lock) return fail(lock);
        bool stale = false;
        auto taken = try_once(lock->get(), path, stale);
        if (!taken) return fail(taken);
        if (*taken) return lock;
        if (deadline.has_passed()) break;
        if (stale)
            lock = open_lock(roots, id);
        else
            (void)sys::poll({}, kShortWait_ms);
    }
    return UniqueFd();
}

// Waits for one lock file. False: it is stale. Errors: timeout.
Result<bool> wait_for_file(int fd, const std::string& path, int events, const Deadline& deadline) {
    constexpr int kLongestPause = 1000;
    int pause_ms = -1;
    for (;;) {
        bool stale = false;
        auto taken = try_once(fd, path, stale);
        if (!taken || *taken || stale) return taken;
        if (deadline.has_passed()) return fail(Code::timeout, "lock '" + path + "'");
        std::array<pollfd, 1> wait{pollfd{events, POLLIN, 0}};
        auto ready = sys::poll(wait, deadline.timeout_ms(pause_ms));
        if (!ready) return fail(ready);
        // close(2) tells of itself before it lets the lock go (__fput: fsnotify_close, and only then
        // locks_remove_file), and nothing tells of that: after an event we look again, ever less often.
        if (*ready > 0)
            pause_ms = 1;
        else if (pause_ms > 0)
            pause_ms = std::min(2 * pause_ms, kLongestPause);
        std::array<char, 4096> ignored;
        (void)!::read(events, ignored.data(), ignored.size()); // What happened does not matter.
    }
}

} // namespace

Result<Baton> Baton::take(const paths::Roots& roots, const ContainerId& id) {
    if (auto sane = check_id(id); !sane) return fail(sane);
    const std::string path = paths::baton(roots, id);
    for (;;) {
        auto lock = open_lock(roots, id);
        if (!lock) return fail(lock);
        bool stale = false;
        auto taken = try_once(lock->get(), path, stale);
        if (!taken) return fail(taken);
        if (*taken) return Baton(std::move(*lock));
        if (!stale)
            return fail(Code::busy, "container '" + paths::short_id(id) + "' is in another process's hands");
    }
}

Result<Baton> Baton::wait(const paths::Roots& roots, const ContainerId& id,
                          std::optional<std::chrono::milliseconds> limit) {
    if (auto sane = check_id(id); !sane) return fail(sane);
    const Deadline deadline(limit);
    auto soon = take_soon(roots, id, deadline);
    if (!soon) return fail(soon);
    if (*soon) return Baton(std::move(*soon));
    const std::string path = paths::baton(roots, id);
    for (;;) {
        auto lock = open_lock(roots, id);
        if (!lock) return fail(lock);
        // The holder's last close is an event on the file: no timer, no polling. Watched before the try, so
        // that nothing is missed between.
        const UniqueFd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        if (!events || ::inotify_add_watch(events.get(), path.c_str(),
                                           IN_CLOSE_WRITE | IN_DELETE_SELF | IN_ATTRIB) < 0) {
            if (errno == ENOENT) continue;
            return fail_errno(errno, "watch '" + path + "'");
        }
        auto taken = wait_for_file(lock->get(), path, events.get(), deadline);
        if (!taken && taken.error().code == Code::timeout)
            return fail(Code::timeout,
                        "container '" + paths::short_id(id) + "' is still in another process's hands");
        if (!taken) return fail(taken);
        if (*taken) return Baton(std::move(*lock));
    }
}

bool Baton::is_held(const paths::Roots& roots, const ContainerId& id) {
    // To close what could be written is an event for whoever watches it (IN_CLOSE_WRITE), us among them.
    const UniqueFd fd(::open(paths::baton(roots, id).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return false;
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd.get(), F_OFD_GETLK, &lock) != 0) return true; // Unknown: leave it alone.
    return lock.l_type != F_UNLCK;
}

Status Baton::finish(const paths::Roots& roots, const ContainerId& id) {
    // The lock file goes last: until then nobody else may think the container unowned.
    const std::string directory = paths::run_directory(roots, id);
    auto fd = files::open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd) {
        fd_.reset();
        if (fd.error().sys_errno == ENOENT) return {};
        return fail(fd);
    }
    auto entries = files::list_directory(fd->get(), directory);
    if (!entries) return fail(entries);
    for (const files::DirectoryEntry& entry : *entries) {
        if (entry.name == "lock") continue;
        if (auto removed = files::remove_tree(fd->get(), entry.name); !removed) return removed;
    }
    if (::unlinkat(fd->get(), "lock", 0) != 0 && errno != ENOENT)
        return fail_errno(errno, "remove '" + directory + "/lock'");
    // Somebody may wait for the lock and make a new one in the same directory: then it stays.
    if (::rmdir(directory.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY)
        return fail_errno(errno, "remove '" + directory + "'");
    fd_.reset();
    return {};
}

} // namespace mydocker::engine
