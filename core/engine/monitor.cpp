// The monitor's work: the start of the container, then one loop over its output, its client and its end.
#include "engine/monitor.hpp"

#include "base/sys.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

// One piece of output: what a packet to the client holds.
constexpr std::size_t kChunk = kMaxPayload;

bool is_dead(const Status& sent) {
    return !sent && sent.error().code != Code::busy;
}

} // namespace

Monitor::Monitor(MonitorPlan plan, std::unique_ptr<LogSink> sink, std::unique_ptr<LogSink::Stream> stream)
    : plan_(std::move(plan)),
      sink_(std::move(sink)),
      stream_(std::move(stream)) {
    copier_.emplace(*sink_, *stream_);
}

Status Monitor::prepare(runtime::LaunchInput& input) {
    input.init_path = plan_.init_path;
    int next = kFirstExtraFd;
    for (std::uint32_t i = 0; i < plan_.cgroup_fds; ++i, ++next) {
        if (plan_.cgroup_by_directory) {
            input.cgroup_directory = next;
        } else {
            input.cgroup_joins.push_back(next);
        }
    }
    for (const runtime::NamespaceKind kind : plan_.joined)
        input.joined.push_back({kind, next++});
    if (plan_.terminal) return {};

    outputs_[0] = {.fd = {}, .source = LogSource::out, .kind = MessageKind::output};
    outputs_[1] = {.fd = {}, .source = LogSource::err, .kind = MessageKind::error_output};
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        auto pipe = sys::pipe();
        if (!pipe) return fail(pipe, "output pipe");
        if (auto set = sys::set_nonblocking(pipe->read.get(), true); !set) return set;
        outputs_[i].fd = std::move(pipe->read);
        inner_[i + 1] = std::move(pipe->write);
    }
    if (plan_.interactive) {
        auto pipe = sys::pipe();
        if (!pipe) return fail(pipe, "input pipe");
        if (auto set = sys::set_nonblocking(pipe->write.get(), true); !set) return set;
        input_ = std::move(pipe->write);
        inner_[0] = std::move(pipe->read);
    } else {
        auto null = sys::openat(AT_FDCWD, "/dev/null", O_RDONLY);
        if (!null) return fail(null);
        inner_[0] = std::move(*null);
    }
    for (std::size_t i = 0; i < inner_.size(); ++i)
        input.standard[i] = inner_[i].get();
    return {};
}

// Waits for init's next word; a starter that goes away meanwhile ends the start.
Result<runtime::InitMessage> Monitor::await_init(runtime::Launch& launch) {
    for (;;) {
        std::array<pollfd, 2> fds{pollfd{launch.channel(), POLLIN, 0}, pollfd{session_.get(), POLLRDHUP, 0}};
        auto ready = sys::poll(fds, -1);
        if (!ready) return fail(ready);
        if (fds[0].revents != 0) return launch.receive();
        if (fds[1].revents != 0)
            return fail(Code::cancelled, "the command line that asked for the start is gone");
    }
}

Status Monitor::await_go() {
    auto message = receive(session_.get());
    if (!message) return fail(Code::cancelled, "the command line that asked for the start is gone");
    if (message->kind != MessageKind::go) return fail(Code::internal, "unexpected message instead of 'go'");
    return {};
}

namespace {

// Why the command did not run. What is wrong with the command itself is said as it is; of our own work
// also the step.
Error named(runtime::InitFailure failure) {
    if (failure.exit_code == 125 && !failure.stage.empty())
        failure.error.text = failure.stage + ": " + failure.error.text;
    return std::move(failure.error);
}

} // namespace

Result<void> Monitor::start(FailedReport& failure) {
    auto fail_with = [&](const Error& error, int exit_code) {
        failure = {error, exit_code};
        return std::unexpected<Error>(error);
    };
    auto plan = runtime::decode(plan_.launch_plan);
    if (!plan) return fail_with(plan.error(), 125);
    runtime::LaunchInput input;
    if (auto prepared = prepare(input); !prepared) return fail_with(prepared.error(), 125);
    auto launch = runtime::Launch::begin(*plan, input);
    if (!launch) return fail_with(launch.error(), 125);

    auto message = await_init(*launch);
    if (!message) return fail_with(message.error(), 125);
    if (message->kind == runtime::InitMessage::Kind::failed)
        return fail_with(named(message->failure), message->failure.exit_code);
    if (plan_.terminal) adopt_terminal(std::move(message->terminal));

    auto identity = process::identify(launch->pid());
    if (!identity) return fail_with(identity.error(), 125);
    if (auto sent = send(session_.get(), MessageKind::ready, encode(ReadyReport{*identity})); !sent)
        return fail_with({Code::cancelled, 0, "the command line that asked for the start is gone"}, 125);
    if (auto go = await_go(); !go) return fail_with(go.error(), 125);
    // From here on the start is kept, whoever dies: recovery looks for this mark.
    if (auto mark = sys::openat(AT_FDCWD, plan_.run_directory + "/go", O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
        !mark)
        return fail_with(mark.error(), 125);
    if (auto gone = launch->go(); !gone) return fail_with(gone.error(), 125);

    message = launch->receive();
    if (!message || message->kind == runtime::InitMessage::Kind::failed) {
        (void)::unlink((plan_.run_directory + "/go").c_str()); // It did not run after all.
        if (!message) return fail_with(message.error(), 125);
        return fail_with(named(message->failure), message->failure.exit_code);
    }
    child_ = launch->release();
    inner_ = {};
    (void)send(session_.get(), MessageKind::started); // A starter that died meanwhile is noticed below.
    if (!plan_.foreground) session_.reset();
    return {};
}

void Monitor::adopt_terminal(UniqueFd terminal) {
    (void)sys::set_nonblocking(terminal.get(), true); // It would only make the loop wait.
    if (auto copy = sys::dup(terminal.get())) input_ = std::move(*copy);
    outputs_[0] = {.fd = std::move(terminal), .source = LogSource::out, .kind = MessageKind::output};
}

ExitReport Monitor::serve() {
    if (session_) (void)sys::set_nonblocking(session_.get(), true);
    while (!exited_)
        poll_once(child_.pidfd.get());
    ExitReport report;
    if (auto status = process::reap(child_.pidfd.get())) report.status = *status;
    report.finished_ns = sys::realtime_ns();
    // The processes of the container died with its first one: what they wrote is in the pipes now.
    for (Output& output : outputs_)
        drain(output);
    copier_->finish(LogSource::out);
    copier_->finish(LogSource::err);
    report.log_dropped = copier_->counters().dropped;
    return report;
}

void Monitor::settle() {
    while (session_ && pending_)
        poll_once(-1);
    (void)sink_->flush(*stream_); // Nobody is left to tell; the records are counted.
    copier_.reset();
    (void)sink_->close(std::move(stream_));
    if (session_) (void)sys::set_nonblocking(session_.get(), false);
}

void Monitor::poll_once(int pidfd) {
    // While the client has not taken a piece, no further output is read: a slow reader slows the
    // container, as a pipe would.
    const short reading = pending_ ? short{0} : short{POLLIN};
    const short client = static_cast<short>(POLLIN | (pending_ ? POLLOUT : 0));
    std::array<pollfd, 5> fds{
        pollfd{pidfd, POLLIN, 0},
        pollfd{session_.get(), client, 0},
        pollfd{reading != 0 ? outputs_[0].fd.get() : -1, reading, 0},
        pollfd{reading != 0 ? outputs_[1].fd.get() : -1, reading, 0},
        pollfd{pending_input_.empty() ? -1 : input_.get(), POLLOUT, 0},
    };
    if (!sys::poll(fds, -1)) return;
    for (std::size_t i = 0; i < outputs_.size(); ++i)
        if (fds[i + 2].revents != 0) read_output(outputs_[i]);
    if (fds[4].revents != 0) write_input();
    if ((fds[1].revents & POLLOUT) != 0) flush_pending();
    if ((fds[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && session_) read_session();
    if (fds[0].revents != 0) exited_ = true;
}

void Monitor::read_output(Output& output) {
    std::array<char, kChunk> buffer;
    auto count = sys::read(output.fd.get(), buffer);
    if (!count && count.error().sys_errno == EAGAIN) return;
    // A terminal whose last user is gone says EIO.
    if (!count || *count == 0) return output.fd.reset();
    const std::string_view bytes(buffer.data(), *count);
    copier_->feed(output.source, bytes, sys::realtime_ns());
    forward(output.kind, bytes);
}

// After the end: all that is there now. A client that reads slowly is waited for.
void Monitor::drain(Output& output) {
    while (output.fd) {
        while (session_ && pending_)
            poll_once(-1);
        std::array<pollfd, 1> now{pollfd{output.fd.get(), POLLIN, 0}};
        auto ready = sys::poll(now, 0);
        if (!ready || *ready == 0) return;
        read_output(output);
    }
}

void Monitor::forward(MessageKind kind, std::string_view bytes) {
    if (!session_) return;
    auto sent = send(session_.get(), kind, bytes);
    if (sent) return;
    if (is_dead(sent)) return drop_client();
    pending_.emplace(Message{kind, std::string(bytes), {}});
}

void Monitor::flush_pending() {
    if (!session_ || !pending_) return;
    auto sent = send(session_.get(), pending_->kind, pending_->payload);
    if (is_dead(sent)) return drop_client();
    if (sent) pending_.reset();
}

void Monitor::drop_client() {
    session_.reset();
    pending_.reset();
    // The pipe's only writer is gone; a terminal waits for somebody to attach.
    if (!plan_.terminal) {
        input_ends_ = true;
        if (pending_input_.empty()) input_.reset();
    }
}

void Monitor::read_session() {
    auto message = receive(session_.get());
    if (!message && message.error().code == Code::busy) return;
    if (!message) return drop_client();
    handle(*message);
}

void Monitor::handle(const Message& message) {
    switch (message.kind) {
    case MessageKind::input:
        pending_input_ += message.payload;
        return write_input();
    case MessageKind::input_end:
        input_ends_ = true;
        if (pending_input_.empty() && !plan_.terminal) input_.reset();
        return;
    case MessageKind::resize:
        if (auto size = decode_window(message.payload); size && plan_.terminal) {
            const winsize window{size->rows, size->columns, 0, 0};
            (void)::ioctl(outputs_[0].fd.get(), TIOCSWINSZ, &window); // A terminal that is gone has no size.
        }
        return;
    case MessageKind::output_closed:
        for (Output& output : outputs_)
            if (!message.payload.empty() && !plan_.terminal &&
                static_cast<char>(output.kind) == message.payload.front())
                output.fd.reset();
        return;
    case MessageKind::signal:
        if (!message.payload.empty()) // The process may be gone already: its exit is on the way.
            (void)sys::pidfd_send_signal(child_.pidfd.get(),
                                         static_cast<unsigned char>(message.payload.front()));
        return;
    default:
        return; // Not for us; a client cannot harm the container by it.
    }
}

void Monitor::write_input() {
    while (input_ && !pending_input_.empty()) {
        auto count = sys::write(input_.get(), pending_input_);
        if (!count && count.error().sys_errno == EAGAIN) return;
        if (!count) input_.reset(); // The container has closed its end: the rest is nobody's.
        if (count) pending_input_.erase(0, *count);
    }
    pending_input_.clear();
    if (input_ends_ && !plan_.terminal) input_.reset();
    if (session_ && is_dead(send(session_.get(), MessageKind::input_taken))) drop_client();
}

} // namespace mydocker::engine
