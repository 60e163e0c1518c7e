// A further process in a running container, by the low-level runtime alone: what the command line does not
// offer yet, and what a hostile container could do to it.
#include "base/sys.hpp"
#include "support/launch_fixture.hpp"

#include <array>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <optional>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

using runtime::NamespaceKind;

class LaunchExec : public LaunchContainer {
  protected:
    void TearDown() override {
        container_.reset(); // Killed and reaped.
        LaunchContainer::TearDown();
    }

    // Starts the container; its command reads what ask() writes.
    void start(const std::string& script) {
        spec_.process.args = {"sh", "-c", script};
        auto plan = runtime::make_plan(spec_, {}, {});
        ASSERT_TRUE(plan);
        auto input = sys::pipe();
        auto output = sys::pipe();
        runtime::LaunchInput launch;
        launch.init_path = init_path();
        launch.standard[0] = input->read.get();
        launch.standard[1] = output->write.get();
        auto begun = runtime::Launch::begin(*plan, launch);
        ASSERT_TRUE(begun) << describe(begun.error());
        ASSERT_TRUE(begun->make_mounts(*plan));
        ASSERT_EQ(begun->receive()->kind, runtime::InitMessage::Kind::ready);
        ASSERT_TRUE(begun->go());
        ASSERT_EQ(begun->receive()->kind, runtime::InitMessage::Kind::started);
        container_.emplace(std::move(*begun));
        to_container_ = std::move(input->write);
        from_container_ = std::move(output->read);
    }

    std::string ask(const std::string& text) const {
        (void)sys::write_all(to_container_.get(), text);
        std::array<char, 256> buffer;
        const auto count = sys::read(from_container_.get(), buffer);
        return {buffer.data(), count.value_or(0)};
    }

    Launched exec(const std::string& script, LaunchOptions options = {}, bool terminal = false) {
        runtime::ProcessSpec process = spec_.process;
        process.args = {"sh", "-c", script};
        process.terminal = terminal;
        auto plan = runtime::make_exec_plan(spec_, process, {});
        if (!plan) return {.begun = fail(plan), .failure = {}, .started = false, .exit_code = -1, .out = {}};
        options.change_input = [&](runtime::LaunchInput& input) { input.target = container_->pidfd(); };
        return launch(*plan, options);
    }

    void use_user_namespace() {
        ::chown(root_->path().c_str(), 100000, 100000);
        spec_.namespaces.push_back({NamespaceKind::user, ""});
        spec_.uid_mappings = {{0, 100000, 65536}};
        spec_.gid_mappings = {{0, 100000, 65536}};
    }

    // The pid that a process has in its own namespace.
    static std::string pid_inside(pid_t pid) {
        const std::string status = slurp("/proc/" + std::to_string(pid) + "/status");
        const auto begin = status.find("NSpid:");
        const std::string line = status.substr(begin, status.find('\n', begin) - begin);
        return line.substr(line.rfind('\t') + 1);
    }

    [[nodiscard]] std::string space(const std::string& name) const {
        return sys::readlinkat(AT_FDCWD, "/proc/" + std::to_string(container_->pid()) + "/ns/" + name)
            .value_or("?");
    }

    std::optional<runtime::Launch> container_;
    UniqueFd to_container_;
    UniqueFd from_container_;
};

TEST_F(LaunchExec, JoinsAUserNamespaceWithTheOthers) {
    if (auto why = missing(Need::user_namespaces)) GTEST_SKIP() << *why;
    use_user_namespace();
    start("read x");

    const std::string out = text_of(
        exec("id -u; echo $$; for n in user mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done"));

    std::string want = "0\n2\n";
    for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"})
        want += space(name) + "\n";
    EXPECT_EQ(out, want);
}

TEST_F(LaunchExec, InAUserNamespaceHasATerminal) {
    if (auto why = missing(Need::user_namespaces)) GTEST_SKIP() << *why;
    use_user_namespace();
    start("read x");

    EXPECT_EQ(text_of(exec("tty", {}, true)), "/dev/pts/0\r\n");
}

void follow(pid_t pid) {
    ASSERT_EQ(::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACESYSGOOD), 0);
    ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr), 0);
}

// Lets a child that is followed run to the entry of the system call, and holds it there.
void hold_at(pid_t pid, std::uint64_t number) {
    __ptrace_syscall_info call{};
    int status = 0;
    while (::waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
            ::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof call, &call) > 0 &&
            call.op == PTRACE_SYSCALL_INFO_ENTRY && call.entry.nr == number)
            return;
        ASSERT_EQ(::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr), 0);
    }
    FAIL() << "it never came to system call " << number;
}

// When it has no more rights than the container's root has, what enters still holds descriptors of the
// host's: of cgroups, of the parent.
TEST_F(LaunchExec, CannotBeLookedIntoBeforeItIsTheCommand) {
    start("while read p; do (cat /proc/$p/maps | grep -q .) 2>/dev/null && echo seen || echo refused; done");
    ASSERT_EQ(ask("1\n"), "seen\n");
    runtime::ProcessSpec process = spec_.process;
    process.args = {"/bin/true"};
    auto plan = runtime::make_exec_plan(spec_, process, {});
    ASSERT_TRUE(plan);
    runtime::LaunchInput input;
    input.init_path = init_path();
    input.target = container_->pidfd();
    auto further = runtime::Launch::begin(*plan, input);
    ASSERT_TRUE(further);
    ASSERT_TRUE(further->make_mounts(*plan));
    ASSERT_EQ(further->receive()->kind, runtime::InitMessage::Kind::ready);
    follow(further->pid()); // Before it may go on, which it does to its very end.
    ASSERT_TRUE(further->go());

    hold_at(further->pid(), SYS_execve);
    const std::string answer = ask(pid_inside(further->pid()) + "\n");
    ASSERT_EQ(::ptrace(PTRACE_DETACH, further->pid(), nullptr, nullptr), 0);

    EXPECT_EQ(answer, "refused\n");
    EXPECT_EQ(further->receive()->kind, runtime::InitMessage::Kind::started);
}

TEST_F(LaunchExec, RefusesATerminalWhereThereIsNoDevpts) {
    std::erase_if(spec_.mounts, [](const auto& mount) { return mount.destination == "/dev/pts"; });
    start("mkdir /dev/pts; touch /dev/pts/ptmx; echo ready; read x");
    ASSERT_EQ(ask(""), "ready\n");

    const Launched result = exec("tty", {}, true);

    EXPECT_FALSE(result.started);
    EXPECT_NE(text_of(result).find("no devpts mount"), std::string::npos) << text_of(result);
}

TEST_F(LaunchExec, IntoAContainerThatHasEndedRunsNothing) {
    start("read x");
    ASSERT_TRUE(sys::pidfd_send_signal(container_->pidfd(), SIGKILL));
    std::array<pollfd, 1> gone{pollfd{container_->pidfd(), POLLIN, 0}};
    ASSERT_EQ(sys::poll(gone, 5000).value_or(0), 1);

    EXPECT_FALSE(exec("true").started);
}

} // namespace
} // namespace mydocker::test
