// Well-formed UTF-8 by table 3-7 of the Unicode standard.
#include "base/utf8.hpp"

namespace mydocker::utf8 {
namespace {

unsigned byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}

bool in_range(std::string_view bytes, std::size_t at, unsigned low, unsigned high) {
    return at < bytes.size() && byte_at(bytes, at) >= low && byte_at(bytes, at) <= high;
}

} // namespace

std::size_t sequence_length(std::string_view bytes) {
    if (bytes.empty()) return 0;
    const unsigned lead = byte_at(bytes, 0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return in_range(bytes, 1, 0x80, 0xBF) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;  // else overlong
        const unsigned high = lead == 0xED ? 0x9F : 0xBF; // else a surrogate
        return in_range(bytes, 1, low, high) && in_range(bytes, 2, 0x80, 0xBF) ? 3 : 0;
    }
    if (lead < 0xF0 || lead > 0xF4) return 0;
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;  // else overlong
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF; // else beyond U+10FFFF
    return in_range(bytes, 1, low, high) && in_range(bytes, 2, 0x80, 0xBF) && in_range(bytes, 3, 0x80, 0xBF)
               ? 4
               : 0;
}

char32_t decode(std::string_view sequence) {
    const unsigned lead = byte_at(sequence, 0);
    if (sequence.size() == 1) return lead;
    char32_t code_point = lead & (0xFFU >> (sequence.size() + 1));
    for (std::size_t i = 1; i < sequence.size(); ++i)
        code_point = (code_point << 6U) | (byte_at(sequence, i) & 0x3FU);
    return code_point;
}

void append(std::string& text, char32_t code_point) {
    const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (code_point < 0x80) return put(code_point);
    if (code_point < 0x800) {
        put(0xC0 | (code_point >> 6U));
        return put(0x80 | (code_point & 0x3FU));
    }
    if (code_point < 0x10000) {
        put(0xE0 | (code_point >> 12U));
    } else {
        put(0xF0 | (code_point >> 18U));
        put(0x80 | ((code_point >> 12U) & 0x3FU));
    }
    put(0x80 | ((code_point >> 6U) & 0x3FU));
    put(0x80 | (code_point & 0x3FU));
}

} // namespace mydocker::utf8
