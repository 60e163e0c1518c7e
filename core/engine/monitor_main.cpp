// mydocker-monitor: started by exec, one for each running container, seen in ps as
// `mydocker-monitor NAME`. When the container is gone and no command line waits, it becomes `mydocker`,
// which records the end and walks the steps back.
#include "base/sys.hpp"
#include "engine/monitor.hpp"
#include "plugin/crash.hpp"
#include "plugin/plugin_host.hpp"

#include <csignal>
#include <cstdlib>
#include <string>
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

Result<engine::MonitorPlan> read_plan() {
    auto status = sys::fstat(engine::kPlanFd);
    if (!status) return mydocker::fail(status);
    // The descriptor is a memory file of the starter's; anything else means a start by hand.
    std::string bytes(static_cast<std::size_t>(status->st_size), '\0');
    const ssize_t count = ::pread(engine::kPlanFd, bytes.data(), bytes.size(), 0);
    if (count != status->st_size) return mydocker::fail(Code::corrupt, "the monitor's plan is incomplete");
    ::close(engine::kPlanFd);
    return engine::decode_monitor_plan(bytes);
}

// What a terminal or a closing session sends to everybody must not end the container's parent.
void ignore_signals() {
    for (const int signal :
         {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2})
        ::signal(signal, SIG_IGN);
}

Result<engine::Monitor> make_monitor(engine::MonitorPlan plan, mydocker::plugin::PluginHost& host) {
    mydocker::plugin::OpenRequest request;
    request.name = plan.sink.driver;
    request.data_dir = plan.sink.data_dir;
    request.run_dir = plan.sink.run_dir;
    request.options = plan.sink.options;
    auto sink = host.open_log(request);
    if (!sink) return mydocker::fail(sink);
    auto stream = (*sink)->open(plan.sink.stream);
    if (!stream) return mydocker::fail(stream);
    return engine::Monitor(std::move(plan), std::move(*sink), std::move(*stream));
}

// Replaces this process by the command that records the end; the baton goes along.
[[noreturn]] void become_finisher(const std::vector<std::string>& words,
                                  const std::vector<std::string>& environment) {
    std::vector<char*> argv;
    std::vector<char*> envp;
    for (const std::string& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    for (const std::string& variable : environment)
        envp.push_back(const_cast<char*>(variable.c_str()));
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    (void)sys::set_inheritable(engine::kBatonFd); // Without it the next command recovers; nothing is lost.
    for (const int signal :
         {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2})
        ::signal(signal, SIG_DFL);
    (void)sys::execveat(AT_FDCWD, words.front(), argv.data(), envp.data(), 0);
    ::_exit(1);
}

// The end is on disk before anybody is told: the code survives whoever is killed next.
void leave_exit_note(const std::string& run_directory, const engine::ExitReport& report) {
    (void)mydocker::files::write_atomically(run_directory + "/exit", engine::encode(report));
}

// Tells the waiting starter and hands it the baton; false: nobody waits.
bool hand_over(int session, engine::MessageKind kind, const std::string& payload) {
    return session >= 0 && engine::send(session, kind, payload, engine::kBatonFd).has_value();
}

int run(engine::MonitorPlan plan) {
    const std::vector<std::string> finish = plan.finish;
    const std::vector<std::string> environment = plan.finish_environment;
    const std::string run_directory = plan.run_directory;
    mydocker::plugin::PluginHost host({plan.sink.plugin_dirs}, {});
    engine::FailedReport failure;
    auto monitor = make_monitor(std::move(plan), host);
    if (!monitor) {
        if (hand_over(engine::kSessionFd, engine::MessageKind::failed,
                      engine::encode(engine::FailedReport{monitor.error(), 125})))
            return 0;
        become_finisher(finish, environment);
    }
    if (auto started = monitor->start(failure); !started) {
        if (failure.error.code != Code::cancelled &&
            hand_over(monitor->session(), engine::MessageKind::failed, engine::encode(failure)))
            return 0;
        become_finisher(finish, environment);
    }
    const engine::ExitReport report = monitor->serve();
    leave_exit_note(run_directory, report);
    monitor->settle();
    if (hand_over(monitor->session(), engine::MessageKind::exited, engine::encode(report))) return 0;
    become_finisher(finish, environment);
}

} // namespace

int main() {
    ignore_signals();
    for (const int fd : {engine::kPlanFd, engine::kSessionFd, engine::kBatonFd})
        (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
    auto plan = read_plan();
    if (!plan) {
        const engine::FailedReport failure{plan.error(), 125};
        if (hand_over(engine::kSessionFd, engine::MessageKind::failed, engine::encode(failure))) return 0;
        static constexpr char kWords[] = "mydocker-monitor: an internal program of mydocker, started by "
                                         "`mydocker run`; not for use by hand\n";
        (void)!::write(STDERR_FILENO, kWords, sizeof kWords - 1);
        return 1;
    }
    const int extra = engine::kFirstExtraFd + static_cast<int>(plan->cgroup_fds + plan->joined.size());
    for (int fd = engine::kFirstExtraFd; fd < extra; ++fd)
        (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
    mydocker::plugin::install_crash_reporter();
    return run(std::move(*plan));
}
