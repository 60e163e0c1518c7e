// linux.seccomp of a config.json, read and written; the parts of it that docker's profiles have, too, are
// read by seccomp_profile.cpp. Source: OCI runtime-spec, config-linux.md "Seccomp".
#pragma once

#include "base/json.hpp"
#include "runtime/spec.hpp"
#include "runtime/spec_reader.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mydocker::runtime {

[[nodiscard]] SeccompFilter read_seccomp_filter(const Member& member);
[[nodiscard]] json::Value seccomp_filter_json(const SeccompFilter& filter);

// The action that the member names; with the number that `error` holds, or EPERM, for actions that have one.
[[nodiscard]] std::uint32_t read_seccomp_action(const Member& action, const Member& error);
[[nodiscard]] std::vector<SeccompArgument> read_seccomp_arguments(const Member& list);
// Words of the form SCMP_ARCH_…; those of other machines are as good.
[[nodiscard]] std::vector<std::string> read_seccomp_architectures(const Member& list);
[[nodiscard]] std::uint32_t read_seccomp_flags(const Member& list);
// Listeners are not supported.
void refuse_seccomp_listener(const Member& filter);

} // namespace mydocker::runtime
