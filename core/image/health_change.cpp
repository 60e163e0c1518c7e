#include "image/health_change.hpp"

#include "base/json.hpp"
#include "base/notation.hpp"
#include "image/config_words.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace mydocker::image {
namespace {

constexpr std::pair<std::string_view, const char*> kTimes[] = {{"interval", "Interval"},
                                                               {"timeout", "Timeout"},
                                                               {"start-period", "StartPeriod"},
                                                               {"start-interval", "StartInterval"}};

bool is_same_word(std::string_view one, std::string_view other) {
    return std::ranges::equal(
        one, other, [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

// The first word of the text, which is shortened by it.
std::string_view take_word(std::string_view& text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
    text.remove_prefix(word.size());
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    return word;
}

Status take_retries(std::string_view text, json::Value& check) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0)
        return fail(Code::invalid, fmt::format("--retries: '{}' is no number from 0", text));
    check.set("Retries", number);
    return {};
}

// "--interval=5s".
Status take_option(std::string_view option, json::Value& check) {
    const std::string_view name = option.substr(2, option.find('=') - 2);
    if (option.find('=') == std::string_view::npos)
        return fail(Code::invalid, fmt::format("'{}' needs a value: --{}=…", option, name));
    const std::string_view value = option.substr(option.find('=') + 1);
    if (name == "retries") return take_retries(value, check);
    const auto* known = std::ranges::find(kTimes, name, [](const auto& time) { return time.first; });
    if (known == std::ranges::end(kTimes))
        return fail(Code::invalid,
                    fmt::format("'--{}' is none of --interval, --timeout, --start-period, --start-interval, "
                                "--retries",
                                name));
    auto duration = notation::parse_duration(value);
    if (!duration)
        return fail(Code::invalid, fmt::format("--{}: '{}' is no duration; write 30s", name, value));
    check.set(known->second, std::int64_t{duration->count()});
    return {};
}

Result<json::Array> parse_test(std::string_view kind, std::string_view command) {
    if (is_same_word(kind, "NONE") && command.empty()) return json::Array{json::Value("NONE")};
    if (!is_same_word(kind, "CMD") || command.empty())
        return fail(Code::invalid, "it is neither NONE nor CMD and a command");
    const auto words = exec_form(command);
    if (!words) return json::Array{json::Value("CMD-SHELL"), json::Value(command)};
    if (words->empty()) return fail(Code::invalid, "the command is empty");
    json::Array test{json::Value("CMD")};
    test.insert(test.end(), words->begin(), words->end());
    return test;
}

} // namespace

Result<std::string> parse_health_change(std::string_view text) {
    json::Value check;
    while (text.starts_with("--"))
        if (auto taken = take_option(take_word(text), check); !taken) return fail(taken);
    const std::string_view kind = take_word(text);
    auto test = parse_test(kind, text);
    if (!test) return fail(test);
    check.set("Test", std::move(*test));
    return json::dump(check);
}

} // namespace mydocker::image
