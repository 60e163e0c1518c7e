// Waiting for a log to grow.
#include "engine/log_watch.hpp"

#include "base/process.hpp"
#include "base/sys.hpp"
#include "engine/baton.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/inotify.h>
#include <unistd.h>
#include <vector>

namespace mydocker::engine {
namespace {

constexpr int kLongestPause_ms = 1000;
// A sink whose data lie somewhere else is asked so often; all of ours have files.
constexpr int kElsewhere_ms = 1000;

bool has_files(const std::string& directory) {
    auto fd = files::open(directory, O_RDONLY | O_DIRECTORY);
    auto entries = fd ? files::list_directory(fd->get(), directory) : fail(fd);
    return entries && !entries->empty();
}

} // namespace

Result<LogWatch> LogWatch::begin(const paths::Roots& roots, const ContainerRecord& record) {
    LogWatch watch(roots, record.id);
    const std::string directory = paths::logs(roots, record.id);
    watch.events_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    constexpr std::uint32_t kWritten = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR;
    if (!watch.events_ || ::inotify_add_watch(watch.events_.get(), directory.c_str(), kWritten) < 0)
        if (errno != ENOENT) return fail_errno(errno, "watch '" + directory + "'");
    if (!record.is_live()) return watch;
    // The lock's file is told of when its holder closes it; with --rm it goes away.
    (void)::inotify_add_watch(watch.events_.get(), paths::baton(roots, record.id).c_str(),
                              IN_CLOSE_WRITE | IN_DELETE_SELF | IN_ATTRIB);
    auto process = process::open_pidfd(record.process);
    if (!process && process.error().code != Code::not_found) return fail(process);
    if (process) watch.process_ = std::move(*process);
    watch.elsewhere_ = !has_files(directory);
    return watch;
}

void LogWatch::forget_events() const {
    std::array<char, 4096> ignored;
    while (::read(events_.get(), ignored.data(), ignored.size()) > 0) {
    }
}

int LogWatch::timeout_ms(std::optional<std::int64_t> until_ns) const {
    std::int64_t limit = -1;
    if (elsewhere_) limit = kElsewhere_ms;
    // close(2) tells of itself before it lets the lock go (see Baton::wait): ever less often.
    if (!process_) limit = pause_ms_;
    if (!until_ns) return static_cast<int>(limit);
    const std::int64_t left = std::max<std::int64_t>(0, (*until_ns - sys::realtime_ns()) / 1'000'000 + 1);
    constexpr std::int64_t kLongest = 1'000'000;
    return static_cast<int>(limit < 0 ? std::min(left, kLongest) : std::min(left, limit));
}

bool LogWatch::has_ended() const {
    return !process_ && !Baton::is_held(roots_, id_);
}

void LogWatch::take_news(bool written, bool ended) {
    if (written) forget_events();
    if (ended) process_.reset();
    pause_ms_ = written ? 1 : std::min(2 * pause_ms_, kLongestPause_ms);
}

Result<LogWatch::News> LogWatch::wait(std::span<LogWatch* const> watches, int reader,
                                      std::optional<std::int64_t> until_ns) {
    // Asked for nothing, a pipe still tells when its reader has gone.
    std::vector<pollfd> fds{pollfd{reader, 0, 0}};
    int timeout = -1;
    for (const LogWatch* watch : watches) {
        fds.push_back({watch->events_.get(), POLLIN, 0});
        fds.push_back({watch->process_.get(), POLLIN, 0});
        const int own = watch->timeout_ms(until_ns);
        if (own >= 0) timeout = timeout < 0 ? own : std::min(own, timeout);
    }
    auto ready = sys::poll(fds, timeout);
    if (!ready) return fail(ready);
    if ((fds[0].revents & (POLLERR | POLLHUP)) != 0) return News::over;
    if (until_ns && sys::realtime_ns() > *until_ns) return News::over;
    for (std::size_t i = 0; i < watches.size(); ++i)
        watches[i]->take_news(fds[1 + 2 * i].revents != 0, fds[2 + 2 * i].revents != 0);
    return News::output;
}

} // namespace mydocker::engine
