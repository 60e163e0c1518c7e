// Byte strings inside JSON text: the reversible escape that json.hpp describes. Only json.cpp and
// json_dump.cpp use it.
#pragma once

#include <string>
#include <string_view>

namespace mydocker::json {

// Appends `bytes` as a JSON string with its quotes: always valid UTF-8 without control characters.
void append_string(std::string& text, std::string_view bytes);

// What append_string() escaped, turned back; `text` is the content of a JSON string, well-formed UTF-8.
[[nodiscard]] std::string restore_bytes(std::string text);

} // namespace mydocker::json
