// From the table of verbs and the flags that each declares to candidates.
#include "cli/completion.hpp"

#include "cli/args.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

namespace mydocker::cli {
namespace {

using Words = std::span<const std::string>;

// Where the words before the last one lead to.
struct Position {
    const VerbEntry* verb = nullptr;
    std::string first;                     // the word that names no verb, or not yet: "volume"
    std::optional<std::string_view> value; // the last word is this flag's value
    std::size_t operands = 0;              // that stand before the last word
    bool flags_ended = false;              // behind "--", or in a container's command
};

const VerbEntry* find_entry(std::string_view name) {
    for (const VerbEntry& entry : verbs())
        if (entry.name == name && !entry.is_internal()) return &entry;
    return nullptr;
}

bool begins_verb(std::string_view word) {
    return std::ranges::any_of(verbs(), [&](const VerbEntry& entry) {
        return entry.name.starts_with(word) && entry.name.substr(word.size()).starts_with(' ');
    });
}

// The flags of a verb, or without one those of the program.
class Declared {
  public:
    explicit Declared(const VerbEntry* entry) {
        if (entry != nullptr) {
            verb_ = entry->make();
            verb_->declare(set_);
        }
        declare_globals(set_, globals_);
    }
    FlagSet& flags() { return set_; }
    [[nodiscard]] bool stops() const { return verb_ && verb_->operands() == Operands::then_stop; }

  private:
    GlobalFlags globals_;
    FlagSet set_;
    std::unique_ptr<Verb> verb_;
};

// The flag that this word leaves without its value.
const Flag* wants_value(FlagSet& flags, const std::string& word) {
    const Flag* flag = nullptr;
    if (word.starts_with("--")) {
        if (word.find('=') == std::string::npos) flag = flags.find_long(std::string_view(word).substr(2));
    } else if (word.size() > 1 && word.front() == '-') {
        flag = flags.find_short(word.back());
        for (std::size_t i = 1; flag != nullptr && i + 1 < word.size(); ++i) {
            const Flag* earlier = flags.find_short(word[i]);
            if (earlier == nullptr || earlier->takes_value()) flag = nullptr; // "-m1g"
        }
    }
    return flag != nullptr && flag->takes_value() ? flag : nullptr;
}

// Reads the words before the last one as far as the verb; returns how many that were.
std::size_t find_position(Words before, Position& position) {
    Declared globals(nullptr);
    for (std::size_t i = 0; i < before.size(); ++i) {
        const std::string& word = before[i];
        position.value.reset();
        if (word.size() > 1 && word.front() == '-') {
            const Flag* flag = wants_value(globals.flags(), word);
            if (flag != nullptr) position.value = flag->value();
            if (flag != nullptr) ++i;
            continue;
        }
        position.verb = find_entry(word);
        if (position.verb != nullptr) return i + 1;
        position.first = word;
        if (!begins_verb(word)) return before.size();
        if (i + 1 == before.size()) return i + 1;
        position.first = word + " " + before[i + 1];
        position.verb = find_entry(position.first);
        return i + 2;
    }
    return before.size();
}

void read_arguments(Words words, Declared& declared, Position& position) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (!position.flags_ended && word == "--") {
            position.flags_ended = true;
        } else if (!position.flags_ended && word.size() > 1 && word.front() == '-') {
            const Flag* flag = wants_value(declared.flags(), word);
            if (flag != nullptr && ++i == words.size()) position.value = flag->value();
        } else {
            ++position.operands;
            position.flags_ended = position.flags_ended || declared.stops();
        }
    }
}

void add_verbs(Completion& completion, const std::string& first, std::string_view prefix) {
    std::set<std::string_view> seen;
    for (const VerbEntry& entry : verbs()) {
        if (entry.is_internal()) continue;
        const auto blank = entry.name.find(' ');
        if (!first.empty()) {
            if (blank == std::string_view::npos || entry.name.substr(0, blank) != first) continue;
            const std::string_view second = entry.name.substr(blank + 1);
            if (second.starts_with(prefix))
                completion.candidates.push_back({std::string(second), std::string(entry.summary)});
            continue;
        }
        const std::string_view word = entry.name.substr(0, blank);
        if (!word.starts_with(prefix) || !seen.insert(word).second) continue;
        const bool alone = blank == std::string_view::npos;
        completion.candidates.push_back({std::string(word), std::string(alone ? entry.summary : "")});
    }
}

void add_flags(Completion& completion, const FlagSet& flags, std::string_view prefix) {
    for (const Flag& flag : flags.all()) {
        for (const std::string_view name : flag.long_names())
            if (const std::string word = "--" + std::string(name); word.starts_with(prefix))
                completion.candidates.push_back({word, std::string(flag.help())});
        for (const std::string_view name : flag.short_names())
            if (const std::string word = "-" + std::string(name); word.starts_with(prefix))
                completion.candidates.push_back({word, std::string(flag.help())});
    }
}

// `what`: what Flag::takes() was told, or a word of VerbEntry::operands.
void add_values(Completion& completion, std::string_view what, std::string_view prefix,
                const NameSource& names) {
    const bool is_choice = what.find('|') != std::string_view::npos &&
                           std::ranges::none_of(what, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (is_choice) {
        while (!what.empty()) {
            const std::string_view word = what.substr(0, what.find('|'));
            what.remove_prefix(std::min(word.size() + 1, what.size()));
            if (word.starts_with(prefix)) completion.candidates.push_back({std::string(word), {}});
        }
        return;
    }
    for (const std::string_view kind : {"CONTAINER", "IMAGE", "VOLUME"})
        if (what.find(kind) != std::string_view::npos)
            for (Candidate& name : names(kind, prefix))
                completion.candidates.push_back(std::move(name));
    if (what.find("NAME...") != std::string_view::npos)
        for (const std::string_view kind : {"CONTAINER", "IMAGE", "VOLUME"})
            for (Candidate& name : names(kind, prefix))
                completion.candidates.push_back(std::move(name));
    if (what.find("SIGNAL") != std::string_view::npos)
        for (const char* name :
             {"HUP", "INT", "KILL", "QUIT", "STOP", "CONT", "TERM", "USR1", "USR2", "WINCH"})
            if (std::string_view(name).starts_with(prefix)) completion.candidates.push_back({name, {}});
    completion.files = completion.files || what.find("FILE") != std::string_view::npos ||
                       what.find("PATH") != std::string_view::npos;
    completion.directories = completion.directories || what.find("DIR") != std::string_view::npos;
}

// The word of "CONTAINER [NAME[:TAG]]" that stands at a place; the last one, if it may be repeated.
std::string_view operand_at(std::string_view pattern, std::size_t place) {
    std::string_view last;
    for (std::size_t i = 0; !pattern.empty(); ++i) {
        last = pattern.substr(0, pattern.find(' '));
        pattern.remove_prefix(std::min(last.size() + 1, pattern.size()));
        if (i == place) return last;
    }
    return last.find("...") != std::string_view::npos ? last : std::string_view();
}

// "--flag=va": the value's beginning, with what stands before it.
bool complete_joined(Completion& completion, FlagSet& flags, const std::string& word,
                     const NameSource& names) {
    const auto equals = word.find('=');
    if (!word.starts_with("--") || equals == std::string::npos) return false;
    const Flag* flag = flags.find_long(std::string_view(word).substr(2, equals - 2));
    if (flag == nullptr) return true;
    add_values(completion, flag->value(), std::string_view(word).substr(equals + 1), names);
    for (Candidate& candidate : completion.candidates)
        candidate.word = word.substr(0, equals + 1) + candidate.word;
    return true;
}

} // namespace

Completion complete(std::span<const std::string> words, const NameSource& names) {
    Completion completion;
    if (words.empty()) return completion;
    const std::string& last = words.back();
    const Words before = words.first(words.size() - 1);
    Position position;
    const std::size_t used = find_position(before, position);
    Declared declared(position.verb);
    if (position.verb != nullptr) read_arguments(before.subspan(used), declared, position);
    if (position.value) {
        add_values(completion, *position.value, last, names);
        return completion;
    }
    if (!position.flags_ended && complete_joined(completion, declared.flags(), last, names))
        return completion;
    if (!position.flags_ended && last.starts_with('-')) {
        add_flags(completion, declared.flags(), last);
        return completion;
    }
    if (position.verb == nullptr) {
        add_verbs(completion, position.first, last);
        return completion;
    }
    const std::string_view operand = operand_at(position.verb->operands, position.operands);
    add_values(completion, operand, last, names);
    return completion;
}

} // namespace mydocker::cli
