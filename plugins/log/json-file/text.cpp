// Text as JSON, UTF-8 and base64 know it.
#include "text.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace mydocker::json_file {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD"; // U+FFFD
constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint64_t kOnes = 0x0101010101010101U;
constexpr std::uint64_t kHighs = 0x8080808080808080U;

unsigned byte_at(std::string_view text, std::size_t index) {
    return static_cast<unsigned char>(text[index]);
}

bool is_plain(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

// Non-zero in the high bit of a byte that is not plain; exact up to and including the first such byte.
std::uint64_t not_plain(std::uint64_t word) {
    const std::uint64_t quote = word ^ (kOnes * '"');
    const std::uint64_t backslash = word ^ (kOnes * '\\');
    const std::uint64_t low = (word - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes);
    return (low | word) & kHighs;
}

void append_ascii_escape(std::string& out, char c) {
    switch (c) {
    case '"':
        out += "\\\"";
        return;
    case '\\':
        out += "\\\\";
        return;
    case '\n':
        out += "\\n";
        return;
    case '\r':
        out += "\\r";
        return;
    case '\t':
        out += "\\t";
        return;
    default:
        out += "\\u00";
        out += kHex[static_cast<unsigned char>(c) >> 4U];
        out += kHex[static_cast<unsigned char>(c) & 15U];
    }
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// The number of "XXXX" at the start; -1 when it is not four hex digits.
int hex_unit(std::string_view text) {
    if (text.size() < 4) return -1;
    int value = 0;
    for (const char c : text.substr(0, 4)) {
        const int digit = hex_digit(c);
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

void append_code_point(std::string& out, unsigned point) {
    if (point < 0x80) {
        out += static_cast<char>(point);
        return;
    }
    if (point < 0x800) {
        out += static_cast<char>(0xC0U | point >> 6U);
    } else {
        if (point < 0x10000) {
            out += static_cast<char>(0xE0U | point >> 12U);
        } else {
            out += static_cast<char>(0xF0U | point >> 18U);
            out += static_cast<char>(0x80U | (point >> 12U & 0x3FU));
        }
        out += static_cast<char>(0x80U | (point >> 6U & 0x3FU));
    }
    out += static_cast<char>(0x80U | (point & 0x3FU));
}

// Decodes "uXXXX", or a pair of them for a surrogate pair, whose backslash was consumed. Returns how
// much of `text` it took; 0 when it is not valid.
std::size_t append_unicode_escape(std::string& out, std::string_view text) {
    const int unit = hex_unit(text.substr(1));
    if (unit < 0) return 0;
    const auto first = static_cast<unsigned>(unit);
    if (first < 0xD800 || first > 0xDFFF) {
        append_code_point(out, first);
        return 5;
    }
    if (first > 0xDBFF || text.substr(5, 2) != "\\u") return 0;
    const int pair = hex_unit(text.substr(7));
    if (pair < 0xDC00 || pair > 0xDFFF) return 0;
    append_code_point(out, 0x10000U + ((first - 0xD800U) << 10U) + (static_cast<unsigned>(pair) - 0xDC00U));
    return 11;
}

// As above for any escape.
std::size_t append_from_escape(std::string& out, std::string_view text) {
    if (text.empty()) return 0;
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (text[0] == 'u') return append_unicode_escape(out, text);
    const auto which = kNames.find(text[0]);
    if (which == std::string_view::npos) return 0;
    out += kMeanings[which];
    return 1;
}

int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

} // namespace

std::size_t plain_prefix(std::string_view text) {
    std::size_t at = 0;
    while (text.size() - at >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + at, sizeof word);
        const std::uint64_t found = not_plain(word);
        if (found != 0) {
            if constexpr (std::endian::native == std::endian::little)
                return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
            break; // The byte loop finds it.
        }
        at += sizeof word;
    }
    while (at < text.size() && is_plain(text[at]))
        ++at;
    return at;
}

std::size_t utf8_sequence(std::string_view text) {
    if (text.empty()) return 0;
    const unsigned lead = byte_at(text, 0);
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte_at(text, i) & 0xC0U) != 0x80) return 0;
    const unsigned second = byte_at(text, 1);
    if (lead == 0xE0 && second < 0xA0) return 0; // overlong
    if (lead == 0xED && second > 0x9F) return 0; // surrogates
    if (lead == 0xF0 && second < 0x90) return 0; // overlong
    if (lead == 0xF4 && second > 0x8F) return 0; // above U+10FFFF
    return length;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        std::size_t length = plain_prefix(text);
        if (length == 0) length = utf8_sequence(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

Escaped append_escaped(std::string& out, std::string_view text) {
    Escaped how = Escaped::exactly;
    for (;;) {
        const std::size_t plain = plain_prefix(text);
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty()) return how;
        if (byte_at(text, 0) < 0x80) {
            append_ascii_escape(out, text[0]);
            text.remove_prefix(1);
            continue;
        }
        const std::size_t length = utf8_sequence(text);
        if (length == 0) {
            how = Escaped::with_replacements;
            out += kReplacement;
            text.remove_prefix(1);
            continue;
        }
        out += text.substr(0, length);
        text.remove_prefix(length);
    }
}

bool append_unescaped(std::string& out, std::string_view inside) {
    for (;;) {
        const std::size_t plain = plain_prefix(inside);
        out += inside.substr(0, plain);
        inside.remove_prefix(plain);
        if (inside.empty()) return true;
        std::size_t length = 0;
        if (inside[0] == '\\') {
            inside.remove_prefix(1);
            length = append_from_escape(out, inside);
        } else if (byte_at(inside, 0) >= 0x80) {
            length = utf8_sequence(inside);
            out += inside.substr(0, length);
        }
        if (length == 0) return false; // Control characters and quotes end here too.
        inside.remove_prefix(length);
    }
}

void append_base64(std::string& out, std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t count = bytes.size() < 3 ? bytes.size() : 3;
        unsigned group = byte_at(bytes, 0) << 16U;
        if (count > 1) group |= byte_at(bytes, 1) << 8U;
        if (count > 2) group |= byte_at(bytes, 2);
        out += kBase64[group >> 18U];
        out += kBase64[group >> 12U & 63U];
        out += count > 1 ? kBase64[group >> 6U & 63U] : '=';
        out += count > 2 ? kBase64[group & 63U] : '=';
        bytes.remove_prefix(count);
    }
}

bool append_from_base64(std::string& out, std::string_view text) {
    if (text.size() % 4 != 0) return false;
    while (!text.empty()) {
        const bool last = text.size() == 4;
        const std::size_t padding = !last || text[3] != '=' ? 0 : text[2] == '=' ? 2 : 1;
        unsigned group = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            const int digit = i < 4 - padding ? base64_digit(text[i]) : 0;
            if (digit < 0) return false;
            group = group << 6U | static_cast<unsigned>(digit);
        }
        if (padding == 1 && (group & 0xFFU) != 0) return false;
        if (padding == 2 && (group & 0xFFFFU) != 0) return false;
        for (std::size_t i = 0; i < 3 - padding; ++i)
            out += static_cast<char>(group >> (16U - 8U * i) & 0xFFU);
        text.remove_prefix(4);
    }
    return true;
}

} // namespace mydocker::json_file
