#include "spawn.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace mydocker::fuse_overlayfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// It has to open its layers, which may lie on a slow disk, and no more.
constexpr milliseconds kLongestStart{30'000};
constexpr std::size_t kLongestWords = 4096;
constexpr int kFirstFd = 3;

// A copy out of the way of the numbers that descriptors get in the child.
[[nodiscard]] Result<UniqueFd> lift(int fd, std::size_t count) {
    UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFd + static_cast<int>(count)));
    if (!copy) return fail_errno(errno, "copy a descriptor");
    return copy;
}

class Actions {
  public:
    Actions() { (void)::posix_spawn_file_actions_init(&actions_); } // It only sets members, in glibc.
    Actions(const Actions&) = delete;
    Actions& operator=(const Actions&) = delete;
    ~Actions() { (void)::posix_spawn_file_actions_destroy(&actions_); } // Frees memory.

    void enter(int directory) { note(::posix_spawn_file_actions_addfchdir_np(&actions_, directory)); }
    void place(int fd, int target) { note(::posix_spawn_file_actions_adddup2(&actions_, fd, target)); }
    void close_from(int fd) { note(::posix_spawn_file_actions_addclosefrom_np(&actions_, fd)); }

    // 0, or the errno value of what could not be noted down.
    [[nodiscard]] int error() const { return error_; }
    [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

  private:
    void note(int error) {
        if (error_ == 0) error_ = error;
    }

    posix_spawn_file_actions_t actions_{};
    int error_ = 0;
};

class Attributes {
  public:
    Attributes() {
        (void)::posix_spawnattr_init(&attributes_); // These only set members, in glibc.
        sigset_t signals;
        (void)::sigemptyset(&signals);
        (void)::posix_spawnattr_setsigmask(&attributes_, &signals);
        (void)::sigfillset(&signals);
        (void)::posix_spawnattr_setsigdefault(&attributes_, &signals);
        (void)::posix_spawnattr_setflags(&attributes_,
                                         POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    ~Attributes() { (void)::posix_spawnattr_destroy(&attributes_); } // Does nothing, in glibc.

    [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

  private:
    posix_spawnattr_t attributes_{};
};

// Descriptors that are copied at most once, all above those of the child.
class Given {
  public:
    [[nodiscard]] Status add(Actions& actions, int fd, int target, std::size_t count) {
        auto copy = lift(fd, count);
        if (!copy) return fail(copy);
        actions.place(copy->get(), target);
        copies_.push_back(std::move(*copy));
        return {};
    }

  private:
    std::vector<UniqueFd> copies_;
};

[[nodiscard]] Result<pid_t> spawn(const SpawnRequest& request, int errors) {
    const auto null = files::open("/dev/null", O_RDWR);
    if (!null) return fail(null);
    Actions actions;
    Given given;
    const std::size_t count = request.fds.size();
    actions.enter(request.directory);
    std::vector<std::pair<int, int>> places{{null->get(), 0}, {null->get(), 1}, {errors, 2}};
    int end = kFirstFd;
    for (const int fd : request.fds)
        if (fd >= 0) places.emplace_back(fd, end++);
    for (const auto& [fd, target] : places)
        if (auto added = given.add(actions, fd, target, count); !added) return fail(added);
    actions.close_from(end);
    if (actions.error() != 0) return fail_errno(actions.error(), "start '" + request.program + "'");

    const Attributes attributes;
    std::vector<std::string> words = request.words;
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    char* none = nullptr; // No environment.
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, request.program.c_str(), actions.get(), attributes.get(), argv.data(), &none);
    if (error != 0) return fail_errno(error, "start '" + request.program + "'");
    return pid;
}

enum class End : std::uint8_t { good, bad, unknown };

[[nodiscard]] End reap(int pidfd) {
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) != 0)
        if (errno != EINTR) return End::unknown; // Where SIGCHLD is ignored nobody is told.
    return info.si_code == CLD_EXITED && info.si_status == 0 ? End::good : End::bad;
}

// Of one that cannot be waited for in the usual way.
[[nodiscard]] std::unexpected<Error> abandon(pid_t pid, Error error) {
    (void)::kill(pid, SIGKILL); // The number is its own until it has been waited for.
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return std::unexpected<Error>(std::move(error));
}

// Waits until it has ended. Errors: timeout, cancelled.
[[nodiscard]] Status await(int pidfd, const std::string& program, const Host& host) {
    const auto deadline = steady_clock::now() + kLongestStart;
    for (;;) {
        const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
        if (left <= milliseconds::zero()) return fail(Code::timeout, "wait for '" + program + "' to start");
        pollfd ended{.fd = pidfd, .events = POLLIN, .revents = 0};
        if (::poll(&ended, 1, static_cast<int>(left.count())) > 0) return {};
        if (host.cancelled()) return fail(Code::cancelled, "wait for '" + program + "' to start");
    }
}

// What it said last, on one line: of the program's own, so shown without what a terminal would act upon.
[[nodiscard]] std::string last_words(int errors) {
    std::array<char, kLongestWords> buffer{};
    std::string text;
    (void)::fcntl(errors, F_SETFL, O_NONBLOCK); // Who holds the other end has nothing to say any more.
    for (ssize_t size = 0; (size = ::read(errors, buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(size));
        if (text.size() > kLongestWords) text.erase(0, text.size() - kLongestWords);
    }
    text.erase(text.find_last_not_of('\n') + 1);
    text.erase(0, text.rfind('\n') + 1);
    std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return text;
}

[[nodiscard]] std::unexpected<Error> gave_up(const std::string& program, int errors) {
    const std::string words = last_words(errors);
    return fail(Code::invalid,
                "'" + program + "' gave up" + (words.empty() ? " without a word" : ", saying: " + words));
}

} // namespace

Status run_to_end(const SpawnRequest& request, const Host& host) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "make a pipe");
    const UniqueFd errors(ends[0]);
    UniqueFd inner(ends[1]);
    const auto pid = spawn(request, inner.get());
    if (!pid) return fail(pid);
    inner.reset();
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
    if (!pidfd && errno == ESRCH) return {}; // Ended, with SIGCHLD ignored.
    if (!pidfd) return abandon(*pid, fail_errno(errno, "wait for '" + request.program + "'").error());
    auto ended = await(pidfd.get(), request.program, host);
    if (!ended) (void)::kill(*pid, SIGKILL); // The number is its own until it has been waited for.
    if (reap(pidfd.get()) == End::bad && ended) return gave_up(request.program, errors.get());
    return ended;
}

} // namespace mydocker::fuse_overlayfs
