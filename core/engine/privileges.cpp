#include "engine/privileges.hpp"

#include "base/sys.hpp"
#include "runtime/plan_parts.hpp"

#include <linux/capability.h>

namespace mydocker::engine {

Status check_privilege() {
    auto sets = sys::capget();
    if (!sets) return fail(sets);
    if ((sets->effective >> CAP_SYS_ADMIN & 1U) == 0)
        return fail(Code::denied, "lacks CAP_SYS_ADMIN, without which there are no namespaces and mounts");
    return {};
}

Result<std::vector<std::string>> own_capabilities() {
    auto sets = sys::capget();
    if (!sets) return fail(sets);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < runtime::capability_names().size(); ++i)
        if ((sets->permitted >> i & 1U) != 0) names.emplace_back(runtime::capability_names()[i]);
    return names;
}

} // namespace mydocker::engine
