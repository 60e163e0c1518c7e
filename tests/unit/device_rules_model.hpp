// A model of device rules to hold the drivers against: the contract itself, what the kernel makes of a v1
// policy, an interpreter for the v2 filter, and random rules.
#pragma once

#include "cgroup/v1/devices.hpp"
#include "cgroup/v2/device_filter.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

namespace mydocker::device_rules {

inline constexpr std::uint32_t kMknod = 1;
inline constexpr std::uint32_t kRead = 2;
inline constexpr std::uint32_t kWrite = 4;

struct Request {
    char type = 'c';
    std::int64_t major = 0;
    std::int64_t minor = 0;
    std::uint32_t access = 0;
};

inline bool matches(const DeviceRule& rule, const Request& request, char letter) {
    return (rule.type == 'a' || rule.type == request.type) &&
           (rule.major < 0 || rule.major == request.major) &&
           (rule.minor < 0 || rule.minor == request.minor) && rule.access.find(letter) != std::string::npos;
}

// The contract itself: for each bit the last rule that matches decides; none: denied.
inline bool allowed(const std::vector<DeviceRule>& rules, const Request& request) {
    const std::pair<std::uint32_t, char> letters[] = {{kMknod, 'm'}, {kRead, 'r'}, {kWrite, 'w'}};
    for (const auto& [bit, letter] : letters) {
        if ((request.access & bit) == 0) continue;
        bool answer = false;
        for (const DeviceRule& rule : rules)
            if (matches(rule, request, letter)) answer = rule.allow;
        if (!answer) return false;
    }
    return true;
}

// What the kernel makes of a policy. Source: devcgroup_check_permission in security/device_cgroup.c.
inline bool allowed(const cgroup_v1::DevicePolicy& policy, const Request& request) {
    const auto covers = [&](const cgroup_v1::DeviceSet& set) {
        return set.type == request.type && (set.major < 0 || set.major == request.major) &&
               (set.minor < 0 || set.minor == request.minor);
    };
    return std::ranges::any_of(policy.exceptions, [&](const auto& exception) {
               const std::uint32_t rest =
                   policy.allow ? request.access & exception.second : request.access & ~exception.second;
               return covers(exception.first) && (policy.allow ? rest != 0 : rest == 0);
           }) != policy.allow;
}

// Runs the few instructions that the filter is made of; -1: one that is not among them.
inline std::int64_t interpret(const std::vector<bpf_insn>& program, const Request& request) {
    const std::array<std::uint32_t, 3> context = {
        request.access << 16U | std::uint32_t{request.type == 'b' ? 1U : 2U},
        static_cast<std::uint32_t>(request.major), static_cast<std::uint32_t>(request.minor)};
    std::array<std::uint64_t, 11> registers{};
    for (std::size_t at = 0; at < program.size(); ++at) {
        const bpf_insn& insn = program[at];
        std::uint64_t& to = registers.at(insn.dst_reg);
        const auto value = static_cast<std::uint32_t>(insn.imm);
        const auto skip = static_cast<std::size_t>(insn.off);
        switch (insn.code) {
        case BPF_LDX | BPF_MEM | BPF_W:
            to = context.at(skip / 4);
            break;
        case BPF_ALU | BPF_MOV | BPF_X:
            to = static_cast<std::uint32_t>(registers.at(insn.src_reg));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            to = static_cast<std::uint32_t>(to) & value;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            to = static_cast<std::uint32_t>(to) >> value;
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            to = value;
            break;
        case BPF_JMP | BPF_JNE | BPF_K:
            at += to != value ? skip : 0;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += to == value ? skip : 0;
            break;
        case BPF_JMP | BPF_EXIT:
            return static_cast<std::int64_t>(registers[0]);
        default:
            return -1;
        }
    }
    return -1;
}

// Lists over a handful of devices, so that rules overlap often.
class RandomRules {
  public:
    [[nodiscard]] std::vector<DeviceRule> list() {
        std::vector<DeviceRule> rules(pick(8));
        for (DeviceRule& rule : rules) {
            static constexpr std::array<const char*, 7> kAccess = {"r", "w", "m", "rw", "rm", "wm", "rwm"};
            rule = {pick(2) == 0, "abc"[pick(3)], number(), number(), kAccess.at(pick(7))};
        }
        return rules;
    }

  private:
    [[nodiscard]] std::size_t pick(std::size_t count) { return engine_() % count; }
    [[nodiscard]] std::int64_t number() { return static_cast<std::int64_t>(pick(4)) - 1; }

    std::mt19937 engine_{20'250'000};
};

inline std::vector<Request> all_requests() {
    std::vector<Request> requests;
    for (const char type : {'b', 'c'})
        for (std::int64_t major = 0; major < 4; ++major)
            for (std::int64_t minor = 0; minor < 4; ++minor)
                for (std::uint32_t access = 1; access < 8; ++access)
                    requests.push_back({type, major, minor, access});
    return requests;
}

inline std::string show(const std::vector<DeviceRule>& rules) {
    std::string text;
    for (const DeviceRule& rule : rules)
        text += std::string(rule.allow ? "allow " : "deny ") + rule.type + " " + std::to_string(rule.major) +
                ":" + std::to_string(rule.minor) + " " + rule.access + "; ";
    return text;
}

} // namespace mydocker::device_rules
