// The default filter, call by call: against golden tables, against the list of names, by arguments, and in
// the kernel.
#include "runtime/seccomp.hpp"

#include "mydocker/support/files.hpp"
#include "runtime/seccomp_table.hpp"
#include "support/bpf.hpp"

#include <gtest/gtest.h>

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace mydocker::runtime {
namespace {

constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::uint32_t kLastNumber = 600;

constexpr std::uint64_t cap(unsigned number) {
    return std::uint64_t{1} << number;
}

constexpr std::uint64_t kEleven = cap(CAP_CHOWN) | cap(CAP_DAC_OVERRIDE) | cap(CAP_FSETID) | cap(CAP_FOWNER) |
                                  cap(CAP_SETGID) | cap(CAP_SETUID) | cap(CAP_SETFCAP) | cap(CAP_SETPCAP) |
                                  cap(CAP_NET_BIND_SERVICE) | cap(CAP_SYS_CHROOT) | cap(CAP_KILL);
constexpr std::uint64_t kAdmin = kEleven | cap(CAP_SYS_ADMIN);

struct Arch {
    const char* name;
    std::uint32_t token; // libseccomp's
    std::uint32_t audit;
    std::uint32_t bit; // in every number
};

#if defined(__x86_64__)
constexpr Arch kArches[] = {{"x86-64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, 0},
                            {"x32", SCMP_ARCH_X32, AUDIT_ARCH_X86_64, kX32Bit},
                            {"i386", SCMP_ARCH_X86, AUDIT_ARCH_I386, 0}};
#else
constexpr Arch kArches[] = {{"aarch64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, 0},
                            {"arm", SCMP_ARCH_ARM, AUDIT_ARCH_ARM, 0}};
#endif
constexpr const Arch& kNative = kArches[0];

// What the kernel calls this number; empty: nothing that we or the library have heard of.
std::string name_of(const Arch& arch, std::uint32_t number) {
    struct Free {
        void operator()(char* text) const { std::free(text); }
    };
    const std::unique_ptr<char, Free> name(
        seccomp_syscall_resolve_num_arch(arch.token, static_cast<int>(number | arch.bit)));
    if (name) return name.get();
    for (const RecentCall& recent : recent_calls())
        if (recent.number == number && (!recent.x86_64_only || arch.token == SCMP_ARCH_X86_64))
            return std::string(recent.name);
    return {};
}

std::uint32_t number_of(const Arch& arch, std::string_view name) {
    for (std::uint32_t number = 0; number <= kLastNumber; ++number)
        if (name_of(arch, number) == name) return number | arch.bit;
    ADD_FAILURE() << "no call '" << name << "' of " << arch.name;
    return 0;
}

std::string fate(std::uint32_t action) {
    switch (action) {
    case SECCOMP_RET_ALLOW:
        return "allow";
    case SECCOMP_RET_ERRNO | EPERM:
        return "EPERM";
    case SECCOMP_RET_ERRNO | ENOSYS:
        return "ENOSYS";
    case SECCOMP_RET_KILL_PROCESS:
        return "kill";
    default:
        return "action " + std::to_string(action);
    }
}

struct Arguments {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
};

std::string fate_of(const std::vector<sock_filter>& program, const Arch& arch, std::uint32_t number,
                    Arguments arguments = {}) {
    seccomp_data call{};
    call.arch = arch.audit;
    call.nr = static_cast<int>(number | arch.bit);
    call.args[0] = arguments.first;
    call.args[1] = arguments.second;
    return fate(test::run_filter(program, call));
}

// A call whose arguments decide is shown by what decides.
std::string row(const std::vector<sock_filter>& program, const Arch& arch, std::uint32_t number) {
    std::string result = fate_of(program, arch, number);
    const std::string name = name_of(arch, number);
    const std::pair<const char*, Arguments> telling[] = {{"clone", {CLONE_NEWUSER, 0}},
                                                         {"personality", {0x0040000, 0}},
                                                         {"socket", {38, 0}},
                                                         {"ioctl", {0, TIOCSTI}}};
    for (const auto& [called, arguments] : telling)
        if (name == called && fate_of(program, arch, number, arguments) != result) result += " by argument";
    return result;
}

// One line a known call, one line a stretch of unknown numbers.
std::string table(std::uint64_t capabilities) {
    const auto program = default_program({capabilities});
    std::ostringstream text;
    for (const Arch& arch : kArches) {
        std::uint32_t stretch = 0;
        for (std::uint32_t number = 0; number <= kLastNumber; ++number) {
            const std::string name = name_of(arch, number);
            const std::string what = row(program, arch, number);
            if (name.empty()) {
                EXPECT_EQ(what, "ENOSYS") << arch.name << " " << number;
                ++stretch;
            }
            const bool ends = !name.empty() || number == kLastNumber;
            if (stretch > 0 && ends) {
                const std::uint32_t last = name.empty() ? number : number - 1;
                text << arch.name << " " << last - stretch + 1 << "-" << last << " ENOSYS\n";
                stretch = 0;
            }
            if (!name.empty()) text << arch.name << " " << number << " " << name << " " << what << "\n";
        }
    }
    return text.str();
}

void expect_golden(const std::string& file, const std::string& actual) {
    const std::string path = std::string(MYDOCKER_SOURCE_DIR) + "/tests/golden/" + file;
    if (std::getenv("MYDOCKER_UPDATE_GOLDEN") != nullptr) {
        ASSERT_TRUE(files::write_atomically(path, actual, 0644));
        return;
    }
    const auto wanted = files::read_file(path);
    ASSERT_TRUE(wanted) << wanted.error().text;
    EXPECT_EQ(actual, *wanted) << "MYDOCKER_UPDATE_GOLDEN=1 writes it anew";
}

#if defined(__x86_64__)
TEST(SeccompGolden, DefaultCapabilities) {
    expect_golden("seccomp_default.txt", table(kEleven));
}

TEST(SeccompGolden, WithSysAdmin) {
    expect_golden("seccomp_sys_admin.txt", table(kAdmin));
}
#endif

struct SelfKillCase {
    const char* name;
    std::uint32_t number;
    std::uint64_t arguments[3];
    bool asked;
};

TEST(SelfKill, AsksAboutSigkillToProcessOneAlone) {
    const SelfKillCase cases[] = {{"kill", SYS_kill, {1, SIGKILL, 0}, true},
                                  {"kill with another signal", SYS_kill, {1, SIGTERM, 0}, false},
                                  {"kill of another process", SYS_kill, {2, SIGKILL, 0}, false},
                                  {"tkill", SYS_tkill, {1, SIGKILL, 0}, true},
                                  {"tkill of another thread", SYS_tkill, {9, SIGKILL, 0}, false},
                                  {"tgkill", SYS_tgkill, {1, 5, SIGKILL}, true},
                                  {"tgkill with another signal", SYS_tgkill, {1, SIGKILL, SIGHUP}, false},
                                  {"tgkill of another process", SYS_tgkill, {3, 1, SIGKILL}, false},
                                  {"another call", SYS_read, {1, SIGKILL, SIGKILL}, false}};
    const auto program = self_kill_program();

    for (const SelfKillCase& each : cases) {
        seccomp_data call{};
        call.arch = kNative.audit;
        call.nr = static_cast<int>(each.number);
        std::copy(std::begin(each.arguments), std::end(each.arguments), call.args);
        EXPECT_EQ(test::run_filter(program, call), each.asked ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW)
            << each.name;
    }
}

TEST(SelfKill, LetsOtherArchitecturesPass) {
    seccomp_data call{};
    call.arch = kArches[std::size(kArches) - 1].audit;
    call.nr = SYS_kill;
    call.args[0] = 1;
    call.args[1] = SIGKILL;

    EXPECT_EQ(test::run_filter(self_kill_program(), call), SECCOMP_RET_ALLOW);
}

TEST(SeccompTable, KnowsEveryNameThatTheLibraryKnows) {
    std::map<std::string, const CallGroup*> known;
    for (const CallGroup& group : call_groups()) {
        std::istringstream names{std::string(group.names)};
        for (std::string name; names >> name;)
            EXPECT_TRUE(known.emplace(name, &group).second) << name << " is in two groups";
    }

    for (const Arch& arch : kArches) {
        for (std::uint32_t number = 0; number <= kLastNumber; ++number) {
            const std::string name = name_of(arch, number);
            EXPECT_TRUE(name.empty() || known.contains(name)) << arch.name << " " << number << " " << name;
        }
    }
}

TEST(SeccompTable, CapabilitiesOpenJustTheirCalls) {
    const auto closed = default_program({0});
    for (unsigned capability = 0; capability <= CAP_LAST_CAP; ++capability) {
        const auto open = default_program({cap(capability)});
        for (const Arch& arch : kArches) {
            for (std::uint32_t number = 0; number <= kLastNumber; ++number) {
                const bool differs = fate_of(open, arch, number) != fate_of(closed, arch, number) ||
                                     row(open, arch, number) != row(closed, arch, number);
                bool opened = false;
                for (const CallGroup& group : call_groups())
                    opened =
                        opened ||
                        ((group.capabilities & cap(capability)) != 0 &&
                         (" " + std::string(group.names) + " ").find(" " + name_of(arch, number) + " ") !=
                             std::string::npos);
                EXPECT_EQ(differs, opened)
                    << "capability " << capability << " " << arch.name << " " << number;
            }
        }
    }
}

TEST(SeccompProgram, IsSmall) {
    EXPECT_LT(default_program({kEleven}).size(), 450U);
    EXPECT_LT(default_program({~std::uint64_t{0}}).size(), 450U);
}

TEST(SeccompProgram, HasNoCallBetweenTheTables) {
    const auto program = default_program({~std::uint64_t{0}});
    for (const std::uint32_t number :
         {1000U, 0x3fffffffU, 0x40000000U + 1000U, 0x7fffffffU, 0x80000000U, 0xffffffffU})
        for (const Arch& arch : kArches)
            EXPECT_EQ(fate_of(program, arch, number), "ENOSYS") << arch.name << " " << number;
}

TEST(SeccompProgram, KillsOnAnUnknownArchitecture) {
    const Arch sparc{"sparc", 0, AUDIT_ARCH_SPARC64, 0};

    EXPECT_EQ(fate_of(default_program({kEleven}), sparc, 1), "kill");
}

#if defined(__x86_64__)
TEST(SeccompProgram, X32NumbersAreNotThoseOfX8664) {
    const auto program = default_program({kEleven});

    EXPECT_EQ(fate_of(program, kArches[0], SYS_execve), "allow");
    EXPECT_EQ(fate_of(program, kArches[1], SYS_execve), "ENOSYS"); // there it is 520
    EXPECT_EQ(fate_of(program, kArches[1], 520), "allow");
    EXPECT_EQ(fate_of(program, kArches[0], 520), "ENOSYS");
}

TEST(SeccompProgram, SocketcallOfI386IsDenied) {
    const Arch& i386 = kArches[2];

    EXPECT_EQ(fate_of(default_program({~std::uint64_t{0}}), i386, number_of(i386, "socketcall")), "EPERM");
}
#endif

struct ByArgument {
    const char* title;
    const char* call;
    Arguments arguments;
    const char* want;
};

class SeccompArguments : public testing::TestWithParam<ByArgument> {};

TEST_P(SeccompArguments, DecideInEveryArchitecture) {
    const auto program = default_program({kEleven});
    for (const Arch& arch : kArches)
        EXPECT_EQ(fate_of(program, arch, number_of(arch, GetParam().call), GetParam().arguments),
                  GetParam().want)
            << arch.name;
}

constexpr std::uint64_t kHigh = std::uint64_t{1} << 32U;

INSTANTIATE_TEST_SUITE_P(
    All, SeccompArguments,
    testing::Values(ByArgument{"clone_thread",
                               "clone",
                               {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, 0},
                               "allow"},
                    ByArgument{"clone_user", "clone", {CLONE_NEWUSER, 0}, "EPERM"},
                    ByArgument{"clone_mount", "clone", {CLONE_NEWNS | CLONE_VM, 0}, "EPERM"},
                    ByArgument{"clone_uts", "clone", {CLONE_NEWUTS, 0}, "EPERM"},
                    ByArgument{"clone_ipc", "clone", {CLONE_NEWIPC, 0}, "EPERM"},
                    ByArgument{"clone_pid", "clone", {CLONE_NEWPID, 0}, "EPERM"},
                    ByArgument{"clone_net", "clone", {CLONE_NEWNET, 0}, "EPERM"},
                    ByArgument{"clone_cgroup", "clone", {CLONE_NEWCGROUP, 0}, "EPERM"},
                    ByArgument{"clone_user_high", "clone", {kHigh | CLONE_NEWUSER, 0}, "EPERM"},
                    ByArgument{"persona_linux", "personality", {0, 0}, "allow"},
                    ByArgument{"persona_32", "personality", {8, 0}, "allow"},
                    ByArgument{"persona_26", "personality", {0x20000, 0}, "allow"},
                    ByArgument{"persona_26_32", "personality", {0x20008, 0}, "allow"},
                    ByArgument{"persona_ask", "personality", {0xffffffff, 0}, "allow"},
                    ByArgument{"persona_no_random", "personality", {0x0040000, 0}, "EPERM"},
                    ByArgument{"persona_exec", "personality", {0x0400000, 0}, "EPERM"},
                    ByArgument{"socket_unix", "socket", {AF_UNIX, 0}, "allow"},
                    ByArgument{"socket_inet6", "socket", {AF_INET6, 0}, "allow"},
                    ByArgument{"socket_netlink", "socket", {AF_NETLINK, 0}, "allow"},
                    ByArgument{"socket_37", "socket", {37, 0}, "allow"},
                    ByArgument{"socket_alg", "socket", {38, 0}, "EPERM"},
                    ByArgument{"socket_39", "socket", {39, 0}, "allow"},
                    ByArgument{"socket_vsock", "socket", {40, 0}, "EPERM"},
                    ByArgument{"socket_41", "socket", {41, 0}, "allow"},
                    ByArgument{"socket_alg_high", "socket", {kHigh | 38, 0}, "EPERM"},
                    ByArgument{"socket_vsock_high", "socket", {kHigh | 40, 0}, "EPERM"},
                    ByArgument{"ioctl_winsize", "ioctl", {0, TIOCGWINSZ}, "allow"},
                    ByArgument{"ioctl_sti", "ioctl", {0, TIOCSTI}, "EPERM"},
                    ByArgument{"ioctl_sti_high", "ioctl", {0, kHigh | TIOCSTI}, "EPERM"},
                    ByArgument{"ioctl_linux", "ioctl", {0, 0x541C}, "EPERM"},
                    ByArgument{"clone3", "clone3", {0, 0}, "ENOSYS"}),
    [](const auto& tested) { return tested.param.title; });

TEST(SeccompArguments, NamespacesAreOpenToSysAdmin) {
    const auto program = default_program({kAdmin});

    EXPECT_EQ(fate_of(program, kNative, SYS_clone, {CLONE_NEWUSER, 0}), "allow");
    EXPECT_EQ(fate_of(program, kNative, SYS_clone3), "allow");
    EXPECT_EQ(fate_of(program, kNative, SYS_unshare), "allow");
    EXPECT_EQ(fate_of(program, kNative, SYS_socket, {38, 0}), "EPERM");
}

// What a call gives in a child under the filter: 0, or the errno value.
int under_filter(const std::vector<sock_filter>& program, const std::function<long()>& call) {
    const pid_t child = ::fork();
    if (child == 0) {
        const sock_fprog filter{static_cast<unsigned short>(program.size()),
                                const_cast<sock_filter*>(program.data())};
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
            ::_exit(254);
        ::_exit(call() < 0 ? errno : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SeccompKernel, TakesTheProgramAndObeysIt) {
    const auto program = default_program({kEleven});

    EXPECT_EQ(under_filter(program, [] { return ::syscall(SYS_getpid); }), 0);
    EXPECT_EQ(under_filter(program, [] { return ::syscall(SYS_unshare, CLONE_NEWUTS); }), EPERM);
    EXPECT_EQ(under_filter(program, [] { return ::syscall(SYS_clone3, nullptr, 0); }), ENOSYS);
    EXPECT_EQ(under_filter(program, [] { return ::syscall(SYS_socket, 38, SOCK_SEQPACKET, 0); }), EPERM);
    EXPECT_EQ(under_filter(program, [] { return ::syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }), 0);
    EXPECT_EQ(under_filter(program, [] { return ::syscall(SYS_keyctl, 0, 0, 0, 0, 0); }), EPERM);
    EXPECT_EQ(under_filter(program, [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }), EPERM);
    EXPECT_EQ(under_filter(program, [] { return ::syscall(999); }), ENOSYS);
}

TEST(SeccompKernel, TakesEveryProgram) {
    for (unsigned capability = 0; capability <= CAP_LAST_CAP; ++capability)
        EXPECT_EQ(under_filter(default_program({cap(capability)}), [] { return 0L; }), 0) << capability;
    EXPECT_EQ(under_filter(default_program({~std::uint64_t{0}}), [] { return 0L; }), 0);
}

#if defined(__x86_64__)
// A call of i386 from this process; SIGSEGV where the kernel has none.
long call_i386(long number, long argument) {
    long result = 0; // NOLINT(misc-const-correctness): written by the assembly
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(argument), "c"(0L), "d"(0L) : "memory");
    if (result >= 0) return result;
    errno = static_cast<int>(-result);
    return -1;
}

TEST(SeccompKernel, I386DoorIsClosedToo) {
    const auto program = default_program({kEleven});
    if (under_filter(program, [] { return call_i386(20, 0); }) != 0) GTEST_SKIP() << "no calls of i386 here";

    EXPECT_EQ(under_filter(program, [] { return call_i386(102, 1); }), EPERM);            // socketcall
    EXPECT_EQ(under_filter(program, [] { return call_i386(310, CLONE_NEWUTS); }), EPERM); // unshare
    EXPECT_EQ(under_filter(program, [] { return call_i386(359, 38); }), EPERM);           // socket(AF_ALG)
}
#endif

} // namespace
} // namespace mydocker::runtime
