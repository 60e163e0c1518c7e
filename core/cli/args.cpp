// Words to flags and operands.
#include "cli/args.hpp"
#include "base/notation.hpp"

#include <array>
#include <fmt/format.h>
#include <utility>

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

std::string suggestion(const FlagSet& flags, std::string_view name) {
    std::vector<std::string_view> known;
    for (const Flag& flag : flags.all())
        for (const std::string_view candidate : flag.long_names())
            known.push_back(candidate);
    const auto nearest = notation::nearest(name, known);
    return nearest ? fmt::format("; did you mean --{}?", *nearest) : std::string();
}

// Reads words one after another into flags and operands.
class ArgsReader {
  public:
    ArgsReader(FlagSet& flags, std::span<const std::string> words, Operands operands)
        : flags_(flags),
          words_(words),
          operands_(operands) {}

    Result<ParsedArgs> read() {
        while (!words_.empty()) {
            const std::string& word = take();
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
    const std::string& take() {
        const std::string& word = words_.front();
        words_ = words_.subspan(1);
        return word;
    }

    void take_rest() {
        parsed_.operands.insert(parsed_.operands.end(), words_.begin(), words_.end());
        words_ = {};
    }

    Status take_flag(const std::string& word) {
        for (const auto& [spelling, name] : kOneDash)
            if (word == spelling && flags_.find_long(name) != nullptr) return take_long(name, word);
        if (word.starts_with("--")) return take_long(std::string_view(word).substr(2), word);
        return take_bundle(word);
    }

    Status take_long(std::string_view text, const std::string& word) {
        const auto equals = text.find('=');
        const std::string_view name = text.substr(0, equals);
        Flag* flag = flags_.find_long(name);
        if (flag == nullptr) return usage(fmt::format("unknown flag --{}{}", name, suggestion(flags_, name)));
        if (equals != std::string_view::npos) return set(*flag, name, std::string(text.substr(equals + 1)));
        return take_value(*flag, name, word);
    }

    // The value is the next word, whatever it begins with.
    Status take_value(Flag& flag, std::string_view name, const std::string& word) {
        if (!flag.takes_value()) return set(flag, name, "true");
        if (words_.empty()) return usage(fmt::format("flag {} needs a value", word));
        return set(flag, name, take());
    }

    Status set(Flag& flag, std::string_view name, std::string value) {
        if (auto done = flag.set(name, std::move(value)); !done) return usage(done.error().text);
        return {};
    }

    Status take_bundle(const std::string& word) {
        for (std::size_t i = 1; i < word.size(); ++i) {
            Flag* flag = flags_.find_short(word[i]);
            if (flag == nullptr) return unknown_short(word, i);
            if (!flag->takes_value()) {
                if (auto done = set(*flag, flag->name(), "true"); !done) return done;
                continue;
            }
            if (i + 1 == word.size()) return take_value(*flag, flag->name(), word);
            const std::size_t value = word[i + 1] == '=' ? i + 2 : i + 1;
            return set(*flag, flag->name(), word.substr(value));
        }
        return {};
    }

    [[nodiscard]] Status unknown_short(const std::string& word, std::size_t at) const {
        if (word.size() == 2) return usage(fmt::format("unknown flag {}", word));
        return usage(
            fmt::format("unknown flag -{} in '{}'{}", word[at], word, suggestion(flags_, word.substr(1))));
    }

    FlagSet& flags_;
    std::span<const std::string> words_;
    Operands operands_;
    ParsedArgs parsed_;
};

} // namespace

Result<ParsedArgs> parse(FlagSet& flags, std::span<const std::string> words, Operands operands) {
    return ArgsReader(flags, words, operands).read();
}

void declare_globals(FlagSet& set, GlobalFlags& flags) {
    // Of some verbs the short one is another flag, as docker has it.
    set.add_flag(set.find_short('h') == nullptr ? "-h,--help" : "--help", flags.help, "show this help");
    set.add_option("--config", flags.config, "configuration file instead of the installed one")
        ->takes("FILE")
        ->global();
    set.add_option("--root", flags.root, "directory of images and containers")->takes("DIR")->global();
    set.add_option("--run-root", flags.run_root, "directory of what dies with the boot")
        ->takes("DIR")
        ->global();
    set.add_option("--storage-driver", flags.storage_driver, "storage driver for new containers")->global();
    set.add_option("--cgroup-driver", flags.cgroup_driver, "cgroup backend for new containers")->global();
    set.add_option("--log-driver", flags.log_driver, "log sink for new containers")->global();
    set.add_option("--state-driver", flags.state_driver, "state store")->global();
    set.add_option("--log-level", flags.log_level, "debug, info, warning or error")
        ->takes("debug|info|warning|error")
        ->global();
    set.add_option("--log-format", flags.log_format, "text or json")->takes("text|json")->global();
}

} // namespace mydocker::cli
