// Words of config.json that writing and reading share. For spec*.cpp alone.
#pragma once

#include "runtime/spec.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace mydocker::runtime {

inline constexpr std::string_view kOciVersion = "1.2.0";

// The default filter has no place in linux.seccomp, which holds filters call by call. Another runtime that
// reads the bundle would run it without a filter; this says so.
inline constexpr const char* kSeccompAnnotation = "io.mydocker.seccomp";
inline constexpr std::array<std::pair<SeccompSpec::Kind, std::string_view>, 3> kSeccompKinds{{
    {SeccompSpec::Kind::builtin, "builtin"},
    {SeccompSpec::Kind::unconfined, "unconfined"},
    {SeccompSpec::Kind::given, "given"}, // linux.seccomp has it; never in the annotation
}};

// The types of rlimits that are lowered where the host does not allow them, separated by commas.
inline constexpr const char* kBestEffortAnnotation = "io.mydocker.rlimits.best_effort";

inline constexpr std::array<std::pair<NamespaceKind, std::string_view>, 8> kNamespaceKinds{{
    {NamespaceKind::mount, "mount"},
    {NamespaceKind::pid, "pid"},
    {NamespaceKind::network, "network"},
    {NamespaceKind::ipc, "ipc"},
    {NamespaceKind::uts, "uts"},
    {NamespaceKind::user, "user"},
    {NamespaceKind::cgroup, "cgroup"},
    {NamespaceKind::time, "time"},
}};

} // namespace mydocker::runtime
