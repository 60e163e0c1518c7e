// Starting, identifying and reaping real processes.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "support/support.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::process {
namespace {

SpawnRequest shell(const std::string& script) {
    SpawnRequest request;
    request.executable = "/bin/sh";
    request.argv = {"sh", "-c", script};
    request.environment = {"PATH=/usr/bin:/bin"};
    return request;
}

struct Finished {
    std::string out;
    ExitStatus status;
};

// Runs with standard output to a pipe; the pipe is descriptor 1 of the child.
Finished run(SpawnRequest request) {
    auto pipe = sys::pipe();
    if (request.fds.size() < 2) request.fds.resize(2, -1);
    request.fds[1] = pipe->write.get();
    auto child = spawn(request);
    if (!child) return {describe(child.error()), {}};
    pipe->write.reset();
    auto text = files::read_all(pipe->read.get(), "pipe");
    auto status = reap(child->pidfd.get());
    return {text.value_or(""), status.value_or(ExitStatus{})};
}

TEST(Spawn, PassesArgumentsAndEnvironmentAsTheyAre) {
    SpawnRequest request = shell(R"(printf '[%s]' "$@" "$A"; env | grep -c .)");
    for (const char* word : {"x", "a b", "", "\xff\n"})
        request.argv.emplace_back(word);
    request.environment.emplace_back("A=1 2");

    EXPECT_TRUE(run(request).out.starts_with("[a b][][\xff\n][1 2]"));
}

TEST(Spawn, ReportsExitCodesAndSignals) {
    EXPECT_EQ(run(shell("exit 7")).status.shell_code(), 7);
    EXPECT_EQ(run(shell("kill -9 $$")).status.shell_code(), 137);
    EXPECT_EQ(run(shell("kill -15 $$")).status.signal, SIGTERM);
}

TEST(Spawn, AFailedExecIsAnErrorAndLeavesNoChild) {
    SpawnRequest request;
    request.executable = "/nonexistent/program";
    request.argv = {"program"};

    auto child = spawn(request);

    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().sys_errno, ENOENT);
    EXPECT_NE(child.error().text.find("/nonexistent/program"), std::string::npos);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
}

TEST(Spawn, GivesExactlyTheDescriptorsAskedFor) {
    std::array<int, 50> leaked{};
    for (int& fd : leaked)
        fd = ::open("/dev/null", O_RDONLY); // Inheritable on purpose.
    auto low = ::open("/dev/zero", O_RDONLY);
    SpawnRequest request = shell("for i in $(seq 0 99); do [ -e /proc/$$/fd/$i ] && printf '%s ' $i; done");
    request.fds = {-1, -1, -1, low, leaked[7]};

    const Finished done = run(request);

    for (const int fd : leaked)
        ::close(fd);
    ::close(low);
    EXPECT_EQ(done.out, "0 1 2 3 4 ");
}

// Every order of sources against targets, those that overlap among them.
TEST(Spawn, ArrangesDescriptorsWhateverTheirNumbers) {
    auto a = sys::memfd_create("a", 0);
    auto b = sys::memfd_create("b", 0);
    ASSERT_TRUE(sys::write_all(a->get(), "A") && sys::write_all(b->get(), "B"));
    const std::string script = "for i in 3 4 5 6 7; do cat /proc/self/fd/$i 2>/dev/null || printf -; done";
    for (const auto& order :
         {std::array{0, 1, 0, 1, -1}, std::array{1, 0, -1, 0, 1}, std::array{-1, -1, 1, 1, 0}}) {
        SpawnRequest request = shell(script);
        request.fds = {-1, -1, -1};
        std::string wanted;
        for (const int which : order) {
            request.fds.push_back(which < 0 ? -1 : (which == 0 ? a->get() : b->get()));
            wanted += which < 0 ? '-' : static_cast<char>('A' + which);
        }
        EXPECT_EQ(run(request).out, wanted);
    }
}

TEST(Spawn, ResetsSignalsThatAreIgnoredOrBlocked) {
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);

    const Finished done = run(shell("grep -E 'SigBlk|SigIgn' /proc/self/status"));

    ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    EXPECT_EQ(done.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Spawn, KeepsTheCallersSignalMask) {
    sigset_t before;
    ::sigprocmask(SIG_SETMASK, nullptr, &before);
    (void)run(shell("true"));
    sigset_t after;
    ::sigprocmask(SIG_SETMASK, nullptr, &after);

    for (int signal = 1; signal < 32; ++signal)
        EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal));
}

TEST(Spawn, RunsAFileByDescriptor) {
    auto program = sys::openat(AT_FDCWD, "/bin/sh", O_PATH);
    SpawnRequest request = shell("echo by fd");
    request.executable.clear();
    request.executable_fd = program->get();

    EXPECT_EQ(run(request).out, "by fd\n");
}

TEST(Spawn, MakesNamespaces) {
    if (auto why = test::missing(test::Need::root)) GTEST_SKIP() << *why;
    SpawnRequest request = shell("echo $$");
    request.clone_flags = CLONE_NEWPID | CLONE_NEWUTS;

    EXPECT_EQ(run(request).out, "1\n");
}

TEST(Spawn, KeepsCapabilitiesInAUserNamespace) {
    if (auto why = test::missing(test::Need::user_namespaces)) GTEST_SKIP() << *why;
    SpawnRequest request = shell("grep CapEff /proc/self/status");
    request.clone_flags = CLONE_NEWUSER;

    EXPECT_EQ(run(request).out, "CapEff:\t0000000000000000\n");
    request.keep_capabilities = true;
    EXPECT_NE(run(request).out, "CapEff:\t0000000000000000\n");
}

TEST(Spawn, SaysWhatIsMissingForNamespaces) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may make namespaces";
    SpawnRequest request = shell("true");
    request.clone_flags = CLONE_NEWNET;

    EXPECT_NE(spawn(request).error().text.find("CAP_SYS_ADMIN"), std::string::npos);
}

TEST(Spawn, KillsTheChildWithItsParent) {
    // A process in between that starts a sleeper and is killed.
    auto report = sys::pipe();
    const pid_t between = ::fork();
    if (between == 0) {
        SpawnRequest request = shell("exec sleep 100");
        request.parent_death_signal = SIGKILL;
        auto child = spawn(request);
        const pid_t pid = child ? child->pid : 0;
        (void)sys::write(report->write.get(), {std::bit_cast<const char*>(&pid), sizeof pid});
        ::pause();
        ::_exit(0);
    }
    pid_t sleeper = 0; // NOLINT(misc-const-correctness): written through the cast
    ASSERT_TRUE(sys::read(report->read.get(), {std::bit_cast<char*>(&sleeper), sizeof sleeper}));
    ASSERT_GT(sleeper, 0);
    auto pidfd = sys::pidfd_open(sleeper);
    ASSERT_TRUE(pidfd);

    ::kill(between, SIGKILL);
    ::waitpid(between, nullptr, 0);

    pollfd gone{pidfd->get(), POLLIN, 0};
    EXPECT_EQ(::poll(&gone, 1, 5000), 1);
}

TEST(Reap, OfARunningChildSaysNothingYet) {
    auto child = spawn(shell("read x"));
    ASSERT_TRUE(child); // Its standard input is the null device: it ends by itself.
    ASSERT_TRUE(reap(child->pidfd.get()));
    auto sleeper = spawn(shell("exec sleep 100"));
    ASSERT_TRUE(sleeper);

    auto status = try_reap(sleeper->pidfd.get());

    ASSERT_TRUE(status);
    EXPECT_FALSE(*status);
    ASSERT_TRUE(sys::pidfd_send_signal(sleeper->pidfd.get(), SIGKILL));
    EXPECT_EQ(reap(sleeper->pidfd.get())->signal, SIGKILL);
    EXPECT_EQ(reap(sleeper->pidfd.get()).error().code, Code::not_found);
}

TEST(Identity, OfThisProcessIsAliveAndStable) {
    const auto first = identify(::getpid());
    const auto second = identify(::getpid());

    ASSERT_TRUE(first && second);
    EXPECT_EQ(*first, *second);
    EXPECT_GT(first->start_time, 0U);
    EXPECT_EQ(first->boot_id.size(), 36U);
    EXPECT_TRUE(is_alive(*first).value());
    EXPECT_TRUE(open_pidfd(*first));
}

TEST(Identity, OfAnotherStartTimeOrBootIsNotAlive) {
    ProcessId other = *identify(::getpid());
    other.start_time += 1;
    EXPECT_FALSE(is_alive(other).value());
    EXPECT_EQ(open_pidfd(other).error().code, Code::not_found);
    other.start_time -= 1;
    other.boot_id = "x";
    EXPECT_FALSE(is_alive(other).value());
}

// Whoever took it for dead would take its container away.
TEST(Identity, ThatCannotBeAskedForIsNotGone) {
    const ProcessId self = *identify(::getpid());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{0, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);

    const auto alive = is_alive(self);
    const auto pidfd = open_pidfd(self);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);

    EXPECT_EQ(alive.error().sys_errno, EMFILE);
    EXPECT_EQ(pidfd.error().sys_errno, EMFILE);
}

TEST(Identity, OfAZombieIsNotAlive) {
    auto child = spawn(shell("exit 0"));
    ASSERT_TRUE(child);
    const auto identity = identify(child->pid);
    pollfd ended{child->pidfd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ended, 1, 5000), 1);

    EXPECT_FALSE(is_alive(identity.value_or(ProcessId{})).value());
    ASSERT_TRUE(reap(child->pidfd.get()));
}

TEST(Identity, SurvivesANameWithParentheses) {
    const test::TempDir directory;
    const std::string program = directory / "a) R (1 2";
    ASSERT_TRUE(files::write_atomically(program, *files::read_file("/bin/sleep"), 0755));
    SpawnRequest request;
    request.executable = program;
    request.argv = {"a", "100"};
    auto child = spawn(request);
    ASSERT_TRUE(child);

    const auto identity = identify(child->pid);

    EXPECT_TRUE(identity && is_alive(*identity).value());
    ASSERT_TRUE(sys::pidfd_send_signal(child->pidfd.get(), SIGKILL));
    ASSERT_TRUE(reap(child->pidfd.get()));
}

TEST(Identity, OfWhatIsNotThereIsNotFound) {
    for (const pid_t pid : {0, -1, 4194304}) {
        EXPECT_EQ(identify(pid).error().code, Code::not_found) << pid;
        EXPECT_FALSE(is_alive({pid, 1, "x"}).value()) << pid;
    }
}

} // namespace
} // namespace mydocker::process
