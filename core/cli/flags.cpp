// Names of flags, and values to what they are bound to.
#include "cli/flags.hpp"

#include <algorithm>
#include <array>

namespace mydocker::cli {
namespace {

// Visits each name of "-n,--name,!--other": dashes, name, whether it says no. True: the visitor has it.
template <class Visit>
bool any_name(std::string_view names, const Visit& visit) {
    while (!names.empty()) {
        std::string_view name = names.substr(0, names.find(','));
        names.remove_prefix(std::min(name.size() + 1, names.size()));
        const bool negative = name.starts_with('!');
        if (negative) name.remove_prefix(1);
        const std::size_t dashes = std::min(name.find_first_not_of('-'), name.size());
        if (visit(dashes, name.substr(dashes), negative)) return true;
    }
    return false;
}

constexpr std::array<std::string_view, 6> kYes{"1", "t", "T", "true", "TRUE", "True"};
constexpr std::array<std::string_view, 6> kNo{"0", "f", "F", "false", "FALSE", "False"};

} // namespace

Result<bool> parse_bool(std::string_view text) {
    if (std::ranges::find(kYes, text) != kYes.end()) return true;
    if (std::ranges::find(kNo, text) != kNo.end()) return false;
    return fail(Code::invalid, "'" + std::string(text) + "' is neither true nor false");
}

std::string_view Flag::name() const {
    std::string_view first;
    (void)any_name(names_, [&](std::size_t dashes, std::string_view name, bool) {
        first = name;
        return dashes == 2;
    });
    return first;
}

std::vector<std::string_view> Flag::long_names() const {
    std::vector<std::string_view> names;
    (void)any_name(names_, [&](std::size_t dashes, std::string_view name, bool) {
        if (dashes == 2) names.push_back(name);
        return false;
    });
    return names;
}

std::vector<std::string_view> Flag::short_names() const {
    std::vector<std::string_view> names;
    (void)any_name(names_, [&](std::size_t dashes, std::string_view name, bool) {
        if (dashes == 1) names.push_back(name);
        return false;
    });
    return names;
}

bool Flag::has_long(std::string_view name) const {
    return any_name(
        names_, [&](std::size_t dashes, std::string_view one, bool) { return dashes == 2 && one == name; });
}

bool Flag::has_short(char letter) const {
    return any_name(names_, [&](std::size_t dashes, std::string_view one, bool) {
        return dashes == 1 && one == std::string_view(&letter, 1);
    });
}

bool Flag::negates(std::string_view name) const {
    return any_name(names_, [&](std::size_t dashes, std::string_view one, bool negative) {
        return negative && dashes == 2 && one == name;
    });
}

Status Flag::set(std::string_view name, std::string value) {
    ++count_;
    if (not_empty_ && value.empty())
        return fail(Code::invalid, "flag --" + std::string(name) + ": an empty text is no value");
    if (auto* text = std::get_if<std::string*>(&target_)) {
        **text = std::move(value);
        return {};
    }
    if (auto* list = std::get_if<std::vector<std::string>*>(&target_)) {
        (*list)->push_back(std::move(value));
        return {};
    }
    auto yes = parse_bool(value);
    if (!yes) return fail(yes, "flag --" + std::string(name));
    *std::get<bool*>(target_) = *yes != negates(name);
    return {};
}

Flag* FlagSet::find_long(std::string_view name) {
    const auto found = std::ranges::find_if(flags_, [&](const Flag& flag) { return flag.has_long(name); });
    return found == flags_.end() ? nullptr : &*found;
}

Flag* FlagSet::find_short(char letter) {
    const auto found = std::ranges::find_if(flags_, [&](const Flag& flag) { return flag.has_short(letter); });
    return found == flags_.end() ? nullptr : &*found;
}

} // namespace mydocker::cli
