// Numbers and lists as the two cgroup versions write them: CPU and I/O weights, ranges such as
// "0-2,7", keyed counters. Pure: no file is touched here.
#pragma once

#include "mydocker/result.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cgroup {

inline constexpr std::uint64_t kMinShares = 2;
inline constexpr std::uint64_t kMaxShares = 262144;
inline constexpr std::uint16_t kMinBlkioWeight = 10;
inline constexpr std::uint16_t kMaxBlkioWeight = 1000;

// cpu.weight (1…10000) for v1's cpu.shares (2…262144). The curve of 2025 maps the minimum, the default
// and the maximum of the one to those of the other: 2→1, 1024→100, 262144→10000. The older straight
// line gave the default of v1 a weight of 39 against the 100 of everything else on the machine.
// Source: kubernetes issue 131216, runc issue 4772 and pull request 4785, crun pull request 1767.
[[nodiscard]] std::uint64_t weight_from_shares(std::uint64_t shares);

// io.weight (1…10000) for blkio.weight (10…1000): the straight line through both ends.
// Source: OCI runtime spec, config-linux (blockIO); cgroup-v2.rst, "IO Interface Files".
[[nodiscard]] std::uint64_t io_weight_from_blkio(std::uint16_t weight);

// first…last, both in it.
struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;

    auto operator<=>(const Range&) const = default;
};

// Ascending, with a gap between any two.
using Ranges = std::vector<Range>;

// The kernel's list format without its extensions (strides, "all"): "0-2,7". `what` names the things
// counted ("CPUs") in messages. Errors: invalid, also for an empty list.
// Source: cpuset(7), "List format".
[[nodiscard]] Result<Ranges> parse_ranges(std::string_view text, std::string_view what);

[[nodiscard]] std::string to_string(const Ranges& ranges);

// The lowest number of `wanted` that `available` lacks.
[[nodiscard]] std::optional<std::uint32_t> first_outside(const Ranges& wanted, const Ranges& available);

// A whole decimal number and nothing else.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

// The number after `key` in lines of "key number", as in memory.stat and cgroup.events.
[[nodiscard]] std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key);

// The number after "name=" in words such as "8:0 rbytes=1 wbytes=2", as in io.stat.
[[nodiscard]] std::optional<std::uint64_t> named_number(std::string_view words, std::string_view name);

// The words of a text, separated by blanks and line ends.
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view text);
// Its lines, without line ends.
[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

// The bytes of a hugepage size as the kernel spells it ("64KB", "2MB", "1GB").
[[nodiscard]] std::optional<std::uint64_t> page_size_bytes(std::string_view text);

// What the kernel keeps of a limit that it counts in pages.
[[nodiscard]] std::uint64_t whole_pages(std::uint64_t bytes, std::uint64_t page_size);

} // namespace mydocker::cgroup
