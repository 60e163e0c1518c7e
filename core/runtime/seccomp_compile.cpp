#include "runtime/seccomp_compile.hpp"

#include "runtime/seccomp_bpf.hpp"
#include "runtime/seccomp_numbers.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <linux/audit.h>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>

namespace mydocker::runtime {
namespace {

using bpf::Program;

// What the rules say of one call.
struct Verdict {
    std::optional<std::uint32_t> action;   // whatever the arguments are
    std::vector<const SeccompRule*> rules; // by arguments, in order; only without `action`
};

using Verdicts = std::map<std::string_view, Verdict>;

Verdicts verdicts_of(const SeccompFilter& filter) {
    Verdicts verdicts;
    for (const SeccompRule& rule : filter.rules) {
        if (rule.action == filter.default_action) continue; // Says nothing, as in docker.
        for (const std::string& name : rule.names) {
            Verdict& verdict = verdicts[name];
            if (verdict.action) continue;
            if (rule.arguments.empty())
                verdict.action = rule.action;
            else
                verdict.rules.push_back(&rule);
        }
    }
    return verdicts;
}

enum class Width { whole, lower }; // of what is compared of an argument

// One comparison of a 64-bit argument by its halves. `fail` is where a jump goes that leaves the rule: it
// is put in afterwards.
constexpr std::uint8_t kToFail = std::numeric_limits<std::uint8_t>::max();

struct Halves {
    std::uint32_t upper;
    std::uint32_t lower;
};

Halves halves(std::uint64_t value) {
    return {static_cast<std::uint32_t>(value >> 32U), static_cast<std::uint32_t>(value)};
}

Program compare_equal(const SeccompArgument& test, Width width) {
    const bool masked = test.comparison == SeccompArgument::Comparison::masked_equal;
    const std::uint64_t bits = masked ? test.value : ~std::uint64_t{0};
    const Halves want = halves(masked ? test.value_two & bits : test.value);
    const Halves kept = halves(bits);
    Program program;
    if (width == Width::whole) {
        program.push_back(bpf::load(bpf::upper_half(test.index)));
        if (masked) program.push_back(bpf::mask(kept.upper));
        program.push_back(bpf::jump(BPF_JEQ, want.upper, 0, kToFail));
    }
    program.push_back(bpf::load(bpf::lower_half(test.index)));
    if (masked) program.push_back(bpf::mask(kept.lower));
    program.push_back(bpf::jump(BPF_JEQ, want.lower, 0, kToFail));
    return program;
}

Program compare_not_equal(const SeccompArgument& test, Width width) {
    const Halves value = halves(test.value);
    Program program;
    if (width == Width::whole) {
        program.push_back(bpf::load(bpf::upper_half(test.index)));
        program.push_back(bpf::jump(BPF_JEQ, value.upper, 0, 2)); // another one: it fits
    }
    program.push_back(bpf::load(bpf::lower_half(test.index)));
    program.push_back(bpf::jump(BPF_JEQ, value.lower, kToFail, 0));
    return program;
}

// `condition`: BPF_JGT or BPF_JGE. `otherwise`: the comparison fits when that is not so.
Program compare_order(const SeccompArgument& test, Width width, std::uint16_t condition, bool otherwise) {
    const Halves value = halves(test.value);
    const std::uint8_t decided = width == Width::whole ? 2 : 0; // over the lower halves
    Program program;
    if (width == Width::whole) {
        program.push_back(bpf::load(bpf::upper_half(test.index)));
        program.push_back(bpf::jump(BPF_JGT, value.upper, otherwise ? kToFail : decided + 1U, 0));
        program.push_back(bpf::jump(BPF_JEQ, value.upper, 0, otherwise ? decided : kToFail));
    }
    program.push_back(bpf::load(bpf::lower_half(test.index)));
    program.push_back(bpf::jump(condition, value.lower, otherwise ? kToFail : 0U, otherwise ? 0U : kToFail));
    return program;
}

Program compare_argument(const SeccompArgument& test, Width width) {
    using Comparison = SeccompArgument::Comparison;
    switch (test.comparison) {
    case Comparison::not_equal:
        return compare_not_equal(test, width);
    case Comparison::less:
        return compare_order(test, width, BPF_JGE, true);
    case Comparison::less_or_equal:
        return compare_order(test, width, BPF_JGT, true);
    case Comparison::greater_or_equal:
        return compare_order(test, width, BPF_JGE, false);
    case Comparison::greater:
        return compare_order(test, width, BPF_JGT, false);
    case Comparison::equal:
    case Comparison::masked_equal:
        break;
    }
    return compare_equal(test, width);
}

// When all of them fit: the action. Else on to what is behind.
Program when_all(std::span<const SeccompArgument> tests, std::uint32_t action, Width width) {
    Program program;
    for (const SeccompArgument& test : tests)
        bpf::append(program, compare_argument(test, width));
    program.push_back(bpf::give(action));
    for (std::size_t at = 0; at < program.size(); ++at) {
        if (BPF_CLASS(program[at].code) != BPF_JMP) continue;
        const auto behind = static_cast<std::uint8_t>(program.size() - at - 1);
        if (program[at].jt == kToFail) program[at].jt = behind;
        if (program[at].jf == kToFail) program[at].jf = behind;
    }
    return program;
}

bool has_index_twice(std::span<const SeccompArgument> tests) {
    std::set<std::uint32_t> seen;
    return std::ranges::any_of(tests,
                               [&](const SeccompArgument& test) { return !seen.insert(test.index).second; });
}

Program by_rules(const Verdict& verdict, std::uint32_t default_action, Width width) {
    Program program;
    for (const SeccompRule* rule : verdict.rules) {
        const std::span<const SeccompArgument> tests(rule->arguments);
        if (!has_index_twice(tests)) {
            bpf::append(program, when_all(tests, rule->action, width));
            continue;
        }
        for (std::size_t i = 0; i < tests.size(); ++i)
            bpf::append(program, when_all(tests.subspan(i, 1), rule->action, width));
    }
    program.push_back(bpf::give(default_action));
    return program;
}

// The kernel's own order: the lower number, with its sign, is the stricter one.
std::uint32_t stricter(std::uint32_t one, std::uint32_t other) {
    const auto order = [](std::uint32_t action) {
        return static_cast<std::int32_t>(action & SECCOMP_RET_ACTION_FULL);
    };
    return order(other) < order(one) ? other : one;
}

// Calls of i386 that hold others: which one, the first argument says.
struct SecondWay {
    std::string_view holder;
    std::uint64_t mask; // of that argument
    std::uint32_t number;
    std::string_view name;
};
constexpr std::string_view kSocketcall = "socketcall";
constexpr std::string_view kIpcCall = "ipc";
constexpr std::uint64_t kWholeCall = 0xffffffff;
constexpr std::uint64_t kIpcMask = 0xffff; // Above it is a version.
// Source: Linux, include/uapi/linux/net.h and include/uapi/linux/ipc.h.
constexpr SecondWay kSecondWays[] = {
    {kSocketcall, kWholeCall, 1, "socket"},
    {kSocketcall, kWholeCall, 2, "bind"},
    {kSocketcall, kWholeCall, 3, "connect"},
    {kSocketcall, kWholeCall, 4, "listen"},
    {kSocketcall, kWholeCall, 5, "accept"},
    {kSocketcall, kWholeCall, 6, "getsockname"},
    {kSocketcall, kWholeCall, 7, "getpeername"},
    {kSocketcall, kWholeCall, 8, "socketpair"},
    {kSocketcall, kWholeCall, 9, "send"},
    {kSocketcall, kWholeCall, 10, "recv"},
    {kSocketcall, kWholeCall, 11, "sendto"},
    {kSocketcall, kWholeCall, 12, "recvfrom"},
    {kSocketcall, kWholeCall, 13, "shutdown"},
    {kSocketcall, kWholeCall, 14, "setsockopt"},
    {kSocketcall, kWholeCall, 15, "getsockopt"},
    {kSocketcall, kWholeCall, 16, "sendmsg"},
    {kSocketcall, kWholeCall, 17, "recvmsg"},
    {kSocketcall, kWholeCall, 18, "accept4"},
    {kSocketcall, kWholeCall, 19, "recvmmsg"},
    {kSocketcall, kWholeCall, 20, "sendmmsg"},
    {kIpcCall, kIpcMask, 1, "semop"},
    {kIpcCall, kIpcMask, 2, "semget"},
    {kIpcCall, kIpcMask, 3, "semctl"},
    {kIpcCall, kIpcMask, 4, "semtimedop"},
    {kIpcCall, kIpcMask, 11, "msgsnd"},
    {kIpcCall, kIpcMask, 12, "msgrcv"},
    {kIpcCall, kIpcMask, 13, "msgget"},
    {kIpcCall, kIpcMask, 14, "msgctl"},
    {kIpcCall, kIpcMask, 21, "shmat"},
    {kIpcCall, kIpcMask, 22, "shmdt"},
    {kIpcCall, kIpcMask, 23, "shmget"},
    {kIpcCall, kIpcMask, 24, "shmctl"},
};

// One architecture's part of the program: which numbers have which fate.
class Section {
  public:
    Section(const SeccompFilter& filter, const Verdicts& verdicts, const Abi& abi)
        : filter_(filter),
          verdicts_(verdicts),
          abi_(abi) {
        fates_.push_back({bpf::give(filter.default_action)});
    }

    Program compile(bool x32) {
        constexpr std::uint32_t kNoCall = ~0U; // What a tracer puts there who wants none.
        const bool whole = abi_.audit == AUDIT_ARCH_X86_64 || abi_.audit == AUDIT_ARCH_AARCH64;
        add_calls(0, kX32Bit, whole ? Width::whole : Width::lower);
        if (abi_.audit == AUDIT_ARCH_X86_64 && x32)
            add_calls(kX32Bit, 2 * kX32Bit, Width::lower);
        else if (abi_.audit == AUDIT_ARCH_X86_64)
            bpf::add_range(ranges_, kX32Bit, fate_of(SECCOMP_RET_KILL_PROCESS));
        bpf::add_range(ranges_, kNoCall, 0);
        return bpf::search(ranges_, fates_);
    }

  private:
    // The fate of an action alone.
    std::size_t fate_of(std::uint32_t action) {
        for (std::size_t fate = 0; fate < fates_.size(); ++fate)
            if (fates_[fate].size() == 1 && fates_[fate].front().k == action) return fate;
        fates_.push_back({bpf::give(action)});
        return fates_.size() - 1;
    }

    std::size_t fate_of(const Verdict& verdict, Width width) {
        if (verdict.action) return fate_of(*verdict.action);
        fates_.push_back(by_rules(verdict, filter_.default_action, width));
        return fates_.size() - 1;
    }

    // The call holds others, some of which the rules name.
    std::optional<std::size_t> fate_of_holder(std::string_view name) {
        Program program;
        for (const SecondWay& way : kSecondWays) {
            const auto found = verdicts_.find(way.name);
            if (way.holder != name || found == verdicts_.end()) continue;
            const SeccompArgument test{0, SeccompArgument::Comparison::masked_equal, way.mask, way.number};
            bpf::append(program, when_all({&test, 1}, strictest(found->second), Width::lower));
        }
        if (program.empty()) return std::nullopt;
        program.push_back(bpf::give(filter_.default_action));
        fates_.push_back(std::move(program));
        return fates_.size() - 1;
    }

    [[nodiscard]] std::uint32_t strictest(const Verdict& verdict) const {
        if (verdict.action) return *verdict.action;
        std::uint32_t action = filter_.default_action;
        for (const SeccompRule* rule : verdict.rules)
            action = stricter(action, rule->action);
        return action;
    }

    // The fate of a call that some rule names, by itself or by what it holds.
    std::optional<std::size_t> named_fate(std::string_view name, Width width) {
        const auto found = verdicts_.find(name);
        if (found != verdicts_.end()) return fate_of(found->second, width);
        return abi_.audit == AUDIT_ARCH_I386 ? fate_of_holder(name) : std::nullopt;
    }

    // What lies beyond the highest number that the rules name.
    std::size_t fate_of_newer() {
        const bool is_error = (filter_.default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
        return is_error ? fate_of(SECCOMP_RET_ERRNO | ENOSYS) : 0;
    }

    // Numbers from `first` on, below `end`.
    void add_calls(std::uint32_t first, std::uint32_t end, Width width) {
        constexpr std::uint32_t kOrdinary = 1024; // Beyond are arm's private ones.
        bpf::add_range(ranges_, first, 0);
        std::uint32_t next = first;   // the first number that no range speaks of yet
        std::uint32_t beyond = first; // the highest ordinary one that is named
        std::vector<std::pair<std::uint32_t, std::size_t>> named;
        for (const NumberedCall& call : abi_.calls) {
            if (call.number < first || call.number >= end) continue;
            const auto fate = named_fate(name_of(call), width);
            if (!fate) continue;
            named.emplace_back(call.number, *fate);
            if (call.number - first < kOrdinary) beyond = call.number + 1;
        }
        const std::size_t newer = fate_of_newer();
        for (const auto& [number, fate] : named) {
            if (number > next) bpf::add_range(ranges_, next, next >= beyond ? newer : 0);
            bpf::add_range(ranges_, number, fate);
            next = number + 1;
        }
        bpf::add_range(ranges_, next, newer);
    }

    const SeccompFilter& filter_;
    const Verdicts& verdicts_;
    const Abi& abi_;
    std::vector<Program> fates_; // the first: the default action
    std::vector<bpf::Range> ranges_;
};

struct Architecture {
    std::string_view name;
    std::uint32_t audit;
};
constexpr Architecture kArchitectures[] = {
    {"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64},
    {"SCMP_ARCH_X86", AUDIT_ARCH_I386},
    {"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64},
    {"SCMP_ARCH_ARM", AUDIT_ARCH_ARM},
};

bool is_listed(const SeccompFilter& filter, std::string_view name) {
    return std::ranges::find(filter.architectures, name) != filter.architectures.end();
}

bool is_listed(const SeccompFilter& filter, std::uint32_t audit) {
    return std::ranges::any_of(kArchitectures, [&](const Architecture& each) {
        return each.audit == audit && is_listed(filter, each.name);
    });
}

} // namespace

Result<std::vector<sock_filter>> compile_filter(const SeccompFilter& filter) {
    const Verdicts verdicts = verdicts_of(filter);
    const bool x32 = is_listed(filter, "SCMP_ARCH_X32");
    Program program{bpf::load(bpf::kArch)};
    for (const Abi& abi : abis()) {
        const bool own = abi.audit == abis().front().audit;
        if (!own && !is_listed(filter, abi.audit)) continue;
        Program calls{bpf::load(bpf::kNumber)};
        bpf::append(calls, Section(filter, verdicts, abi).compile(x32));
        program.push_back(bpf::jump(BPF_JEQ, abi.audit, 1, 0));
        program.push_back(bpf::skip(calls.size()));
        bpf::append(program, calls);
    }
    program.push_back(bpf::give(SECCOMP_RET_KILL_PROCESS));
    if (program.size() > BPF_MAXINSNS)
        return fail(Code::invalid, "the filter has " + std::to_string(program.size()) +
                                       " instructions; the kernel takes " + std::to_string(BPF_MAXINSNS));
    return program;
}

std::vector<std::string> unknown_calls(const SeccompFilter& filter) {
    const std::vector<std::string_view> known = call_names();
    std::set<std::string> unknown;
    for (const SeccompRule& rule : filter.rules)
        for (const std::string& name : rule.names)
            if (!std::ranges::binary_search(known, std::string_view(name))) unknown.insert(name);
    return {unknown.begin(), unknown.end()};
}

} // namespace mydocker::runtime
