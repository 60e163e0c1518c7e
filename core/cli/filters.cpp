// Filters of lists.
#include "cli/filters.hpp"

#include "cli/flags.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <regex.h>

namespace mydocker::cli {
namespace {

// Whether the expression is found in the text; one that is none is compared as it is.
bool is_found(const std::string& expression, const std::string& text) {
    if (expression == text) return true;
    regex_t compiled{};
    if (::regcomp(&compiled, expression.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
    const bool found = ::regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
    ::regfree(&compiled);
    return found;
}

bool has_label(const Labels& labels, const std::string& wanted) {
    const auto equals = wanted.find('=');
    const std::string key = wanted.substr(0, equals);
    return std::ranges::any_of(labels, [&](const auto& label) {
        return label.first == key &&
               (equals == std::string::npos || label.second == wanted.substr(equals + 1));
    });
}

} // namespace

Result<Filters> Filters::parse(const std::vector<std::string>& given,
                               std::span<const std::string_view> known) {
    Filters filters;
    for (const std::string& text : given) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(Code::invalid, fmt::format("filter: '{}' is not KEY=VALUE", text));
        const std::string key = text.substr(0, equals);
        if (std::ranges::find(known, key) == known.end())
            return fail(Code::invalid,
                        fmt::format("filter: '{}' is unknown; there are: {}", key, fmt::join(known, ", ")));
        filters.values_[key].push_back(text.substr(equals + 1));
    }
    return filters;
}

std::span<const std::string> Filters::values(std::string_view key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) return {};
    return found->second;
}

bool Filters::accepts(std::string_view key, std::string_view text) const {
    return !has(key) || std::ranges::find(values(key), text) != values(key).end();
}

bool Filters::matches(std::string_view key, const std::string& text) const {
    return !has(key) ||
           std::ranges::any_of(values(key), [&](const std::string& value) { return is_found(value, text); });
}

bool Filters::accepts_labels(const Labels& labels) const {
    return std::ranges::all_of(values("label"),
                               [&](const std::string& wanted) { return has_label(labels, wanted); });
}

Result<bool> Filters::truth(std::string_view key) const {
    for (const std::string& value : values(key)) {
        auto truth = parse_bool(value);
        if (!truth) return fail(truth, fmt::format("filter: {}", key));
        return truth;
    }
    return false;
}

Status Filters::check_words(std::string_view key, std::span<const std::string_view> words) const {
    for (const std::string& value : values(key))
        if (std::ranges::find(words, value) == words.end())
            return fail(Code::invalid, fmt::format("filter: {}: '{}' is unknown; there are: {}", key, value,
                                                   fmt::join(words, ", ")));
    return {};
}

} // namespace mydocker::cli
