// Starts programs by a clone3(2) that shares memory until the exec. The child runs on a stack of its own
// inside the waiting caller's, makes only system calls, and reports a failure by writing to the caller's
// memory.
#include "base/process.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::process {
namespace {

// All that the child needs, made by the caller beforehand: the child allocates nothing.
struct Birth {
    const SpawnRequest* request = nullptr;
    std::vector<char*> argv;
    std::vector<char*> environment;
    std::vector<int> fds; // the child's to change
    int executable_fd = -1;
    const char* stage = nullptr; // set by the child when it fails
    int error = 0;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (const std::string& text : texts)
        list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
}

// The kernel's form of sigaction(2): the library's refuses the two signals it keeps for itself.
struct KernelSigaction {
    void (*handler)(int) = SIG_DFL;
    unsigned long flags = 0;
    void (*restorer)() = nullptr;
    std::uint64_t mask = 0;
};

// Ignored signals would stay ignored across the exec.
bool reset_signals() {
    const KernelSigaction standard;
    constexpr int kSignals = 64;
    for (int signal = 1; signal <= kSignals; ++signal)
        if (signal != SIGKILL && signal != SIGSTOP &&
            ::syscall(SYS_rt_sigaction, signal, &standard, nullptr, sizeof standard.mask) != 0)
            return false;
    const std::uint64_t none = 0;
    return ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none) == 0;
}

bool move_up(int& fd, int first_free) {
    if (fd < 0 || fd >= first_free) return true;
    fd = ::fcntl(fd, F_DUPFD_CLOEXEC, first_free);
    return fd >= 0;
}

bool place(int fd, int target) {
    if (fd >= 0) return ::dup2(fd, target) >= 0;
    if (target > STDERR_FILENO) return ::close(target) == 0 || errno == EBADF;
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return false;
    if (null == target) return ::fcntl(null, F_SETFD, 0) == 0;
    return ::dup2(null, target) >= 0 && ::close(null) == 0;
}

// Moves sources out of the way of the targets first, so that no order of them can matter.
bool arrange_fds(Birth& birth) {
    const int count = static_cast<int>(birth.fds.size());
    if (!move_up(birth.executable_fd, count)) return false;
    for (int& fd : birth.fds)
        if (!move_up(fd, count)) return false;
    for (int target = 0; target < count; ++target)
        if (!place(birth.fds[static_cast<std::size_t>(target)], target)) return false;
    // The executable's descriptor must live until the exec.
    return ::close_range(static_cast<unsigned>(count), ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

// Makes every permitted capability inheritable and ambient. Source: capabilities(7).
bool keep_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capget, &header, data) != 0) return false;
    for (auto& word : data)
        word.inheritable = word.permitted;
    if (::syscall(SYS_capset, &header, data) != 0) return false;
    for (unsigned long capability = 0; capability < 64; ++capability) {
        if ((data[capability / 32].permitted >> (capability % 32) & 1U) == 0) continue;
        if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return false;
    }
    return true;
}

// These two never return: what a sanitizer marks on their stack would stay marked for the caller, whose
// stack it is.
[[noreturn, gnu::no_sanitize_address]] void give_up(Birth& birth, const char* stage) {
    birth.error = errno;
    birth.stage = stage;
    ::_exit(127);
}

// The child. The caller waits, and its memory is ours until the exec.
[[noreturn, gnu::no_sanitize_address]] void run_child(Birth* birth) {
    const SpawnRequest& request = *birth->request;
    if (request.new_session && ::setsid() < 0) give_up(*birth, "make a session");
    if (request.parent_death_signal != 0 && ::prctl(PR_SET_PDEATHSIG, request.parent_death_signal) != 0)
        give_up(*birth, "set the parent-death signal");
    if (!arrange_fds(*birth)) give_up(*birth, "arrange descriptors");
    if (request.keep_capabilities && !keep_capabilities()) give_up(*birth, "keep capabilities");
    if (!reset_signals()) give_up(*birth, "reset signals");
    const bool by_fd = birth->executable_fd >= 0;
    ::syscall(SYS_execveat, by_fd ? birth->executable_fd : AT_FDCWD, by_fd ? "" : request.executable.c_str(),
              birth->argv.data(), birth->environment.data(), by_fd ? AT_EMPTY_PATH : 0);
    give_up(*birth, "execute");
}

// clone3(2) whose child goes to run_child on the stack that `args` names. In assembly, because between
// the call and that function no compiled code may run in the child: it would be on the caller's frame.
// Returns the pid or -errno.
long clone_into(clone_args& args, Birth* birth) {
    long result = 0; // NOLINT(misc-const-correctness): written by the assembly
#if defined(__x86_64__)
    asm volatile("syscall\n\t"
                 "test %%rax, %%rax\n\t"
                 "jnz 1f\n\t"
                 "mov %[birth], %%rdi\n\t"
                 "call *%[child]\n\t"
                 "ud2\n"
                 "1:"
                 : "=a"(result)
                 : "a"(static_cast<long>(SYS_clone3)), "D"(&args),
                   "S"(sizeof args), [birth] "r"(birth), [child] "r"(&run_child)
                 : "rcx", "r11", "memory", "cc");
#elif defined(__aarch64__)
    register long number asm("x8") = SYS_clone3;
    register void* first asm("x0") = &args;
    register std::size_t second asm("x1") = sizeof args;
    asm volatile("svc #0\n\t"
                 "cbnz x0, 1f\n\t"
                 "mov x0, %[birth]\n\t"
                 "blr %[child]\n\t"
                 "brk #1\n"
                 "1:"
                 : "+r"(first)
                 : "r"(number), "r"(second), [birth] "r"(birth), [child] "r"(&run_child)
                 : "memory", "cc");
    std::memcpy(&result, &first, sizeof result);
#else
#error "clone_into() has to be written for this machine"
#endif
    return result;
}

// Blocks every signal while it lives: a handler must not run in the child on the caller's memory.
class SignalsBlocked {
  public:
    SignalsBlocked() {
        const std::uint64_t all = ~std::uint64_t{0};
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old_, sizeof all);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old_, nullptr, sizeof old_); }

  private:
    std::uint64_t old_ = 0;
};

std::string name_of(const SpawnRequest& request) {
    if (!request.executable.empty()) return "'" + request.executable + "'";
    return request.argv.empty() ? "a program" : "'" + request.argv.front() + "'";
}

std::string why_not_cloned(const SpawnRequest& request, int error) {
    std::string text = "start " + name_of(request);
    if (request.clone_flags != 0) text += " in namespaces of its own";
    if (error == EPERM && request.clone_flags != 0) text += ", which needs CAP_SYS_ADMIN";
    if (error == ENOSPC) text += ": a limit of /proc/sys/user/max_*_namespaces is reached";
    if (error == EAGAIN) text += ": a limit on the number of processes is reached";
    return text;
}

} // namespace

Result<Child> spawn(const SpawnRequest& request) {
    Birth birth;
    birth.request = &request;
    birth.argv = pointers(request.argv);
    birth.environment = pointers(request.environment);
    birth.fds = request.fds;
    if (birth.fds.size() <= STDERR_FILENO) birth.fds.resize(STDERR_FILENO + 1, -1);
    birth.executable_fd = request.executable_fd;

    int pidfd = -1; // NOLINT(misc-const-correctness): written by the kernel
    alignas(64) std::array<std::byte, 32 * 1024> stack;
    clone_args args{};
    args.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | request.clone_flags;
    args.pidfd = std::bit_cast<std::uintptr_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    args.stack = std::bit_cast<std::uintptr_t>(stack.data());
    args.stack_size = stack.size();
    if (request.cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<std::uint64_t>(request.cgroup_fd);
    }

    long pid = 0;
    {
        const SignalsBlocked blocked;
        pid = clone_into(args, &birth);
    }
    if (pid < 0) return fail_errno(static_cast<int>(-pid), why_not_cloned(request, static_cast<int>(-pid)));
    Child child{static_cast<pid_t>(pid), UniqueFd(pidfd)};
    if (birth.stage == nullptr) return child;
    (void)reap(child.pidfd.get()); // It exists and has exited.
    return fail_errno(birth.error, "start " + name_of(request) + ": " + birth.stage);
}

} // namespace mydocker::process
