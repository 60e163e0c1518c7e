// Manual pages in roff.
#include "cli/help.hpp"

#include "cli/version.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace mydocker::cli {
namespace {

// Text as roff takes it: a dash is one that can be copied, and no line begins with a request.
std::string roff(std::string_view text) {
    constexpr std::string_view kEllipsis = "…";
    std::string safe;
    bool begins = true;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i).starts_with(kEllipsis)) { // Not every terminal's font has it.
            safe += "...";
            i += kEllipsis.size() - 1;
            continue;
        }
        const char c = text[i];
        if (begins && (c == '.' || c == '\'')) safe += "\\&";
        begins = c == '\n';
        if (c == '-')
            safe += "\\-";
        else if (c == '\\')
            safe += "\\e";
        else if (c == '\'')
            safe += "\\(aq";
        else if (c == '`')
            safe += "\\(ga";
        else if (c == '^')
            safe += "\\(ha";
        else if (c == '~')
            safe += "\\(ti";
        else
            safe += c;
    }
    return safe;
}

std::string flag_entry(const Flag& flag) {
    std::string names;
    const auto add = [&](std::string_view dashes, std::string_view name) {
        names += fmt::format("{}\\fB{}{}\\fR", names.empty() ? "" : ", ", roff(dashes), roff(name));
    };
    for (const std::string_view name : flag.short_names())
        add("-", name);
    for (const std::string_view name : flag.long_names())
        add("--", name);
    if (flag.takes_value()) names += fmt::format(" \\fI{}\\fR", roff(flag.value()));
    return fmt::format(".TP\n{}\n{}\n", names, roff(flag.help()));
}

std::string head(std::string_view page, std::string_view summary) {
    std::string title(page);
    std::ranges::transform(title, title.begin(),
                           [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c); });
    return fmt::format(".TH \"{}\" 1 \"\" \"mydocker {}\" \"mydocker\"\n.SH NAME\n{} \\- {}\n", roff(title),
                       roff(kVersionText), roff(page), roff(summary));
}

constexpr std::string_view kExitStatus = ".SH EXIT STATUS\n0: it is done. 1: what was asked for failed. 125: "
                                         "bad usage, or the engine cannot work. "
                                         "Of a\ncommand in the foreground (run, start \\-a, exec) its own; "
                                         "126: it could not be invoked; 127: it was\n"
                                         "not found; 128 + n: it was killed by signal n.\n";

} // namespace

std::string page_name(const VerbEntry& entry) {
    std::string name = "mydocker-" + std::string(entry.name);
    std::ranges::replace(name, ' ', '-');
    return name;
}

std::string verb_page(const VerbEntry& entry, const FlagSet& flags) {
    std::string text = head(page_name(entry), entry.summary);
    text += fmt::format(".SH SYNOPSIS\n\\fBmydocker {}\\fR [\\fIFLAGS\\fR] {}\n", roff(entry.name),
                        roff(entry.operands));
    std::string own;
    std::string global;
    for (const Flag& flag : flags.all())
        (flag.is_global() ? global : own) += flag_entry(flag);
    text += ".SH FLAGS\n" + own + ".SH GLOBAL FLAGS\n" + global;
    if (!entry.example.empty()) text += fmt::format(".SH EXAMPLE\n.EX\n{}\n.EE\n", roff(entry.example));
    return text + std::string(kExitStatus) + ".SH SEE ALSO\n\\fBmydocker\\fR(1)\n";
}

std::string program_page(const FlagSet& globals) {
    std::string text = head("mydocker", "a container engine whose every part is a driver");
    text +=
        ".SH SYNOPSIS\n\\fBmydocker\\fR [\\fIGLOBAL FLAGS\\fR] \\fIVERB\\fR [\\fIFLAGS\\fR] ...\n.SH VERBS\n";
    for (const VerbEntry& entry : verbs())
        if (!entry.is_internal())
            text += fmt::format(".TP\n\\fB{}\\fR {}\n{}. See \\fB{}\\fR(1).\n", roff(entry.name),
                                roff(entry.operands), roff(entry.summary), roff(page_name(entry)));
    text += ".SH GLOBAL FLAGS\nThey stand before or behind the verb.\n";
    for (const Flag& flag : globals.all())
        text += flag_entry(flag);
    return text + std::string(kExitStatus) +
           ".SH FILES\n.TP\n\\fI/etc/mydocker/mydocker.toml\\fR\nthe configuration; see mydocker config show "
           "\\-\\-origin\n.TP\n\\fI/var/lib/mydocker\\fR\nimages, containers, "
           "volumes\n.TP\n\\fI/run/mydocker\\fR\n"
           "what dies with the boot\n";
}

} // namespace mydocker::cli
