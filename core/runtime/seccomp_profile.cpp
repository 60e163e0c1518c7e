#include "runtime/seccomp_profile.hpp"

#include "runtime/spec_reader.hpp"
#include "runtime/spec_seccomp.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <linux/seccomp.h>
#include <optional>
#include <sys/utsname.h>
#include <tuple>
#include <utility>

namespace mydocker::runtime {
namespace {

bool lists(const std::vector<std::string>& words, const std::string& word) {
    return std::ranges::find(words, word) != words.end();
}

// "5.10" → both numbers; what follows them counts for nothing ("5.10.0-21-amd64").
std::optional<std::pair<std::uint32_t, std::uint32_t>> kernel_of(const std::string& text) {
    std::pair<std::uint32_t, std::uint32_t> version;
    const char* const end = text.data() + text.size();
    const auto [dot, major_error] = std::from_chars(text.data(), end, version.first);
    if (major_error != std::errc() || dot == end || *dot != '.') return std::nullopt;
    if (std::from_chars(dot + 1, end, version.second).ec != std::errc()) return std::nullopt;
    return version;
}

// What a rule's "includes" or "excludes" says.
struct Condition {
    std::vector<std::string> architectures;
    std::vector<std::string> capabilities;
    std::optional<std::pair<std::uint32_t, std::uint32_t>> kernel;
};

Condition read_condition(const Member& member) {
    Condition condition;
    condition.architectures = member.at("arches").texts();
    condition.capabilities = member.at("caps").texts();
    const Member kernel = member.at("minKernel");
    if (const std::string text = kernel.text(); !text.empty()) {
        condition.kernel = kernel_of(text);
        if (!condition.kernel) kernel.complain("'" + text + "' is no version; 5.10 is one");
    }
    return condition;
}

bool is_new_enough(const Condition& condition, const ProfileSetting& setting) {
    return *condition.kernel <= std::pair{setting.kernel_major, setting.kernel_minor};
}

// All that it says has to be so.
bool is_included(const Condition& condition, const ProfileSetting& setting) {
    if (!condition.architectures.empty() && !lists(condition.architectures, setting.architecture))
        return false;
    if (condition.kernel && !is_new_enough(condition, setting)) return false;
    return std::ranges::all_of(condition.capabilities, [&](const std::string& capability) {
        return lists(setting.capabilities, capability);
    });
}

// Any of it is enough.
bool is_excluded(const Condition& condition, const ProfileSetting& setting) {
    if (lists(condition.architectures, setting.architecture)) return true;
    if (condition.kernel && is_new_enough(condition, setting)) return true;
    return std::ranges::any_of(condition.capabilities, [&](const std::string& capability) {
        return lists(setting.capabilities, capability);
    });
}

// Old profiles name one call a rule.
std::vector<std::string> read_names(const Member& rule) {
    const Member name = rule.at("name");
    const Member names = rule.at("names");
    std::vector<std::string> result = names.texts();
    const std::string one = name.text();
    if (!one.empty() && !result.empty()) name.complain("is there beside 'names'");
    if (one.empty() && result.empty()) names.complain("names no call");
    if (!one.empty()) result.push_back(one);
    return result;
}

// podman's profiles have the error's name beside its number, docker's the number alone.
void check_error_name(const Member& name, std::uint32_t action) {
    const std::string word = name.text();
    if (word.empty() || (action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO) return;
    const char* const want = ::strerrorname_np(static_cast<int>(action & SECCOMP_RET_DATA));
    if (want == nullptr || word != want)
        name.complain("'" + word + "' is not the error that stands beside it as a number");
}

// The machine's own, and the others of the same kernel that the profile lists with it.
std::vector<std::string> read_profile_architectures(const Member& document) {
    const Member map = document.at("archMap");
    const Member list = document.at("architectures");
    std::vector<std::string> result = read_seccomp_architectures(list);
    const auto entries = map.elements();
    if (!result.empty() && !entries.empty()) list.complain("is there beside 'archMap'");
    for (const Member& entry : entries) {
        const Member architecture = entry.at("architecture");
        const std::string name = architecture.required().text();
        const std::vector<std::string> others = read_seccomp_architectures(entry.at("subArchitectures"));
#if defined(__x86_64__)
        const bool own = name == "SCMP_ARCH_X86_64";
#else
        const bool own = name == "SCMP_ARCH_AARCH64";
#endif
        if (!own || !result.empty()) continue;
        result.push_back(name);
        result.insert(result.end(), others.begin(), others.end());
    }
    return result;
}

SeccompFilter read_profile(const Member& document, const ProfileSetting& setting) {
    SeccompFilter filter;
    filter.default_action = read_seccomp_action(document.at("defaultAction"), document.at("defaultErrnoRet"));
    check_error_name(document.at("defaultErrno"), filter.default_action);
    filter.architectures = read_profile_architectures(document);
    filter.flags = read_seccomp_flags(document.at("flags"));
    refuse_seccomp_listener(document);
    for (const Member& member : document.at("syscalls").elements()) {
        SeccompRule rule;
        rule.names = read_names(member);
        rule.action = read_seccomp_action(member.at("action"), member.at("errnoRet"));
        check_error_name(member.at("errno"), rule.action);
        rule.arguments = read_seccomp_arguments(member.at("args"));
        const Condition includes = read_condition(member.at("includes"));
        const Condition excludes = read_condition(member.at("excludes"));
        if (is_included(includes, setting) && !is_excluded(excludes, setting))
            filter.rules.push_back(std::move(rule));
    }
    return filter;
}

} // namespace

ProfileSetting profile_setting(std::vector<std::string> capabilities) {
    ProfileSetting setting;
    setting.capabilities = std::move(capabilities);
#if defined(__x86_64__)
    setting.architecture = "amd64";
#else
    setting.architecture = "arm64";
#endif
    utsname host{};
    (void)::uname(&host); // It cannot fail on valid memory.
    if (const auto version = kernel_of(host.release))
        std::tie(setting.kernel_major, setting.kernel_minor) = *version;
    return setting;
}

Result<SeccompFilter> parse_seccomp_profile(std::string_view text, const ProfileSetting& setting) {
    auto document = json::parse(text);
    if (!document) return fail(document);
    if (document->if_object() == nullptr) return fail(Code::invalid, "it is no JSON object");
    Complaint complaint;
    SeccompFilter filter = read_profile(Member(&*document, "", complaint), setting);
    if (complaint.error()) return std::unexpected<Error>(*complaint.error());
    return filter;
}

} // namespace mydocker::runtime
