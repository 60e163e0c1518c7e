// Help on the terminal. Man pages are in man_page.cpp.
#include "cli/help.hpp"

#include <fmt/format.h>

namespace mydocker::cli {
namespace {

std::string flag_line(const Flag& flag) {
    const auto letters = flag.short_names();
    const std::string names =
        fmt::format("{}--{}{}", letters.empty() ? "    " : fmt::format("-{}, ", letters.front()), flag.name(),
                    flag.takes_value() ? fmt::format(" {}", flag.value()) : "");
    return fmt::format("  {:<30} {}\n", names, flag.help());
}

} // namespace

std::string verb_help(const VerbEntry& entry, const FlagSet& flags) {
    std::string text =
        fmt::format("Usage: mydocker {} [FLAGS] {}\n\n{}\n", entry.name, entry.operands, entry.summary);
    if (!entry.example.empty()) text += fmt::format("\nExample:\n  {}\n", entry.example);
    std::string own;
    std::string global;
    for (const Flag& flag : flags.all())
        (flag.is_global() ? global : own) += flag_line(flag);
    text += "\nFlags:\n" + own;
    if (!global.empty()) text += "\nGlobal flags:\n" + global;
    return text;
}

std::string program_help() {
    std::string text = "mydocker: a container engine whose every part is a driver\n\n"
                       "Usage: mydocker [GLOBAL FLAGS] VERB [FLAGS] …\n\nVerbs:\n";
    for (const VerbEntry& entry : verbs())
        if (!entry.is_internal()) text += fmt::format("  {:<18} {}\n", entry.name, entry.summary);
    text += "\nmydocker VERB --help tells the flags of a verb.\n";
    return text;
}

} // namespace mydocker::cli
