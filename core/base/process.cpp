// Who a process is, and the reaping of children. Starting them is in spawn.cpp.
#include "base/process.hpp"

#include "base/sys.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::process {
namespace {

struct Stat {
    char state = '?';
    std::uint64_t start_time = 0;
};

// The state and field 22 of /proc/PID/stat; the name before them may hold blanks and parentheses.
// Source: proc_pid_stat(5).
Result<Stat> read_stat(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    auto text = files::read_file(path);
    if (!text && text.error().sys_errno == ESRCH) return fail(Code::not_found, "open '" + path + "'", ENOENT);
    if (!text) return fail(text);
    std::string_view rest = *text;
    const auto name_end = rest.rfind(')');
    constexpr int kFieldsToStartTime = 20;
    if (name_end == std::string_view::npos || name_end + 2 >= rest.size())
        return fail(Code::corrupt, "'" + path + "' is malformed");
    rest.remove_prefix(name_end + 1);
    Stat stat;
    stat.state = rest[1];
    for (int field = 0; field < kFieldsToStartTime; ++field) {
        const auto blank = rest.find(' ');
        if (blank == std::string_view::npos) return fail(Code::corrupt, "'" + path + "' is malformed");
        rest.remove_prefix(blank + 1);
    }
    if (std::from_chars(rest.data(), rest.data() + rest.size(), stat.start_time).ec != std::errc{})
        return fail(Code::corrupt, "'" + path + "' is malformed");
    return stat;
}

Result<std::optional<ExitStatus>> wait_for(int pidfd, int options) {
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | options) != 0) {
        const int error = errno;
        if (error == EINTR) continue;
        return fail(error == ECHILD ? Code::not_found : code_from_errno(error), "wait for a child", error);
    }
    if (info.si_pid == 0) return std::nullopt;
    ExitStatus status;
    if (info.si_code == CLD_EXITED) {
        status.code = info.si_status;
    } else {
        status.signal = info.si_status;
        status.core_dumped = info.si_code == CLD_DUMPED;
    }
    return status;
}

} // namespace

Result<std::string> boot_id() {
    auto text = files::read_file("/proc/sys/kernel/random/boot_id");
    if (!text) return fail(text);
    while (!text->empty() && text->back() == '\n')
        text->pop_back();
    return text;
}

Result<ProcessId> identify(pid_t pid) {
    if (pid <= 0) return fail(Code::not_found, "there is no process " + std::to_string(pid));
    auto stat = read_stat(pid);
    if (!stat) return fail(stat, "process " + std::to_string(pid));
    auto boot = boot_id();
    if (!boot) return fail(boot);
    return ProcessId{pid, stat->start_time, std::move(*boot)};
}

Result<bool> is_alive(const ProcessId& process) {
    if (process.pid <= 0) return false;
    const auto stat = read_stat(process.pid);
    if (!stat && stat.error().code != Code::not_found) return fail(stat);
    if (!stat || stat->start_time != process.start_time || stat->state == 'Z' || stat->state == 'X')
        return false;
    const auto boot = boot_id();
    if (!boot) return fail(boot);
    return *boot == process.boot_id;
}

// The identity is compared after the descriptor is open: from then on the pid cannot change hands.
Result<UniqueFd> open_pidfd(const ProcessId& process) {
    const auto gone = [&] {
        return fail(Code::not_found, "process " + std::to_string(process.pid) + " is gone");
    };
    if (process.pid <= 0) return gone();
    auto pidfd = sys::pidfd_open(process.pid);
    // Its number is that of a thread now, or it is being reaped just now: pidfd_open(2).
    if (!pidfd && pidfd.error().sys_errno == EINVAL) return gone();
    if (!pidfd) return pidfd;
    auto alive = is_alive(process);
    if (!alive) return fail(alive);
    if (!*alive) return gone();
    return pidfd;
}

Result<ExitStatus> reap(int pidfd) {
    auto status = wait_for(pidfd, 0);
    if (!status) return fail(status);
    if (!*status) return fail(Code::internal, "waiting for a child returned without one");
    return **status;
}

Result<std::optional<ExitStatus>> try_reap(int pidfd) {
    return wait_for(pidfd, WNOHANG);
}

} // namespace mydocker::process
