// The flags of a verb: their names, what they are bound to, their help. Parser, help, man pages and
// completions all read these declarations. Declaring costs a start: names are pieces of literals, nothing
// is copied.
#pragma once

#include "mydocker/result.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mydocker::cli {

// Go's words for true and false, as docker takes them: 1, t, T, true, True, TRUE, and so on. Errors: invalid:
// "'maybe' is neither true nor false". Source: pkg.go.dev/strconv#ParseBool.
[[nodiscard]] Result<bool> parse_bool(std::string_view text);

class Flag {
  public:
    using Target = std::variant<bool*, std::string*, std::vector<std::string>*>;

    // names: "-n,--name,--other"; one with '!' before it says no: "-p,--pause,!--no-pause".
    Flag(std::string_view names, Target target, std::string_view help)
        : names_(names),
          target_(target),
          help_(help) {}

    // What the value is, for help, man pages and completions: "FILE", "DIR", "CONTAINER", "IMAGE",
    // "VOLUME", "SIGNAL", or the words there are, "json|text". Any other word is only shown.
    Flag* takes(std::string_view value) {
        value_ = value;
        return this;
    }
    // The value stands behind "=" or not at all: it is "true" then.
    Flag* may_be_bare() {
        may_be_bare_ = true;
        return this;
    }
    // An amount, a time, a signal: an empty text is none.
    Flag* not_empty() {
        not_empty_ = true;
        return this;
    }
    Flag* global() {
        global_ = true;
        return this;
    }

    [[nodiscard]] bool takes_value() const {
        return !may_be_bare_ && !std::holds_alternative<bool*>(target_);
    }
    [[nodiscard]] std::string_view value() const { return value_; }
    [[nodiscard]] bool is_global() const { return global_; }
    [[nodiscard]] std::string_view help() const { return help_; }
    // How often it was given.
    [[nodiscard]] unsigned count() const { return count_; }

    // "pause" of "-p,--pause,!--no-pause"; the first long name.
    [[nodiscard]] std::string_view name() const;
    [[nodiscard]] std::vector<std::string_view> long_names() const; // "pause", "no-pause"
    [[nodiscard]] std::vector<std::string_view> short_names() const;
    [[nodiscard]] bool has_long(std::string_view name) const;
    [[nodiscard]] bool has_short(char letter) const;

    // Sets what it is bound to; of a single value the last one counts. `name`: the long name it was given
    // by. Errors: invalid, for a bool that is none and an empty text where there must be one.
    [[nodiscard]] Status set(std::string_view name, std::string value);

  private:
    [[nodiscard]] bool negates(std::string_view name) const;

    std::string_view names_;
    Target target_;
    std::string_view help_;
    std::string_view value_ = "VALUE";
    bool global_ = false;
    bool may_be_bare_ = false;
    bool not_empty_ = false;
    unsigned count_ = 0;
};

class FlagSet {
  public:
    // The texts have to outlive the set: literals do.
    Flag* add_flag(std::string_view names, bool& to, std::string_view help) {
        return &flags_.emplace_back(names, Flag::Target(&to), help);
    }
    Flag* add_option(std::string_view names, std::string& to, std::string_view help) {
        return &flags_.emplace_back(names, Flag::Target(&to), help);
    }
    Flag* add_option(std::string_view names, std::vector<std::string>& to, std::string_view help) {
        return &flags_.emplace_back(names, Flag::Target(&to), help);
    }

    // In the order of their declaration.
    [[nodiscard]] const std::deque<Flag>& all() const { return flags_; }
    [[nodiscard]] Flag* find_long(std::string_view name);
    [[nodiscard]] Flag* find_short(char letter);

  private:
    std::deque<Flag> flags_; // pointers to its elements stay good
};

} // namespace mydocker::cli
