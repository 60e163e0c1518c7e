#include "store_lock.hpp"

#include "state/common/process_words.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace mydocker::json_state {
namespace {

constexpr const char* kLock = "lock";

// Sets or frees the lock; 0 or the errno value.
[[nodiscard]] int set_lock(int fd, short type) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    for (;;) {
        if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
        if (errno != EINTR) return errno;
    }
}

[[nodiscard]] bool is_taken(int error) {
    return error == EAGAIN || error == EACCES; // fcntl(2) allows both
}

// Whether the descriptor, an entry of /proc/PID/fd, is the lock's file and holds the lock.
[[nodiscard]] bool holds_lock(const std::string& process, const std::string& fd, const struct stat& lock) {
    struct stat status{};
    if (::stat((process + "/fd/" + fd).c_str(), &status) != 0) return false;
    if (status.st_dev != lock.st_dev || status.st_ino != lock.st_ino) return false;
    const auto info = files::read_file(process + "/fdinfo/" + fd, 1U << 16U);
    return info && info->find("\nlock:") != std::string::npos;
}

// Who holds the lock. The kernel tells no pid for this kind of lock, but each descriptor's fdinfo shows
// the locks of its description; that also costs those nothing who get the lock at once.
[[nodiscard]] std::optional<std::string> find_holder(const struct stat& lock) {
    const UniqueFd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!proc) return std::nullopt;
    const auto processes = files::list_directory(proc.get(), "/proc");
    if (!processes) return std::nullopt;
    for (const auto& [pid, type] : *processes) {
        if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
        const std::string process = "/proc/" + pid;
        const UniqueFd directory(::open((process + "/fd").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!directory) continue; // It ended, or is not ours to look into.
        const auto descriptors = files::list_directory(directory.get(), process);
        if (!descriptors) continue;
        for (const auto& descriptor : *descriptors)
            if (holds_lock(process, descriptor.name, lock)) return pid;
    }
    return std::nullopt;
}

[[nodiscard]] std::unexpected<Error> locked_by(int fd, const std::string& path) {
    struct stat lock{};
    const auto pid = ::fstat(fd, &lock) == 0 ? find_holder(lock) : std::nullopt;
    if (!pid) return fail(Code::timeout, path + " is locked by a process that cannot be seen from here");
    return fail(Code::timeout,
                path + " is locked by pid " + *pid + " (" + state::describe_process(*pid) + ")");
}

} // namespace

StoreLock::Guard::~Guard() {
    if (fd_ >= 0) (void)set_lock(fd_, F_UNLCK); // Cannot fail for a lock that is held.
}

Status StoreLock::open(const RecordFiles& files) {
    if (file_) return {};
    constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    file_.reset(::openat(files.directory(), kLock, kFlags, 0600));
    if (!file_) return fail_errno(errno, "open " + files.path_of(kLock));
    return {};
}

Result<StoreLock::Guard> StoreLock::acquire(const RecordFiles& files, const Host& host,
                                            std::chrono::nanoseconds patience) {
    if (auto opened = open(files); !opened) return fail(opened);
    int error = set_lock(file_.get(), F_WRLCK);
    if (error == 0) return Guard(file_.get());

    // There is no lock call with a deadline that needs no signal handler, so the lock is asked for again
    // and again. It is held for tens of microseconds, unless its holder is stopped.
    constexpr std::chrono::microseconds kLongestPause{5000};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::chrono::microseconds pause{20};
    while (is_taken(error)) {
        if (host.cancelled()) return fail(Code::cancelled, "wait for " + files.path_of(kLock));
        if (std::chrono::steady_clock::now() >= deadline) return locked_by(file_.get(), files.path_of(kLock));
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, kLongestPause);
        error = set_lock(file_.get(), F_WRLCK);
        if (error == 0) return Guard(file_.get());
    }
    return fail_errno(error, "lock " + files.path_of(kLock));
}

// A size and no text: it is never half written, needs no parsing and no block of a full disk, and as
// metadata it reaches the disk in order with the names that it numbers.
Result<std::uint64_t> StoreLock::count() const {
    struct stat status{};
    if (::fstat(file_.get(), &status) != 0) return fail_errno(errno, "stat the lock");
    if (!S_ISREG(status.st_mode)) return fail(Code::corrupt, "the lock is not a regular file");
    if (status.st_nlink == 0) return fail(Code::conflict, "the lock was removed by somebody else");
    return static_cast<std::uint64_t>(status.st_size);
}

Status StoreLock::set_count(std::uint64_t count, files::Sync sync) const {
    if (::ftruncate(file_.get(), static_cast<off_t>(count)) != 0)
        return fail_errno(errno, "count the reservation in the lock");
    if (sync == files::Sync::data && ::fsync(file_.get()) != 0) return fail_errno(errno, "fsync the lock");
    return {};
}

} // namespace mydocker::json_state
