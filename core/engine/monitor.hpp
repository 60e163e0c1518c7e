// The monitor of one running container: parent of its first process, owner of its output pipes or
// terminal and of its exit status. Runs in a process of its own (monitor_main.cpp), in one thread, and
// waits in one poll(2). No JSON, no iostream.
#pragma once

#include "base/process.hpp"
#include "engine/copier.hpp"
#include "engine/monitor_birth.hpp"
#include "engine/monitor_clients.hpp"
#include "engine/monitor_health.hpp"
#include "engine/monitor_plan.hpp"
#include "engine/session.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/support/files.hpp"
#include "runtime/launch.hpp"

#include <array>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <vector>

namespace mydocker::engine {

class Monitor {
  public:
    // `cgroup`: what came with the plan after the baton.
    Monitor(Newborn newborn, MonitorPlan plan, std::vector<UniqueFd> cgroup, std::unique_ptr<LogSink> sink,
            std::unique_ptr<LogSink::Stream> stream);

    // Makes the container and lets it run once the starter says so. Errors: why it did not run; init is
    // gone then. Code::cancelled: the starter is gone.
    [[nodiscard]] Result<void> start(FailedReport& failure);

    // Serves the container to its end.
    [[nodiscard]] ExitReport serve();

    // The starter, if it still waits; -1: nobody does.
    [[nodiscard]] int session() const { return session_ ? session_.get() : clients_.starter(); }

    // After serve(): closes the log, which may take a second, and counts what it did not hand on.
    void close_log(ExitReport& report);

    // Waits until the clients have taken what they are owed. Guests are told of the end.
    void settle(const ExitReport& report);

  private:
    // A source of output, and the message kind it becomes.
    struct Output {
        UniqueFd fd;
        LogSource source = LogSource::out;
        MessageKind kind = MessageKind::output;
    };

    [[nodiscard]] Status begin();
    [[nodiscard]] Status listen();
    [[nodiscard]] Result<runtime::InitMessage> await_init();
    [[nodiscard]] Status await_go();
    void adopt_terminal(UniqueFd terminal);
    void serve_starter();

    void poll_once(int pidfd);
    void add_clients_to_poll();
    [[nodiscard]] int timeout_ms() const;
    void flush_log(std::int64_t now_ns);
    void answer_watch(short events, int pidfd);
    std::size_t read_output(Output& output); // returns how many bytes
    void drain(Output& output);
    void throw_away(UniqueFd& kept);

    void let_in();
    void serve_clients(std::size_t first);
    void read_client(Client& client);
    void handle(Client& client, Message message);
    void take_input(Client& client, const std::string& bytes);
    void write_input();
    void end_input();

    std::optional<Newborn> newborn_; // until the container runs
    MonitorPlan plan_;
    bool terminal_ = false;
    bool interactive_ = false;
    std::vector<UniqueFd> cgroup_; // likewise
    std::unique_ptr<LogSink> sink_;
    std::unique_ptr<LogSink::Stream> stream_;
    std::optional<Copier> copier_;
    std::int64_t flushed_ns_ = 0; // when the log was asked to flush last
    process::Child child_;
    UniqueFd watch_;               // asks about a SIGKILL of the first process to itself
    UniqueFd session_{kSessionFd}; // the starter, until the container runs
    UniqueFd listener_;
    Clients clients_;
    HealthWatch health_;
    std::vector<UniqueFd> kept_; // terminals of commands that were left alone
    std::array<Output, 2> outputs_;
    UniqueFd input_;             // the container's standard input, or a copy of the terminal
    std::string pending_input_;  // taken from clients, not yet by the container
    bool input_ends_ = false;    // close the input when pending_input_ is written
    std::vector<pollfd> polled_; // of one poll_once()
    bool exited_ = false;
};

} // namespace mydocker::engine
