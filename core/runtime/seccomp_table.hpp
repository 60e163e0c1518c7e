// Which system calls a container may make: the default filter as a table of names, grouped by purpose.
// Not the filter itself (seccomp.cpp), nor numbers: those differ by architecture and are looked up when the
// program is built (seccomp_gen.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mydocker::runtime {

// What becomes of a call.
enum class CallRule : std::uint8_t {
    allow,
    deny,   // EPERM
    absent, // ENOSYS, as if the kernel were older: programs then fall back to another call
    // Allowed unless an argument says something else; denied then:
    clone,       // makes a namespace
    personality, // other than Linux, 32 bits, no randomisation, or a question
    socket,      // of a family that reaches beyond the network namespace
    ioctl,       // puts characters into a terminal as if typed
};
inline constexpr std::size_t kCallRules = 7;

// Calls with one fate. Whoever holds any of `capabilities` may make them without restriction.
struct CallGroup {
    CallRule rule = CallRule::deny;
    std::uint64_t capabilities = 0; // bit mask by capability number
    std::string_view names;         // separated by blanks
};

// No name is in two groups. A call in none is `absent`.
[[nodiscard]] std::span<const CallGroup> call_groups();

// A number that the library seccomp_gen asks may be too old to know.
struct RecentCall {
    std::string_view name;
    std::uint32_t number = 0;
    bool x86_64_only = false; // else the same number everywhere
};
[[nodiscard]] std::span<const RecentCall> recent_calls();

} // namespace mydocker::runtime
