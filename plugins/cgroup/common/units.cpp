#include "units.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace mydocker::cgroup {
namespace {

[[nodiscard]] std::unexpected<Error> no_list(std::string_view text, std::string_view what) {
    return fail(Code::invalid,
                "'" + std::string(text) + "' is no list of " + std::string(what) + "; write 0-2,7");
}

[[nodiscard]] std::optional<std::uint32_t> parse_index(std::string_view text) {
    const auto number = parse_number(text);
    // Far above any kernel's number of processors or nodes, and safe to add one to.
    if (!number || *number > 999'999) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

[[nodiscard]] Ranges merged(Ranges ranges) {
    std::ranges::sort(ranges);
    Ranges result;
    for (const Range& range : ranges) {
        if (!result.empty() && range.first <= result.back().last + 1)
            result.back().last = std::max(result.back().last, range.last);
        else
            result.push_back(range);
    }
    return result;
}

[[nodiscard]] std::vector<std::string_view> split_at(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> pieces;
    while (!text.empty()) {
        const auto end = text.find_first_of(separators);
        if (end != 0) pieces.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return pieces;
}

} // namespace

std::uint64_t weight_from_shares(std::uint64_t shares) {
    if (shares <= kMinShares) return 1;
    if (shares >= kMaxShares) return 10'000;
    const double log = std::log2(static_cast<double>(shares));
    const double exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    // The exponent of 1024 is 2 exactly, on paper; the last bits of the arithmetic must not lift the
    // weight to 101.
    return static_cast<std::uint64_t>(std::ceil(std::pow(10.0, exponent) - 1e-9));
}

std::uint64_t io_weight_from_blkio(std::uint16_t weight) {
    const std::uint16_t within = std::clamp(weight, kMinBlkioWeight, kMaxBlkioWeight);
    return 1 + (std::uint64_t{within} - kMinBlkioWeight) * 9999 / (kMaxBlkioWeight - kMinBlkioWeight);
}

Result<Ranges> parse_ranges(std::string_view text, std::string_view what) {
    Ranges ranges;
    for (const std::string_view piece : split(text, ',')) {
        const auto dash = piece.find('-');
        const auto first = parse_index(piece.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : parse_index(piece.substr(dash + 1));
        if (!first || !last) return no_list(text, what);
        if (*first > *last)
            return fail(Code::invalid,
                        "'" + std::string(piece) + "' runs backwards; write " + to_string({{*last, *first}}));
        ranges.push_back({*first, *last});
    }
    if (ranges.empty()) return no_list(text, what);
    return merged(std::move(ranges));
}

std::string to_string(const Ranges& ranges) {
    std::string text;
    for (const Range& range : ranges) {
        if (!text.empty()) text += ',';
        text += std::to_string(range.first);
        if (range.last != range.first) text += '-' + std::to_string(range.last);
    }
    return text;
}

std::optional<std::uint32_t> first_outside(const Ranges& wanted, const Ranges& available) {
    for (const Range& want : wanted) {
        std::uint32_t next = want.first;
        for (const Range& have : available)
            if (have.first <= next && next <= have.last) next = have.last + 1;
        if (next <= want.last) return next;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key) {
    for (const std::string_view line : lines_of(text))
        if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
            return parse_number(line.substr(key.size() + 1));
    return std::nullopt;
}

std::optional<std::uint64_t> named_number(std::string_view words, std::string_view name) {
    for (const std::string_view word : words_of(words))
        if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=')
            return parse_number(word.substr(name.size() + 1));
    return std::nullopt;
}

std::vector<std::string_view> words_of(std::string_view text) {
    return split_at(text, " \t\n");
}

std::vector<std::string_view> lines_of(std::string_view text) {
    return split_at(text, "\n");
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    for (;;) {
        const auto end = text.find(separator);
        pieces.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return pieces;
        text.remove_prefix(end + 1);
    }
}

std::optional<std::uint64_t> page_size_bytes(std::string_view text) {
    if (text.size() < 3 || !text.ends_with('B')) return std::nullopt;
    const auto number = parse_number(text.substr(0, text.size() - 2));
    if (!number || *number == 0 || *number > 1'048'576 || text.front() == '0') return std::nullopt;
    switch (text[text.size() - 2]) {
    case 'K':
        return *number << 10U;
    case 'M':
        return *number << 20U;
    case 'G':
        return *number << 30U;
    default:
        return std::nullopt;
    }
}

std::uint64_t whole_pages(std::uint64_t bytes, std::uint64_t page_size) {
    return bytes / page_size * page_size;
}

} // namespace mydocker::cgroup
