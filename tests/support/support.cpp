// Helpers for tests.
#include "support/support.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <ranges>
#include <regex>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

// What is mounted below a directory, deepest last, as mountinfo has it.
std::vector<std::string> mounts_below(const std::string& directory) {
    std::ifstream info("/proc/self/mountinfo");
    std::vector<std::string> found;
    for (std::string line; std::getline(info, line);) {
        std::size_t at = 0;
        for (int field = 0; field < 4; ++field)
            at = line.find(' ', at) + 1;
        const std::string target = line.substr(at, line.find(' ', at) - at);
        if (target.starts_with(directory + "/") || target == directory) found.push_back(target);
    }
    return found;
}

bool has_word(const std::string& path, const std::string& word) {
    std::ifstream file(path);
    for (std::string text; file >> text;)
        if (text == word) return true;
    return false;
}

// Listed only once its module is loaded; to ask for a mount of it loads it.
bool has_filesystem(const char* type) {
    const UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC)); // Loads the module, too.
    return context || has_word("/proc/filesystems", type);
}

bool has_v1_controller() {
    std::ifstream info("/proc/self/mountinfo");
    for (std::string line; std::getline(info, line);)
        if (line.find(" - cgroup ") != std::string::npos && line.find("memory") != std::string::npos)
            return true;
    return false;
}

bool has_v2_controllers() {
    for (const char* root :
         {"/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/unified/cgroup.controllers"})
        if (has_word(root, "memory") && has_word(root, "pids")) return true;
    return false;
}

// One end of a pipe for the child, the other for us.
struct Stream {
    int ours = -1;
    int theirs = -1;
};

Stream make_stream(bool to_child) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    return to_child ? Stream{ends[1], ends[0]} : Stream{ends[0], ends[1]};
}

// write(2) to a reader that may be gone, without the signal: ignoring that would be inherited by programs.
ssize_t write_quietly(int fd, const char* bytes, std::size_t count) {
    sigset_t pipe_signal;
    ::sigemptyset(&pipe_signal);
    ::sigaddset(&pipe_signal, SIGPIPE);
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    const ssize_t written = ::write(fd, bytes, count);
    const int error = errno;
    const timespec at_once{};
    if (written < 0 && error == EPIPE) ::sigtimedwait(&pipe_signal, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = error;
    return written;
}

// Until both streams have ended; false where that is not by the deadline.
bool pump(const std::string& input, Stream& in, Stream& out, Stream& err, Outcome& outcome,
          std::chrono::steady_clock::time_point deadline) {
    std::size_t written = 0;
    bool in_time = true;
    (void)::fcntl(in.ours, F_SETFL, O_NONBLOCK);
    while (out.ours >= 0 || err.ours >= 0) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        in_time = left.count() > 0;
        if (!in_time) break;
        if (in.ours >= 0 && written == input.size()) {
            ::close(in.ours);
            in.ours = -1;
        }
        std::array<pollfd, 3> fds{pollfd{in.ours, POLLOUT, 0}, pollfd{out.ours, POLLIN, 0},
                                  pollfd{err.ours, POLLIN, 0}};
        if (::poll(fds.data(), fds.size(), static_cast<int>(left.count())) <= 0) continue;
        if (fds[0].revents != 0) {
            const ssize_t count = write_quietly(in.ours, input.data() + written, input.size() - written);
            written = count < 0 && errno != EAGAIN
                          ? input.size()
                          : written + static_cast<std::size_t>(std::max<ssize_t>(count, 0));
        }
        for (Stream* stream : {&out, &err}) {
            const auto& polled = stream == &out ? fds[1] : fds[2];
            if (polled.revents == 0) continue;
            std::array<char, 65536> buffer;
            const ssize_t count = ::read(stream->ours, buffer.data(), buffer.size());
            if (count > 0) {
                (stream == &out ? outcome.out : outcome.err)
                    .append(buffer.data(), static_cast<std::size_t>(count));
            } else {
                ::close(stream->ours);
                stream->ours = -1;
            }
        }
    }
    for (const Stream* stream : {&in, &out, &err})
        if (stream->ours >= 0) ::close(stream->ours);
    return in_time;
}

} // namespace

TempDir::TempDir() : TempDir(std::filesystem::temp_directory_path().string()) {}

TempDir::TempDir(const std::string& parent) : path_(parent + "/mydocker-test.XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr)
        throw std::runtime_error("mkdtemp " + path_ + ": " + std::strerror(errno));
}

TempDir::~TempDir() {
    const auto mounts = mounts_below(path_);
    for (const std::string& target : std::views::reverse(mounts))
        (void)::umount2(target.c_str(), MNT_DETACH);
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::optional<std::string> missing(Need need) {
    switch (need) {
    case Need::root:
        if (::geteuid() != 0) return "needs root";
        return std::nullopt;
    case Need::overlayfs:
        if (!has_filesystem("overlay")) return "needs overlayfs in the kernel";
        return std::nullopt;
    case Need::aufs:
        if (!has_filesystem("aufs")) return "needs aufs in the kernel";
        return std::nullopt;
    case Need::cgroup_v1:
        if (!has_v1_controller()) return "needs cgroup v1 controllers";
        return std::nullopt;
    case Need::cgroup_v2:
        if (!has_v2_controllers()) return "needs the memory and pids controllers on cgroup v2";
        return std::nullopt;
    case Need::user_namespaces:
        if (!std::filesystem::exists("/proc/self/ns/user")) return "needs user namespaces";
        return std::nullopt;
    case Need::kvm_free_qemu:
        if (::access("/usr/bin/qemu-system-x86_64", X_OK) != 0) return "needs qemu-system-x86_64";
        return std::nullopt;
    }
    return "unknown need";
}

Outcome run(const Command& command) {
    Stream in = make_stream(true);
    Stream out = make_stream(false);
    Stream err = make_stream(false);
    std::vector<char*> argv;
    for (const std::string& word : command.words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    std::vector<char*> envp;
    for (char** variable = environ; *variable != nullptr; ++variable)
        envp.push_back(*variable);
    for (const std::string& variable : command.environment)
        envp.push_back(const_cast<char*>(variable.c_str()));
    envp.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.theirs, 0);
    posix_spawn_file_actions_adddup2(&actions, out.theirs, 1);
    posix_spawn_file_actions_adddup2(&actions, err.theirs, 2);
    if (!command.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());
    pid_t pid = -1;
    const int error = ::posix_spawnp(&pid, argv.front(), &actions, nullptr, argv.data(), envp.data());
    posix_spawn_file_actions_destroy(&actions);
    for (const int fd : {in.theirs, out.theirs, err.theirs})
        ::close(fd);
    Outcome outcome;
    if (error != 0) outcome.err = std::strerror(error);
    const bool in_time =
        pump(command.input, in, out, err, outcome, std::chrono::steady_clock::now() + command.limit);
    if (error != 0) return outcome;
    if (!in_time) {
        (void)::kill(pid, SIGKILL);
        outcome.err += "stopped by the test after " + std::to_string(command.limit.count()) + " s\n";
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    outcome.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return outcome;
}

std::string content_of(const std::string& path) {
    const std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf(); // A file of /proc may fail while it is read: so far it is read.
    return content.str();
}

void write_text(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

bool matches(const std::string& text, const std::string& pattern) {
    return std::regex_search(text, std::regex(pattern));
}

std::string stat_field(pid_t pid, int number) {
    const std::string stat = content_of("/proc/" + std::to_string(pid) + "/stat");
    const auto paren = stat.rfind(')'); // The name, field 2, may have blanks and parentheses in it.
    if (paren == std::string::npos) return {};
    std::istringstream fields(stat.substr(paren + 1));
    std::string field;
    for (int at = 3; at <= number && fields >> field; ++at) {
    }
    return fields ? field : std::string();
}

pid_t parent_of(pid_t pid) {
    constexpr int kParent = 4;
    return std::atoi(stat_field(pid, kParent).c_str());
}

int repeats(int count) {
    const char* given = std::getenv("MYDOCKER_TEST_DIVISOR");
    constexpr int kSanitizersCost = 10; // It makes each take so much longer.
    const int divisor =
        (given != nullptr ? std::max(1, std::atoi(given)) : 1) * (is_sanitized() ? kSanitizersCost : 1);
    return std::max(std::min(count, 10), count / divisor);
}

Outcome run(const std::vector<std::string>& words) {
    return run(Command{.words = words, .input = {}, .environment = {}, .directory = {}});
}

} // namespace mydocker::test
