// Points in time.
#include "cli/times.hpp"
#include "base/notation.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>

namespace mydocker::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// What nanoseconds can say reaches to the year 2262; what lies beyond is its end, and what was before 1970
// its beginning, so that differences of times can be taken.
std::int64_t to_nanoseconds(std::time_t seconds, std::int64_t fraction) {
    constexpr std::int64_t kMost = INT64_MAX / kSecond - 1;
    return std::clamp<std::int64_t>(seconds, 0, kMost) * kSecond + (seconds < 0 ? 0 : fraction);
}

// ".5" → 500000000; moves on behind it. Digits beyond nanoseconds are dropped.
std::int64_t take_fraction(std::string_view& text) {
    if (text.empty() || text.front() != '.') return 0;
    text.remove_prefix(1);
    std::int64_t value = 0;
    std::int64_t unit = kSecond;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        unit /= 10;
        value += (text.front() - '0') * unit;
        text.remove_prefix(1);
    }
    return value;
}

// "+01:30" → seconds east of UTC; "Z" → 0; nothing: no zone is given.
std::optional<long> take_zone(std::string_view text, bool& valid) {
    valid = true;
    if (text.empty()) return std::nullopt;
    if (text == "Z" || text == "z") return 0;
    int hours = 0;
    int minutes = 0;
    valid = text.size() == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':' &&
            std::from_chars(&text[1], &text[3], hours).ptr == &text[3] &&
            std::from_chars(&text[4], text.data() + 6, minutes).ptr == text.data() + 6 && hours < 24 &&
            minutes < 60;
    const long offset = hours * 3600L + minutes * 60L;
    return text[0] == '-' ? -offset : offset;
}

std::optional<std::int64_t> parse_calendar(const std::string& text) {
    std::tm parts{};
    const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == nullptr) {
        parts = {};
        rest = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
        if (rest == nullptr || *rest != '\0') return std::nullopt;
    }
    std::string_view left(rest);
    const std::int64_t fraction = take_fraction(left);
    bool valid = false;
    const auto zone = take_zone(left, valid);
    if (!valid) return std::nullopt;
    parts.tm_isdst = -1;
    const std::time_t seconds = zone ? ::timegm(&parts) - *zone : ::mktime(&parts);
    return to_nanoseconds(seconds, fraction);
}

std::optional<std::int64_t> parse_seconds(std::string_view text) {
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || seconds < 0 || seconds > INT64_MAX / kSecond - 1) return std::nullopt;
    std::string_view left(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const std::int64_t fraction = take_fraction(left);
    if (!left.empty()) return std::nullopt;
    return seconds * kSecond + fraction;
}

} // namespace

Result<std::int64_t> parse_time(std::string_view flag, const std::string& text, std::int64_t now_ns) {
    if (auto seconds = parse_seconds(text)) return *seconds;
    if (auto point = parse_calendar(text)) return *point;
    if (auto span = notation::parse_duration(text)) return now_ns - span->count();
    return fail(Code::invalid,
                std::string(flag) + ": '" + text + "' is no time; write 2026-01-31T12:00:00Z or 10m");
}

} // namespace mydocker::cli
