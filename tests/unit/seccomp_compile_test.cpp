// Filters of a user's own, compiled: against libseccomp, and by hand where the two are meant to differ.
#include "mydocker/support/files.hpp"
#include "runtime/seccomp_compile.hpp"
#include "runtime/spec_seccomp.hpp"
#include "support/bpf.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <linux/audit.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace mydocker::runtime {
namespace {

#if defined(__x86_64__)
using Comparison = SeccompArgument::Comparison;

constexpr std::uint32_t kX32 = 0x40000000;

std::uint32_t action_of(const std::vector<sock_filter>& program, std::uint32_t audit, std::uint32_t number,
                        std::initializer_list<std::uint64_t> arguments = {}) {
    seccomp_data call{};
    call.arch = audit;
    call.nr = static_cast<int>(number);
    std::copy(arguments.begin(), arguments.end(), std::begin(call.args));
    return test::run_filter(program, call);
}

// --- the program --------------------------------------------------------------------------------------

TEST(SeccompCompile, KillsWhatIsOfNoListedArchitecture) {
    SeccompFilter filter{.default_action = SECCOMP_RET_ALLOW, .architectures = {}, .rules = {}, .flags = 0};
    auto program = compile_filter(filter);
    ASSERT_TRUE(program);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, 1), SECCOMP_RET_ALLOW);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_I386, 1), SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, kX32 | 1), SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_AARCH64, 1), SECCOMP_RET_KILL_PROCESS);

    filter.architectures = {"SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_MIPS"};
    program = compile_filter(filter);
    ASSERT_TRUE(program);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_I386, 1), SECCOMP_RET_ALLOW);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, kX32 | 1), SECCOMP_RET_ALLOW);
}

TEST(SeccompCompile, GivesEnosysForWhatTheRulesHadNotHeardOf) {
    const SeccompFilter filter{.default_action = SECCOMP_RET_ERRNO | EPERM,
                               .architectures = {},
                               .rules = {{.names = {"statx"}, .action = SECCOMP_RET_ALLOW, .arguments = {}}},
                               .flags = 0};

    const auto program = compile_filter(filter);

    ASSERT_TRUE(program);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, SYS_statx), SECCOMP_RET_ALLOW);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, SYS_statx - 1), SECCOMP_RET_ERRNO | EPERM);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, SYS_statx + 1), SECCOMP_RET_ERRNO | ENOSYS);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, 0x3fffffff), SECCOMP_RET_ERRNO | ENOSYS);
}

TEST(SeccompCompile, ClosesTheSecondWayOfI386) {
    const SeccompFilter filter{
        .default_action = SECCOMP_RET_ALLOW,
        .architectures = {"SCMP_ARCH_X86"},
        .rules =
            {{.names = {"connect", "shmget"}, .action = SECCOMP_RET_ERRNO | EPERM, .arguments = {}},
             {.names = {"socket"},
              .action = SECCOMP_RET_ERRNO | EACCES,
              .arguments = {{.index = 0, .comparison = Comparison::equal, .value = 38, .value_two = 0}}}},
        .flags = 0};
    constexpr std::uint32_t kSocketcall = 102;
    constexpr std::uint32_t kIpc = 117;

    const auto program = compile_filter(filter);

    ASSERT_TRUE(program);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_I386, kSocketcall, {3}), SECCOMP_RET_ERRNO | EPERM);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_I386, kSocketcall, {2}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_I386, kSocketcall, {1}), SECCOMP_RET_ERRNO | EACCES)
        << "which family it is nobody can see";
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_I386, kIpc, {23}), SECCOMP_RET_ERRNO | EPERM);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_I386, kIpc, {0x10017}), SECCOMP_RET_ERRNO | EPERM)
        << "a version above the number";
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_I386, kIpc, {24}), SECCOMP_RET_ALLOW);
}

TEST(SeccompCompile, AnIndexThatIsThereTwiceIsAnAlternative) {
    const SeccompFilter filter{
        .default_action = SECCOMP_RET_ERRNO | EPERM,
        .architectures = {},
        .rules = {{.names = {"personality"},
                   .action = SECCOMP_RET_ALLOW,
                   .arguments = {{.index = 0, .comparison = Comparison::equal, .value = 0, .value_two = 0},
                                 {.index = 0, .comparison = Comparison::equal, .value = 8, .value_two = 0}}}},
        .flags = 0};

    const auto program = compile_filter(filter);

    ASSERT_TRUE(program);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, SYS_personality, {0}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, SYS_personality, {8}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(action_of(*program, AUDIT_ARCH_X86_64, SYS_personality, {9}), SECCOMP_RET_ERRNO | EPERM);
}

TEST(SeccompCompile, RefusesWhatTheKernelWouldNotTake) {
    SeccompFilter filter{.default_action = SECCOMP_RET_ALLOW, .architectures = {}, .rules = {}, .flags = 0};
    for (std::uint64_t value = 0; value < 1200; ++value)
        filter.rules.push_back(
            {.names = {"ioctl"},
             .action = SECCOMP_RET_LOG,
             .arguments = {{.index = 1, .comparison = Comparison::equal, .value = value, .value_two = 0}}});

    const auto program = compile_filter(filter);

    ASSERT_FALSE(program);
    EXPECT_TRUE(program.error().text.ends_with("the kernel takes 4096")) << program.error().text;
}

TEST(SeccompCompile, NamesWhatIsNoCall) {
    const SeccompFilter filter{
        .default_action = SECCOMP_RET_ALLOW,
        .architectures = {},
        .rules = {{.names = {"opne", "open", "arm_fadvise64_64", "bread"}, .action = 0, .arguments = {}}},
        .flags = 0};

    EXPECT_EQ(unknown_calls(filter), (std::vector<std::string>{"bread", "opne"}));
}

// --- against libseccomp ---------------------------------------------------------------------------------

struct CloseContext {
    void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, CloseContext>;

scmp_compare operator_of(Comparison comparison) {
    switch (comparison) {
    case Comparison::not_equal:
        return SCMP_CMP_NE;
    case Comparison::less:
        return SCMP_CMP_LT;
    case Comparison::less_or_equal:
        return SCMP_CMP_LE;
    case Comparison::equal:
        return SCMP_CMP_EQ;
    case Comparison::greater_or_equal:
        return SCMP_CMP_GE;
    case Comparison::greater:
        return SCMP_CMP_GT;
    case Comparison::masked_equal:
        break;
    }
    return SCMP_CMP_MASKED_EQ;
}

std::vector<sock_filter> reference(const SeccompFilter& filter) {
    const Context context(seccomp_init(filter.default_action));
    EXPECT_EQ(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), 0);
    for (const std::string& name : filter.architectures) {
        const std::uint32_t token = name == "SCMP_ARCH_X86" ? SCMP_ARCH_X86 : SCMP_ARCH_X32;
        EXPECT_EQ(seccomp_arch_add(context.get(), token), 0);
    }
    for (const SeccompRule& rule : filter.rules) {
        std::vector<scmp_arg_cmp> tests;
        for (const SeccompArgument& argument : rule.arguments)
            tests.push_back(
                {argument.index, operator_of(argument.comparison), argument.value, argument.value_two});
        for (const std::string& name : rule.names) {
            const int number = seccomp_syscall_resolve_name(name.c_str());
            EXPECT_EQ(seccomp_rule_add_array(context.get(), rule.action, number,
                                             static_cast<unsigned>(tests.size()), tests.data()),
                      0)
                << name;
        }
    }
    const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
    EXPECT_EQ(seccomp_export_bpf(context.get(), file.get()), 0);
    std::vector<sock_filter> program(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)) /
                                     sizeof(sock_filter));
    EXPECT_GT(::pread(file.get(), program.data(), program.size() * sizeof(sock_filter), 0), 0);
    return program;
}

class FilterDice {
  public:
    explicit FilterDice(unsigned seed) : random_(seed) {}

    // Rules for one call have one action: which of two libseccomp follows is not documented.
    SeccompFilter filter() {
        SeccompFilter result;
        result.default_action = pick(std::vector<std::uint32_t>{
            SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO | ENOSYS});
        for (const char* name : {"SCMP_ARCH_X86", "SCMP_ARCH_X32"})
            if (below(2) == 0) result.architectures.emplace_back(name);
        std::vector<std::string> names = {"read",  "openat",   "clone", "personality", "ioctl",
                                          "kill",  "mmap",     "mount", "prctl",       "fcntl",
                                          "statx", "getdents", "execve"};
        std::ranges::shuffle(names, random_);
        names.resize(1 + below(names.size()));
        for (const std::string& name : names)
            add_rules(result, name);
        return result;
    }

    std::uint64_t value() {
        const std::uint64_t edge = pick(std::vector<std::uint64_t>{
            0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000001, 0xffffffff00000000,
            0x7fffffffffffffff, 0x8000000000000000, ~std::uint64_t{0}});
        return edge + below(3) - 1;
    }

  private:
    std::size_t below(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
    }
    template <class T>
    T pick(const std::vector<T>& values) {
        return values[below(values.size())];
    }

    void add_rules(SeccompFilter& to, const std::string& name) {
        const std::uint32_t action = pick(std::vector<std::uint32_t>{
            SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRACE | 5U});
        for (std::size_t rules = 1 + below(3); rules > 0; --rules) {
            SeccompRule rule{{name}, action, {}};
            std::vector<std::uint32_t> indexes{0, 1, 2, 3, 4, 5};
            std::ranges::shuffle(indexes, random_);
            for (std::size_t i = 0; i < below(4); ++i)
                rule.arguments.push_back({indexes[i], static_cast<Comparison>(below(7)), value(), value()});
            to.rules.push_back(std::move(rule));
        }
    }

    std::mt19937 random_;
};

// What the rules say of one call, read as they stand: the architecture's words are `bits` wide.
bool fits(const SeccompArgument& test, const seccomp_data& data, std::uint64_t bits) {
    const std::uint64_t argument = data.args[test.index] & bits;
    const std::uint64_t value = test.value & bits;
    switch (test.comparison) {
    case Comparison::not_equal:
        return argument != value;
    case Comparison::less:
        return argument < value;
    case Comparison::less_or_equal:
        return argument <= value;
    case Comparison::equal:
        return argument == value;
    case Comparison::greater_or_equal:
        return argument >= value;
    case Comparison::greater:
        return argument > value;
    case Comparison::masked_equal:
        break;
    }
    return (argument & value) == (test.value_two & value);
}

std::uint32_t by_the_rules(const SeccompFilter& filter, const std::string& name, const seccomp_data& data,
                           std::uint64_t bits) {
    for (const SeccompRule& rule : filter.rules)
        if (rule.names.front() == name && rule.arguments.empty()) return rule.action;
    for (const SeccompRule& rule : filter.rules)
        if (rule.names.front() == name &&
            std::ranges::all_of(rule.arguments,
                                [&](const SeccompArgument& test) { return fits(test, data, bits); }))
            return rule.action;
    return filter.default_action;
}

struct Called {
    std::uint32_t audit;
    std::uint32_t token; // libseccomp's
    std::uint32_t bit;   // in the numbers
    std::uint64_t bits;  // of an argument
};
constexpr Called kCalled[] = {{AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64, 0, ~std::uint64_t{0}},
                              {AUDIT_ARCH_X86_64, SCMP_ARCH_X32, kX32, 0xffffffff},
                              {AUDIT_ARCH_I386, SCMP_ARCH_X86, 0, 0xffffffff}};

// Calls `visit` for every call with some arguments.
template <class Visit>
void with_calls(FilterDice& dice, const Called& called, const Visit& visit) {
    for (std::uint32_t number = 0; number < 600; ++number) {
        seccomp_data data{};
        data.arch = called.audit;
        data.nr = static_cast<int>(number | called.bit);
        for (int round = 0; round < 4; ++round) {
            for (__u64& argument : data.args)
                argument = dice.value() & (called.audit == AUDIT_ARCH_I386 ? called.bits : ~std::uint64_t{0});
            visit(data);
        }
    }
}

bool is_reached(const SeccompFilter& filter, const Called& called) {
    const char* const name = called.audit == AUDIT_ARCH_I386 ? "SCMP_ARCH_X86" : "SCMP_ARCH_X32";
    return called.token == SCMP_ARCH_X86_64 ||
           std::ranges::find(filter.architectures, name) != filter.architectures.end();
}

unsigned seeds() {
    return static_cast<unsigned>(test::repeats(150));
}

TEST(SeccompCompile, DoesWhatTheRulesSay) {
    struct Free {
        void operator()(char* text) const { std::free(text); }
    };
    for (unsigned seed = 0; seed < seeds(); ++seed) {
        FilterDice dice(seed);
        const SeccompFilter filter = dice.filter();
        const auto program = compile_filter(filter);
        ASSERT_TRUE(program) << program.error().text;

        for (const Called& called : kCalled) {
            with_calls(dice, called, [&](const seccomp_data& data) {
                const std::unique_ptr<char, Free> name(
                    seccomp_syscall_resolve_num_arch(called.token, data.nr));
                const std::uint32_t want =
                    is_reached(filter, called)
                        ? by_the_rules(filter, name ? name.get() : "", data, called.bits)
                        : SECCOMP_RET_KILL_PROCESS;
                ASSERT_EQ(test::run_filter(*program, data), want)
                    << "seed " << seed << " architecture " << std::hex << called.audit << " call " << data.nr
                    << "\n"
                    << json::dump(seccomp_filter_json(filter));
            });
        }
    }
}

// One rule for a call: where there are more, and they look at one argument, libseccomp 2.5.4 gives some calls
// the wrong action (400 random filters of that kind: the 31st).
TEST(SeccompCompile, AgreesWithLibseccomp) {
    for (unsigned seed = 0; seed < seeds(); ++seed) {
        FilterDice dice(seed);
        SeccompFilter filter = dice.filter();
        const auto same_call = [](const SeccompRule& one, const SeccompRule& next) {
            return one.names == next.names;
        };
        const auto rest = std::ranges::unique(filter.rules, same_call);
        filter.rules.erase(rest.begin(), rest.end());
        const std::vector<sock_filter> wanted = reference(filter);
        const auto program = compile_filter(filter);
        ASSERT_TRUE(program) << program.error().text;

        for (const Called& called : kCalled) {
            with_calls(dice, called, [&](const seccomp_data& data) {
                ASSERT_EQ(test::run_filter(*program, data), test::run_filter(wanted, data))
                    << "seed " << seed << " architecture " << std::hex << called.audit << " call " << data.nr
                    << "\n"
                    << json::dump(seccomp_filter_json(filter));
            });
        }
    }
}
#endif

} // namespace
} // namespace mydocker::runtime
