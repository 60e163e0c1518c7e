// The functions of templates. printf is in template_printf.cpp.
#include "cli/template_functions.hpp"

#include "cli/template_printf.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <fmt/format.h>
#include <optional>

namespace mydocker::cli {
namespace {

using json::Value;
using Arguments = std::span<const Value>;

// What pad may add; a mistyped number must not eat the memory.
constexpr std::int64_t kMaxPad = 4096;

std::optional<double> number_of(const Value& value) {
    if (const auto* whole = value.if_int()) return static_cast<double>(*whole);
    if (const auto* large = value.if_uint()) return static_cast<double>(*large);
    if (const auto* broken = value.if_double()) return *broken;
    return std::nullopt;
}

bool is_broken_number(const Value& value) {
    return value.if_double() != nullptr;
}

std::unexpected<Error> wrong(std::string text) {
    return fail(Code::invalid, std::move(text));
}

std::unexpected<Error> incomparable(const Value& a, const Value& b) {
    return wrong(fmt::format("'{}' and '{}' cannot be compared", to_text(a), to_text(b)));
}

Result<std::partial_ordering> compare(const Value& a, const Value& b) {
    if (const auto* text = a.if_string()) {
        if (b.if_string() == nullptr) return incomparable(a, b);
        return std::partial_ordering(text->compare(*b.if_string()) <=> 0);
    }
    if (a.if_int() != nullptr && b.if_int() != nullptr)
        return std::partial_ordering(*a.if_int() <=> *b.if_int());
    const auto left = number_of(a);
    const auto right = number_of(b);
    if (!left || !right) return incomparable(a, b);
    return *left <=> *right;
}

Result<bool> equal(const Value& a, const Value& b) {
    if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
    if (a.if_bool() != nullptr && b.if_bool() != nullptr) return *a.if_bool() == *b.if_bool();
    auto order = compare(a, b);
    if (!order) return fail(order);
    return *order == std::partial_ordering::equivalent;
}

// eq a b c: a is b or c.
Result<Value> eq(Arguments words) {
    for (const Value& other : words.subspan(1)) {
        auto same = equal(words.front(), other);
        if (!same) return fail(same);
        if (*same) return Value(true);
    }
    return Value(false);
}

Result<Value> ne(Arguments words) {
    auto same = eq(words);
    if (!same) return same;
    return Value(!*same->if_bool());
}

template <class Test>
Result<Value> ordered(Arguments words, const Test& test) {
    auto order = compare(words[0], words[1]);
    if (!order) return fail(order);
    return Value(test(*order));
}

Result<Value> lt(Arguments words) {
    return ordered(words, [](std::partial_ordering order) { return order < 0; });
}
Result<Value> le(Arguments words) {
    return ordered(words, [](std::partial_ordering order) { return order <= 0; });
}
Result<Value> gt(Arguments words) {
    return ordered(words, [](std::partial_ordering order) { return order > 0; });
}
Result<Value> ge(Arguments words) {
    return ordered(words, [](std::partial_ordering order) { return order >= 0; });
}

// Whatever decides has been returned before; so it is the last one.
Result<Value> and_or(Arguments words) {
    return words.back();
}

Result<Value> negate(Arguments words) {
    return Value(!is_true(words.front()));
}

Result<Value> len_words(Arguments words) {
    const Value& value = words.front();
    if (const auto* text = value.if_string()) return Value(static_cast<std::int64_t>(text->size()));
    if (const auto* list = value.if_array()) return Value(static_cast<std::int64_t>(list->size()));
    if (const auto* map = value.if_object()) return Value(static_cast<std::int64_t>(map->size()));
    if (value.is_null()) return Value(std::int64_t{0});
    return wrong(fmt::format("len of '{}', which has no length", to_text(value)));
}

// index .Config.Labels "key"; index .Args 0; several steps at once. What a map lacks is empty.
Result<Value> index_words(Arguments words) {
    const Value* value = &words.front();
    for (const Value& step : words.subspan(1)) {
        if (const auto* list = value->if_array()) {
            const auto* at = step.if_int();
            if (at == nullptr || *at < 0 || static_cast<std::size_t>(*at) >= list->size())
                return wrong(fmt::format("index {} is not in a list of {}", to_text(step), list->size()));
            value = &(*list)[static_cast<std::size_t>(*at)];
            continue;
        }
        if (value->is_null()) return Value("");
        if (value->if_object() == nullptr || step.if_string() == nullptr)
            return wrong(fmt::format("index '{}' into '{}'", to_text(step), to_text(*value)));
        value = value->find(*step.if_string());
        if (value == nullptr) return Value("");
    }
    return *value;
}

Result<std::string> text_argument(const Value& value) {
    if (const auto* text = value.if_string()) return *text;
    if (value.is_null()) return std::string();
    return wrong(fmt::format("'{}' is no text", to_text(value)));
}

Result<Value> join_words(Arguments words) {
    auto between = text_argument(words[1]);
    if (!between) return fail(between);
    const json::Array* list = words[0].if_array();
    if (list == nullptr && !words[0].is_null())
        return wrong(fmt::format("join needs a list, not '{}'", to_text(words[0])));
    std::string text;
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i)
        text += (i > 0 ? *between : "") + to_text((*list)[i]);
    return Value(text);
}

Result<Value> split_words(Arguments words) {
    auto text = text_argument(words[0]);
    auto between = text_argument(words[1]);
    if (!text || !between) return fail(text ? between : text);
    json::Array parts;
    std::size_t from = 0;
    while (!between->empty()) {
        const std::size_t at = text->find(*between, from);
        if (at == std::string::npos) break;
        parts.emplace_back(text->substr(from, at - from));
        from = at + between->size();
    }
    parts.emplace_back(text->substr(from));
    return Value(std::move(parts));
}

char to_upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// ASCII only: bytes of other letters stay as they are.
template <class Change>
Result<Value> changed(Arguments words, const Change& change) {
    auto text = text_argument(words.front());
    if (!text) return fail(text);
    std::ranges::transform(*text, text->begin(), change);
    return Value(*text);
}

Result<Value> upper_words(Arguments words) {
    return changed(words, to_upper);
}
Result<Value> lower_words(Arguments words) {
    return changed(words, to_lower);
}
Result<Value> title_words(Arguments words) {
    bool begins = true;
    return changed(words, [&begins](char c) {
        const char now = begins ? to_upper(c) : c;
        begins = c == ' ' || c == '\t' || c == '\n';
        return now;
    });
}

Result<Value> pad_words(Arguments words) {
    auto text = text_argument(words[0]);
    if (!text) return fail(text);
    const auto* left = words[1].if_int();
    const auto* right = words[2].if_int();
    if (left == nullptr || right == nullptr || *left < 0 || *right < 0 || *left > kMaxPad || *right > kMaxPad)
        return wrong("pad takes a text and two numbers");
    if (text->empty()) return Value(*text);
    return Value(std::string(static_cast<std::size_t>(*left), ' ') + *text +
                 std::string(static_cast<std::size_t>(*right), ' '));
}

Result<Value> truncate_words(Arguments words) {
    auto text = text_argument(words[0]);
    if (!text) return fail(text);
    const auto* most = words[1].if_int();
    if (most == nullptr || *most < 0) return wrong("truncate takes a text and a length");
    return Value(text->substr(0, static_cast<std::size_t>(*most)));
}

Result<Value> to_json(Arguments words) {
    return Value(json::dump(words.front()));
}

// A blank between two that are no text, as Go's Sprint.
Result<Value> print_words(Arguments words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const bool apart = i > 0 && words[i].if_string() == nullptr && words[i - 1].if_string() == nullptr;
        text += (apart ? " " : "") + to_text(words[i]);
    }
    return Value(text);
}

Result<Value> println(Arguments words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i)
        text += (i > 0 ? " " : "") + to_text(words[i]);
    return Value(text + "\n");
}

struct Function {
    std::string_view name;
    Result<Value> (*call)(Arguments) = nullptr;
    std::size_t least = 0;
    std::size_t most = 0;
};

constexpr std::size_t kAny = 1000;
constexpr std::array<Function, 22> kFunctions{{
    {"eq", eq, 2, kAny},
    {"ne", ne, 2, 2},
    {"lt", lt, 2, 2},
    {"le", le, 2, 2},
    {"gt", gt, 2, 2},
    {"ge", ge, 2, 2},
    {"and", and_or, 1, kAny},
    {"or", and_or, 1, kAny},
    {"not", negate, 1, 1},
    {"len", len_words, 1, 1},
    {"index", index_words, 1, kAny},
    {"join", join_words, 2, 2},
    {"split", split_words, 2, 2},
    {"upper", upper_words, 1, 1},
    {"lower", lower_words, 1, 1},
    {"title", title_words, 1, 1},
    {"pad", pad_words, 3, 3},
    {"truncate", truncate_words, 2, 2},
    {"json", to_json, 1, 1},
    {"print", print_words, 0, kAny},
    {"println", println, 0, kAny},
    {"printf", print_formatted, 1, kAny},
}};

const Function* find_function(std::string_view name) {
    for (const Function& function : kFunctions)
        if (function.name == name) return &function;
    return nullptr;
}

std::string list_of_functions() {
    std::string list;
    for (const Function& function : kFunctions)
        list += fmt::format("{}{}", list.empty() ? "" : ", ", function.name);
    return list;
}

std::string list_words(const json::Array& list) {
    std::string text = "[";
    for (std::size_t i = 0; i < list.size(); ++i)
        text += (i > 0 ? " " : "") + to_text(list[i]);
    return text + "]";
}

std::string map_text(json::Object map) {
    std::ranges::sort(map, {}, [](const auto& member) { return member.first; });
    std::string text = "map[";
    for (std::size_t i = 0; i < map.size(); ++i)
        text += fmt::format("{}{}:{}", i > 0 ? " " : "", map[i].first, to_text(map[i].second));
    return text + "]";
}

} // namespace

bool is_function(std::string_view name) {
    return find_function(name) != nullptr;
}

Result<Value> call_function(std::string_view name, Arguments arguments) {
    const Function* function = find_function(name);
    if (function == nullptr)
        return wrong(fmt::format("unknown function '{}'; there are: {}", name, list_of_functions()));
    if (arguments.size() < function->least)
        return wrong(
            fmt::format("{} needs {} argument{}", name, function->least, function->least == 1 ? "" : "s"));
    if (arguments.size() > function->most)
        return wrong(fmt::format("{} takes {} argument{}, not {}", name, function->most,
                                 function->most == 1 ? "" : "s", arguments.size()));
    return function->call(arguments);
}

std::string to_text(const Value& value) {
    if (const auto* text = value.if_string()) return *text;
    if (const auto* truth = value.if_bool()) return *truth ? "true" : "false";
    if (const auto* whole = value.if_int()) return std::to_string(*whole);
    if (const auto* large = value.if_uint()) return std::to_string(*large);
    if (is_broken_number(value)) return fmt::format("{}", *value.if_double());
    if (const auto* list = value.if_array()) return list_words(*list);
    if (const auto* map = value.if_object()) return map_text(*map);
    return "<no value>";
}

bool is_true(const Value& value) {
    if (const auto* text = value.if_string()) return !text->empty();
    if (const auto* truth = value.if_bool()) return *truth;
    if (const auto* list = value.if_array()) return !list->empty();
    if (const auto* map = value.if_object()) return !map->empty();
    return number_of(value).value_or(0) != 0;
}

} // namespace mydocker::cli
