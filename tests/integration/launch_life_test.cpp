// The program mydocker-init itself; and starts that are abandoned, killed, or outlived by their launcher.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "support/launch_fixture.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

using runtime::ContainerSpec;

// CVE-2019-5736: the runtime's program cannot be written through /proc.
TEST_F(LaunchContainer, CannotWriteToTheProgramThatStartedIt) {
    const std::string before = slurp(init_path());
    root_->write("self", "#!/proc/self/exe\n", 0755);
    LaunchOptions options;
    int error = 0;
    options.before_go = [&](const runtime::Launch& launched) {
        const std::string exe = "/proc/" + std::to_string(launched.pid()) + "/exe";
        for (const int flags : {O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_APPEND}) {
            const UniqueFd fd(::open(exe.c_str(), flags));
            error = errno;
            EXPECT_FALSE(fd);
            EXPECT_TRUE(error == EROFS || error == ETXTBSY || error == EACCES) << error;
        }
    };
    spec_.process.args = {"/self"};

    (void)launch(spec_, options);

    EXPECT_EQ(slurp(init_path()), before);
}

TEST_F(LaunchContainer, AbandonedBeforeTheStartLeavesNothing) {
    auto plan = runtime::make_plan(spec_, {}, {});
    ASSERT_TRUE(plan);
    runtime::LaunchInput input;
    input.init_path = init_path();
    pid_t pid = 0;
    {
        auto begun = runtime::Launch::begin(*plan, input);
        ASSERT_TRUE(begun);
        ASSERT_TRUE(begun->make_mounts(*plan));
        pid = begun->pid();
        ASSERT_EQ(begun->receive()->kind, runtime::InitMessage::Kind::ready);
    }
    EXPECT_EQ(::kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
}

TEST_F(LaunchContainer, SaysSoWhenInitIsKilled) {
    LaunchOptions options;
    options.before_go = [](const runtime::Launch& launched) { (void)sys::kill(launched.pid(), SIGKILL); };

    const Launched result = sh("true", options);

    EXPECT_FALSE(result.started);
    EXPECT_NE(result.failure.error.text.find("killed by signal 9"), std::string::npos) << text_of(result);
}

// A launcher in between that starts a container, says which, and is killed.
pid_t launch_in_between(const ContainerSpec& spec, bool to_the_command, bool die_with_monitor, int report) {
    const pid_t between = ::fork();
    if (between != 0) return between;
    auto plan = runtime::make_plan(spec, {}, {});
    plan->die_with_monitor = die_with_monitor;
    runtime::LaunchInput input;
    input.init_path = init_path();
    auto begun = runtime::Launch::begin(*plan, input);
    if (!begun || !begun->make_mounts(*plan) || begun->receive()->kind != runtime::InitMessage::Kind::ready)
        ::_exit(1);
    if (to_the_command) {
        (void)begun->go();
        if (begun->receive()->kind != runtime::InitMessage::Kind::started) ::_exit(1);
    }
    const pid_t pid = begun->pid();
    (void)!::write(report, &pid, sizeof pid);
    for (;;)
        ::pause();
}

class LaunchDeath : public LaunchContainer {
  protected:
    // Whether the container ends with its launcher.
    bool dies_with_launcher(bool to_the_command, bool die_with_monitor, int patience_ms = 5000) {
        auto report = sys::pipe();
        const pid_t between = launch_in_between(spec_, to_the_command, die_with_monitor, report->write.get());
        report->write.reset();
        pid_t pid = 0;
        if (::read(report->read.get(), &pid, sizeof pid) != sizeof pid) return false;
        auto pidfd = sys::pidfd_open(pid);
        ::kill(between, SIGKILL);
        ::waitpid(between, nullptr, 0);
        pollfd gone{pidfd->get(), POLLIN, 0};
        const bool died = ::poll(&gone, 1, patience_ms) == 1;
        if (!died) (void)sys::pidfd_send_signal(pidfd->get(), SIGKILL);
        (void)::poll(&gone, 1, 5000);
        return died;
    }
};

TEST_F(LaunchDeath, OfTheLauncherEndsAWaitingInit) {
    EXPECT_TRUE(dies_with_launcher(false, true));
    EXPECT_TRUE(dies_with_launcher(false, false));
}

TEST_F(LaunchDeath, OfTheLauncherEndsTheCommand) {
    spec_.process.args = {"sleep", "100"};
    EXPECT_TRUE(dies_with_launcher(true, true));
    spec_.process.user.name = "web"; // A change of ids clears the signal; it is set after.
    EXPECT_TRUE(dies_with_launcher(true, true));
}

TEST_F(LaunchDeath, OfTheLauncherIsSurvivedWhenAsked) {
    spec_.process.args = {"sleep", "100"};
    EXPECT_FALSE(dies_with_launcher(true, false, 200));
}

TEST(InitProgram, ByHandSaysWhatItIs) {
    const Outcome outcome = run({init_path()});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find("not for use by hand"), std::string::npos);
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
}

TEST(InitProgram, IsSmallAndStatic) {
    struct stat status{};
    ASSERT_EQ(::stat(init_path().c_str(), &status), 0);
    EXPECT_LT(status.st_size, 4 << 20);
    const std::string bytes = slurp(init_path());
    Elf64_Ehdr header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
        EXPECT_NE(segment.p_type, unsigned{PT_INTERP});
    }
}

} // namespace
} // namespace mydocker::test
