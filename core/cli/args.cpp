// Splitting and binding of arguments.
#include "cli/args.hpp"

#include "config/check.hpp"

#include <CLI/Option.hpp>
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <span>

namespace mydocker::cli {
namespace {

// Long flags with one dash. "-ti" and "-it" need no entry: they are bundles of short ones.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOneDash{{
    {"-cpushare", "cpu-shares"},
    {"-cpushares", "cpu-shares"},
    {"-cpuset", "cpuset-cpus"},
    {"-name", "name"},
    {"-net", "network"},
    {"-help", "help"},
}};

const CLI::Option* find_long(const CLI::App& app, const std::string& name) {
    for (const CLI::Option* option : app.get_options())
        if (option->check_lname(name)) return option;
    return nullptr;
}

const CLI::Option* find_short(const CLI::App& app, char letter) {
    for (const CLI::Option* option : app.get_options())
        if (option->check_sname(std::string(1, letter))) return option;
    return nullptr;
}

bool takes_value(const CLI::Option& option) {
    return option.get_items_expected_max() > 0 && option.get_type_size_max() > 0;
}

std::string canonical(const CLI::Option& option) {
    return "--" + option.get_lnames().front();
}

std::string suggestion(const CLI::App& app, std::string_view name) {
    std::vector<std::string> known;
    for (const CLI::Option* option : app.get_options())
        for (const std::string& candidate : option->get_lnames())
            known.push_back(candidate);
    const std::vector<std::string_view> views(known.begin(), known.end());
    const auto nearest = config::nearest(name, views);
    return nearest ? fmt::format("; did you mean --{}?", *nearest) : std::string();
}

// Reads words one after another into flags and operands.
class Splitter {
  public:
    Splitter(const CLI::App& app, std::span<const std::string> words, Operands operands)
        : app_(app),
          words_(words),
          operands_(operands) {}

    Result<ParsedArgs> split() {
        while (!words_.empty()) {
            const std::string word = take();
            if (word == "--") {
                take_rest();
            } else if (word.size() > 1 && word.front() == '-') {
                if (auto taken = take_flag(word); !taken) return fail(taken);
            } else {
                parsed_.operands.push_back(word);
                if (operands_ == Operands::then_stop) take_rest();
            }
        }
        return std::move(parsed_);
    }

  private:
    std::string take() {
        std::string word = words_.front();
        words_ = words_.subspan(1);
        return word;
    }

    void take_rest() {
        parsed_.operands.insert(parsed_.operands.end(), words_.begin(), words_.end());
        words_ = {};
    }

    Status take_flag(const std::string& word) {
        for (const auto& [spelling, name] : kOneDash)
            if (word == spelling && find_long(app_, std::string(name)) != nullptr)
                return take_long(std::string(name), word);
        if (word.starts_with("--")) return take_long(word.substr(2), word);
        return take_bundle(word);
    }

    Status take_long(const std::string& text, const std::string& word) {
        const auto equals = text.find('=');
        const std::string name = text.substr(0, equals);
        const CLI::Option* option = find_long(app_, name);
        if (option == nullptr) return usage(fmt::format("unknown flag --{}{}", name, suggestion(app_, name)));
        if (name == "help") parsed_.help = true;
        if (equals != std::string::npos) {
            parsed_.flags.push_back(canonical(*option) + "=" + text.substr(equals + 1));
            return {};
        }
        return take_value(*option, word);
    }

    // The value is the next word, whatever it begins with.
    Status take_value(const CLI::Option& option, const std::string& word) {
        if (!takes_value(option)) {
            parsed_.flags.push_back(canonical(option));
            return {};
        }
        if (words_.empty()) return usage(fmt::format("flag {} needs a value", word));
        parsed_.flags.push_back(canonical(option) + "=" + take());
        return {};
    }

    Status take_bundle(const std::string& word) {
        for (std::size_t i = 1; i < word.size(); ++i) {
            const CLI::Option* option = find_short(app_, word[i]);
            if (option == nullptr) return unknown_short(word, i);
            if (option->check_lname("help")) parsed_.help = true;
            if (!takes_value(*option)) {
                parsed_.flags.push_back(canonical(*option));
                continue;
            }
            if (i + 1 == word.size()) return take_value(*option, word);
            const std::size_t value = word[i + 1] == '=' ? i + 2 : i + 1;
            parsed_.flags.push_back(canonical(*option) + "=" + word.substr(value));
            return {};
        }
        return {};
    }

    Status unknown_short(const std::string& word, std::size_t at) {
        if (word.size() == 2) return usage(fmt::format("unknown flag {}", word));
        return usage(
            fmt::format("unknown flag -{} in '{}'{}", word[at], word, suggestion(app_, word.substr(1))));
    }

    const CLI::App& app_;
    std::span<const std::string> words_;
    Operands operands_;
    ParsedArgs parsed_;
};

} // namespace

Result<ParsedArgs> split(const CLI::App& app, std::span<const std::string> words, Operands operands) {
    return Splitter(app, words, operands).split();
}

void declare_globals(CLI::App& app, GlobalFlags& flags) {
    app.set_help_flag();
    app.add_flag("-h,--help", flags.help, "show this help");
    const std::string group = "Global flags";
    app.add_option("--config", flags.config, "configuration file instead of the installed one")->group(group);
    app.add_option("--root", flags.root, "directory of images and containers")->group(group);
    app.add_option("--run-root", flags.run_root, "directory of what dies with the boot")->group(group);
    app.add_option("--storage-driver", flags.storage_driver, "storage driver for new containers")
        ->group(group);
    app.add_option("--cgroup-driver", flags.cgroup_driver, "cgroup backend for new containers")->group(group);
    app.add_option("--log-driver", flags.log_driver, "log sink for new containers")->group(group);
    app.add_option("--state-driver", flags.state_driver, "state store")->group(group);
    app.add_option("--log-level", flags.log_level, "debug, info, warning or error")->group(group);
    app.add_option("--log-format", flags.log_format, "text or json")->group(group);
}

Status bind(CLI::App& app, const std::vector<std::string>& flags) {
    // CLI11 takes its words last first.
    std::vector<std::string> words(flags.rbegin(), flags.rend());
    try {
        app.parse(words);
    } catch (const CLI::ParseError& error) {
        return usage(error.what());
    }
    return {};
}

std::string verb_help(const VerbEntry& entry, const CLI::App& app) {
    std::string text =
        fmt::format("Usage: mydocker {} [FLAGS] {}\n\n{}\n", entry.name, entry.operands, entry.summary);
    if (!entry.example.empty()) text += fmt::format("\nExample:\n  {}\n", entry.example);
    std::map<std::string, std::string> groups;
    for (const CLI::Option* option : app.get_options()) {
        const std::string value = takes_value(*option) ? " VALUE" : "";
        const std::string letter =
            option->get_snames().empty() ? "    " : "-" + option->get_snames().front() + ", ";
        const std::string names = fmt::format("{}--{}{}", letter, option->get_lnames().front(), value);
        groups[option->get_group() == "Global flags" ? "Global flags" : "Flags"] +=
            fmt::format("  {:<30} {}\n", names, option->get_description());
    }
    for (const auto& [group, lines] : groups)
        text += fmt::format("\n{}:\n{}", group, lines);
    return text;
}

std::string program_help() {
    std::string text = "mydocker: a container engine whose every part is a driver\n\n"
                       "Usage: mydocker [GLOBAL FLAGS] VERB [FLAGS] …\n\nVerbs:\n";
    for (const VerbEntry& entry : verbs())
        if (entry.summary != "internal") text += fmt::format("  {:<18} {}\n", entry.name, entry.summary);
    text += "\nmydocker VERB --help tells the flags of a verb.\n";
    return text;
}

} // namespace mydocker::cli
