// The escape of bytes that are not UTF-8.
//
//   byte 0x80…0xFF  →  U+10FF00 + byte:  U+10FF80…U+10FFFF, in UTF-8 F4 8F BE 80 … F4 8F BF BF
//
// A run of such code points is turned back only if it is exactly what append_string() would have written
// for the bytes it stands for; any other (U+10FFC3 U+10FFA9, which stands for the good text "é") is
// kept as the text it is. So nothing has two spellings that we write, and text that uses these code
// points for itself is not corrupted into bytes that look like something else.
#include "base/json_bytes.hpp"

#include "base/utf8.hpp"

#include <cstddef>

namespace mydocker::json {
namespace {

constexpr char32_t kEscapeBase = 0x10FF00;
constexpr char32_t kFirstEscape = kEscapeBase + 0x80;
constexpr std::size_t kEscapeSize = 4;

bool is_escape(std::string_view sequence) {
    return sequence.size() == kEscapeSize && utf8::decode(sequence) >= kFirstEscape;
}

void append_unicode_escape(std::string& text, unsigned code_unit) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U})
        text.push_back(kDigits[(code_unit >> shift) & 0xFU]);
}

// Characters that JSON or a terminal would take for something else.
void append_special(std::string& text, char32_t code_point) {
    switch (code_point) {
    case '"':
        text += "\\\"";
        return;
    case '\\':
        text += "\\\\";
        return;
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
        append_unicode_escape(text, static_cast<unsigned>(code_point));
    }
}

bool is_plain(char character) {
    const auto byte = static_cast<unsigned char>(character);
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

bool is_special(char32_t code_point) {
    // 0x7F–0x9F: DEL and C1, which some terminals obey. U+2028 and U+2029 end lines in JavaScript.
    return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F) || code_point == '"' ||
           code_point == '\\' || code_point == 0x2028 || code_point == 0x2029;
}

void append_escaped_bytes(std::string& text, std::string_view bytes) {
    for (const char byte : bytes)
        utf8::append(text, kEscapeBase + static_cast<unsigned char>(byte));
}

// The bytes that the escapes at the front of `text` stand for.
std::string read_run(std::string_view text) {
    std::string bytes;
    while (is_escape(text.substr(0, utf8::sequence_length(text)))) {
        bytes.push_back(static_cast<char>(utf8::decode(text.substr(0, kEscapeSize)) - kEscapeBase));
        text.remove_prefix(kEscapeSize);
    }
    return bytes;
}

// Whether append_string() would escape every one of these bytes.
bool is_all_escaped(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t length = utf8::sequence_length(bytes);
        if (length != 0 && !is_escape(bytes.substr(0, length))) return false;
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return true;
}

} // namespace

void append_string(std::string& text, std::string_view bytes) {
    text.reserve(text.size() + bytes.size() + 2);
    text.push_back('"');
    while (!bytes.empty()) {
        std::size_t plain = 0;
        while (plain < bytes.size() && is_plain(bytes[plain]))
            ++plain;
        text.append(bytes.substr(0, plain));
        bytes.remove_prefix(plain);
        if (bytes.empty()) break;

        const std::size_t length = utf8::sequence_length(bytes);
        const std::string_view sequence = bytes.substr(0, length == 0 ? 1 : length);
        if (length == 0 || is_escape(sequence)) {
            append_escaped_bytes(text, sequence);
        } else if (const char32_t code_point = utf8::decode(sequence); is_special(code_point)) {
            append_special(text, code_point);
        } else {
            text.append(sequence);
        }
        bytes.remove_prefix(sequence.size());
    }
    text.push_back('"');
}

std::string restore_bytes(std::string text) {
    // The common case costs one search: no other code point below U+100000 has this lead byte.
    std::size_t at = text.find('\xF4');
    if (at == std::string::npos) return text;
    std::string result;
    std::size_t copied = 0;
    for (; at != std::string::npos; at = text.find('\xF4', at)) {
        const std::string bytes = read_run(std::string_view(text).substr(at));
        const std::size_t size = bytes.size() * kEscapeSize;
        if (!bytes.empty() && is_all_escaped(bytes)) {
            result.append(text, copied, at - copied);
            result += bytes;
            copied = at + size;
        }
        at += size == 0 ? kEscapeSize : size;
    }
    result.append(text, copied);
    return result;
}

} // namespace mydocker::json
