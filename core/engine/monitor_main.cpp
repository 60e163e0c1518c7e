// mydocker-monitor: started by exec, one for each running container, seen in ps as
// `mydocker-monitor ID`. When the container is gone and no command line waits, it becomes `mydocker`,
// which records the end and walks the steps back.
#include "base/sys.hpp"
#include "engine/monitor.hpp"
#include "plugin/crash.hpp"
#include "plugin/plugin_host.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <span>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace std::string_literals;
using mydocker::Code;
using mydocker::Error;
using mydocker::Result;
using mydocker::Status;
using mydocker::UniqueFd;
namespace engine = mydocker::engine;
namespace sys = mydocker::sys;

// A memory file of the starter's, whole.
Result<std::string> read_memory_file(int fd) {
    auto status = sys::fstat(fd);
    if (!status) return mydocker::fail(status);
    std::string bytes(static_cast<std::size_t>(status->st_size), '\0');
    auto count = sys::pread(fd, bytes, 0);
    if (!count) return mydocker::fail(count, "read the monitor's plan");
    if (*count != bytes.size()) return mydocker::fail(Code::corrupt, "the monitor's plan is incomplete");
    return bytes;
}

Result<engine::SinkPlan> read_sink_plan() {
    auto bytes = read_memory_file(engine::kSinkFd);
    ::close(engine::kSinkFd);
    if (!bytes) return mydocker::fail(bytes);
    return engine::decode_sink_plan(*bytes);
}

// The plan of the container, and what came with it.
struct Orders {
    engine::MonitorPlan plan;
    std::vector<UniqueFd> fds;
};

// Waits for the namespaces. Errors: not_found when the starter went instead.
Result<engine::Message> receive_namespaces() {
    auto message = engine::receive(engine::kSessionFd);
    if (message && message->kind != engine::MessageKind::begin)
        return mydocker::fail(Code::internal, "unexpected message instead of 'begin'");
    return message;
}

Result<engine::Newborn> make_newborn(engine::Message message) {
    auto plan = engine::decode_birth_plan(message.payload);
    if (!plan) return mydocker::fail(plan);
    return engine::bear(std::move(*plan), std::move(message.fds));
}

// Waits for the plan; then the baton is ours. Errors: not_found when the starter went instead.
Result<engine::Message> receive_plan() {
    auto message = engine::receive(engine::kSessionFd);
    if (!message) return message;
    if (message->kind != engine::MessageKind::plan || message->fds.size() < 2)
        return mydocker::fail(Code::internal, "unexpected message instead of 'plan'");
    // A fixed number, because the finisher looks for it there.
    if (::dup3(message->fds[1].get(), engine::kBatonFd, O_CLOEXEC) < 0)
        return mydocker::fail_errno(errno, "take the baton");
    return message;
}

Result<Orders> decode_orders(engine::Message message) {
    auto bytes = read_memory_file(message.fds[0].get());
    if (!bytes) return mydocker::fail(bytes);
    auto plan = engine::decode_monitor_plan(*bytes);
    if (!plan) return mydocker::fail(plan);
    Orders orders{std::move(*plan), {}};
    for (std::size_t i = 2; i < message.fds.size(); ++i)
        orders.fds.push_back(std::move(message.fds[i]));
    return orders;
}

// What a terminal or a closing session sends to everybody must not end the container's parent.
constexpr std::array kIgnored{SIGPIPE, SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                              SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};

void ignore_signals() {
    for (const int signal : kIgnored)
        ::signal(signal, SIG_IGN);
}

Result<std::unique_ptr<mydocker::LogSink>> open_sink(engine::SinkPlan plan,
                                                     mydocker::plugin::PluginHost& host) {
    mydocker::plugin::OpenRequest request;
    request.name = std::move(plan.driver);
    request.data_dir = std::move(plan.data_dir);
    request.run_dir = std::move(plan.run_dir);
    request.options = std::move(plan.options);
    return host.open_log(request);
}

// Replaces this process by the command that records the end; the baton goes along.
[[noreturn]] void become_finisher(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    std::array<char*, 1> envp{nullptr};
    (void)sys::set_inheritable(engine::kBatonFd); // Without it the next command recovers; nothing is lost.
    for (const int signal : kIgnored)
        ::signal(signal, SIG_DFL);
    (void)sys::execve(words.front(), argv.data(), envp.data());
    ::_exit(1);
}

// The end is on disk before anybody is told: the code survives whoever is killed next.
void leave_exit_note(const std::string& run_directory, const engine::ExitReport& report) {
    const std::string path = run_directory + "/exit";
    const std::string note = engine::encode(report);
    // What failed for want of a moment's memory succeeds now; without the note the code is lost.
    if (!mydocker::files::write_atomically(path, note)) (void)mydocker::files::write_atomically(path, note);
}

// Tells the waiting starter and hands it the baton; false: nobody waits.
bool hand_over(int session, engine::MessageKind kind, const std::string& payload) {
    const int baton = engine::kBatonFd;
    return session >= 0 && engine::send(session, kind, payload, std::span(&baton, 1)).has_value();
}

int run(engine::Newborn newborn, Orders orders, Result<std::unique_ptr<mydocker::LogSink>> sink) {
    const std::vector<std::string> finish = orders.plan.finish;
    const std::string run_directory = orders.plan.run_directory;
    auto stream = sink ? (*sink)->open(orders.plan.stream) : mydocker::fail(sink);
    if (!stream) {
        newborn.launch.reset(); // Init is gone before anybody hears of it.
        if (hand_over(engine::kSessionFd, engine::MessageKind::failed,
                      engine::encode(engine::FailedReport{stream.error(), 125})))
            return 0;
        become_finisher(finish);
    }
    engine::Monitor monitor(std::move(newborn), std::move(orders.plan), std::move(orders.fds),
                            std::move(*sink), std::move(*stream));
    engine::FailedReport failure;
    if (auto started = monitor.start(failure); !started) {
        if (failure.error.code != Code::cancelled &&
            hand_over(monitor.session(), engine::MessageKind::failed, engine::encode(failure)))
            return 0;
        become_finisher(finish);
    }
    engine::ExitReport report = monitor.serve();
    leave_exit_note(run_directory, report);
    const std::uint64_t dropped = report.log_dropped;
    monitor.close_log(report); // After the note: whoever kills us meanwhile, the code is on disk.
    if (report.log_dropped != dropped) leave_exit_note(run_directory, report);
    monitor.settle(report);
    if (hand_over(monitor.session(), engine::MessageKind::exited, engine::encode(report))) return 0;
    become_finisher(finish);
}

// The starter holds the baton still, or takes it back once we are gone.
int refuse(const Error& error) {
    (void)engine::send(engine::kSessionFd, engine::MessageKind::failed,
                       engine::encode(engine::FailedReport{error, 125}));
    return 1;
}

} // namespace

int main() {
    ignore_signals();
    for (const int fd : {engine::kSinkFd, engine::kSessionFd, engine::kBatonFd})
        (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
    auto sink_plan = read_sink_plan();
    auto session = sys::fstat(engine::kSessionFd);
    if (!session || !S_ISSOCK(session->st_mode)) {
        static constexpr char kWords[] = "mydocker-monitor: an internal program of mydocker, started by "
                                         "`mydocker run`; not for use by hand\n";
        (void)!::write(STDERR_FILENO, kWords, sizeof kWords - 1);
        return 1;
    }
    if (!sink_plan) return refuse(sink_plan.error());
    mydocker::plugin::install_crash_reporter();
    mydocker::plugin::PluginHost host({sink_plan->plugin_dirs}, {});
    auto sink = open_sink(std::move(*sink_plan), host);
    auto namespaces = receive_namespaces();
    if (!namespaces && namespaces.error().code == Code::not_found) return 0; // The starter gave it up.
    if (!namespaces) return refuse(namespaces.error());
    auto newborn = make_newborn(std::move(*namespaces));
    if (!newborn) return refuse(newborn.error());
    auto message = receive_plan();
    if (!message && message.error().code == Code::not_found) return 0; // Likewise.
    if (!message) {
        newborn->launch.reset();
        return refuse(message.error());
    }
    auto orders = decode_orders(std::move(*message));
    if (orders) return run(std::move(*newborn), std::move(*orders), std::move(sink));
    newborn->launch.reset();
    (void)hand_over(engine::kSessionFd, engine::MessageKind::failed,
                    engine::encode(engine::FailedReport{orders.error(), 125}));
    return 1;
}
