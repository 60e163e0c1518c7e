// The order of privileged calls in mydocker-init, and what happens when any of them fails. Over a
// recording double of base/sys.
#include "runtime/init.hpp"
#include "runtime/init_user.hpp"
#include "runtime/plan.hpp"
#include "runtime/protocol.hpp"
#include "support/fake_sys.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <utility>

namespace mydocker::runtime::init {
namespace {

using protocol::MessageKind;
using test::FakeSys;

PlannedMount planned(const char* type, const char* target, MountMaker maker) {
    PlannedMount mount;
    mount.mount.type = type;
    mount.mount.source = type;
    mount.mount.target = target;
    mount.maker = maker;
    mount.plain_target = maker == MountMaker::init;
    return mount;
}

LaunchPlan whole_plan() {
    LaunchPlan plan;
    plan.clone_flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;
    plan.new_cgroup_namespace = true;
    plan.rootfs = {planned("bind", "/", MountMaker::parent)};
    plan.mounts = {planned("proc", "/proc", MountMaker::init), planned("tmpfs", "/dev", MountMaker::init),
                   planned("devpts", "/dev/pts", MountMaker::init),
                   planned("bind", "/data", MountMaker::parent)};
    plan.devices = {{"/dev/null", S_IFCHR | 0666, 1, 3, 0, 0}};
    plan.links = {{"/dev/fd", "/proc/self/fd"}};
    plan.masked_paths = {"/proc/kcore"};
    plan.readonly_paths = {"/proc/sys"};
    plan.root_readonly = true;
    plan.hostname = "box";
    plan.sysctls = {{"net/ipv4/ip_forward", "1"}};
    plan.user.lookup = true;
    plan.user.name = "web";
    plan.capabilities.bounding = 1;
    plan.rlimits = {{7, "RLIMIT_NOFILE", 1024, 2048, true}};
    plan.oom_score_adj = 100;
    plan.seccomp = {sock_filter{6, 0, 0, 0x7fff0000}};
    plan.watch = {sock_filter{6, 0, 0, 0x7fff0000}, sock_filter{6, 0, 0, 0x7fff0000}};
    plan.terminal = true;
    plan.console_size = {24, 80};
    plan.cwd = "/srv";
    plan.args = {"top"};
    plan.env = {"PATH=/bin"};
    return plan;
}

class InitOrder : public ::testing::Test {
  protected:
    void SetUp() override { arrange(whole_plan()); }

    void arrange(const LaunchPlan& plan) {
        FakeSys& fake = test::fresh_fake_sys();
        protocol::Orders orders;
        orders.cgroup_joins = 2;
        orders.joined = {};
        orders.plan = encode(plan);
        fake.set_descriptor(protocol::kOrdersFd, "orders", {.bytes = protocol::encode(orders)});
        fake.set_descriptor(protocol::kChannelFd, "channel", {.mode = S_IFSOCK});
        fake.files["dev/null"] = {.mode = S_IFCHR | 0666, .device = makedev(1, 3)};
        fake.files["/proc/kcore"] = {.mode = S_IFREG | 0400};
        fake.files["terminal"] = {.mode = S_IFCHR | 0620, .device = makedev(136, 0)};
        fake.files["etc/passwd"] = {.bytes = "root:x:0:0::/root:\nweb:x:33:34::/srv:\n"};
        fake.files["etc/group"] = {.bytes = "www:x:34:\nextra:x:50:web\n"};
        fake.files["mount proc"] = {.filesystem = 0x9fa0};
        const std::string made = {1, 0, 0, 0, 1};
        fake.packets = {{protocol::encode(MessageKind::prepared, made), 2},
                        {protocol::encode(MessageKind::go), 0}};
    }

    static InitFailure run_all() {
        Init init;
        if (auto taken = take_orders(init); !taken) return {"orders", taken.error(), 125};
        return run(init);
    }

    static void expect_before(const char* first, const char* second) {
        const FakeSys& fake = test::fake_sys();
        ASSERT_GE(fake.index_of(first), 0) << first;
        ASSERT_GE(fake.index_of(second), 0) << second;
        EXPECT_LT(fake.index_of(first), fake.index_of(second)) << first << " before " << second;
    }
};

TEST_F(InitOrder, ReachesTheCommand) {
    const InitFailure failure = run_all();

    EXPECT_EQ(failure.stage, "execve");
    EXPECT_EQ(test::fake_sys().count_of("execve /bin/top top"), 1);
}

TEST_F(InitOrder, IsolatesTheMountsBeforeAnyOther) {
    (void)run_all();

    expect_before("mount_setattr cwd / recursive private", "fsopen");
    expect_before("mount_setattr cwd / recursive private", "move_mount");
    expect_before("mount_setattr cwd / recursive private", "open_tree");
}

TEST_F(InitOrder, JoinsCgroupsBeforeTheirNamespace) {
    (void)run_all();

    expect_before("write [5] 0", "unshare 33554432"); // CLONE_NEWCGROUP
    expect_before("write [6] 0", "unshare 33554432");
}

// What init can do before the rest of the plan is known.
class InitOrderAhead : public InitOrder {
  protected:
    void SetUp() override {
        arrange(whole_plan());
        LaunchPlan known;
        known.clone_flags = whole_plan().clone_flags;
        known.new_cgroup_namespace = true;
        known.terminal = true;
        protocol::Orders orders;
        orders.plan_follows = 1;
        orders.plan = encode(known);
        FakeSys& fake = test::fake_sys();
        fake.set_descriptor(protocol::kOrdersFd, "orders", {.bytes = protocol::encode(orders)});
        fake.files["received 0"] = {.bytes = encode(whole_plan())};
        fake.packets.push_front({protocol::encode(MessageKind::plan), 3});
    }
};

TEST_F(InitOrderAhead, MakesTheNamespacesAndThenAsksForThePlan) {
    EXPECT_EQ(run_all().stage, "execve");

    expect_before("unshare", "receive");
    EXPECT_EQ(test::fake_sys().count_of("execve /bin/top top"), 1);
}

TEST_F(InitOrderAhead, JoinsTheCgroupsThatComeWithThePlanBeforeTheirNamespace) {
    (void)run_all();

    expect_before("write [received 1] 0", "unshare 33554432"); // CLONE_NEWCGROUP
    expect_before("write [received 2] 0", "unshare 33554432");
}

TEST_F(InitOrderAhead, WithoutThePlanExecutesNothing) {
    FakeSys& fake = test::fake_sys();
    for (const std::string& packet : {std::string(), protocol::encode(MessageKind::go)}) {
        fake.packets.front() = {packet, 0};
        EXPECT_EQ(run_all().stage, "receive the plan");
    }
    EXPECT_EQ(fake.count_of("execve"), 0);
}

TEST_F(InitOrder, AttachesInTheContainerOnly) {
    (void)run_all();

    expect_before("umount2 .", "openat2 [/] /proc");
    expect_before("pivot_root . .", "umount2 .");
    expect_before("umount2 .", "mknodat");
}

TEST_F(InitOrder, AttachesOnItsOwnTmpfsWithoutLookingUp) {
    (void)run_all();

    EXPECT_EQ(test::fake_sys().count_of("mkdirat [mount tmpfs] pts"), 1);
    EXPECT_EQ(test::fake_sys().count_of("openat2 [/] /dev/pts"), 0);
}

TEST_F(InitOrder, LooksUpWhatAMountThroughALinkMayHaveCovered) {
    LaunchPlan plan = whole_plan();
    std::swap(plan.mounts[2], plan.mounts[3]); // /data before /dev/pts
    arrange(plan);
    const std::string made = {1, 0, 0, 1, 0};
    test::fake_sys().packets.front() = {protocol::encode(MessageKind::prepared, made), 2};

    EXPECT_EQ(run_all().stage, "execve");

    EXPECT_EQ(test::fake_sys().count_of("mkdirat [mount tmpfs] pts"), 0);
    EXPECT_EQ(test::fake_sys().count_of("openat2 [/] /dev/pts"), 1);
}

TEST_F(InitOrder, WritesSysctlsBeforeTheyAreReadOnly) {
    (void)run_all();

    expect_before("write [sys/net/ipv4/ip_forward] 1", "open_tree [/] proc/sys");
}

TEST_F(InitOrder, OpensProcFilesBelowItsOwnProcfs) {
    (void)run_all();

    EXPECT_EQ(test::fake_sys().count_of("openat2 [mount proc] self/oom_score_adj"), 1);
    EXPECT_EQ(test::fake_sys().count_of("openat2 [mount proc] sys/net/ipv4/ip_forward"), 1);
}

TEST_F(InitOrder, MakesTheRootReadOnlyAfterAllIsIn) {
    (void)run_all();

    expect_before("mknodat", "mount_setattr [received 0] ro");
    expect_before("openat2 [/] /srv", "mount_setattr [received 0] ro");
}

TEST_F(InitOrder, DropsTheBoundingSetBeforeTheIds) {
    (void)run_all();

    expect_before("prctl 24 1", "setresuid 33 33 33"); // PR_CAPBSET_DROP
    expect_before("setgroups 34,50", "setresgid 34 34 34");
    expect_before("setresgid 34 34 34", "setresuid 33 33 33");
    expect_before("setresuid 33 33 33", "capset 0 0 0");
}

TEST_F(InitOrder, SetsTheDeathSignalAfterTheIdsAndThenAsksForTheParent) {
    (void)run_all();

    expect_before("setresuid 33 33 33", "prctl 1 9"); // PR_SET_PDEATHSIG
    const FakeSys& fake = test::fake_sys();
    const int signal = fake.index_of("prctl 1 9");
    const auto later = std::find_if(fake.calls.begin() + signal, fake.calls.end(),
                                    [](const std::string& line) { return line.starts_with("send"); });
    EXPECT_NE(later, fake.calls.end());
}

TEST_F(InitOrder, LoadsTheFilterLast) {
    (void)run_all();

    const FakeSys& fake = test::fake_sys();
    ASSERT_GE(fake.index_of("seccomp_load"), 0);
    EXPECT_TRUE(
        fake.calls[static_cast<std::size_t>(fake.index_of("seccomp_load")) + 1].starts_with("execve"));
    expect_before("prctl 38 1", "seccomp_load"); // PR_SET_NO_NEW_PRIVS
    expect_before("close_range 3", "seccomp_load");
}

TEST_F(InitOrder, HandsTheListenerToTheParentBeforeTheFilter) {
    (void)run_all();

    expect_before("prctl 38 1", "seccomp_listen 2");
    expect_before("seccomp_listen 2", "seccomp_load");
    const auto& [bytes, fds] = test::fake_sys().sent.back();
    EXPECT_EQ(bytes, protocol::encode(MessageKind::executing));
    EXPECT_EQ(fds.size(), 1U);
}

TEST_F(InitOrder, WithoutNoNewPrivilegesLoadsTheFilterBeforeCapabilitiesGo) {
    LaunchPlan plan = whole_plan();
    plan.no_new_privileges = false;
    arrange(plan);

    (void)run_all();

    EXPECT_EQ(test::fake_sys().count_of("seccomp_load"), 1);
    EXPECT_EQ(test::fake_sys().count_of("prctl 38"), 0);
    expect_before("setresuid 33 33 33", "seccomp_load");
    expect_before("seccomp_load", "capset 0 0 0");
}

TEST_F(InitOrder, InAUserNamespaceWaitsForTheMaps) {
    LaunchPlan plan = whole_plan();
    plan.clone_flags |= CLONE_NEWUSER;
    arrange(plan);

    (void)run_all();

    expect_before("receive", "setresuid 0 0 0");
    expect_before("setresgid 0 0 0", "setresuid 0 0 0");
    expect_before("setresuid 0 0 0", "unshare");
    expect_before("setresuid 0 0 0", "mount_setattr cwd / recursive private");
}

TEST_F(InitOrder, InAJoinedMountNamespaceMountsNothing) {
    LaunchPlan plan = whole_plan();
    plan.clone_flags = 0;
    plan.rootfs.clear();
    plan.mounts.clear();
    plan.devices.clear();
    plan.links.clear();
    plan.masked_paths.clear();
    plan.readonly_paths.clear();
    plan.sysctls.clear();
    plan.hostname.clear();
    plan.terminal = false;
    plan.oom_score_adj.reset();
    arrange(plan);
    test::fake_sys().packets.front() = {protocol::encode(MessageKind::prepared), 0};

    EXPECT_EQ(run_all().stage, "execve");

    for (const char* call :
         {"mount", "move_mount", "pivot_root", "umount2", "fsopen", "open_tree", "mknodat"})
        EXPECT_EQ(test::fake_sys().count_of(call), 0) << call;
}

// A further process in a container that runs already.
LaunchPlan exec_plan() {
    LaunchPlan plan;
    plan.join = {NamespaceKind::mount, NamespaceKind::pid, NamespaceKind::uts};
    plan.user.lookup = true;
    plan.user.name = "web";
    plan.seccomp = {sock_filter{6, 0, 0, 0x7fff0000}};
    plan.cwd = "/srv";
    plan.create_cwd = false;
    plan.die_with_monitor = false;
    plan.args = {"top"};
    plan.env = {"PATH=/bin"};
    return plan;
}

class InitOrderInside : public InitOrder {
  protected:
    void SetUp() override { enter(exec_plan()); }

    void enter(const LaunchPlan& plan) {
        arrange(plan);
        protocol::Orders orders;
        orders.cgroup_joins = 2;
        orders.target = 1;
        orders.plan = encode(plan);
        FakeSys& fake = test::fake_sys();
        fake.set_descriptor(protocol::kOrdersFd, "orders", {.bytes = protocol::encode(orders)});
        fake.packets.front() = {protocol::encode(MessageKind::prepared), 0};
        fake.files["dev/pts"] = {.mode = S_IFDIR | 0755, .filesystem = 0x1cd1}; // DEVPTS_SUPER_MAGIC
    }
};

TEST_F(InitOrderInside, RefusesToBeTracedBeforeAnythingElse) {
    EXPECT_EQ(run_all().stage, "execve");

    expect_before("prctl 4 0", "write [5] 0"); // PR_SET_DUMPABLE
    EXPECT_EQ(test::fake_sys().count_of("prctl 4 1"), 0);
}

TEST_F(InitOrderInside, JoinsAllNamespacesInOneCallAfterTheCgroups) {
    (void)run_all();

    EXPECT_EQ(test::fake_sys().count_of("setns"), 1);
    EXPECT_EQ(test::fake_sys().count_of("setns [7] 604110848"), 1); // CLONE_NEWNS | NEWPID | NEWUTS
    expect_before("write [6] 0", "setns");
    expect_before("setns", "openat cwd /");
}

TEST_F(InitOrderInside, MakesAndMountsNothing) {
    (void)run_all();

    for (const char* call : {"mount", "move_mount", "pivot_root", "umount2", "fsopen", "open_tree", "mknodat",
                             "mkdirat", "unshare"})
        EXPECT_EQ(test::fake_sys().count_of(call), 0) << call;
}

TEST_F(InitOrderInside, OutlivesItsParentOnceItIsTheCommand) {
    (void)run_all();

    EXPECT_EQ(test::fake_sys().count_of("prctl 1 0"), 1); // PR_SET_PDEATHSIG
}

TEST_F(InitOrderInside, WhereItCannotJoinExecutesNothing) {
    test::fake_sys().fail_named["setns"] = ESRCH;

    EXPECT_EQ(run_all().stage, "join the namespaces");
    EXPECT_EQ(test::fake_sys().count_of("execve"), 0);
}

TEST_F(InitOrderInside, OpensATerminalOfTheContainersDevpts) {
    LaunchPlan plan = exec_plan();
    plan.terminal = true;
    enter(plan);

    EXPECT_EQ(run_all().stage, "execve");

    EXPECT_EQ(test::fake_sys().count_of("openat2 [dev/pts] ptmx"), 1);
    EXPECT_EQ(test::fake_sys().count_of("open_tree"), 0); // The console stays as it is.
}

TEST_F(InitOrderInside, RefusesATerminalOfAnythingElse) {
    LaunchPlan plan = exec_plan();
    plan.terminal = true;
    enter(plan);
    test::fake_sys().files["dev/pts"] = {.mode = S_IFDIR | 0755, .filesystem = 0x1021994}; // TMPFS_MAGIC

    EXPECT_EQ(run_all().stage, "open the terminal");
    EXPECT_EQ(test::fake_sys().count_of("openat2 [dev/pts] ptmx"), 0);
}

TEST_F(InitOrder, WithTheParentGoneExecutesNothing) {
    test::fake_sys().packets.pop_back();

    const InitFailure failure = run_all();

    EXPECT_EQ(failure.error.code, Code::cancelled);
    EXPECT_EQ(test::fake_sys().count_of("execve"), 0);
}

TEST_F(InitOrder, WithTheParentGoneAtTheLastMomentExecutesNothing) {
    test::fake_sys().fail_named["send [channel] 4"] = EPIPE;

    (void)run_all();

    EXPECT_EQ(test::fake_sys().count_of("execve"), 0);
}

// Calls that may fail without harm, each for a reason that stands beside it in the code.
bool is_tolerant(const std::string& line, const std::vector<std::string>& calls) {
    for (const char* beginning :
         {"umask", "fs_message", "fchown ", "fstat [0]", "fstat [1]", "fstat [2]", "seccomp_listen"})
        if (line.starts_with(beginning)) return true;
    // Making the working directory; entering it says what is wrong.
    const bool first_cwd = line == "openat2 [/] /srv" && std::ranges::count(calls, line) == 1;
    return first_cwd || line.starts_with("execve") || line.starts_with("fstatat") ||
           line.starts_with("readlinkat");
}

TEST_F(InitOrder, AFailureOfAnyCallNamesTheStageAndExecutesNothing) {
    (void)run_all();
    const int calls = test::fake_sys().index_of("execve");
    ASSERT_GT(calls, 80);

    for (int n = 0; n < calls; ++n) {
        arrange(whole_plan());
        test::fake_sys().fail_at = n;
        const InitFailure failure = run_all();

        const auto& made = test::fake_sys().calls;
        ASSERT_GT(made.size(), static_cast<std::size_t>(n));
        const std::string& failed = made[static_cast<std::size_t>(n)];
        if (is_tolerant(failed, {made.begin(), made.begin() + n + 1})) continue;
        EXPECT_FALSE(failure.stage.empty()) << failed;
        EXPECT_NE(failure.stage, "execve") << n << ": " << failed;
        EXPECT_EQ(test::fake_sys().count_of("execve"), 0) << n << ": " << failed;
        EXPECT_FALSE(failure.error.text.empty()) << failed;
    }
}

TEST_F(InitOrder, RefusesAMountThatALinkLeadsIntoProc) {
    test::fake_sys().files["/data"] = {.mode = S_IFDIR | 0755, .filesystem = 0x9fa0};

    const InitFailure failure = run_all();

    EXPECT_EQ(failure.stage, "attach the mounts");
    EXPECT_NE(failure.error.text.find("refusing to mount over /proc"), std::string::npos);
    EXPECT_EQ(test::fake_sys().count_of("execve"), 0);
}

TEST_F(InitOrder, HidesNothingBehindWhatIsNotTheNullDevice) {
    test::fake_sys().files["dev/null"] = {.mode = S_IFCHR | 0666, .device = makedev(1, 5)};

    EXPECT_EQ(run_all().stage, "hide paths");
}

TEST_F(InitOrder, RefusesATerminalThatIsNone) {
    test::fake_sys().files["terminal"] = {.mode = S_IFCHR | 0620, .device = makedev(4, 1)};

    EXPECT_EQ(run_all().stage, "open the terminal");
}

TEST_F(InitOrder, RefusesAWorkingDirectoryOutside) {
    test::fake_sys().cwd = "(unreachable)/etc";

    const InitFailure failure = run_all();

    EXPECT_EQ(failure.exit_code, 125);
    EXPECT_NE(failure.error.text.find("outside the container"), std::string::npos);
    EXPECT_EQ(test::fake_sys().count_of("execve"), 0);
}

TEST_F(InitOrder, LowersALimitThatIsOnlyADefault) {
    LaunchPlan plan = whole_plan();
    plan.rlimits = {{7, "RLIMIT_NOFILE", 1024, 2048, false}};
    arrange(plan);
    test::fake_sys().fail_named["setrlimit 7 1024"] = EPERM;

    EXPECT_EQ(run_all().stage, "execve");
    EXPECT_EQ(test::fake_sys().count_of("setrlimit 7 100 100"), 1);
}

TEST_F(InitOrder, KeepsALimitThatWasAskedFor) {
    test::fake_sys().fail_named["setrlimit"] = EPERM;

    EXPECT_EQ(run_all().stage, "set the resource limits");
}

TEST_F(InitOrder, AnUnknownUserCannotBeInvoked) {
    LaunchPlan plan = whole_plan();
    plan.user.name = "nobody-here";
    arrange(plan);

    const InitFailure failure = run_all();

    EXPECT_EQ(failure.exit_code, 126);
    EXPECT_EQ(failure.stage, "find the user");
}

TEST(InitByHand, HasNoOrders) {
    FakeSys& fake = test::fresh_fake_sys();
    fake.fail_named["fstat [3]"] = EBADF;
    Init init;

    auto taken = take_orders(init);

    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Code::not_found);
}

} // namespace
} // namespace mydocker::runtime::init
