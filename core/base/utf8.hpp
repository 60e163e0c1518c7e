// UTF-8, as much of it as is needed to tell text from bytes. Not for anything locales decide.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mydocker::utf8 {

// Length of the well-formed sequence that `bytes` starts with (1–4); 0 when it starts with none.
// Overlong forms, surrogates and what lies beyond U+10FFFF are not well-formed. Source: RFC 3629.
[[nodiscard]] std::size_t sequence_length(std::string_view bytes);

// The code point of one well-formed sequence, whole.
[[nodiscard]] char32_t decode(std::string_view sequence);

// `code_point` at most U+10FFFF and no surrogate.
void append(std::string& text, char32_t code_point);

} // namespace mydocker::utf8
