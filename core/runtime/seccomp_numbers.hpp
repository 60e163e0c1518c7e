// The numbers of the system calls, looked up at build time (seccomp_gen.cpp) for each architecture whose
// calls this machine's kernel can take.
#pragma once

#include "runtime/seccomp_table.hpp"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mydocker::runtime {

inline constexpr std::uint32_t kX32Bit = 0x40000000; // in the number of every call of x32's

struct NumberedCall {
    std::uint32_t number;
    CallRule rule;
    std::uint64_t capabilities;
    std::uint16_t name; // where it begins (name_of)
};

// Calls with one audit architecture. Those of x32 carry x86-64's.
struct Abi {
    std::uint32_t audit;
    std::span<const NumberedCall> calls; // by number
};

// The machine's own first.
[[nodiscard]] std::span<const Abi> abis();

[[nodiscard]] std::string_view name_of(const NumberedCall& call);

// All that some architecture or kernel we have heard of has as a call; in order.
[[nodiscard]] std::vector<std::string_view> call_names();

} // namespace mydocker::runtime
