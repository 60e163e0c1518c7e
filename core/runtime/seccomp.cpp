// From the table of numbers to a program. Neighbouring numbers with one fate become a range, and the ranges
// a tree (seccomp_bpf.cpp):
//
//   load arch ── is x86-64? ── load number ── search
//            └─ is i386?  ── load number ── search
//            └─ kill
//
// Arguments are compared by their lower 32 bits alone, which is all that the kernel takes of
// these: a filter that looked at 64 would let family 0x100000026 pass as unknown, and get AF_ALG.
#include "runtime/seccomp.hpp"

#include "runtime/seccomp_bpf.hpp"
#include "runtime/seccomp_numbers.hpp"

#include <cassert>
#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

namespace mydocker::runtime {
namespace {

using bpf::allow;
using bpf::append;
using bpf::give;
using bpf::jump;
using bpf::load;
using bpf::lower_half;
using bpf::Program;
using bpf::Range;
using bpf::refuse;

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
    std::vector<Range> ranges;
    const auto add = [&](std::uint32_t first, CallRule rule) {
        bpf::add_range(ranges, first, static_cast<std::size_t>(rule));
    };
    add(0, CallRule::absent);
    std::uint32_t next = 0; // the first number that no range speaks of yet
    for (const NumberedCall& call : abi.calls) {
        if (call.number > next) add(next, CallRule::absent);
        const bool granted = (call.capabilities & request.capabilities) != 0;
        add(call.number, granted ? CallRule::allow : call.rule);
        next = call.number + 1;
    }
    add(next, CallRule::absent);
    return ranges;
}

// By CallRule.
std::vector<Program> leaves() {
    std::vector<Program> result;
    for (std::size_t rule = 0; rule < kCallRules; ++rule)
        result.push_back(leaf(static_cast<CallRule>(rule)));
    return result;
}

} // namespace

std::vector<sock_filter> default_program(const SeccompRequest& request) {
    const std::vector<Program> fates = leaves();
    Program program{load(bpf::kArch)};
    for (const Abi& abi : abis()) {
        Program calls{load(bpf::kNumber)};
        append(calls, bpf::search(ranges_of(abi, request), fates));
        // Calls of other architectures go on behind.
        program.push_back(jump(BPF_JEQ, abi.audit, 1, 0));
        program.push_back(bpf::skip(calls.size()));
        append(program, calls);
    }
    program.push_back(give(SECCOMP_RET_KILL_PROCESS));
    assert(program.size() <= BPF_MAXINSNS);
    return program;
}

std::vector<sock_filter> self_kill_program() {
    // Which argument is the signal depends on the call; the first is the process in all of them.
    const Program to_itself{load(lower_half(0)), jump(BPF_JEQ, 1, 1, 0), allow()};
    const auto is_kill = [](std::uint32_t argument) {
        return Program{load(lower_half(argument)), jump(BPF_JEQ, SIGKILL, 0, 1), give(SECCOMP_RET_USER_NOTIF),
                       allow()};
    };
    Program program{load(bpf::kArch), jump(BPF_JEQ, abis().front().audit, 1, 0), allow(), load(bpf::kNumber)};
    const std::size_t body = to_itself.size() + is_kill(1).size();
    program.push_back(jump(BPF_JEQ, SYS_kill, 3, 0));
    program.push_back(jump(BPF_JEQ, SYS_tkill, 2, 0));
    program.push_back(jump(BPF_JEQ, SYS_tgkill, 1 + body, 0));
    program.push_back(allow());
    append(program, to_itself);
    append(program, is_kill(1));
    append(program, to_itself);
    append(program, is_kill(2));
    return program;
}

} // namespace mydocker::runtime
