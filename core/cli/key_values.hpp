// Keys and values on the command line: -e, --env-file, --label.
#pragma once

#include "cli/filters.hpp"
#include "cli/flags.hpp"
#include "mydocker/result.hpp"

#include <functional>
#include <string>
#include <string_view>
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

// Reads such a file (given_file.hpp). Errors: as there; invalid.
[[nodiscard]] Result<std::vector<std::string>> read_env_file(const std::string& path, const LookUp& look_up,
                                                             std::string_view flag = "env-file");

// The variables of `run`, `create` and `exec`.
class EnvironmentFlags {
  public:
    void declare(FlagSet& app) {
        app.add_option("-e,--env", given_, "environment variable, KEY=value or KEY");
        app.add_option("--env-file", files_, "file of such, a line each")->takes("FILE");
    }
    // Adds them; those of files first: what stands on the command line wins. Errors: invalid, naming the
    // place.
    [[nodiscard]] Status parse(std::vector<std::string>& to) const;

  private:
    std::vector<std::string> given_;
    std::vector<std::string> files_;
};

// "KEY=value", or "KEY" with an empty value. Errors: invalid, naming the text.
[[nodiscard]] Result<Labels> parse_labels(const std::vector<std::string>& given);

} // namespace mydocker::cli
