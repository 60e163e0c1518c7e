// ContainerSpec → LaunchPlan: what is accepted, what is refused; and the encoding, which must not believe
// a byte.
#include "runtime/plan.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace mydocker::runtime {
namespace {

using namespace std::string_literals;

ContainerSpec small_spec() {
    ContainerSpec spec;
    Mount root;
    root.type = "bind";
    root.source = "/srv/root";
    root.target = "/";
    spec.rootfs = {root};
    spec.namespaces = {{NamespaceKind::mount, ""},
                       {NamespaceKind::pid, ""},
                       {NamespaceKind::uts, ""},
                       {NamespaceKind::ipc, ""},
                       {NamespaceKind::network, ""}};
    spec.mounts = {{"/proc", "proc", "proc", {}},
                   {"/dev", "tmpfs", "tmpfs", {"nosuid"}},
                   {"/dev/pts", "devpts", "devpts", {"newinstance", "gid=5"}}};
    spec.process.args = {"true"};
    return spec;
}

Result<LaunchPlan> plan_of(const ContainerSpec& spec) {
    return make_plan(spec, {}, {});
}

// The one mount that a test adds, as planned.
Result<PlannedMount> plan_one(SpecMount mount) {
    ContainerSpec spec = small_spec();
    spec.mounts.push_back(std::move(mount));
    auto plan = plan_of(spec);
    if (!plan) return fail(plan);
    for (const PlannedMount& planned : plan->mounts)
        if (planned.mount.target == "/data" || planned.may_cover_proc) return planned;
    return fail(Code::not_found, "not planned");
}

TEST(Plan, TellsWhichNamespacesAreMade) {
    ContainerSpec spec = small_spec();
    spec.namespaces.push_back({NamespaceKind::cgroup, ""});
    spec.namespaces[4].path = "/run/netns/x";

    const auto plan = plan_of(spec);

    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->clone_flags, std::uint64_t{CLONE_NEWNS} | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC);
    EXPECT_TRUE(plan->new_cgroup_namespace);
    EXPECT_EQ(plan->join, std::vector<NamespaceKind>{NamespaceKind::network});
}

TEST(Plan, KeepsBytesOfArgumentsAndEnvironment) {
    ContainerSpec spec = small_spec();
    spec.process.args = {"sh", "", "a b", "\xff\n", "*"};
    spec.process.env = {"A=\xfe", "B="};

    const auto plan = plan_of(spec);

    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->args, spec.process.args);
    EXPECT_EQ(plan->env, spec.process.env);
}

struct OptionCase {
    const char* word;
    std::uint64_t flags;
    Propagation propagation;
};

TEST(PlanMountOptions, WordsBecomeFlags) {
    const OptionCase kCases[] = {
        {"ro", MS_RDONLY, Propagation::inherit},
        {"rro", MS_RDONLY, Propagation::inherit},
        {"rw", 0, Propagation::inherit},
        {"nosuid", MS_NOSUID, Propagation::inherit},
        {"rnosuid", MS_NOSUID, Propagation::inherit},
        {"nodev", MS_NODEV, Propagation::inherit},
        {"noexec", MS_NOEXEC, Propagation::inherit},
        {"noatime", MS_NOATIME, Propagation::inherit},
        {"nodiratime", MS_NODIRATIME, Propagation::inherit},
        {"strictatime", MS_STRICTATIME, Propagation::inherit},
        {"relatime", MS_RELATIME, Propagation::inherit},
        {"sync", MS_SYNCHRONOUS, Propagation::inherit},
        {"dirsync", MS_DIRSYNC, Propagation::inherit},
        {"lazytime", MS_LAZYTIME, Propagation::inherit},
        {"nosymfollow", 256, Propagation::inherit},
        {"private", 0, Propagation::isolated},
        {"rprivate", 0, Propagation::isolated},
        {"slave", 0, Propagation::follower},
        {"rslave", 0, Propagation::follower},
        {"shared", 0, Propagation::shared},
        {"rshared", 0, Propagation::shared},
        {"defaults", 0, Propagation::inherit},
        {"suid", 0, Propagation::inherit},
        {"dev", 0, Propagation::inherit},
        {"exec", 0, Propagation::inherit},
    };
    for (const OptionCase& one : kCases) {
        const auto planned = plan_one({"/data", "bind", "/srv", {one.word}});
        ASSERT_TRUE(planned) << one.word;
        EXPECT_EQ(planned->mount.flags, one.flags) << one.word;
        EXPECT_EQ(planned->mount.propagation, one.propagation) << one.word;
        EXPECT_TRUE(planned->mount.options.empty()) << one.word;
    }
}

TEST(PlanMountOptions, TheLastWordCounts) {
    EXPECT_EQ(plan_one({"/data", "bind", "/srv", {"ro", "rw"}})->mount.flags, 0U);
    EXPECT_EQ(plan_one({"/data", "bind", "/srv", {"rw", "ro"}})->mount.flags, std::uint64_t{MS_RDONLY});
}

TEST(PlanMountOptions, BindWordsMakeABind) {
    const auto planned = plan_one({"/data", "none", "/srv", {"rbind"}});

    ASSERT_TRUE(planned);
    EXPECT_EQ(planned->mount.type, "bind");
    EXPECT_EQ(planned->mount.flags, std::uint64_t{MS_REC});
    EXPECT_EQ(planned->maker, MountMaker::parent);
}

TEST(PlanMountOptions, OthersAreTheFilesystems) {
    const auto planned = plan_one({"/data", "tmpfs", "tmpfs", {"size=64m", "mode=1777", "nosuid"}});

    ASSERT_TRUE(planned);
    EXPECT_EQ(planned->mount.options, (std::vector<std::string>{"size=64m", "mode=1777"}));
    EXPECT_EQ(planned->maker, MountMaker::init);
}

TEST(PlanMountOptions, RefusesWhatCannotBe) {
    for (const char* word : {"remount", "unbindable", "runbindable", "mand", "size=1", "=x", ""})
        EXPECT_FALSE(plan_one({"/data", "bind", "/srv", {word}})) << word;
    EXPECT_FALSE(plan_one({"/data", "tmpfs", "tmpfs", {"si\0ze=1"s}}));
}

TEST(PlanMounts, RefusesDestinations) {
    for (const char* destination : {"", "data", "/", "/.", "//", "/a/..", "/proc", "/proc/", "//proc/.",
                                    "/x/../proc", "/proc/self", "/proc/sys/kernel"})
        EXPECT_FALSE(plan_one({destination, "bind", "/srv", {}})) << destination;
    EXPECT_FALSE(plan_one({"/proc", "tmpfs", "tmpfs", {}}));
    EXPECT_FALSE(plan_one({std::string(4096, '/'), "bind", "/srv", {}}));
}

TEST(PlanMounts, LetsAFewFilesOfProcBeCovered) {
    EXPECT_TRUE(plan_one({"/proc/cpuinfo", "bind", "/srv/cpuinfo", {}})->may_cover_proc);
}

TEST(PlanMounts, RefusesARelativeSource) {
    EXPECT_FALSE(plan_one({"/data", "bind", "srv", {}}));
}

TEST(PlanMounts, PutsTheBackendsViewWhereTheSpecHasCgroup) {
    ContainerSpec spec = small_spec();
    spec.mounts.push_back({"/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid"}});
    Mount top;
    top.type = "tmpfs";
    top.target = "/sys/fs/cgroup";
    Mount memory;
    memory.type = "cgroup";
    memory.target = "/sys/fs/cgroup/memory";
    memory.options = {"memory"};
    const std::vector<Mount> view = {top, memory};

    const auto plan = make_plan(spec, {}, view);

    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->mounts.size(), 5U);
    EXPECT_EQ(plan->mounts[3].mount.type, "tmpfs");
    EXPECT_TRUE(plan->mounts[3].late_read_only) << "a place is made in it first";
    EXPECT_EQ(plan->mounts[4].mount.flags, std::uint64_t{MS_RDONLY} | MS_NOSUID);
    EXPECT_EQ(plan->mounts[4].maker, MountMaker::init);
}

TEST(PlanMounts, WithoutAGroupFiveDropsItFromDevpts) {
    ContainerSpec spec = small_spec();
    spec.namespaces.push_back({NamespaceKind::user, ""});
    spec.uid_mappings = {{0, 100000, 1}};
    spec.gid_mappings = {{0, 100000, 5}};
    EXPECT_EQ(plan_of(spec)->mounts[2].mount.options, std::vector<std::string>{"newinstance"});

    spec.gid_mappings = {{0, 100000, 6}};
    EXPECT_EQ(plan_of(spec)->mounts[2].mount.options, (std::vector<std::string>{"newinstance", "gid=5"}));
}

TEST(PlanDevices, InAUserNamespaceAreBound) {
    ContainerSpec spec = small_spec();
    spec.namespaces.push_back({NamespaceKind::user, ""});
    spec.uid_mappings = {{0, 100000, 65536}};
    spec.gid_mappings = {{0, 100000, 65536}};

    const auto plan = plan_of(spec);

    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->devices.empty());
    EXPECT_EQ(plan->mounts.size(), 9U);
    EXPECT_EQ(plan->mounts.back().mount.type, "bind");
}

TEST(PlanDevices, AnAskedOneReplacesTheDefault) {
    ContainerSpec spec = small_spec();
    spec.devices = {{"/dev/tty", 'c', 9, 9, 0600, 1, 2}, {"/dev/pipe", 'p', 0, 0, 0644, 0, 0}};

    const auto plan = plan_of(spec);

    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->devices.size(), 7U);
    EXPECT_EQ(plan->devices[5].major, 9U);
    EXPECT_EQ(plan->devices[6].mode, std::uint32_t{S_IFIFO} | 0644U);
}

TEST(PlanUser, ReadsNumbersStrictly) {
    struct Case {
        const char* name;
        bool good;
        const char* user;
        std::uint32_t uid;
    };
    const Case kCases[] = {
        {"10", true, "", 10},
        {"0", true, "", 0},
        {"4294967294", true, "", 4294967294},
        {"web", true, "web", 0},
        {"10:20", true, "", 10},
        {"web:www", true, "web", 0},
        {"+0", true, "+0", 0},
        {" 0", true, " 0", 0},
        {"0x0", true, "0x0", 0},
        {"-1", true, "-1", 0},
        {"4294967295", false, "", 0},
        {"4294967296", false, "", 0},
        {"4611686018427387904", false, "", 0},
        {"01", false, "", 0},
        {"1:", false, "", 0},
        {":1", false, "", 0},
        {"a:b:c", false, "", 0},
        {"1:01", false, "", 0},
        {"1:4294967295", false, "", 0},
    };
    for (const Case& one : kCases) {
        ContainerSpec spec = small_spec();
        spec.process.user.name = one.name;
        const auto plan = plan_of(spec);
        ASSERT_EQ(plan.has_value(), one.good) << one.name;
        if (!plan) continue;
        EXPECT_TRUE(plan->user.lookup) << one.name;
        EXPECT_EQ(plan->user.name, one.user) << one.name;
        EXPECT_EQ(plan->user.uid, one.uid) << one.name;
    }
}

TEST(PlanSysctls, TakesOnlyThoseOfNamespacesOfItsOwn) {
    const std::pair<const char*, const char*> kGood[] = {
        {"net.ipv4.ip_forward", "net/ipv4/ip_forward"},
        {"net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"},
        {"net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"},
        {"kernel.msgmax", "kernel/msgmax"},
        {"fs.mqueue.queues_max", "fs/mqueue/queues_max"},
    };
    for (const auto& [key, path] : kGood) {
        ContainerSpec spec = small_spec();
        spec.sysctl = {{key, "1"}};
        const auto plan = plan_of(spec);
        ASSERT_TRUE(plan) << key;
        EXPECT_EQ(plan->sysctls.front().path, path);
    }
    for (const char* key : {"kernel.core_pattern", "vm.swappiness", "kernel.sysrq", "net", "", "net..x",
                            "net/../x", "net/ipv4/../../kernel/core_pattern", "../kernel.msgmax", "net.x y",
                            "/net/x", "fs.mqueue./../core"}) {
        ContainerSpec spec = small_spec();
        spec.sysctl = {{key, "1"}};
        EXPECT_FALSE(plan_of(spec)) << key;
    }
    ContainerSpec shared = small_spec();
    shared.sysctl = {{"net.ipv4.ip_forward", "1"}};
    shared.namespaces.pop_back();
    EXPECT_FALSE(plan_of(shared)) << "the host's network";
}

TEST(PlanCapabilities, AreMasksByNumber) {
    ContainerSpec spec = small_spec();
    spec.process.capabilities.bounding = {"CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"};

    EXPECT_EQ(plan_of(spec)->capabilities.bounding, 1U | (1U << 21U) | (std::uint64_t{1} << 40U));
}

// Whatever is wrong is an error that names it, and nothing else.
TEST(Plan, RefusesWhatIsWrong) {
    const std::pair<const char*, std::function<void(ContainerSpec&)>> kCases[] = {
        {"no command", [](auto& spec) { spec.process.args.clear(); }},
        {"NUL in an argument", [](auto& spec) { spec.process.args = {"a\0b"s}; }},
        {"NUL in the environment", [](auto& spec) { spec.process.env = {"A=\0"s}; }},
        {"relative cwd", [](auto& spec) { spec.process.cwd = "tmp"; }},
        {"no mount namespace", [](auto& spec) { spec.namespaces.erase(spec.namespaces.begin()); }},
        {"a kind twice", [](auto& spec) { spec.namespaces.push_back(spec.namespaces[0]); }},
        {"maps without a namespace", [](auto& spec) { spec.uid_mappings = {{0, 0, 1}}; }},
        {"a user namespace without maps",
         [](auto& spec) { spec.namespaces.push_back({NamespaceKind::user, ""}); }},
        {"unknown capability", [](auto& spec) { spec.process.capabilities.bounding = {"CAP_X"}; }},
        {"effective beyond permitted",
         [](auto& spec) { spec.process.capabilities.effective = {"CAP_KILL"}; }},
        {"ambient beyond inheritable",
         [](auto& spec) {
             spec.process.capabilities.permitted = {"CAP_KILL"};
             spec.process.capabilities.ambient = {"CAP_KILL"};
         }},
        {"unknown limit", [](auto& spec) { spec.process.rlimits = {{"RLIMIT_X", 1, 1, true}}; }},
        {"soft above hard", [](auto& spec) { spec.process.rlimits = {{"RLIMIT_CORE", 2, 1, true}}; }},
        {"a limit twice",
         [](auto& spec) {
             spec.process.rlimits = {{"RLIMIT_CORE", 1, 1, true}, {"RLIMIT_CORE", 1, 1, true}};
         }},
        {"oom score", [](auto& spec) { spec.process.oom_score_adj = 1001; }},
        {"umask", [](auto& spec) { spec.process.user.umask = 01000; }},
        {"uid -1", [](auto& spec) { spec.process.user.uid = ~0U; }},
        {"gid -1", [](auto& spec) { spec.process.user.additional_gids = {~0U}; }},
        {"host name of the host",
         [](auto& spec) {
             spec.hostname = "x";
             spec.namespaces.erase(spec.namespaces.begin() + 2);
         }},
        {"long host name", [](auto& spec) { spec.hostname = std::string(65, 'x'); }},
        {"terminal without devpts",
         [](auto& spec) {
             spec.process.terminal = true;
             spec.mounts.pop_back();
         }},
        {"propagation", [](auto& spec) { spec.root_propagation = "sideways"; }},
        {"relative masked path", [](auto& spec) { spec.masked_paths = {"proc/x"}; }},
        {"two patterns", [](auto& spec) { spec.masked_paths = {"/a*/b*"}; }},
        {"device type", [](auto& spec) { spec.devices = {{"/dev/x", 'x', 1, 1, 0600, 0, 0}}; }},
        {"device number", [](auto& spec) { spec.devices = {{"/dev/x", 'c', 4096, 1, 0600, 0, 0}}; }},
        {"first mount not the root", [](auto& spec) { spec.rootfs[0].target = "/x"; }},
        {"relative root", [](auto& spec) { spec.rootfs.clear(); }},
    };
    for (const auto& [name, spoil] : kCases) {
        ContainerSpec spec = small_spec();
        spoil(spec);
        const auto plan = plan_of(spec);
        ASSERT_FALSE(plan) << name;
        EXPECT_FALSE(plan.error().text.empty()) << name;
    }
}

LaunchPlan full_plan() {
    ContainerSpec spec = small_spec();
    spec.namespaces.push_back({NamespaceKind::user, ""});
    spec.uid_mappings = {{0, 100000, 65536}};
    spec.gid_mappings = {{0, 100000, 65536}};
    spec.hostname = "box";
    spec.domainname = "lan";
    spec.sysctl = {{"kernel.msgmax", "7"}};
    spec.masked_paths = {"/proc/kcore"};
    spec.readonly_paths = {"/proc/sys"};
    spec.process.user.name = "web:www";
    spec.process.user.umask = 027;
    spec.process.args = {"sh", "\xff", ""};
    spec.process.env = {"A=1"};
    spec.process.terminal = true;
    spec.process.console_size = ConsoleSize{24, 80};
    spec.process.rlimits = {{"RLIMIT_CORE", 0, 1, false}};
    spec.process.oom_score_adj = -5;
    const sock_filter program[] = {{6, 0, 0, 0x7fff0000}, {6, 1, 2, 3}};
    LaunchPlan plan = *make_plan(spec, program, {});
    plan.id = "0123";
    plan.name = "web";
    return plan;
}

TEST(PlanExec, JoinsEverythingAndMakesNothing) {
    ContainerSpec spec = small_spec();
    spec.namespaces.push_back({NamespaceKind::user, ""});
    spec.hostname = "box";
    spec.sysctl = {{"net.ipv4.ip_forward", "1"}};
    ProcessSpec process;
    process.args = {"ps"};

    const auto plan = make_exec_plan(spec, process, {});

    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->join, (std::vector{NamespaceKind::mount, NamespaceKind::pid, NamespaceKind::network,
                                       NamespaceKind::ipc, NamespaceKind::uts, NamespaceKind::cgroup,
                                       NamespaceKind::user}));
    EXPECT_EQ(plan->clone_flags, 0U);
    EXPECT_TRUE(plan->rootfs.empty() && plan->mounts.empty() && plan->devices.empty());
    EXPECT_TRUE(plan->hostname.empty() && plan->sysctls.empty() && plan->masked_paths.empty());
    EXPECT_FALSE(plan->create_cwd);
    EXPECT_FALSE(plan->die_with_monitor);
}

TEST(PlanExec, ConfinesTheProcessAsItsSpecSays) {
    const ContainerSpec spec = small_spec();
    ProcessSpec process;
    process.args = {"ps"};
    process.terminal = true; // The container brings its own devpts.
    process.capabilities.bounding = {"CAP_CHOWN"};
    process.rlimits = {{"RLIMIT_NOFILE", 10, 20, true}};
    process.oom_score_adj = 7;
    const std::vector<sock_filter> program{sock_filter{6, 0, 0, 0x7fff0000}};

    const auto plan = make_exec_plan(spec, process, program);

    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->capabilities.bounding, 1U);
    EXPECT_EQ(plan->rlimits.size(), 1U);
    EXPECT_EQ(plan->oom_score_adj, 7);
    EXPECT_EQ(plan->seccomp.size(), 1U);
    EXPECT_TRUE(plan->no_new_privileges);
    EXPECT_TRUE(plan->terminal);
}

TEST(PlanCodec, BringsEveryFieldBack) {
    const std::string bytes = encode(full_plan());

    const auto decoded = decode(bytes);

    ASSERT_TRUE(decoded);
    EXPECT_EQ(encode(*decoded), bytes);
    EXPECT_EQ(decoded->args, (std::vector<std::string>{"sh", "\xff", ""}));
    EXPECT_EQ(decoded->user.umask, std::optional<std::uint32_t>(027));
    EXPECT_EQ(decoded->oom_score_adj, std::optional<int>(-5));
    EXPECT_EQ(decoded->seccomp.size(), 2U);
    EXPECT_EQ(decoded->seccomp[1].jf, 2);
}

TEST(PlanCodec, RefusesEveryTruncation) {
    const std::string bytes = encode(full_plan());

    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(decode(std::string_view(bytes).substr(0, size))) << size;
    EXPECT_FALSE(decode(bytes + '\0'));
}

// No byte may crash the decoder or make it take memory without end; most changes are not seen.
TEST(PlanCodec, SurvivesEveryChangedByte) {
    const std::string bytes = encode(full_plan());

    for (std::size_t at = 0; at < bytes.size(); ++at)
        for (const char value : {'\0', '\1', '\x7f', '\xff'}) {
            std::string changed = bytes;
            changed[at] = value;
            const auto decoded = decode(changed);
            EXPECT_TRUE(!decoded || encode(*decoded).size() == changed.size()) << at;
        }
}

TEST(PlanCodec, RefusesAnotherVersion) {
    std::string bytes = encode(full_plan());
    bytes[0] = static_cast<char>(bytes[0] + 1);

    EXPECT_NE(decode(bytes).error().text.find("another version"), std::string::npos);
}

} // namespace
} // namespace mydocker::runtime
