// docker's seccomp profiles: what they say here, and where they are wrong.
#include "runtime/seccomp_profile.hpp"

#include <gtest/gtest.h>

#include <linux/seccomp.h>

#include <cerrno>
#include <string>
#include <vector>

namespace mydocker::runtime {
namespace {

using Compared = SeccompArgument::Comparison;

ProfileSetting setting(std::vector<std::string> capabilities = {}) {
    return {std::move(capabilities), 6, 1, "amd64"};
}

// --- the profile's text ---------------------------------------------------------------------------------

TEST(SeccompProfile, SaysActionErrorsAndArguments) {
    const auto filter = parse_seccomp_profile(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "syscalls": [
          {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
          {"name": "mkdir", "action": "SCMP_ACT_TRACE", "errnoRet": 7, "comment": "ours"},
          {"names": ["kill"], "action": "SCMP_ACT_KILL", "args": [
            {"index": 1, "value": 18446744073709551615, "valueTwo": 9, "op": "SCMP_CMP_MASKED_EQ"}]},
          {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "errno": "EPERM"}],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"], "somethingNewer": true})",
                                              setting());

    ASSERT_TRUE(filter) << filter.error().text;
    EXPECT_EQ(filter->default_action, SECCOMP_RET_ERRNO | ENOSYS);
    EXPECT_EQ(filter->flags, SECCOMP_FILTER_FLAG_LOG);
    ASSERT_EQ(filter->rules.size(), 4U);
    EXPECT_EQ(filter->rules[0].names, (std::vector<std::string>{"read", "write"}));
    EXPECT_EQ(filter->rules[0].action, SECCOMP_RET_ALLOW);
    EXPECT_EQ(filter->rules[1].action, SECCOMP_RET_TRACE | 7U);
    EXPECT_EQ(filter->rules[2].action, SECCOMP_RET_KILL_THREAD);
    EXPECT_EQ(filter->rules[2].arguments[0].value, ~std::uint64_t{0});
    EXPECT_EQ(filter->rules[2].arguments[0].value_two, 9U);
    EXPECT_EQ(filter->rules[2].arguments[0].comparison, Compared::masked_equal);
    EXPECT_EQ(filter->rules[3].action, SECCOMP_RET_ERRNO | EPERM) << "what is not said is EPERM";
}

struct ConditionCase {
    const char* title;
    const char* condition;
    std::vector<std::string> capabilities;
    bool counts;
};

class SeccompCondition : public testing::TestWithParam<ConditionCase> {};

TEST_P(SeccompCondition, DecidesWhetherTheRuleCounts) {
    const std::string text =
        std::string(
            R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["bpf"],"action":"SCMP_ACT_ALLOW",)") +
        GetParam().condition + "}]}";

    const auto filter = parse_seccomp_profile(text, setting(GetParam().capabilities));

    ASSERT_TRUE(filter) << filter.error().text;
    EXPECT_EQ(filter->rules.size(), GetParam().counts ? 1U : 0U);
}

INSTANTIATE_TEST_SUITE_P(
    All, SeccompCondition,
    testing::Values(
        ConditionCase{"empty", R"("includes":{},"excludes":{})", {}, true},
        ConditionCase{"all_caps", R"("includes":{"caps":["CAP_BPF","CAP_SYS_ADMIN"]})", {"CAP_BPF"}, false},
        ConditionCase{"has_all_caps",
                      R"("includes":{"caps":["CAP_BPF","CAP_SYS_ADMIN"]})",
                      {"CAP_SYS_ADMIN", "CAP_BPF"},
                      true},
        ConditionCase{"any_cap", R"("excludes":{"caps":["CAP_BPF","CAP_SYS_ADMIN"]})", {"CAP_BPF"}, false},
        ConditionCase{"no_cap", R"("excludes":{"caps":["CAP_BPF"]})", {"CAP_KILL"}, true},
        ConditionCase{"arch", R"("includes":{"arches":["arm64","amd64"]})", {}, true},
        ConditionCase{"other_arch", R"("includes":{"arches":["s390x"]})", {}, false},
        ConditionCase{"not_arch", R"("excludes":{"arches":["amd64"]})", {}, false},
        ConditionCase{"kernel_same", R"("includes":{"minKernel":"6.1"})", {}, true},
        ConditionCase{"kernel_newer", R"("includes":{"minKernel":"6.2"})", {}, false},
        ConditionCase{"kernel_number", R"("includes":{"minKernel":"5.10"})", {}, true},
        ConditionCase{"kernel_excluded", R"("excludes":{"minKernel":"4.8"})", {}, false},
        ConditionCase{
            "kernel_absent", R"("includes":{"minKernel":""},"excludes":{"minKernel":""})", {}, true},
        ConditionCase{
            "both", R"("includes":{"caps":["CAP_BPF"]},"excludes":{"minKernel":"7.0"})", {"CAP_BPF"}, true}),
    [](const auto& tested) { return tested.param.title; });

struct BadProfile {
    const char* title;
    const char* text;
    const char* want;
};

class SeccompProfileWrong : public testing::TestWithParam<BadProfile> {};

TEST_P(SeccompProfileWrong, IsRefusedByThePlace) {
    const auto filter = parse_seccomp_profile(GetParam().text, setting());

    ASSERT_FALSE(filter);
    EXPECT_TRUE(filter.error().text.starts_with(GetParam().want)) << filter.error().text;
    EXPECT_EQ(filter.error().text.find('\n'), std::string::npos) << filter.error().text;
}

INSTANTIATE_TEST_SUITE_P(
    All, SeccompProfileWrong,
    testing::Values(
        BadProfile{"no_json", "{", "JSON damaged at byte "}, BadProfile{"list", "[]", "it is no JSON object"},
        BadProfile{"no_default", "{}", "defaultAction: is missing"},
        BadProfile{"default", R"({"defaultAction":"ALLOW"})",
                   "defaultAction: 'ALLOW' is unknown; there are: SCMP_ACT_ALLOW, "},
        BadProfile{"notify", R"({"defaultAction":"SCMP_ACT_NOTIFY"})",
                   "defaultAction: SCMP_ACT_NOTIFY needs an agent"},
        BadProfile{"action",
                   R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW"},
                      {"names":["a"],"action":"SCMP_ACT_NO"}]})",
                   "syscalls[1].action: 'SCMP_ACT_NO' is unknown"},
        BadProfile{"no_names", R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_LOG"}]})",
                   "syscalls[0].names: names no call"},
        BadProfile{"both_names",
                   R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
                      {"name":"a","names":["b"],"action":"SCMP_ACT_LOG"}]})",
                   "syscalls[0].name: is there beside 'names'"},
        BadProfile{"errno_high",
                   R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
                      {"names":["a"],"action":"SCMP_ACT_ERRNO","errnoRet":4096}]})",
                   "syscalls[0].errnoRet: is no whole number from 0 to 4095"},
        BadProfile{"errno_of_allow", R"({"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1})",
                   "defaultErrnoRet: goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE alone"},
        BadProfile{"errno_name",
                   R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"defaultErrno":"ENOSYS"})",
                   "defaultErrno: 'ENOSYS' is not the error"},
        BadProfile{"index",
                   R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG",
                      "args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}]})",
                   "syscalls[0].args[0].index: is no whole number from 0 to 5"},
        BadProfile{"op",
                   R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG",
                      "args":[{"index":0,"value":1,"op":"=="}]}]})",
                   "syscalls[0].args[0].op: '==' is unknown"},
        BadProfile{"value",
                   R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG",
                      "args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}]}]})",
                   "syscalls[0].args[0].value: is no whole number"},
        BadProfile{"kernel",
                   R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG",
                      "includes":{"minKernel":"new"}}]})",
                   "syscalls[0].includes.minKernel: 'new' is no version"},
        BadProfile{"arch", R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["x86"]})",
                   "architectures[0]: 'x86' is none"},
        BadProfile{"arch_twice",
                   R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],
                      "archMap":[{"architecture":"SCMP_ARCH_X86_64"}]})",
                   "architectures: is there beside 'archMap'"},
        BadProfile{"flag", R"({"defaultAction":"SCMP_ACT_ALLOW","flags":["LOG"]})",
                   "flags[0]: 'LOG' is unknown"},
        BadProfile{"listener", R"({"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x"})",
                   "listenerPath: is not supported"}),
    [](const auto& tested) { return tested.param.title; });

#if defined(__x86_64__)
TEST(SeccompProfile, TakesTheArchitecturesOfThisMachine) {
    const auto filter = parse_seccomp_profile(R"({"defaultAction":"SCMP_ACT_ALLOW","archMap":[
        {"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]},
        {"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]}]})",
                                              setting());

    ASSERT_TRUE(filter) << filter.error().text;
    EXPECT_EQ(filter->architectures,
              (std::vector<std::string>{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}));
}
#endif

} // namespace
} // namespace mydocker::runtime
