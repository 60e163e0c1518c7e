#include "conformance/cgroup_fixture.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <linux/sched.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace mydocker::conformance {
namespace {

// In a child: dies with the test, and leaves GoogleTest out of its end.
[[noreturn]] void finish_with(const std::function<int()>& work) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(work());
}

} // namespace

Member::~Member() {
    // No waiting: a frozen process dies only when its cgroup is thawed, which is the tear-down's.
    if (pid_ > 0) ::kill(pid_, SIGKILL);
}

int Member::wait() {
    int status = 0;
    const pid_t pid = std::exchange(pid_, -1);
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool Member::has_ended(std::chrono::milliseconds patience) {
    const UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd entry{.fd = fd.get(), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, static_cast<int>(patience.count())) > 0;
}

bool join(const CgroupEntry& entry) {
    return std::ranges::all_of(entry.joins,
                               [](const UniqueFd& fd) { return ::write(fd.get(), "0", 1) == 1; });
}

pid_t fork_into(const CgroupEntry& entry) {
    if (!entry.directory) return ::fork();
    clone_args arguments{};
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<std::uint64_t>(entry.directory.get());
    return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

Member start_outside(const std::function<int()>& work) {
    const pid_t pid = ::fork();
    if (pid == 0) finish_with(work);
    return Member(pid);
}

bool soon(const std::function<bool()>& question, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!question()) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

std::string words(const Status& status) {
    return status ? "ok" : describe(status.error());
}

void idle() {
    for (;;)
        ::pause();
}

std::unique_ptr<CgroupBackend> CgroupSuite::open() const {
    auto opened = GetParam().open({});
    if (opened) return std::move(*opened);
    ADD_FAILURE() << "open: " << describe(opened.error());
    return nullptr;
}

void CgroupSuite::SetUp() {
    parent_ = "mydocker-test-" + std::to_string(::getpid());
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to make cgroups";
    backend_ = open();
    ASSERT_NE(backend_, nullptr);
    auto traits = backend_->probe();
    if (!traits && traits.error().code == Code::unsupported)
        GTEST_SKIP() << "not on this host: " << describe(traits.error());
    ASSERT_TRUE(traits) << describe(traits.error());
    traits_ = std::move(*traits);
    void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    shared_ = new (memory) Shared;
}

void CgroupSuite::TearDown() {
    if (shared_ == nullptr) return;
    for (const Locator& locator : located_)
        EXPECT_EQ(words(backend_->kill(locator, SIGKILL)), "ok");
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
    for (const Locator& locator : located_)
        EXPECT_EQ(words(backend_->remove(locator)), "ok");
    EXPECT_TRUE(listed().empty());
    ::munmap(shared_, sizeof(Shared));
}

bool CgroupSuite::can_limit(std::string_view controller) const {
    return std::ranges::find(traits_.controllers, controller) != traits_.controllers.end();
}

std::optional<std::string> CgroupSuite::lacks(std::string_view controller) const {
    if (can_limit(controller)) return std::nullopt;
    return "no limits by the controller " + std::string(controller) + " here";
}

Locator CgroupSuite::locate(const std::string& name) {
    auto locator = backend_->locate(CgroupName(parent_ + "/" + name));
    EXPECT_EQ(words(locator), "ok");
    if (!locator) return {};
    if (std::ranges::find(located_, *locator) == located_.end()) located_.push_back(*locator);
    return *locator;
}

Locator CgroupSuite::given(const std::string& name, const Resources& resources) {
    Locator locator = locate(name);
    EXPECT_EQ(words(backend_->create(locator, resources)), "ok");
    return locator;
}

Member CgroupSuite::start(const Locator& locator, const std::function<int()>& body) {
    const auto entry = backend_->entry(locator);
    EXPECT_EQ(words(entry), "ok");
    if (!entry) return Member(-1);
    const std::uint64_t before = shared_->joined;
    const pid_t pid = fork_into(*entry);
    if (pid == 0)
        finish_with([&] {
            if (!join(*entry)) return 125;
            shared_->joined = before + 1;
            return body();
        });
    EXPECT_GT(pid, 0) << "errno " << errno;
    Member member(pid);
    EXPECT_TRUE(soon([&] { return shared_->joined > before || member.has_ended({}); }));
    return member;
}

Member CgroupSuite::start_idle(const Locator& locator) {
    return start(locator, []() -> int { idle(); });
}

int CgroupSuite::run(const Locator& locator, const std::function<int()>& body) {
    return start(locator, body).wait();
}

std::vector<pid_t> CgroupSuite::processes(const Locator& locator) {
    std::vector<pid_t> pids;
    const auto walked = backend_->processes(locator, [&](pid_t pid) -> Status {
        pids.push_back(pid);
        return {};
    });
    EXPECT_EQ(words(walked), "ok");
    return pids;
}

std::vector<std::string> CgroupSuite::listed() {
    std::vector<std::string> names;
    const auto walked = backend_->list(parent_, [&](const Locator& locator) -> Status {
        names.push_back(locator.str());
        return {};
    });
    EXPECT_EQ(words(walked), "ok");
    std::ranges::sort(names);
    return names;
}

} // namespace mydocker::conformance
