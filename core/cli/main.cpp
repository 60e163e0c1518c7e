// mydocker: finds the verb, binds its flags, runs it. Nothing else is decided here.
#include "cli/args.hpp"
#include "cli/help.hpp"
#include "cli/verb.hpp"
#include "plugin/crash.hpp"

#include "base/notation.hpp"
#include "base/sys.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <fmt/format.h>
#include <span>
#include <unistd.h>

namespace {

namespace cli = mydocker::cli;
namespace sys = mydocker::sys;
using mydocker::Error;
using mydocker::Result;

void print_error(mydocker::diag::Diagnostics& diagnostics, std::string_view verb, const Error& error) {
    diagnostics.error(verb.empty() ? mydocker::describe(error)
                                   : fmt::format("{}: {}", verb, mydocker::describe(error)));
}

// Descriptors 0–2 are there whatever the caller did: a file of ours must never become one of them.
void open_standard_descriptors() {
    for (int fd = 0; fd <= 2; ++fd)
        if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", O_RDWR);
}

// What a caller left blocked or ignored must not change what we and our children do.
void reset_signals() {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    (void)std::signal(SIGCHLD, SIG_DFL);
    (void)std::signal(SIGPIPE, SIG_IGN); // A reader that is gone is an error of write(2).
}

struct Found {
    const cli::VerbEntry* entry = nullptr;
    std::size_t words = 0; // how many words its name takes
};

// The verb that the words name; two-word verbs first.
Found find_verb(std::span<const std::string> words) {
    for (std::size_t count = std::min<std::size_t>(2, words.size()); count > 0; --count) {
        const std::string given = count == 2 ? words[0] + " " + words[1] : words[0];
        const std::string_view name = cli::usual_name(given);
        for (const cli::VerbEntry& entry : cli::verbs())
            if (entry.name == name) return {&entry, count};
    }
    return {};
}

std::unexpected<Error> unknown_verb(std::span<const std::string> words) {
    std::vector<std::string_view> names;
    std::string below;
    for (const cli::VerbEntry& entry : cli::verbs()) {
        if (!entry.is_internal()) names.push_back(entry.name);
        if (entry.name.starts_with(words[0] + " "))
            below += fmt::format("{}{}", below.empty() ? "" : ", ", entry.name.substr(words[0].size() + 1));
    }
    if (!below.empty() && words.size() > 1)
        return cli::usage(fmt::format("unknown verb '{} {}'; there are: {}", words[0], words[1], below));
    if (!below.empty()) return cli::usage(fmt::format("{}: needs one of: {}", words[0], below));
    const auto nearest = mydocker::notation::nearest(words[0], names);
    return cli::usage(
        fmt::format("unknown verb '{}'{}", words[0],
                    nearest ? fmt::format("; did you mean '{}'?", *nearest) : "; see mydocker --help"));
}

int run_verb(const cli::VerbEntry& entry, cli::GlobalFlags flags, std::span<const std::string> words) {
    cli::FlagSet set;
    auto verb = entry.make();
    verb->declare(set);
    cli::declare_globals(set, flags);
    auto parsed = cli::parse(set, words, verb->operands());
    if (!parsed) {
        mydocker::diag::Diagnostics plain;
        print_error(plain, entry.name, parsed.error());
        return cli::kEngineError;
    }
    if (flags.help) {
        cli::print(cli::verb_help(entry, set));
        return cli::kOk;
    }
    cli::Session session(std::move(flags));
    auto code = verb->run(session, parsed->operands);
    if (code) return *code;
    print_error(session.diagnostics(), entry.name, code.error());
    return std::max(verb->failure_code(), session.exit_code_of(code.error()));
}

int run(std::span<const std::string> words) {
    mydocker::diag::Diagnostics plain;
    cli::FlagSet set;
    cli::GlobalFlags flags;
    cli::declare_globals(set, flags);
    bool version = false;
    set.add_flag("-v,--version", version, "show the version");
    // Flags before the verb; the verb itself and all behind it are its own affair.
    auto parsed = cli::parse(set, words, cli::Operands::then_stop);
    if (!parsed) {
        print_error(plain, "", parsed.error());
        return cli::kEngineError;
    }
    std::vector<std::string>& rest = parsed->operands;
    if (version) rest = {"version"};
    if (rest.size() > 1 && rest.front() == "help") { // "help run" is "run --help".
        rest.erase(rest.begin());
        rest.emplace_back("--help");
    }
    if (flags.help || rest == std::vector<std::string>{"help"}) {
        cli::print(cli::program_help());
        return cli::kOk;
    }
    if (rest.empty()) {
        (void)sys::write_all(STDERR_FILENO, cli::program_help());
        return cli::kEngineError;
    }
    const Found found = find_verb(rest);
    if (found.entry == nullptr) {
        print_error(plain, "", unknown_verb(rest).error());
        return cli::kEngineError;
    }
    return run_verb(*found.entry, std::move(flags), std::span(rest).subspan(found.words));
}

} // namespace

int main(int argc, char** argv) {
    open_standard_descriptors();
    reset_signals();
    mydocker::plugin::install_crash_reporter();
    const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    int code = cli::kEngineError;
    try {
        code = run(words);
    } catch (const std::exception& error) {
        // Only allocation can get here; what was begun is healed by the next command.
        (void)std::fprintf(stderr, "mydocker: %s\n", error.what());
    }
    if (std::ferror(stdout) != 0 && code == cli::kOk) {
        (void)std::fprintf(stderr, "mydocker: not all could be written to standard output\n");
        code = cli::kFailed;
    }
    // Plugins stay mapped and their libraries' destructors unrun: the kernel takes everything back.
    (void)std::fflush(nullptr);
    ::_exit(code);
}
