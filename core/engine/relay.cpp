// The relay: one poll(2) over the session, standard input and signals.
#include "engine/relay.hpp"

#include "base/sys.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

// All that a user or a service manager sends; SIGCHLD, SIGTSTP and the like stay the terminal's affair.
constexpr std::array kPassedOn{SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                               SIGUSR2, SIGALRM, SIGCONT, SIGWINCH};

class Relay {
  public:
    Relay(const RelaySetup& setup, int signals)
        : setup_(setup),
          signals_(signals),
          input_open_(setup.interactive) {}

    Result<RelayEnd> serve() {
        if (setup_.terminal) send_window();
        while (!end_) {
            // Input is read only when the monitor has taken the last piece: nothing queues up before a
            // signal.
            const bool reading = input_open_ && !awaiting_;
            std::array<pollfd, 3> fds{pollfd{setup_.session, POLLIN, 0}, pollfd{signals_, POLLIN, 0},
                                      pollfd{reading ? STDIN_FILENO : -1, POLLIN, 0}};
            if (auto ready = sys::poll(fds, -1); !ready) return fail(ready);
            if (fds[1].revents != 0) pass_signal();
            if (fds[2].revents != 0) read_input();
            if (fds[0].revents != 0)
                if (auto taken = take_message(); !taken) return fail(taken);
        }
        return std::move(*end_);
    }

  private:
    // A session that is gone is noticed when reading from it.
    void tell(MessageKind kind, std::string_view payload = {}) { (void)send(setup_.session, kind, payload); }

    void send_window() {
        if (auto size = window_size(STDIN_FILENO)) tell(MessageKind::resize, encode(*size));
    }

    void pass_signal() {
        signalfd_siginfo info{};
        if (::read(signals_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
        if (info.ssi_signo == SIGWINCH) return setup_.terminal ? send_window() : void();
        const char number = static_cast<char>(info.ssi_signo);
        tell(MessageKind::signal, std::string_view(&number, 1));
    }

    void read_input() {
        std::array<char, kMaxPayload> buffer;
        auto count = sys::read(STDIN_FILENO, buffer);
        if (!count && count.error().sys_errno == EAGAIN) return;
        if (!count || *count == 0) {
            input_open_ = false;
            return tell(MessageKind::input_end);
        }
        awaiting_ = true;
        tell(MessageKind::input, std::string_view(buffer.data(), *count));
    }

    // A reader that has gone is passed on to the container, as a pipe would.
    void write_output(int fd, bool& open, const Message& message) {
        if (!open) return;
        if (auto written = sys::write_all(fd, message.payload); written) return;
        open = false;
        const char kind = static_cast<char>(message.kind);
        tell(MessageKind::output_closed, std::string_view(&kind, 1));
    }

    Status take_message() {
        auto message = receive(setup_.session);
        if (!message && message.error().code == Code::not_found) {
            end_.emplace();
            return {};
        }
        if (!message) return fail(message);
        switch (message->kind) {
        case MessageKind::output:
            write_output(STDOUT_FILENO, out_open_, *message);
            return {};
        case MessageKind::error_output:
            write_output(STDERR_FILENO, err_open_, *message);
            return {};
        case MessageKind::input_taken:
            awaiting_ = false;
            return {};
        case MessageKind::exited:
            return take_end(std::move(*message));
        default:
            return fail(Code::internal, "unexpected message from mydocker-monitor");
        }
    }

    Status take_end(Message message) {
        auto report = decode_exit(message.payload);
        if (!report) return fail(report);
        end_.emplace();
        end_->report = *report;
        if (!message.fds.empty()) end_->baton = Baton::adopt(std::move(message.fds.front()));
        return {};
    }

    const RelaySetup& setup_;
    int signals_;
    bool input_open_;
    bool awaiting_ = false;
    bool out_open_ = true;
    bool err_open_ = true;
    std::optional<RelayEnd> end_;
};

} // namespace

Result<RawTerminal> RawTerminal::enter(int fd) {
    termios before{};
    if (::tcgetattr(fd, &before) != 0) return fail_errno(errno, "read the terminal's settings");
    termios raw = before;
    ::cfmakeraw(&raw);
    if (::tcsetattr(fd, TCSANOW, &raw) != 0) return fail_errno(errno, "put the terminal into raw mode");
    return RawTerminal(fd, before);
}

RawTerminal::RawTerminal(RawTerminal&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      before_(other.before_) {}

RawTerminal::~RawTerminal() {
    if (fd_ >= 0) (void)::tcsetattr(fd_, TCSADRAIN, &before_); // A terminal that is gone needs no settings.
}

Result<UniqueFd> hold_signals() {
    (void)std::signal(SIGPIPE, SIG_IGN); // A reader that is gone is an error of write(2) here.
    return sys::signalfd(kPassedOn);
}

std::optional<WindowSize> window_size(int fd) {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return std::nullopt;
    return WindowSize{size.ws_row, size.ws_col};
}

Result<RelayEnd> relay(const RelaySetup& setup, int signals) {
    std::optional<RawTerminal> raw;
    if (setup.terminal && ::isatty(STDIN_FILENO) == 1) {
        auto entered = RawTerminal::enter(STDIN_FILENO);
        if (!entered) return fail(entered);
        raw.emplace(std::move(*entered));
    }
    return Relay(setup, signals).serve();
}

} // namespace mydocker::engine
