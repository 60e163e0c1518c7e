// Keys and values on the command line: -e, --env-file, --label.
#pragma once

#include "mydocker/result.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::cli {

// The caller's environment: a value, or null.
using LookUp = std::function<const char*(const char*)>;

// "KEY=value", or "KEY" for the caller's own value; an unset one is left out, as docker does.
// Errors: invalid, naming the text.
[[nodiscard]] Result<std::vector<std::string>> parse_environment(const std::vector<std::string>& given,
                                                                 const LookUp& look_up);

// The lines of an env-file, docker's format: "KEY=value" as it stands, without quotes or blanks being
// special; "KEY" for the caller's value; empty lines and those that begin with '#' count for nothing. Lines
// end in "\n" or "\r\n", the last one may end so or not. `name`: for messages.
// Errors: invalid, "NAME:LINE: …".
[[nodiscard]] Result<std::vector<std::string>> parse_env_file(std::string_view text, std::string_view name,
                                                              const LookUp& look_up);

// Reads such a file, of 1 MiB at most.
[[nodiscard]] Result<std::vector<std::string>> read_env_file(const std::string& path, const LookUp& look_up,
                                                             std::string_view flag = "env-file");

// "KEY=value", or "KEY" with an empty value. Errors: invalid, naming the text.
using Labels = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] Result<Labels> parse_labels(const std::vector<std::string>& given);

} // namespace mydocker::cli
