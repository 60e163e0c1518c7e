// The words inside {{ and }} of a template.
#pragma once

#include "mydocker/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli {

struct TemplateToken {
    enum class Kind { field, dot, variable, word, string, number, mark, end } kind = Kind::end;
    std::string text;   // of a field or variable without its sign; of a string what it stands for
    std::size_t at = 0; // byte of the template
    bool glued = false; // no blank before it
};

[[nodiscard]] constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// `begin`: where the action's inside begins in the template, for messages. Ends with a token `end`.
// Errors: invalid, naming the place.
[[nodiscard]] Result<std::vector<TemplateToken>> lex_action(std::string_view inside, std::size_t begin);

} // namespace mydocker::cli
