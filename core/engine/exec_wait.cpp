// exec and pause at one time: whoever is frozen says nothing more.
#include "engine/exec_wait.hpp"

#include "base/paths.hpp"
#include "base/sys.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <sys/inotify.h>
#include <unistd.h>

namespace mydocker::engine {
namespace {

// Nearly every word has come by then, and to close a watch costs as much as an exec (baton.cpp).
constexpr int kUsually_ms = 200;

Result<bool> is_word_there(const runtime::Launch& launch, int events, int limit_ms) {
    std::array<pollfd, 2> fds{pollfd{launch.channel(), POLLIN, 0}, pollfd{events, POLLIN, 0}};
    auto ready = sys::poll(fds, limit_ms);
    if (!ready) return fail(ready);
    return fds[0].revents != 0;
}

// Who pauses a container writes its note, and lets go of it once the record says so (pause.cpp).
Result<UniqueFd> watch_notes(const std::string& directory) {
    UniqueFd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!events || ::inotify_add_watch(events.get(), directory.c_str(), IN_CLOSE_WRITE) < 0)
        return fail_errno(errno, "watch '" + directory + "'");
    return events;
}

// There are only so many watches (inotify(7), max_user_instances), and there may be hundreds of us.
bool is_one_too_many(const Error& error) {
    return error.sys_errno == EMFILE || error.sys_errno == ENOSPC || error.sys_errno == ENOMEM;
}

// One that is frozen may die only when it is thawed (cgroup v1): its parent does not wait for it.
void give_up_process(runtime::Launch& launch) {
    const process::Child child = launch.release();
    (void)sys::pidfd_send_signal(child.pidfd.get(), SIGKILL); // It may have ended.
}

} // namespace

Status await_word(Engine& engine, const ContainerRecord& record, runtime::Launch& launch) {
    auto there = is_word_there(launch, -1, kUsually_ms);
    if (!there) return fail(there);
    if (*there) return {};
    auto events = watch_notes(paths::run_directory(engine.roots(), record.id));
    // Without its run directory it has ended, and init with it.
    if (!events && events.error().code == Code::not_found) return {};
    if (!events && !is_one_too_many(events.error())) return fail(events);
    for (;;) {
        auto now = engine.load(record.id);
        there = is_word_there(launch, -1, 0);
        if (!there) return fail(there);
        if (*there) return {};
        if (now && now->record.state == State::paused) {
            give_up_process(launch);
            return fail(Code::conflict,
                        "container '" + record.name.str() +
                            "' was paused before the command was executed; 'mydocker unpause' "
                            "lets it run on");
        }
        there = events ? is_word_there(launch, events->get(), -1) : is_word_there(launch, -1, kUsually_ms);
        if (!there) return fail(there);
        if (*there) return {};
        std::array<char, 4096> ignored;
        if (events) (void)sys::read(events->get(), ignored); // What it was, the next look says.
    }
}

} // namespace mydocker::engine
