// The relay: one poll(2) over the session, standard input and signals.
#include "engine/relay.hpp"

#include "base/sys.hpp"
#include "engine/detach_keys.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mydocker::engine {
namespace {

// Not passed on: what cannot be caught, what the engine's own work or a fault of its own raises, what is the
// terminal's affair, and the two that glibc keeps for its threads (nptl(7)).
constexpr int kNotPassedOn[] = {SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGURG,  SIGSEGV, SIGBUS, SIGFPE,
                                SIGILL,  SIGTRAP, SIGSYS,  SIGTSTP, SIGTTIN, SIGTTOU, 32,     33};

std::vector<int> passed_on() {
    std::vector<int> all;
    for (int signal = 1; signal <= SIGRTMAX; ++signal)
        if (std::ranges::find(kNotPassedOn, signal) == std::end(kNotPassedOn)) all.push_back(signal);
    return all;
}

// Those that mean the end of whoever gets them.
constexpr std::array kEnding{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

class Relay {
  public:
    Relay(const RelaySetup& setup, int signals)
        : setup_(setup),
          signals_(signals),
          input_open_(setup.how.input),
          out_open_(setup.how.output),
          err_open_(setup.how.error_output),
          keys_(setup.terminal ? setup.how.detach_keys : std::string()) {}

    Result<RelayEnd> serve() {
        if (setup_.terminal) setup_.starter ? send_window() : redraw();
        while (!end_) {
            // Input is read only when the monitor has taken the last piece: nothing queues up before a
            // signal.
            const bool reading = input_open_ && !awaiting_;
            const int timeout = reading && keys_.is_holding() ? static_cast<int>(kDetachPause.count()) : -1;
            std::array<pollfd, 3> fds{pollfd{setup_.session, POLLIN, 0}, pollfd{signals_, POLLIN, 0},
                                      pollfd{reading ? STDIN_FILENO : -1, POLLIN, 0}};
            auto ready = sys::poll(fds, timeout);
            if (!ready) return fail(ready);
            if (*ready == 0 && timeout >= 0) send_input(keys_.release());
            if (fds[1].revents != 0) take_signal();
            if (fds[2].revents != 0) read_input();
            if (fds[0].revents != 0 && !end_)
                if (auto taken = take_message(); !taken) return fail(taken);
            if (untold_ && !end_) return fail(*untold_, "tell the container's monitor");
        }
        end_->missed = missed_;
        end_->unwritten = std::move(unwritten_);
        return std::move(*end_);
    }

  private:
    // A session that is gone is noticed when reading from it. What there is no memory for would be missing in
    // the container's input: an error.
    void tell(MessageKind kind, std::string_view payload = {}) {
        if (auto sent = send(setup_.session, kind, payload); !sent && can_be_tried_again(sent.error()))
            untold_ = sent.error();
    }

    void send_window() {
        if (auto size = window_size(STDIN_FILENO)) tell(MessageKind::resize, encode(*size));
    }

    // A program draws again what a guest has not seen when its window changes; a shell its prompt.
    void redraw() {
        auto size = window_size(STDIN_FILENO);
        if (!size) return;
        WindowSize other = *size;
        ++other.rows;
        tell(MessageKind::resize, encode(other));
        tell(MessageKind::resize, encode(*size));
    }

    void part(Parting why, int signal = 0) {
        end_.emplace();
        end_->parting = why;
        end_->signal = signal;
    }

    void take_signal() {
        signalfd_siginfo info{};
        if (::read(signals_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
        const int signal = static_cast<int>(info.ssi_signo);
        if (signal == SIGWINCH) return setup_.terminal ? send_window() : void();
        // The window is closed: as with the keys to part, the container goes on.
        if (signal == SIGHUP && setup_.terminal && ::isatty(STDIN_FILENO) == 0)
            return part(Parting::signal, signal);
        if (!setup_.how.sig_proxy) return signal == SIGCONT ? void() : part(Parting::signal, signal);
        const char number = static_cast<char>(signal);
        tell(MessageKind::signal, std::string_view(&number, 1));
    }

    void read_input() {
        // Room for what was held back.
        std::array<char, kMaxPayload - 64> buffer;
        auto count = sys::read(STDIN_FILENO, buffer);
        if (!count && count.error().sys_errno == EAGAIN) return;
        if (!count || *count == 0) {
            input_open_ = false;
            return tell(MessageKind::input_end);
        }
        const std::string passed = keys_.feed({buffer.data(), *count});
        send_input(passed);
        if (keys_.has_found()) part(Parting::keys);
    }

    void send_input(std::string_view bytes) {
        if (bytes.empty()) return;
        awaiting_ = true;
        tell(MessageKind::input, bytes);
    }

    // A reader that has gone is passed on to the container, as a pipe would; a guest just goes.
    void write_output(int fd, bool& open, const Message& message) {
        if (!open) return;
        auto written = sys::write_all(fd, message.payload);
        if (written) return;
        open = false;
        if (written.error().sys_errno != EPIPE && !unwritten_)
            unwritten_ = fail(written, fd == STDOUT_FILENO ? "standard output" : "standard error").error();
        if (!setup_.starter) return part(Parting::reader_gone);
        const char kind = static_cast<char>(message.kind);
        tell(MessageKind::output_closed, std::string_view(&kind, 1));
    }

    Status take_missed(const Message& message) {
        auto missed = decode_missed(message.payload);
        if (!missed) return fail(missed);
        missed_ += *missed;
        return {};
    }

    Status take_message() {
        auto message = receive(setup_.session);
        if (!message && message.error().code == Code::not_found) {
            end_.emplace();
            return {};
        }
        if (!message && can_be_tried_again(message.error())) return {};
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
        case MessageKind::missed:
            return take_missed(*message);
        case MessageKind::failed:
            return refused(*message);
        case MessageKind::exited:
            return take_end(std::move(*message));
        default:
            return fail(Code::internal, "unexpected message from mydocker-monitor");
        }
    }

    static Status refused(const Message& message) {
        auto report = decode_failed(message.payload);
        if (!report) return fail(report);
        return std::unexpected<Error>(report->error);
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
    bool out_open_; // else it is passed over; the log has it
    bool err_open_;
    DetachWatch keys_;
    std::uint64_t missed_ = 0;
    std::optional<Error> unwritten_;
    std::optional<Error> untold_;
    std::optional<RelayEnd> end_;
};

} // namespace

Result<RawTerminal> RawTerminal::enter(int fd, Typing typing) {
    termios before{};
    if (::tcgetattr(fd, &before) != 0) return fail_errno(errno, "read the terminal's settings");
    termios raw = before;
    if (typing == Typing::passed_on)
        ::cfmakeraw(&raw);
    else
        raw.c_oflag &= ~static_cast<tcflag_t>(OPOST); // Lines come ended as a terminal wants them.
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
    return sys::signalfd(passed_on());
}

Result<UniqueFd> watch_interrupts() {
    return sys::signalfd(kEnding);
}

std::optional<WindowSize> window_size(int fd) {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return std::nullopt;
    return WindowSize{size.ws_row, size.ws_col};
}

Result<RelayEnd> relay(const RelaySetup& setup, int signals) {
    std::optional<RawTerminal> raw;
    if (setup.terminal && ::isatty(STDIN_FILENO) == 1) {
        auto entered = RawTerminal::enter(STDIN_FILENO, setup.how.input ? RawTerminal::Typing::passed_on
                                                                        : RawTerminal::Typing::ours);
        if (!entered) return fail(entered);
        raw.emplace(std::move(*entered));
    }
    return Relay(setup, signals).serve();
}

} // namespace mydocker::engine
