// One poll(2) over the process, its streams and our signals.
#include "engine/exec_relay.hpp"

#include "base/sys.hpp"
#include "engine/detach_keys.hpp"
#include "engine/flow.hpp"
#include "engine/relay.hpp"

#include <algorithm>
#include <csignal>
#include <optional>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

class ExecRelay {
  public:
    ExecRelay(int pidfd, ExecStreams streams, int signals)
        : pidfd_(pidfd),
          signals_(signals),
          keys_(streams.terminal ? streams.detach_keys : std::string()) {
        if (streams.terminal)
            take_terminal(std::move(streams));
        else
            take_pipes(std::move(streams));
    }

    Result<ExecEnd> serve() {
        pass_window(); // It may have changed since the start.
        while (!status_ || !is_drained()) {
            const int timeout = timeout_ms();
            std::array<pollfd, 5> fds{pollfd{status_ ? -1 : pidfd_, POLLIN, 0}, pollfd{signals_, POLLIN, 0}};
            std::ranges::transform(flows_, fds.begin() + 2, &Flow::wanted);
            auto ready = sys::poll(fds, timeout);
            if (!ready) return fail(ready);
            if (timeout == 0 && *ready == 0) break;
            if (timeout > 0 && *ready == 0) flows_[kInput].push(keys_.release());
            if (fds[1].revents != 0 && !pass_signal()) break;
            for (std::size_t i = 0; i < flows_.size(); ++i)
                if (fds[i + 2].revents != 0) flows_[i].proceed();
            if (keys_.has_found()) return leave();
            if (fds[0].revents != 0)
                if (auto reaped = take_status(); !reaped) return fail(reaped);
        }
        for (const std::size_t i : {0U, 1U})
            if (const auto& failure = flows_[kOutput + i].failure())
                return fail(*failure, i == 0 ? "standard output" : "standard error");
        return ExecEnd{*status_, UniqueFd()};
    }

  private:
    static constexpr std::size_t kInput = 0;
    static constexpr std::size_t kOutput = 1;

    // After the end only what is there already is of interest.
    [[nodiscard]] int timeout_ms() const {
        if (status_) return is_writing() ? -1 : 0;
        return keys_.is_holding() && !flows_[kInput].is_writing() ? static_cast<int>(kDetachPause.count())
                                                                  : -1;
    }

    // The command goes on without us.
    [[nodiscard]] Result<ExecEnd> leave() const {
        auto copy = sys::dup(terminal_);
        if (!copy) return fail(copy);
        return ExecEnd{{}, std::move(*copy)};
    }

    void take_terminal(ExecStreams streams) {
        terminal_ = streams.terminal.get();
        // Whoever types faster than the command reads must not make us wait.
        (void)sys::set_nonblocking(terminal_, true);
        if (streams.interactive) {
            flows_[kInput] = Flow(STDIN_FILENO, terminal_, UniqueFd(), Flow::kWhole);
            flows_[kInput].set_filter([this](std::string_view typed) { return keys_.feed(typed); });
        }
        flows_[kOutput] = Flow(terminal_, STDOUT_FILENO, std::move(streams.terminal), Flow::kPiece);
    }

    void take_pipes(ExecStreams streams) {
        if (streams.input) {
            const int fd = streams.input.get();
            flows_[kInput] = Flow(STDIN_FILENO, fd, std::move(streams.input), Flow::kWhole);
        }
        for (const std::size_t i : {0U, 1U}) {
            const int fd = streams.outputs[i].get();
            const int ours = i == 0 ? STDOUT_FILENO : STDERR_FILENO;
            flows_[kOutput + i] = Flow(fd, ours, std::move(streams.outputs[i]), Flow::kPiece);
        }
    }

    [[nodiscard]] bool is_writing() const { return std::ranges::any_of(flows_, &Flow::is_writing); }
    [[nodiscard]] bool is_drained() const { return std::ranges::all_of(flows_, &Flow::has_ended); }

    Status take_status() {
        auto status = process::reap(pidfd_);
        if (!status) return fail(status);
        status_ = *status;
        flows_[kInput].end();
        return {};
    }

    void pass_window() const {
        if (terminal_ < 0 || flows_[kOutput].has_ended()) return;
        if (auto size = window_size(STDIN_FILENO)) // A terminal that is gone has no size.
            (void)sys::set_window_size(terminal_, winsize{size->rows, size->columns, 0, 0});
    }

    // False: there is nobody to pass it to, so it means us.
    bool pass_signal() const {
        signalfd_siginfo info{};
        if (::read(signals_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return true;
        if (info.ssi_signo == SIGWINCH) {
            pass_window();
            return true;
        }
        if (status_) return info.ssi_signo == SIGCONT;
        (void)sys::pidfd_send_signal(pidfd_, static_cast<int>(info.ssi_signo)); // It may have ended.
        return true;
    }

    int pidfd_;
    int signals_;
    int terminal_ = -1;
    DetachWatch keys_;
    std::array<Flow, 3> flows_; // input, output, error output
    std::optional<process::ExitStatus> status_;
};

} // namespace

Result<ExecEnd> relay_exec(int pidfd, ExecStreams streams, int signals) {
    std::optional<RawTerminal> raw;
    if (streams.terminal && ::isatty(STDIN_FILENO) == 1) {
        auto entered = RawTerminal::enter(STDIN_FILENO, streams.interactive ? RawTerminal::Typing::passed_on
                                                                            : RawTerminal::Typing::ours);
        if (!entered) return fail(entered);
        raw.emplace(std::move(*entered));
    }
    return ExecRelay(pidfd, std::move(streams), signals).serve();
}

} // namespace mydocker::engine
