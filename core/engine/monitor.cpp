// The monitor's work: the start of the container, then one loop over its output, its client and its end.
#include "engine/monitor.hpp"

#include "base/sys.hpp"
#include "engine/start_mark.hpp"
#include "runtime/launch_watch.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

// One piece of output: what a packet to the client holds.
constexpr std::size_t kChunk = kMaxPayload;

// How long what was written to the log may wait.
constexpr int kFlushAfterMs = 1000;

// The descriptors that are always polled, in this order; then the clients, then what is kept.
enum Polled : std::size_t { kProcess, kSelfKill, kOut, kErr, kInput, kListener, kHealth, kFixed };

// How much can be in a pipe or terminal at once. Source: F_GETPIPE_SZ, fcntl(2); a terminal has 8 KiB, and
// what is being handed on: drivers/tty/pty.c, pty_common_install().
std::size_t capacity_of(int fd) {
    constexpr std::size_t kTerminal = std::size_t{64} << 10U;
    const int size = ::fcntl(fd, F_GETPIPE_SZ);
    return size > 0 ? static_cast<std::size_t>(size) : kTerminal;
}

} // namespace

Monitor::Monitor(Newborn newborn, MonitorPlan plan, std::vector<UniqueFd> cgroup,
                 std::unique_ptr<LogSink> sink, std::unique_ptr<LogSink::Stream> stream)
    : newborn_(std::move(newborn)),
      plan_(std::move(plan)),
      terminal_(newborn_->plan.terminal),
      interactive_(newborn_->plan.interactive),
      cgroup_(std::move(cgroup)),
      sink_(std::move(sink)),
      stream_(std::move(stream)),
      health_(plan_.health, plan_.health_times),
      input_(std::move(newborn_->input)) {
    copier_.emplace(*sink_, *stream_);
    outputs_[0] = {std::move(newborn_->outputs[0]), LogSource::out, MessageKind::output};
    outputs_[1] = {std::move(newborn_->outputs[1]), LogSource::err, MessageKind::error_output};
}

// Open to guests. A socket that an earlier monitor left is taken away first.
Status Monitor::listen() {
    auto directory = files::open(plan_.run_directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return fail(directory);
    auto socket = sys::unix_listen(directory->get(), kAttachSocket);
    if (!socket && socket.error().sys_errno == EADDRINUSE) {
        if (auto gone = sys::unlinkat(directory->get(), kAttachSocket, 0); !gone) return gone;
        socket = sys::unix_listen(directory->get(), kAttachSocket);
    }
    if (!socket) return fail(socket);
    listener_ = std::move(*socket);
    return sys::set_nonblocking(listener_.get(), true);
}

// Waits for init's next word; a starter that goes away meanwhile ends the start.
Result<runtime::InitMessage> Monitor::await_init() {
    for (;;) {
        std::array<pollfd, 2> fds{pollfd{newborn_->launch->channel(), POLLIN, 0},
                                  pollfd{session_.get(), POLLRDHUP, 0}};
        auto ready = sys::poll(fds, -1);
        if (!ready) return fail(ready);
        if (fds[0].revents != 0) return newborn_->launch->receive();
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

// Init goes on, and the starter knows which process it is: the record is written while the mounts are
// made.
Status Monitor::begin() {
    auto plan = runtime::decode(plan_.launch_plan);
    if (!plan) return fail(plan);
    if (cgroup_.size() != plan_.cgroup_fds || (plan_.cgroup_by_directory && cgroup_.size() != 1))
        return fail(Code::internal, "the descriptors are not those of the plan");
    if (auto handed = hand_plan(*newborn_, *plan, plan_.cgroup_by_directory, cgroup_); !handed) return handed;
    auto sent = send(session_.get(), MessageKind::spawned, encode(SpawnedReport{newborn_->process}));
    if (!sent && sent.error().sys_errno == EPIPE)
        return fail(Code::cancelled, "the command line that asked for the start is gone");
    if (!sent) return fail(sent, "tell the command line of the process");
    return newborn_->launch->make_mounts(*plan);
}

Result<void> Monitor::start(FailedReport& failure) {
    auto fail_with = [&](const Error& error, int exit_code) {
        newborn_->launch.reset(); // Init is killed and reaped before anybody hears of it.
        failure = {error, exit_code};
        return std::unexpected<Error>(error);
    };
    if (auto begun = begin(); !begun) return fail_with(begun.error(), 125);
    if (auto open = listen(); !open) return fail_with(open.error(), 125); // While init is at work.
    auto message = await_init();
    if (!message) return fail_with(message.error(), 125);
    if (message->kind == runtime::InitMessage::Kind::failed)
        return fail_with(message->failure.error, message->failure.exit_code);
    if (terminal_) adopt_terminal(std::move(message->terminal));
    if (auto go = await_go(); !go) return fail_with(go.error(), 125);
    // From here on the start is kept, whoever dies: recovery looks for this mark.
    if (auto marked = set_start_mark(kBatonFd, StartMark::let_go); !marked)
        return fail_with(marked.error(), 125);
    if (auto gone = newborn_->launch->go(); !gone) return fail_with(gone.error(), 125);

    message = newborn_->launch->receive();
    if (!message || message->kind == runtime::InitMessage::Kind::failed) {
        (void)set_start_mark(kBatonFd, StartMark::starting); // It did not run after all; the byte is there.
        if (!message) return fail_with(message.error(), 125);
        return fail_with(message->failure.error, message->failure.exit_code);
    }
    watch_ = newborn_->launch->take_watch();
    child_ = newborn_->launch->release();
    const auto& trace = newborn_->trace;
    const std::string spans = trace ? trace::encode(trace->spans(), kMaxPayload) : std::string();
    // A starter that cannot be told must not wait for it; one that died meanwhile is gone anyway.
    if (auto told = send(session_.get(), MessageKind::started, spans); !told) session_.reset();
    newborn_.reset(); // With it init's program, which nobody needs open for a container's life.
    cgroup_.clear();
    // It may live for years, and there may be hundreds: what only the start needed goes back.
    std::string().swap(plan_.launch_plan);
    (void)::malloc_trim(0);
    serve_starter();
    return {};
}

// From here on the starter is a client like others, if it stays.
void Monitor::serve_starter() {
    UniqueFd socket = std::move(session_);
    if (!plan_.foreground) return;
    (void)sys::set_nonblocking(socket.get(), true);
    Client client;
    client.socket = std::move(socket);
    client.starter = true;
    client.sees_output = true;
    client.feeds_input = plan_.feeds;
    clients_.add(std::move(client));
}

void Monitor::adopt_terminal(UniqueFd terminal) {
    (void)sys::set_nonblocking(terminal.get(), true); // It would only make the loop wait.
    if (auto copy = sys::dup(terminal.get())) input_ = std::move(*copy);
    outputs_[0] = {.fd = std::move(terminal), .source = LogSource::out, .kind = MessageKind::output};
}

ExitReport Monitor::serve() {
    health_.begin(sys::monotonic_ns());
    while (!exited_)
        poll_once(child_.pidfd.get());
    health_.end();
    ExitReport report;
    if (auto status = process::reap(child_.pidfd.get())) report.status = *status;
    report.finished_ns = sys::realtime_ns();
    // What the processes of the container wrote is in the pipes now. They died with its first one, or, where
    // they share a pid namespace, are killed when it comes to rest: they are heard no more.
    for (Output& output : outputs_) {
        drain(output);
        output.fd.reset();
    }
    copier_->finish(LogSource::out);
    copier_->finish(LogSource::err);
    report.log_dropped = copier_->counters().dropped;
    return report;
}

// A log server that is slow is waited for, a second at most.
void Monitor::close_log(ExitReport& report) {
    copier_->flush();
    if (!sink_->close(std::move(stream_))) copier_->give_up_unflushed();
    report.log_dropped = copier_->counters().dropped;
    copier_.reset();
}

void Monitor::settle(const ExitReport& report) {
    listener_.reset(); // Who waits there finds it closed, and looks at the record.
    clients_.send_end(report);
    while (clients_.is_owed())
        poll_once(-1);
    if (clients_.starter() >= 0) (void)sys::set_nonblocking(clients_.starter(), false);
}

void Monitor::add_clients_to_poll() {
    for (const Client& client : clients_.all()) {
        const short events = static_cast<short>(POLLIN | (client.is_owed() ? POLLOUT : 0));
        polled_.push_back({client.socket.get(), events, 0});
    }
    for (const UniqueFd& kept : kept_)
        polled_.push_back({kept.get(), POLLIN, 0});
}

int Monitor::timeout_ms() const {
    const std::int64_t now = sys::monotonic_ns();
    const int log = copier_ && copier_->owes_flush() ? kFlushAfterMs : -1;
    int least = -1;
    for (const int each : {clients_.timeout_ms(now), health_.timeout_ms(now), log})
        if (each >= 0) least = least < 0 ? each : std::min(least, each);
    return least;
}

// What waits for a server is handed on also while the container is silent.
void Monitor::flush_log(std::int64_t now_ns) {
    constexpr std::int64_t kNanoseconds = 1'000'000;
    if (!copier_ || !copier_->owes_flush() || now_ns - flushed_ns_ < kFlushAfterMs * kNanoseconds) return;
    copier_->flush();
    flushed_ns_ = now_ns;
}

void Monitor::poll_once(int pidfd) {
    // While a client has not taken a piece, no further output is read (monitor_clients.hpp).
    const bool reading = !clients_.holds_output();
    polled_.assign(kFixed, pollfd{-1, POLLIN, 0});
    polled_[kProcess].fd = pidfd;
    polled_[kSelfKill].fd = pidfd >= 0 ? watch_.get() : -1;
    polled_[kOut].fd = reading ? outputs_[0].fd.get() : -1;
    polled_[kErr].fd = reading ? outputs_[1].fd.get() : -1;
    polled_[kInput] = {pending_input_.empty() ? -1 : input_.get(), POLLOUT, 0};
    polled_[kListener].fd = listener_.get();
    polled_[kHealth].fd = health_.pidfd();
    add_clients_to_poll();
    if (!sys::poll(polled_, timeout_ms())) return;

    for (std::size_t i = 0; i < outputs_.size(); ++i)
        if (polled_[kOut + i].revents != 0) (void)read_output(outputs_[i]);
    if (polled_[kInput].revents != 0) write_input();
    serve_clients(kFixed);
    if (polled_[kListener].revents != 0) let_in();
    health_.proceed(polled_[kHealth].revents != 0, sys::monotonic_ns());
    flush_log(sys::monotonic_ns());
    if (polled_[kSelfKill].revents != 0) answer_watch(polled_[kSelfKill].revents, pidfd);
    if (polled_[kProcess].revents != 0) exited_ = true;
}

// `first`: where they begin among what was polled.
void Monitor::serve_clients(std::size_t first) {
    const std::size_t count = clients_.all().size();
    const std::size_t kept = kept_.size();
    for (std::size_t i = 0; i < count; ++i) {
        Client& client = clients_.all()[i];
        const short events = polled_[first + i].revents;
        if (client.socket && (events & POLLOUT) != 0) clients_.flush(client);
        if (client.socket && (events & (POLLIN | POLLHUP | POLLERR)) != 0) read_client(client);
    }
    for (std::size_t i = 0; i < kept; ++i)
        if (polled_[first + count + i].revents != 0) throw_away(kept_[i]);
    std::erase_if(kept_, [](const UniqueFd& fd) { return !fd; });
    clients_.give_up(sys::monotonic_ns());
    if (clients_.forget_gone() && plan_.input_once) end_input();
}

void Monitor::throw_away(UniqueFd& kept) {
    std::array<char, 4096> buffer;
    auto count = sys::read(kept.get(), buffer);
    if (!count && count.error().sys_errno == EAGAIN) return;
    if (!count || *count == 0) kept.reset();
}

void Monitor::let_in() {
    auto socket = sys::accept(listener_.get());
    if (!socket) return; // It has gone again.
    auto uid = sys::peer_uid(socket->get());
    if (!uid || *uid != ::geteuid()) return;
    (void)sys::set_nonblocking(socket->get(), true);
    if (!clients_.has_room()) {
        const Error error{Code::busy, 0, std::to_string(Clients::kMost) + " command lines are attached"};
        (void)send(socket->get(), MessageKind::failed, encode(FailedReport{error, 1}));
        return;
    }
    Client client;
    client.socket = std::move(*socket);
    clients_.add(std::move(client));
}

void Monitor::answer_watch(short events, int pidfd) {
    if ((events & POLLIN) == 0) return watch_.reset(); // All whom it concerned are gone.
    auto answered = runtime::answer_self_kill(watch_.get(), child_.pid, pidfd);
    const int error = answered ? 0 : answered.error().sys_errno;
    if (error != 0 && error != ENOENT && error != EINTR) watch_.reset(); // It would be asked for ever.
}

std::size_t Monitor::read_output(Output& output) {
    std::array<char, kChunk> buffer;
    auto count = sys::read(output.fd.get(), buffer);
    if (!count && can_be_tried_again(count.error())) return 0;
    // A terminal whose last user is gone says EIO.
    if (!count || *count == 0) {
        output.fd.reset();
        return 0;
    }
    const std::string_view bytes(buffer.data(), *count);
    copier_->feed(output.source, bytes, sys::realtime_ns());
    clients_.send_output(output.kind, bytes);
    return bytes.size();
}

// After the end: all that is there now, and no more: somebody may be left who writes on and on. A client that
// reads slowly is waited for, as before.
void Monitor::drain(Output& output) {
    const std::size_t most = output.fd ? capacity_of(output.fd.get()) : 0;
    for (std::size_t taken = 0; output.fd && taken < most;) {
        while (clients_.holds_output())
            poll_once(-1);
        std::array<pollfd, 1> now{pollfd{output.fd.get(), POLLIN, 0}};
        auto ready = sys::poll(now, 0);
        if (!ready || *ready == 0) return;
        taken += read_output(output);
    }
}

void Monitor::read_client(Client& client) {
    auto message = receive(client.socket.get());
    if (!message && can_be_tried_again(message.error())) return;
    if (!message) return client.socket.reset();
    handle(client, std::move(*message));
}

void Monitor::handle(Client& client, Message message) {
    switch (message.kind) {
    case MessageKind::attach:
        if (auto wishes = decode_attach(message.payload)) {
            client.sees_output = wishes->output;
            client.feeds_input = wishes->input && interactive_;
        }
        return;
    case MessageKind::keep:
        if (message.fds.size() != 1) return;
        (void)sys::set_nonblocking(message.fds.front().get(), true);
        return kept_.push_back(std::move(message.fds.front()));
    case MessageKind::input:
        return take_input(client, message.payload);
    case MessageKind::input_end:
        if (plan_.input_once && client.feeds_input) end_input();
        return;
    case MessageKind::resize:
        if (auto size = decode_window(message.payload); size && terminal_) {
            const winsize window{size->rows, size->columns, 0, 0};
            (void)::ioctl(outputs_[0].fd.get(), TIOCSWINSZ, &window); // A terminal that is gone has no size.
        }
        return;
    case MessageKind::output_closed:
        for (Output& output : outputs_)
            if (client.starter && !message.payload.empty() && !terminal_ &&
                static_cast<char>(output.kind) == message.payload.front())
                output.fd.reset();
        return;
    case MessageKind::signal:
        if (!message.payload.empty() && !exited_) // Its exit may be on the way.
            (void)sys::pidfd_send_signal(child_.pidfd.get(),
                                         static_cast<unsigned char>(message.payload.front()));
        return;
    default:
        return; // Not for us; a client cannot harm the container by it.
    }
}

// Input that nobody can have is taken, too: the client goes on.
void Monitor::take_input(Client& client, const std::string& bytes) {
    client.input_given = true;
    if (client.feeds_input && input_) pending_input_ += bytes;
    write_input();
}

// A terminal waits for somebody to attach.
void Monitor::end_input() {
    if (terminal_) return;
    input_ends_ = true;
    if (pending_input_.empty()) input_.reset();
}

void Monitor::write_input() {
    while (input_ && !pending_input_.empty()) {
        auto count = sys::write(input_.get(), pending_input_);
        if (!count && count.error().sys_errno == EAGAIN) return;
        if (!count) input_.reset(); // The container has closed its end: the rest is nobody's.
        if (count) pending_input_.erase(0, *count);
    }
    pending_input_.clear();
    if (input_ends_) input_.reset();
    clients_.send_input_taken();
}

} // namespace mydocker::engine
