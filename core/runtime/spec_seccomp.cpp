#include "runtime/spec_seccomp.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/seccomp.h>
#include <string_view>
#include <utility>

namespace mydocker::runtime {
namespace {

template <class Value>
using SeccompWord = std::pair<Value, std::string_view>;

// The first word of a value is written; every one is read.
constexpr std::array<SeccompWord<std::uint32_t>, 8> kActions{{
    {SECCOMP_RET_ALLOW, "SCMP_ACT_ALLOW"},
    {SECCOMP_RET_ERRNO, "SCMP_ACT_ERRNO"},
    {SECCOMP_RET_KILL_THREAD, "SCMP_ACT_KILL_THREAD"},
    {SECCOMP_RET_KILL_THREAD, "SCMP_ACT_KILL"},
    {SECCOMP_RET_KILL_PROCESS, "SCMP_ACT_KILL_PROCESS"},
    {SECCOMP_RET_TRAP, "SCMP_ACT_TRAP"},
    {SECCOMP_RET_TRACE, "SCMP_ACT_TRACE"},
    {SECCOMP_RET_LOG, "SCMP_ACT_LOG"},
}};

constexpr std::array<SeccompWord<SeccompArgument::Comparison>, 7> kComparisons{{
    {SeccompArgument::Comparison::not_equal, "SCMP_CMP_NE"},
    {SeccompArgument::Comparison::less, "SCMP_CMP_LT"},
    {SeccompArgument::Comparison::less_or_equal, "SCMP_CMP_LE"},
    {SeccompArgument::Comparison::equal, "SCMP_CMP_EQ"},
    {SeccompArgument::Comparison::greater_or_equal, "SCMP_CMP_GE"},
    {SeccompArgument::Comparison::greater, "SCMP_CMP_GT"},
    {SeccompArgument::Comparison::masked_equal, "SCMP_CMP_MASKED_EQ"},
}};

constexpr std::array<SeccompWord<std::uint32_t>, 3> kFlags{{
    {SECCOMP_FILTER_FLAG_LOG, "SECCOMP_FILTER_FLAG_LOG"},
    {SECCOMP_FILTER_FLAG_SPEC_ALLOW, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
    // For the other threads of the process that loads the filter; ours has none.
    {0, "SECCOMP_FILTER_FLAG_TSYNC"},
}};

// The value of a word; `otherwise` and a complaint for an unknown one.
template <class Value, std::size_t count>
Value value_of(const Member& member, const std::array<SeccompWord<Value>, count>& words, Value otherwise) {
    const std::string word = member.required().text();
    if (!member.present()) return otherwise;
    const auto found = std::ranges::find(words, word, [](const auto& pair) { return pair.second; });
    if (found != words.end()) return found->first;
    std::string all;
    for (const auto& [value, name] : words)
        all.append(all.empty() ? "" : ", ").append(name);
    member.complain("'" + word + "' is unknown; there are: " + all);
    return otherwise;
}

template <class Value, std::size_t count>
std::string_view seccomp_word(Value value, const std::array<SeccompWord<Value>, count>& words) {
    return std::ranges::find(words, value, [](const auto& pair) { return pair.first; })->second;
}

bool has_number(std::uint32_t action) {
    return action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
}

void set_action(json::Value& value, const char* action_key, const char* error_key, std::uint32_t action) {
    const std::uint32_t kind = action & SECCOMP_RET_ACTION_FULL;
    value.set(action_key, seccomp_word(kind, kActions));
    if (has_number(kind)) value.set(error_key, action & SECCOMP_RET_DATA);
}

json::Value argument_json(const SeccompArgument& argument) {
    json::Value value;
    value.set("index", argument.index).set("value", argument.value);
    if (argument.comparison == SeccompArgument::Comparison::masked_equal)
        value.set("valueTwo", argument.value_two);
    value.set("op", seccomp_word(argument.comparison, kComparisons));
    return value;
}

json::Value seccomp_rule_json(const SeccompRule& rule) {
    json::Array names(rule.names.begin(), rule.names.end());
    json::Value value;
    value.set("names", std::move(names));
    set_action(value, "action", "errnoRet", rule.action);
    json::Array arguments;
    for (const SeccompArgument& argument : rule.arguments)
        arguments.push_back(argument_json(argument));
    if (!arguments.empty()) value.set("args", std::move(arguments));
    return value;
}

SeccompRule read_seccomp_rule(const Member& member) {
    SeccompRule rule;
    rule.names = member.at("names").required().texts();
    rule.action = read_seccomp_action(member.at("action"), member.at("errnoRet"));
    rule.arguments = read_seccomp_arguments(member.at("args"));
    return rule;
}

} // namespace

std::uint32_t read_seccomp_action(const Member& action, const Member& error) {
    constexpr std::uint32_t kLastErrno = 4095; // The kernel takes a higher one for this.
    constexpr std::uint32_t kLastMessage = SECCOMP_RET_DATA;
    if (action.present() && action.text() == "SCMP_ACT_NOTIFY") {
        action.complain("SCMP_ACT_NOTIFY needs an agent that answers, which is not supported by this version",
                        Code::unsupported);
        return SECCOMP_RET_KILL_PROCESS;
    }
    const std::uint32_t kind = value_of(action, kActions, std::uint32_t{SECCOMP_RET_KILL_PROCESS});
    if (!has_number(kind)) {
        if (error.present()) error.complain("goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE alone");
        return kind;
    }
    const std::uint32_t last = kind == SECCOMP_RET_ERRNO ? kLastErrno : kLastMessage;
    return kind | error.optional_number<std::uint32_t>(0, last).value_or(EPERM);
}

std::vector<SeccompArgument> read_seccomp_arguments(const Member& list) {
    constexpr std::uint32_t kLastIndex = 5;
    std::vector<SeccompArgument> arguments;
    for (const Member& member : list.elements()) {
        SeccompArgument argument;
        argument.index = member.at("index").required().number<std::uint32_t>(0, kLastIndex);
        argument.value = member.at("value").required().number<std::uint64_t>();
        argument.value_two = member.at("valueTwo").number<std::uint64_t>();
        argument.comparison = value_of(member.at("op"), kComparisons, SeccompArgument::Comparison::equal);
        arguments.push_back(argument);
    }
    return arguments;
}

std::vector<std::string> read_seccomp_architectures(const Member& list) {
    std::vector<std::string> result;
    for (const Member& member : list.elements()) {
        std::string word = member.required().text();
        if (!word.starts_with("SCMP_ARCH_")) member.complain("'" + word + "' is none: SCMP_ARCH_X86 is one");
        result.push_back(std::move(word));
    }
    return result;
}

std::uint32_t read_seccomp_flags(const Member& list) {
    std::uint32_t flags = 0;
    for (const Member& member : list.elements())
        flags |= value_of(member, kFlags, std::uint32_t{0});
    return flags;
}

void refuse_seccomp_listener(const Member& filter) {
    for (const char* key : {"listenerPath", "listenerMetadata"})
        filter.at(key).refuse_if_asked();
}

SeccompFilter read_seccomp_filter(const Member& member) {
    SeccompFilter filter;
    filter.default_action = read_seccomp_action(member.at("defaultAction"), member.at("defaultErrnoRet"));
    filter.architectures = read_seccomp_architectures(member.at("architectures"));
    filter.flags = read_seccomp_flags(member.at("flags"));
    refuse_seccomp_listener(member);
    for (const Member& rule : member.at("syscalls").elements())
        filter.rules.push_back(read_seccomp_rule(rule));
    return filter;
}

json::Value seccomp_filter_json(const SeccompFilter& filter) {
    json::Value value;
    set_action(value, "defaultAction", "defaultErrnoRet", filter.default_action);
    json::Array architectures(filter.architectures.begin(), filter.architectures.end());
    if (!architectures.empty()) value.set("architectures", std::move(architectures));
    json::Array flags;
    for (const auto& [flag, word] : kFlags)
        if ((filter.flags & flag) != 0) flags.emplace_back(word);
    if (!flags.empty()) value.set("flags", std::move(flags));
    json::Array rules;
    for (const SeccompRule& rule : filter.rules)
        rules.push_back(seccomp_rule_json(rule));
    if (!rules.empty()) value.set("syscalls", std::move(rules));
    return value;
}

} // namespace mydocker::runtime
