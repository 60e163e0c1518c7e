// argv → flags and operands. The rules are pflag's, which docker's users know: bundles (-it), values
// after a blank or '=' (--name=a, -m 1g, -m1g), "--" ends the flags; and the teaching program's long flags
// with one dash, by an explicit table.
#pragma once

#include "cli/verb.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <vector>

namespace mydocker::cli {

struct ParsedArgs {
    std::vector<std::string> flags;    // normalised: "--name=value", "--detach"
    std::vector<std::string> operands; // bytes as given
    bool help = false;
};

// Splits by what `app` declares. Errors: invalid: an unknown flag, with the nearest known one; a flag
// without its value.
[[nodiscard]] Result<ParsedArgs> split(const CLI::App& app, std::span<const std::string> words,
                                       Operands operands);

// Adds the flags that every verb takes.
void declare_globals(CLI::App& app, GlobalFlags& flags);

// Binds normalised flags to what they were declared with. Errors: invalid.
[[nodiscard]] Status bind(CLI::App& app, const std::vector<std::string>& flags);

// The help of one verb, and of the program.
[[nodiscard]] std::string verb_help(const VerbEntry& entry, const CLI::App& app);
[[nodiscard]] std::string program_help();

} // namespace mydocker::cli
