// From the table of numbers to a program. Neighbouring numbers with one fate become a range, and the ranges
// a binary tree of comparisons:
//
//   load arch ── is x86-64? ── load number ── ≥ 170? ── ≥ 250? ── … ── return
//            └─ is i386?  ── load number ── …
//            └─ kill
//
// A comparison for each call would be four times as long, and take the kernel four times as long to load.
// Arguments are compared by their lower 32 bits alone, which is all that the kernel takes of
// these: a filter that looked at 64 would let family 0x100000026 pass as unknown, and get AF_ALG.
#include "runtime/seccomp.hpp"

#include "runtime/seccomp_table.hpp"

#include <array>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <initializer_list>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <span>
#include <sys/ioctl.h>

namespace mydocker::runtime {
namespace {

struct NumberedCall {
    std::uint32_t number;
    CallRule rule;
    std::uint64_t capabilities;
};

struct Abi {
    std::uint32_t audit;
    std::span<const NumberedCall> calls; // by number
};

#include "runtime/seccomp_numbers.inc"

// Calls from `first` to the next range's have one fate.
struct Range {
    std::uint32_t first = 0;
    CallRule rule = CallRule::absent;
};

using Program = std::vector<sock_filter>;

static_assert(std::endian::native == std::endian::little, "the lower half of an argument comes first");

constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
constexpr std::uint32_t kArch = offsetof(seccomp_data, arch);
constexpr std::uint32_t kLongestJump = 255;

constexpr std::uint32_t lower_half(std::uint32_t argument) {
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
}

sock_filter load(std::uint32_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}

sock_filter give(std::uint32_t action) {
    return BPF_STMT(BPF_RET | BPF_K, action);
}

sock_filter allow() {
    return give(SECCOMP_RET_ALLOW);
}

sock_filter refuse(int error) {
    return give(SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error) & SECCOMP_RET_DATA));
}

sock_filter jump(std::uint16_t condition, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
    assert(if_true <= kLongestJump && if_false <= kLongestJump);
    return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | condition | BPF_K), value,
                    static_cast<std::uint8_t>(if_true), static_cast<std::uint8_t>(if_false));
}

void append(Program& program, const Program& more) {
    program.insert(program.end(), more.begin(), more.end());
}

// The argument is one of the values: `found`; else `otherwise`.
Program by_value(std::uint32_t argument, std::initializer_list<std::uint32_t> values, sock_filter found,
                 sock_filter otherwise) {
    Program program{load(lower_half(argument))};
    std::size_t left = values.size();
    for (const std::uint32_t value : values)
        program.push_back(jump(BPF_JEQ, value, left--, 0));
    program.push_back(otherwise);
    program.push_back(found);
    return program;
}

Program clone_rule() {
    constexpr std::uint32_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                             CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;
    return {load(lower_half(0)), jump(BPF_JSET, kNewNamespaces, 1, 0), allow(), refuse(EPERM)};
}

Program personality_rule() {
    constexpr std::uint32_t kLinux = 0;
    constexpr std::uint32_t kLinux32 = 0x0008;
    constexpr std::uint32_t kUname26 = 0x0020000;
    constexpr std::uint32_t kAsk = 0xffffffff;
    return by_value(0, {kLinux, kLinux32, kUname26, kUname26 | kLinux32, kAsk}, allow(), refuse(EPERM));
}

Program socket_rule() {
    constexpr std::uint32_t kAlg = 38;
    constexpr std::uint32_t kVsock = 40;
    return by_value(0, {kAlg, kVsock}, refuse(EPERM), allow());
}

Program ioctl_rule() {
    constexpr std::uint32_t kTioclinux = 0x541C; // Has no name outside the kernel's own headers.
    return by_value(1, {TIOCSTI, kTioclinux}, refuse(EPERM), allow());
}

Program leaf(CallRule rule) {
    switch (rule) {
    case CallRule::allow:
        return {allow()};
    case CallRule::deny:
        return {refuse(EPERM)};
    case CallRule::clone:
        return clone_rule();
    case CallRule::personality:
        return personality_rule();
    case CallRule::socket:
        return socket_rule();
    case CallRule::ioctl:
        return ioctl_rule();
    case CallRule::absent:
        break;
    }
    return {refuse(ENOSYS)};
}

std::vector<Range> ranges_of(const Abi& abi, const SeccompRequest& request) {
    std::vector<Range> ranges{{0, CallRule::absent}};
    std::uint64_t next = 0; // the first number that no range speaks of yet
    const auto add = [&](std::uint64_t first, CallRule rule) {
        if (ranges.back().rule == rule) return;
        if (ranges.back().first == first) ranges.pop_back();
        if (ranges.empty() || ranges.back().rule != rule)
            ranges.push_back({static_cast<std::uint32_t>(first), rule});
    };
    for (const NumberedCall& call : abi.calls) {
        if (call.number > next) add(next, CallRule::absent);
        const bool granted = (call.capabilities & request.capabilities) != 0;
        add(call.number, granted ? CallRule::allow : call.rule);
        next = std::uint64_t{call.number} + 1;
    }
    add(next, CallRule::absent);
    return ranges;
}

// A binary search over ranges, then one piece of code for each fate among them. Jumps go forward only, and
// no further than kLongestJump.
class Block {
  public:
    static constexpr std::size_t kMostRanges = 200;

    explicit Block(std::span<const Range> ranges) {
        assert(ranges.size() <= kMostRanges);
        if (ranges.size() == 1) {
            append(program_, leaf(ranges.front().rule));
            return;
        }
        add_node(ranges);
        for (std::size_t fate = 0; fate < exits_.size(); ++fate)
            add_exit(static_cast<CallRule>(fate), exits_[fate]);
        assert(program_.size() <= kLongestJump);
    }
    [[nodiscard]] const Program& program() const { return program_; }

  private:
    enum class Side { below, from }; // of a comparison
    struct Jump {
        std::size_t at = 0;
        Side side = Side::below;
    };

    // NOLINTNEXTLINE(misc-no-recursion): as deep as the logarithm of the number of ranges.
    void add_node(std::span<const Range> ranges) {
        const std::size_t middle = ranges.size() / 2;
        const std::size_t at = program_.size();
        program_.push_back(jump(BPF_JGE, ranges[middle].first, 0, 0));
        add_side({at, Side::below}, ranges.first(middle));
        add_side({at, Side::from}, ranges.subspan(middle));
    }
    // NOLINTNEXTLINE(misc-no-recursion)
    void add_side(Jump from, std::span<const Range> ranges) {
        if (ranges.size() == 1) {
            exits_[static_cast<std::size_t>(ranges.front().rule)].push_back(from);
        } else {
            land(from);
            add_node(ranges);
        }
    }
    void add_exit(CallRule rule, const std::vector<Jump>& jumps) {
        if (jumps.empty()) return;
        for (const Jump& from : jumps)
            land(from);
        append(program_, leaf(rule));
    }
    // The next instruction is where the jump goes.
    void land(Jump from) {
        const auto distance = static_cast<std::uint8_t>(program_.size() - from.at - 1);
        sock_filter& comparison = program_[from.at];
        (from.side == Side::below ? comparison.jf : comparison.jt) = distance;
    }

    Program program_;
    std::array<std::vector<Jump>, kCallRules> exits_; // by CallRule
};

// NOLINTNEXTLINE(misc-no-recursion)
Program search(std::span<const Range> ranges) {
    if (ranges.size() <= Block::kMostRanges) return Block(ranges).program();
    const std::size_t middle = ranges.size() / 2;
    const Program below = search(ranges.first(middle));
    Program program{jump(BPF_JGE, ranges[middle].first, 0, 1),
                    BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(below.size()))};
    append(program, below);
    append(program, search(ranges.subspan(middle)));
    return program;
}

} // namespace

std::vector<sock_filter> default_program(const SeccompRequest& request) {
    Program program{load(kArch)};
    for (const Abi& abi : kAbis) {
        Program calls{load(kNumber)};
        append(calls, search(ranges_of(abi, request)));
        // Calls of other architectures go on behind.
        program.push_back(jump(BPF_JEQ, abi.audit, 1, 0));
        program.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(calls.size())));
        append(program, calls);
    }
    program.push_back(give(SECCOMP_RET_KILL_PROCESS));
    assert(program.size() <= BPF_MAXINSNS);
    return program;
}

} // namespace mydocker::runtime
