// Words of a Dockerfile instruction: blanks part them, quotes and backslashes keep together, variables are
// replaced. Pure. Source: Dockerfile reference, "Environment replacement"; moby, frontend/dockerfile/shell.
#pragma once

#include "mydocker/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::image {

// `environment`: "KEY=value". Errors: invalid: a quote or a brace that is not closed, an unknown modifier.
[[nodiscard]] Result<std::vector<std::string>> split_words(std::string_view text,
                                                           const std::vector<std::string>& environment);
// The whole text as one word.
[[nodiscard]] Result<std::string> expand_word(std::string_view text,
                                              const std::vector<std::string>& environment);

// ["a", "b"]; what is no such list is a shell's business.
[[nodiscard]] std::optional<std::vector<std::string>> exec_form(std::string_view text);

} // namespace mydocker::image
