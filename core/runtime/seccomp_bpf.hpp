// Pieces of filters, for those who compile them (seccomp.cpp, seccomp_compile.cpp): instructions, and the
// way from a call's number to what becomes of it. Source: Linux,
// Documentation/userspace-api/seccomp_filter.rst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <span>
#include <vector>

namespace mydocker::runtime::bpf {

using Program = std::vector<sock_filter>;

inline constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
inline constexpr std::uint32_t kArch = offsetof(seccomp_data, arch);

// Where the halves of a call's argument are.
[[nodiscard]] constexpr std::uint32_t lower_half(std::uint32_t argument) {
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
}
[[nodiscard]] constexpr std::uint32_t upper_half(std::uint32_t argument) {
    return lower_half(argument) + static_cast<std::uint32_t>(sizeof(std::uint32_t));
}

[[nodiscard]] sock_filter load(std::uint32_t offset);
// The accumulator keeps these bits alone.
[[nodiscard]] sock_filter mask(std::uint32_t bits);
[[nodiscard]] sock_filter give(std::uint32_t action);
[[nodiscard]] sock_filter allow();
[[nodiscard]] sock_filter refuse(int error);
// `condition`: BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET; both ways up to 255 instructions beyond the next one.
[[nodiscard]] sock_filter jump(std::uint16_t condition, std::uint32_t value, std::size_t if_true,
                               std::size_t if_false);
// Over so many instructions.
[[nodiscard]] sock_filter skip(std::size_t count);

void append(Program& program, const Program& more);

// Calls from `first` to the next range's have one fate: an index into a list of programs, each of which
// ends with an action.
struct Range {
    std::uint32_t first = 0;
    std::size_t fate = 0;
};

// From `first` on the fate is another one; for numbers that rise. Neighbours with one fate become one.
void add_range(std::vector<Range>& ranges, std::uint32_t first, std::size_t fate);

// What becomes of the number in the accumulator. `ranges` begins with 0, and rises.
[[nodiscard]] Program search(std::span<const Range> ranges, std::span<const Program> fates);

} // namespace mydocker::runtime::bpf
