// The tracer: one loop over wait(2). Every stop of a followed process is answered by letting it go on,
// to its next system call if it is a victim, or to its next child or program if it is not.
#include "support/faultline.hpp"

#include "support/child_streams.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <elf.h>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <set>
#include <stdexcept>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// All who are still there have done nothing for so long: they have come to rest.
constexpr auto kQuiet = 30ms;
// How long the others may take to end or be released once the command line is over the limit.
constexpr auto kGrace = 5s;

constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                          PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
constexpr int kSystemCallStop = SIGTRAP | 0x80;

// ptrace(2) takes numbers in the place of pointers.
void* as_pointer(std::uintptr_t value) {
    void* pointer = nullptr;
    std::memcpy(static_cast<void*>(&pointer), &value, sizeof pointer);
    return pointer;
}

// A process that is gone or running is noticed by its next wait status; nothing depends on this one.
void request(long what, pid_t pid, std::uintptr_t data = 0) {
    (void)::ptrace(static_cast<__ptrace_request>(what), pid, nullptr, as_pointer(data));
}

// Calls that do not return, whatever is done to them.
bool never_fails(std::uint64_t number) {
    return number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn;
}

// --- the registers of a stopped process ------------------------------------------------------------

#if defined(__x86_64__)
template <class Change>
void change_registers(pid_t pid, const Change& change) {
    user_regs_struct registers{};
    iovec area{&registers, sizeof registers};
    if (::ptrace(PTRACE_GETREGSET, pid, as_pointer(NT_PRSTATUS), &area) != 0) return;
    change(registers);
    (void)::ptrace(PTRACE_SETREGSET, pid, as_pointer(NT_PRSTATUS), &area);
}

// At the entry: no call is made.
void skip_call(pid_t pid) {
    change_registers(pid, [](user_regs_struct& registers) { registers.orig_rax = ~0ULL; });
}

// At the entry, and at the exit to put back what the caller believes is there still.
void set_argument(pid_t pid, std::size_t index, std::uint64_t value) {
    constexpr std::array kArguments{&user_regs_struct::rdi, &user_regs_struct::rsi, &user_regs_struct::rdx,
                                    &user_regs_struct::r10, &user_regs_struct::r8,  &user_regs_struct::r9};
    change_registers(pid, [&](user_regs_struct& registers) { registers.*kArguments.at(index) = value; });
}

// At the exit: what the caller sees.
void set_error(pid_t pid, int error) {
    change_registers(pid, [&](user_regs_struct& registers) {
        registers.rax = static_cast<std::uint64_t>(-static_cast<std::int64_t>(error));
    });
}
#else
void skip_call(pid_t) {
    throw std::runtime_error("faultline: failing a system call has to be written for this machine");
}
void set_argument(pid_t, std::size_t, std::uint64_t) {}
void set_error(pid_t, int) {}
#endif

// --- programs --------------------------------------------------------------------------------------

std::optional<Victim> program_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
    std::string word;
    std::getline(file, word, '\0');
    const std::string name = word.substr(word.rfind('/') + 1);
    if (name == "mydocker-monitor") return Victim::monitor;
    if (name == "mydocker-init") return Victim::init;
    if (name != "mydocker") return std::nullopt;
    while (std::getline(file, word, '\0'))
        if (word == "__finish") return Victim::finisher;
    return Victim::command_line;
}

// --- the tracer ------------------------------------------------------------------------------------

struct Task {
    std::optional<Victim> victim; // nothing: not one of our programs, or not yet
    bool newborn = false;         // has not executed anything since it was made
    bool introduced = false;      // its maker's stop has told whose child it is
    bool loading = false;         // since its program was executed, until its first thread is set up
    bool held = false;            // stands at its first stop until it is introduced
    // Of the call it is in: what is still to be done at its exit.
    std::optional<CallFailure> pending = {};
};

class Tracer {
  public:
    explicit Tracer(const TraceRequest& request)
        : request_(request),
          streams_(request.input, request.terminal ? Terminals::yes : Terminals::no) {
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &child, &old_mask_);
    }
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;
    ~Tracer() { ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr); }

    Trace run() {
        for (const auto& [pid, victim] : request_.running)
            seize(pid, victim);
        start();
        Clock::time_point last = Clock::now();
        const Clock::time_point deadline = last + request_.limit;
        while (command_ != 0 || !tasks_.empty()) {
            int status = 0;
            const pid_t pid = ::waitpid(-1, &status, __WALL | WNOHANG);
            const Clock::time_point now = Clock::now();
            if (pid > 0) {
                take(pid, status);
                last = now;
                continue;
            }
            if (pid < 0 && errno == ECHILD) break;
            streams_.read_terminal(trace_.outcome);
            if (command_ == 0 && now - last >= kQuiet) release_all();
            if (now >= deadline && !trace_.hung) give_up();
            if (now >= deadline + kGrace) kill_all();
            await_change();
        }
        streams_.read_files(trace_.outcome);
        return std::move(trace_);
    }

  private:
    void start() {
        std::array<int, 2> gate{};
        must(::pipe2(gate.data(), O_CLOEXEC), "pipe2");
        std::vector<char*> argv;
        argv.reserve(request_.words.size() + 1);
        for (const std::string& word : request_.words)
            argv.push_back(const_cast<char*>(word.c_str()));
        argv.push_back(nullptr);
        const pid_t pid = must(::fork(), "fork");
        if (pid == 0) {
            char byte = 0;
            ::close(gate[1]);
            (void)!::read(gate[0], &byte, 1); // Until the parent has us.
            streams_.take_place();
            ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
            ::execv(argv.front(), argv.data());
            ::_exit(127);
        }
        ::close(gate[0]);
        streams_.leave_to_child();
        command_ = pid;
        must(::ptrace(PTRACE_SEIZE, pid, nullptr, as_pointer(kOptions)), "PTRACE_SEIZE");
        tasks_[pid] = Task{.victim = {}, .introduced = true};
        ::close(gate[1]);
    }

    void seize(pid_t pid, Victim victim) {
        must(::ptrace(PTRACE_SEIZE, pid, nullptr, as_pointer(kOptions)), "PTRACE_SEIZE");
        tasks_[pid] = Task{.victim = victim, .introduced = true};
        request(PTRACE_INTERRUPT, pid);
    }

    // Until a child changes, or a little while.
    void await_change() const {
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        const timespec moment{0, std::chrono::nanoseconds(5ms).count()};
        (void)::sigtimedwait(&child, nullptr, &moment);
    }

    void take(pid_t pid, int status) {
        if (!WIFSTOPPED(status)) {
            tasks_.erase(pid);
            if (pid != command_) return;
            command_ = 0;
            trace_.outcome.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            return;
        }
        Task& task = tasks_[pid];
        const int signal = WSTOPSIG(status);
        const int event = status >> 16;
        if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
            introduce(pid, task);
            return go_on(pid, task);
        }
        if (event == PTRACE_EVENT_EXEC) return take_program(pid, task);
        if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) return request(PTRACE_LISTEN, pid);
        if (event == PTRACE_EVENT_STOP) {
            task.held = !task.introduced && !releasing_;
            if (!task.introduced && releasing_) released_early_.insert(pid);
            if (!task.held) go_on(pid, task);
            return;
        }
        if (signal == kSystemCallStop) return take_call(pid, task);
        go_on(pid, task, signal);
    }

    void introduce(pid_t parent, const Task& maker) {
        unsigned long message = 0;
        if (::ptrace(PTRACE_GETEVENTMSG, parent, nullptr, &message) != 0) return;
        const auto pid = static_cast<pid_t>(message);
        if (released_early_.erase(pid) > 0) return;
        const bool held = tasks_[pid].held;
        tasks_[pid] = Task{.victim = maker.victim, .newborn = true, .introduced = true};
        if (held) go_on(pid, tasks_[pid]);
    }

    void take_program(pid_t pid, Task& task) {
        task.newborn = false;
        task.loading = true;
        task.victim = program_of(pid);
        if (task.victim) return go_on(pid, task);
        // The user's command.
        request(PTRACE_DETACH, pid);
        tasks_.erase(pid);
    }

    void take_call(pid_t pid, Task& task) {
        __ptrace_syscall_info info{};
        const long size = ::ptrace(PTRACE_GET_SYSCALL_INFO, pid, as_pointer(sizeof info), &info);
        if (size > 0 && info.op == PTRACE_SYSCALL_INFO_EXIT && task.pending) {
            end_failure(pid, *task.pending);
            task.pending.reset();
        }
        if (size > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY && task.victim && !releasing_)
            if (enter_call(pid, task, info)) return;
        go_on(pid, task);
    }

    // Whether the victim was killed.
    bool enter_call(pid_t pid, Task& task, const __ptrace_syscall_info& info) {
        if (info.entry.nr == SYS_set_tid_address) task.loading = false;
        const std::size_t count = ++trace_.counts[*task.victim];
        const Fault& fault = request_.fault;
        const bool counting = fault.kind == Fault::Kind::none;
        if (counting && !request_.keep_calls) return false;
        if (!counting && (*task.victim != fault.victim || (fault.at != 0 && count < fault.at))) return false;
        const bool again = !trace_.struck.empty();
        if (again && !fault.lasting) return false;
        if (fault.kind == Fault::Kind::error && never_fails(info.entry.nr)) return false; // The next, then.

        std::array<std::uint64_t, 6> arguments{};
        for (std::size_t i = 0; i < arguments.size(); ++i)
            arguments.at(i) = info.entry.args[i];
        SystemCall call = describe_call(pid, info.entry.nr, arguments);
        call.of_loader = task.loading;
        if (counting) {
            trace_.calls.emplace_back(*task.victim, call.text);
            return false;
        }
        const bool by_number = fault.at != 0 && !again;
        if (!by_number && fault.matches && !fault.matches(call)) return false;
        return strike(pid, task, call);
    }

    bool strike(pid_t pid, Task& task, const SystemCall& call) {
        const Fault& fault = request_.fault;
        const std::string who = (task.newborn ? "the child of " : "") + std::string(to_string(*task.victim));
        if (fault.kind == Fault::Kind::error) {
            const auto failure = fault.choose ? fault.choose(call) : CallFailure{.error = fault.error};
            if (!failure) return false; // The next, then.
            if (trace_.struck.empty())
                trace_.struck = "failed " + call.text + " of " + who + " " + to_string(*failure);
            begin_failure(pid, task, call, *failure);
            return false;
        }
        trace_.struck = "killed " + who + " before " + call.text;
        ::kill(pid, SIGKILL);
        release_all();
        return true;
    }

    static void begin_failure(pid_t pid, Task& task, const SystemCall& call, const CallFailure& failure) {
        task.pending = failure;
        if (failure.manner == CallFailure::Manner::not_made) skip_call(pid);
        if (failure.manner != CallFailure::Manner::altered) return;
        task.pending->value = call.arguments.at(failure.argument);
        set_argument(pid, failure.argument, failure.value);
    }

    static void end_failure(pid_t pid, const CallFailure& failure) {
        if (failure.error != 0) set_error(pid, failure.error);
        if (failure.manner == CallFailure::Manner::altered)
            set_argument(pid, failure.argument, failure.value);
    }

    [[nodiscard]] bool is_watched(const Task& task) const {
        if (task.pending) return true;
        if (!task.victim) return false;
        const Fault& fault = request_.fault;
        if (fault.kind == Fault::Kind::none) return true;
        return *task.victim == fault.victim && (trace_.struck.empty() || fault.lasting);
    }

    void go_on(pid_t pid, const Task& task, int signal = 0) {
        const auto data = static_cast<std::uintptr_t>(signal);
        if (releasing_ && !task.pending) {
            request(PTRACE_DETACH, pid, data);
            tasks_.erase(pid);
            return;
        }
        request(is_watched(task) ? PTRACE_SYSCALL : PTRACE_CONT, pid, data);
    }

    // Each is detached at its next stop, which is made to come now.
    void release_all() {
        releasing_ = true;
        for (auto each = tasks_.begin(); each != tasks_.end();) {
            const auto [pid, task] = *each++;
            if (task.held) {
                go_on(pid, task);
            } else {
                request(PTRACE_INTERRUPT, pid);
            }
        }
    }

    void give_up() {
        trace_.hung = true;
        if (command_ != 0) ::kill(command_, SIGKILL);
        release_all();
    }

    void kill_all() {
        for (const auto& [pid, task] : tasks_)
            ::kill(pid, SIGKILL);
    }

    const TraceRequest& request_;
    Streams streams_;
    sigset_t old_mask_{};
    std::map<pid_t, Task> tasks_;
    std::set<pid_t> released_early_; // before their maker's stop told of them
    pid_t command_ = 0;              // 0: it has ended
    bool releasing_ = false;
    Trace trace_;
};

} // namespace

std::string_view to_string(Victim victim) {
    switch (victim) {
    case Victim::command_line:
        return "mydocker";
    case Victim::monitor:
        return "mydocker-monitor";
    case Victim::init:
        return "mydocker-init";
    case Victim::finisher:
        break;
    }
    return "mydocker __finish";
}

Trace trace(const TraceRequest& request) {
    return Tracer(request).run();
}

} // namespace mydocker::test
