#include "base/notation.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <system_error>
#include <utility>

namespace mydocker::notation {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

// A decimal number as digits before and behind the point: exact, where floating point would not be.
struct Decimal {
    std::uint64_t whole = 0;
    std::uint64_t fraction = 0; // of `scale`
    std::uint64_t scale = 1;
    bool has_point = false;
};

[[nodiscard]] bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Takes "12" or "1.5" off the front. Nothing: there is none, or it is too long.
[[nodiscard]] std::optional<Decimal> take_decimal(std::string_view& text) {
    if (text.empty() || !is_digit(text.front())) return std::nullopt;
    Decimal number;
    const auto whole = std::from_chars(text.data(), text.data() + text.size(), number.whole);
    if (whole.ec != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(whole.ptr - text.data()));
    if (text.empty() || text.front() != '.') return number;

    constexpr std::size_t kDigits = 9;
    text.remove_prefix(1);
    number.has_point = true;
    std::size_t digits = 0;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits) {
        number.fraction = number.fraction * 10 + static_cast<std::uint64_t>(text.front() - '0');
        number.scale *= 10;
        if (digits == kDigits) return std::nullopt;
    }
    if (digits == 0) return std::nullopt;
    return number;
}

// number × unit, rounded down. Nothing: more than `most`.
[[nodiscard]] std::optional<std::uint64_t> times(const Decimal& number, std::uint64_t unit,
                                                 std::uint64_t most) {
    if (number.whole > most / unit) return std::nullopt;
    const std::uint64_t whole = number.whole * unit;
    // unit ≤ 2^50 and fraction < 10^9: split, so that the product fits.
    const std::uint64_t part =
        unit / number.scale * number.fraction + unit % number.scale * number.fraction / number.scale;
    if (part > most - whole) return std::nullopt;
    return whole + part;
}

[[nodiscard]] char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] std::string shown(std::string_view text) {
    constexpr std::size_t kLongest = 60;
    return "\"" + std::string(text.substr(0, kLongest)) + (text.size() > kLongest ? "…" : "") + "\"";
}

// The power of 1024 that a suffix means: "", "b", "k", "kb", "kib".
[[nodiscard]] std::optional<unsigned> size_shift(std::string_view suffix) {
    constexpr std::string_view kUnits = "kmgtp";
    if (suffix.empty()) return 0U;
    const char unit = lower(suffix.front());
    if (unit == 'b' && suffix.size() == 1) return 0U;
    const std::size_t power = kUnits.find(unit);
    if (power == std::string_view::npos) return std::nullopt;
    std::string rest(suffix.substr(1));
    std::ranges::transform(rest, rest.begin(), lower);
    if (!rest.empty() && rest != "b" && rest != "ib") return std::nullopt;
    return static_cast<unsigned>((power + 1) * 10);
}

struct DurationUnit {
    std::string_view name;
    std::uint64_t nanoseconds;
};

// Longer names before those that they begin with.
constexpr std::array<DurationUnit, 8> kDurationUnits = {{{"ns", 1},
                                                         {"us", 1'000},
                                                         {"µs", 1'000},
                                                         {"ms", 1'000'000},
                                                         {"s", 1'000'000'000},
                                                         {"m", 60'000'000'000},
                                                         {"h", 3'600'000'000'000},
                                                         {"d", 86'400'000'000'000}}};

// Edit distance in which two neighbours swapped count as one edit ("optimal string alignment").
[[nodiscard]] std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t other = a[i - 1] == b[j - 1] ? 0U : 1U;
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + other});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

} // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
    std::string_view rest = text;
    const auto number = take_decimal(rest);
    const auto shift = number ? size_shift(rest) : std::nullopt;
    if (!shift || (number->has_point && *shift == 0))
        return fail(Code::invalid, shown(text) + " is no size; write 512m or 2g");
    const auto bytes = times(*number, std::uint64_t{1} << *shift, kMost);
    if (!bytes) return fail(Code::invalid, shown(text) + " is too large a size");
    return *bytes;
}

std::string format_size(std::uint64_t bytes) {
    constexpr std::string_view kUnits = "kmgtp";
    std::size_t power = 0;
    while (power < kUnits.size() && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        ++power;
    }
    std::string text = std::to_string(bytes);
    if (power > 0) text += kUnits[power - 1];
    return text;
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    constexpr auto kLongest = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
    if (text == "0") return std::chrono::nanoseconds(0);
    std::uint64_t sum = 0;
    std::string_view rest = text;
    do {
        const auto number = take_decimal(rest);
        const auto* unit = std::ranges::find_if(
            kDurationUnits, [&](const DurationUnit& candidate) { return rest.starts_with(candidate.name); });
        if (!number || unit == kDurationUnits.end())
            return fail(Code::invalid, shown(text) + " is no duration; write 90s or 1m30s");
        const auto part = times(*number, unit->nanoseconds, kLongest - sum);
        if (!part) return fail(Code::invalid, shown(text) + " is too long a duration");
        sum += *part;
        rest.remove_prefix(unit->name.size());
    } while (!rest.empty());
    return std::chrono::nanoseconds(static_cast<std::int64_t>(sum));
}

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates) {
    constexpr std::size_t kLongest = 64; // Nobody mistypes that; and the distance is quadratic.
    if (word.size() > kLongest) return std::nullopt;
    const std::size_t allowed = std::max<std::size_t>(1, word.size() / 3);
    std::optional<std::string_view> best;
    std::size_t best_distance = allowed + 1;
    for (const std::string_view candidate : candidates) {
        if (candidate.size() > kLongest) continue;
        const std::size_t edits = distance(word, candidate);
        if (edits >= best_distance || edits >= std::max(word.size(), candidate.size())) continue;
        best = candidate;
        best_distance = edits;
    }
    return best;
}

} // namespace mydocker::notation
