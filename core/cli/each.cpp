#include "cli/each.hpp"

#include "engine/lifecycle.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace mydocker::cli {

int for_each_name(Session& session, std::string_view verb, const std::vector<std::string>& names,
                  const std::function<Status(const std::string&)>& act) {
    int code = kOk;
    for (const std::string& name : names) {
        if (auto done = act(name); !done) {
            session.diagnostics().error(fmt::format("{}: {}", verb, describe(done.error())));
            code = std::max(code, session.exit_code_of(done.error()));
            continue;
        }
        print(name + "\n");
    }
    return code;
}

Result<std::vector<std::string>> ContainerChoice::names(Session& session,
                                                        const std::vector<std::string>& operands,
                                                        bool (*fits)(const engine::ContainerRecord&)) const {
    if (operands.empty() && !all_) return usage("needs a container");
    if (!operands.empty() && all_) return usage("--all and a container contradict each other");
    if (!all_) return operands;
    auto engine = session.engine();
    if (!engine) return fail(engine);
    auto listed = engine::list(**engine);
    if (!listed) return fail(listed);
    std::vector<std::string> names;
    for (const engine::Summary& each : *listed)
        if (each.record && fits(*each.record)) names.push_back(each.record->name.str());
    return names;
}

bool runs(const engine::ContainerRecord& record) {
    return record.is_live() || record.is_restarting();
}

} // namespace mydocker::cli
