// The generated table, in its own place.
#include "runtime/seccomp_numbers.hpp"

#include <algorithm>
#include <linux/audit.h>

namespace mydocker::runtime {
namespace {

#include "runtime/seccomp_numbers.inc"

} // namespace

std::span<const Abi> abis() {
    return kAbis;
}

std::string_view name_of(const NumberedCall& call) {
    return kCallNames + call.name;
}

std::vector<std::string_view> call_names() {
    std::vector<std::string_view> names;
    for (const CallGroup& group : call_groups()) {
        for (std::string_view left = group.names; !left.empty();) {
            names.push_back(left.substr(0, left.find(' ')));
            left.remove_prefix(std::min(names.back().size() + 1, left.size()));
        }
    }
    std::ranges::sort(names);
    return names;
}

} // namespace mydocker::runtime
