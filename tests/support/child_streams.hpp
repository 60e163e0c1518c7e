// The standard streams of a child that is forked and not pumped: memory files, which are never full, or a
// terminal. For faultline.
#pragma once

#include "mydocker/support/files.hpp"
#include "support/support.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <pty.h>
#include <stdexcept>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace mydocker::test {

// The result of a system call that does not fail here.
template <class T>
T must(T result, const char* what) {
    if (result < 0) throw std::runtime_error(std::string("faultline: ") + what + ": " + std::strerror(errno));
    return result;
}

enum class Terminals { no, yes };

class Streams {
  public:
    Streams(const std::string& input, Terminals terminals) {
        if (terminals == Terminals::yes) {
            const winsize size{24, 80, 0, 0};
            int master = -1;
            int slave = -1;
            must(::openpty(&master, &slave, nullptr, nullptr, &size), "openpty");
            master_.reset(master);
            in_.reset(slave);
            must(::fcntl(master, F_SETFL, O_NONBLOCK), "fcntl");
            for (const int end : {master, slave})
                must(::fcntl(end, F_SETFD, FD_CLOEXEC), "fcntl");
            (void)!::write(master, input.data(), input.size());
            return;
        }
        in_ = memory(input);
        out_ = memory({});
        err_ = memory({});
    }

    // In the child, which may only make system calls.
    void take_place() const {
        if (master_) {
            ::setsid();
            ::ioctl(in_.get(), TIOCSCTTY, 0);
        }
        ::dup2(in_.get(), STDIN_FILENO);
        ::dup2(out_ ? out_.get() : in_.get(), STDOUT_FILENO);
        ::dup2(err_ ? err_.get() : in_.get(), STDERR_FILENO);
    }

    // The child has its own: the terminal hangs up when that one is gone.
    void leave_to_child() {
        if (master_) in_.reset();
    }

    // A terminal that nobody reads from would stop its writer.
    void read_terminal(Outcome& outcome) const {
        if (!master_) return;
        std::array<char, 4096> buffer;
        for (ssize_t count = 0; (count = ::read(master_.get(), buffer.data(), buffer.size())) > 0;)
            outcome.out.append(buffer.data(), static_cast<std::size_t>(count));
    }

    void read_files(Outcome& outcome) const {
        if (master_) return read_terminal(outcome);
        outcome.out = content(out_.get());
        outcome.err = content(err_.get());
    }

  private:
    static UniqueFd memory(const std::string& content) {
        UniqueFd fd(must(::memfd_create("faultline", MFD_CLOEXEC), "memfd_create"));
        (void)!::pwrite(fd.get(), content.data(), content.size(), 0);
        return fd;
    }
    static std::string content(int fd) {
        std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
        (void)!::pread(fd, text.data(), text.size(), 0);
        return text;
    }

    UniqueFd master_;
    UniqueFd in_;
    UniqueFd out_;
    UniqueFd err_;
};

} // namespace mydocker::test
