// A program on a real terminal.
#include "support/terminal.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <poll.h>
#include <pty.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

} // namespace

Terminal::Terminal(const std::vector<std::string>& words, unsigned short rows, unsigned short columns) {
    std::vector<char*> argv;
    for (const std::string& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const winsize size{rows, columns, 0, 0};
    pid_ = ::forkpty(&master_, nullptr, nullptr, &size);
    if (pid_ < 0) throw std::runtime_error("forkpty");
    if (pid_ == 0) {
        ::execvp(argv.front(), argv.data());
        ::_exit(127);
    }
}

Terminal::~Terminal() {
    if (!reaped_) {
        (void)::kill(pid_, SIGKILL);
        (void)::waitpid(pid_, nullptr, 0);
    }
    hang_up();
}

void Terminal::hang_up() {
    if (master_ >= 0) ::close(master_);
    master_ = -1;
}

void Terminal::type(const std::string& text) const {
    (void)!::write(master_, text.data(), text.size());
}

void Terminal::resize(unsigned short rows, unsigned short columns) const {
    const winsize size{rows, columns, 0, 0};
    (void)::ioctl(master_, TIOCSWINSZ, &size);
}

void Terminal::read_some(int limit_ms) {
    pollfd fd{master_, POLLIN, 0};
    if (::poll(&fd, 1, limit_ms) <= 0) return;
    std::array<char, 4096> buffer;
    const ssize_t count = ::read(master_, buffer.data(), buffer.size());
    if (count > 0) output_.append(buffer.data(), static_cast<std::size_t>(count));
}

bool Terminal::expect(const std::string& text, int limit_ms) {
    const std::int64_t deadline = now_ms() + limit_ms;
    for (;;) {
        const auto at = output_.find(text, seen_);
        if (at != std::string::npos) {
            seen_ = at + text.size();
            return true;
        }
        const std::int64_t left = deadline - now_ms();
        if (left <= 0) return false;
        read_some(static_cast<int>(std::min<std::int64_t>(left, 50)));
    }
}

int Terminal::wait(int limit_ms) {
    const std::int64_t deadline = now_ms() + limit_ms;
    while (now_ms() < deadline) {
        read_some(10);
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) continue;
        reaped_ = true;
        read_some(0);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return -1;
}

bool Terminal::is_cooked() const {
    termios settings{};
    return ::tcgetattr(master_, &settings) == 0 && (settings.c_lflag & (ECHO | ICANON)) == (ECHO | ICANON);
}

} // namespace mydocker::test
