// The monitor of one running container: parent of its first process, owner of its output pipes or
// terminal and of its exit status. Runs in a process of its own (monitor_main.cpp), in one thread, and
// waits in one poll(2). No JSON, no iostream.
#pragma once

#include "base/process.hpp"
#include "engine/copier.hpp"
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
    Monitor(MonitorPlan plan, std::unique_ptr<LogSink> sink, std::unique_ptr<LogSink::Stream> stream);

    // Makes the container and lets it run once the starter says so. Errors: why it did not run; init is
    // gone then. Code::cancelled: the starter is gone.
    [[nodiscard]] Result<void> start(FailedReport& failure);

    // Serves the container to its end.
    [[nodiscard]] ExitReport serve();

    // The starter, if it still waits; -1: nobody does.
    [[nodiscard]] int session() const { return session_.get(); }

    // Waits until the client has taken what is pending; then closes the log.
    void settle();

  private:
    // A source of output, and the message kind it becomes.
    struct Output {
        UniqueFd fd;
        LogSource source = LogSource::out;
        MessageKind kind = MessageKind::output;
    };

    [[nodiscard]] Status prepare(runtime::LaunchInput& input);
    [[nodiscard]] Result<runtime::InitMessage> await_init(runtime::Launch& launch);
    [[nodiscard]] Status await_go();
    void adopt_terminal(UniqueFd terminal);
    void drop_client();

    void read_output(Output& output);
    void drain(Output& output);
    void forward(MessageKind kind, std::string_view bytes);
    void flush_pending();
    void read_session();
    void handle(const Message& message);
    void write_input();
    void poll_once(int pidfd);

    MonitorPlan plan_;
    std::unique_ptr<LogSink> sink_;
    std::unique_ptr<LogSink::Stream> stream_;
    std::optional<Copier> copier_;
    process::Child child_;
    UniqueFd session_{kSessionFd};
    std::array<Output, 2> outputs_;
    UniqueFd input_;                 // the container's standard input, or a copy of the terminal
    std::array<UniqueFd, 3> inner_;  // the container's ends until it has started
    std::string pending_input_;      // taken from the client, not yet by the container
    bool input_ends_ = false;        // close the input when pending_input_ is written
    std::optional<Message> pending_; // for the client, whose socket is full
    bool exited_ = false;
};

} // namespace mydocker::engine
