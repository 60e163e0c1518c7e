// Text as JSON, UTF-8 and base64 know it: the small parts that record.cpp is made of.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mydocker::json_file {

// How many bytes at the start can stand in a JSON string as they are and are ASCII.
[[nodiscard]] std::size_t plain_prefix(std::string_view text);

// Length of the valid UTF-8 sequence at the start (1…4); 0 when there is none. Source: RFC 3629, 4.
[[nodiscard]] std::size_t utf8_sequence(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);

// Appends `text` escaped for a JSON string, without quotes; bytes that are not UTF-8 become U+FFFD.
enum class Escaped { exactly, with_replacements };
Escaped append_escaped(std::string& out, std::string_view text);

// Appends what the inside of a JSON string means. Returns false when it is not valid.
[[nodiscard]] bool append_unescaped(std::string& out, std::string_view inside);

void append_base64(std::string& out, std::string_view bytes);
// Returns false when `text` is not canonical, padded base64.
[[nodiscard]] bool append_from_base64(std::string& out, std::string_view text);

} // namespace mydocker::json_file
