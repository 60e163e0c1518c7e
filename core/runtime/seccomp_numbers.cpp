// The generated table, in its own place.
#include "runtime/seccomp_numbers.hpp"

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

bool is_call_name(std::string_view name) {
    for (const CallGroup& group : call_groups()) {
        for (std::string_view left = group.names; !left.empty();) {
            const std::string_view word = left.substr(0, left.find(' '));
            if (word == name) return true;
            left.remove_prefix(word.size() < left.size() ? word.size() + 1 : left.size());
        }
    }
    return false;
}

} // namespace mydocker::runtime
