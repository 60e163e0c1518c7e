// Help on the terminal and man pages, from the table of verbs and the flags that each declares.
#pragma once

#include "cli/flags.hpp"
#include "cli/verb.hpp"
#include "mydocker/result.hpp"

#include <string>

namespace mydocker::cli {

// The help of one verb, and of the program.
[[nodiscard]] std::string verb_help(const VerbEntry& entry, const FlagSet& flags);
[[nodiscard]] std::string program_help();

// A manual page in roff (section 1): "mydocker-volume-ls.1" of "volume ls"; of the program as a whole.
// Source: man(7).
[[nodiscard]] std::string page_name(const VerbEntry& entry); // without ".1"
[[nodiscard]] std::string verb_page(const VerbEntry& entry, const FlagSet& flags);
[[nodiscard]] std::string program_page(const FlagSet& globals);

} // namespace mydocker::cli
