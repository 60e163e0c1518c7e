// argv → flags and operands. The rules are pflag's, which docker's users know: bundles (-it), values
// after a blank or '=' (--name=a, -m 1g, -m1g), "--" ends the flags; and the teaching program's long flags
// with one dash, by an explicit table.
#pragma once

#include "cli/flags.hpp"
#include "cli/verb.hpp"
#include "mydocker/result.hpp"

#include <span>
#include <string>
#include <vector>

namespace mydocker::cli {

struct ParsedArgs {
    std::vector<std::string> operands; // bytes as given
};

// Sets the flags that are given. Errors: invalid: an unknown flag, with the nearest known one; a flag
// without its value; a value that is none of a switch.
[[nodiscard]] Result<ParsedArgs> parse(FlagSet& flags, std::span<const std::string> words, Operands operands);

// Adds the flags that every verb takes.
void declare_globals(FlagSet& set, GlobalFlags& flags);

} // namespace mydocker::cli
