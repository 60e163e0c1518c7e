// Reading config.json: the process. Source: OCI runtime-spec, config.md, "Process".
#include "runtime/spec_parts.hpp"

#include <algorithm>

namespace mydocker::runtime {
namespace {

constexpr std::uint32_t kLastMask = 0777;

void read_user(const Member& user, UserSpec& spec) {
    spec.name = user.at("username").text();
    spec.uid = user.at("uid").number<std::uint32_t>(0, kLastId);
    spec.gid = user.at("gid").number<std::uint32_t>(0, kLastId);
    for (const Member& group : user.at("additionalGids").elements())
        spec.additional_gids.push_back(group.required().number<std::uint32_t>(0, kLastId));
    for (const Member& group : user.at("additionalGroups").elements())
        spec.additional_groups.push_back(group.required().text());
    spec.umask = user.at("umask").optional_number<std::uint32_t>(0, kLastMask);
}

void read_rlimits(const Member& list, std::vector<RlimitSpec>& limits) {
    for (const Member& member : list.elements()) {
        const Member type = member.at("type");
        RlimitSpec limit;
        limit.type = type.required().text();
        limit.soft = member.at("soft").required().number<std::uint64_t>();
        limit.hard = member.at("hard").required().number<std::uint64_t>();
        if (limit.soft > limit.hard) member.complain("has a soft limit above the hard one");
        if (std::ranges::find(limits, limit.type, &RlimitSpec::type) != limits.end())
            type.complain("'" + limit.type + "' is there twice");
        limits.push_back(std::move(limit));
    }
}

void read_console_size(const Member& size, ProcessSpec& spec) {
    if (!size.present()) return;
    spec.console_size = ConsoleSize{.rows = size.at("height").required().number<std::uint16_t>(),
                                    .columns = size.at("width").required().number<std::uint16_t>()};
}

} // namespace

void read_process(const Member& process, ProcessSpec& spec) {
    for (const char* key : {"apparmorProfile", "selinuxLabel", "ioPriority", "scheduler", "execCPUAffinity"})
        process.at(key).refuse_if_asked();
    spec.terminal = process.at("terminal").flag();
    read_console_size(process.at("consoleSize"), spec);
    read_user(process.at("user"), spec.user);

    const Member args = process.at("args");
    spec.args = args.required().texts();
    if (args.present() && spec.args.empty()) args.complain("is empty");
    spec.env = process.at("env").texts();
    const Member cwd = process.at("cwd");
    spec.cwd = cwd.required().text();
    if (cwd.present() && !spec.cwd.starts_with('/')) cwd.complain("is no absolute path");

    const Member capabilities = process.at("capabilities");
    spec.capabilities.bounding = capabilities.at("bounding").texts();
    spec.capabilities.effective = capabilities.at("effective").texts();
    spec.capabilities.permitted = capabilities.at("permitted").texts();
    spec.capabilities.inheritable = capabilities.at("inheritable").texts();
    spec.capabilities.ambient = capabilities.at("ambient").texts();
    read_rlimits(process.at("rlimits"), spec.rlimits);
    spec.no_new_privileges = process.at("noNewPrivileges").flag();
    spec.oom_score_adj = process.at("oomScoreAdj").optional_number<int>(-1000, 1000);
}

} // namespace mydocker::runtime
