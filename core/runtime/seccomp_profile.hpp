// docker's seccomp profiles: a filter as linux.seccomp has it, whose rules may depend on the machine, its
// kernel and the container's capabilities. Source: docker's documentation, "Seccomp security profiles".
#pragma once

#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::runtime {

// What the conditions of a profile's rules are about.
struct ProfileSetting {
    std::vector<std::string> capabilities; // "CAP_CHOWN": the bounding set
    std::uint32_t kernel_major = 0;
    std::uint32_t kernel_minor = 0;
    std::string architecture; // docker's word: "amd64"
};

// This machine's.
[[nodiscard]] ProfileSetting profile_setting(std::vector<std::string> capabilities);

// The filter that the profile makes in that setting. Members that nobody knows are ignored, as docker does.
// Errors: corrupt (no JSON), invalid and unsupported, naming the byte or the member ("syscalls[3].action").
[[nodiscard]] Result<SeccompFilter> parse_seccomp_profile(std::string_view text,
                                                          const ProfileSetting& setting);

} // namespace mydocker::runtime
