// Wording of diagnostics: visible text and time.
#include "base/diag_text.hpp"

#include "base/utf8.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>

namespace mydocker::diag {
namespace {

bool is_plain(char character) {
    return character >= 0x20 && character < 0x7F;
}

void append_hex(std::string& text, const char* format, unsigned value) {
    std::array<char, 16> digits{};
    const int size = std::snprintf(digits.data(), digits.size(), format, value);
    text.append(digits.data(), static_cast<std::size_t>(size));
}

// Controls, and what reorders or hides the text around it. Source: Unicode UAX #9, section 2.
bool is_harmful(char32_t code_point) {
    return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F) || code_point == 0x061C ||
           (code_point >= 0x200B && code_point <= 0x200F) || (code_point >= 0x2028 && code_point <= 0x202E) ||
           (code_point >= 0x2060 && code_point <= 0x2069) || code_point == 0xFEFF;
}

void append_harmful(std::string& text, char32_t code_point) {
    switch (code_point) {
    case '\n':
        text += "\\n";
        return;
    case '\t':
        text += "\\t";
        return;
    case '\r':
        text += "\\r";
        return;
    default:
        append_hex(text, code_point < 0x80 ? "\\x%02x" : "\\u%04x", static_cast<unsigned>(code_point));
    }
}

void append_visible(std::string& result, std::string_view text) {
    while (!text.empty()) {
        std::size_t length = 1;
        if (is_plain(text.front())) {
            result.push_back(text.front());
        } else if (length = utf8::sequence_length(text); length == 0) {
            length = 1;
            append_hex(result, "\\x%02x", static_cast<unsigned char>(text.front()));
        } else if (const char32_t code_point = utf8::decode(text.substr(0, length)); is_harmful(code_point)) {
            append_harmful(result, code_point);
        } else {
            result.append(text.substr(0, length));
        }
        text.remove_prefix(length);
    }
}

// Steps back to the start of the sequence that `at` is in, so that a cut does not tear it.
std::size_t boundary(std::string_view text, std::size_t at) {
    constexpr std::size_t kLongestTail = 3;
    for (std::size_t back = 0; back <= kLongestTail && back < at; ++back)
        if ((static_cast<unsigned char>(text[at - back]) & 0xC0U) != 0x80U) return at - back;
    return at;
}

} // namespace

std::string visible(std::string_view text, std::size_t limit) {
    std::string result;
    result.reserve(text.size());
    if (text.size() <= limit) {
        append_visible(result, text);
        return result;
    }
    // Both ends say the most: what was attempted, and why it failed.
    const std::size_t head = boundary(text, limit / 2);
    const std::size_t tail = boundary(text, text.size() - limit / 2);
    append_visible(result, text.substr(0, head));
    result += " … ";
    append_visible(result, text.substr(tail));
    return result;
}

std::string timestamp(std::int64_t time_ns) {
    using std::chrono::nanoseconds;
    const std::chrono::sys_time<nanoseconds> time{nanoseconds(time_ns)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss<nanoseconds> clock(time - day);
    std::array<char, 64> text{};
    const int size = std::snprintf(
        text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%09lldZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<long long>(clock.subseconds().count()));
    return {text.data(), static_cast<std::size_t>(size)};
}

} // namespace mydocker::diag
