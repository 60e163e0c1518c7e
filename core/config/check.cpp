#include "config/check.hpp"
#include "base/notation.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <system_error>
#include <utility>

namespace mydocker::config {
namespace {

// A typed value, or what is wrong, to be put behind the option's name: "is a text; an integer is needed".
using Typed = std::expected<OptionValue, std::string>;

[[nodiscard]] std::unexpected<std::string> needs(const RawValue& value, std::string_view needed) {
    return std::unexpected(std::string("is ") + type_of(value) + "; " + std::string(needed) + " is needed");
}

template <class Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text) {
    Number number{};
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
        return std::nullopt;
    return number;
}

[[nodiscard]] std::unexpected<std::string> is_no(const std::string& text, std::string_view thing) {
    return std::unexpected("\"" + text + "\" is " + std::string(thing));
}

[[nodiscard]] Typed to_boolean(const RawValue& value) {
    if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
    const auto* untyped = std::get_if<Untyped>(&value);
    if (untyped == nullptr) return needs(value, "a boolean");
    if (untyped->text == "true") return true;
    if (untyped->text == "false") return false;
    return is_no(untyped->text, "neither true nor false");
}

[[nodiscard]] Typed to_integer(const RawValue& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
    const auto* untyped = std::get_if<Untyped>(&value);
    if (untyped == nullptr) return needs(value, "an integer");
    if (const auto number = parse_number<std::int64_t>(untyped->text)) return *number;
    return is_no(untyped->text, "no integer");
}

[[nodiscard]] Typed to_floating(const RawValue& value) {
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
    const auto* untyped = std::get_if<Untyped>(&value);
    if (untyped == nullptr) return needs(value, "a number");
    if (const auto number = parse_number<double>(untyped->text)) return *number;
    return is_no(untyped->text, "no number");
}

[[nodiscard]] Typed to_string(const RawValue& value) {
    if (const std::string* text = text_of(value)) return *text;
    return needs(value, "a text");
}

[[nodiscard]] Typed to_list(const RawValue& value) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
    const auto* untyped = std::get_if<Untyped>(&value);
    if (untyped == nullptr) return needs(value, "a list of texts");
    std::vector<std::string> elements;
    for (std::string_view rest = untyped->text; !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        elements.emplace_back(rest.substr(0, comma));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return elements;
}

[[nodiscard]] Typed to_size(const RawValue& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        if (*integer >= 0) return static_cast<std::uint64_t>(*integer);
        return std::unexpected(std::string("is negative; a size is needed"));
    }
    const std::string* text = text_of(value);
    if (text == nullptr) return needs(value, "a size (\"10m\")");
    const auto bytes = notation::parse_size(*text);
    if (bytes) return *bytes;
    return std::unexpected(bytes.error().text);
}

[[nodiscard]] Typed to_duration(const RawValue& value) {
    const std::string* text = text_of(value);
    if (text == nullptr) return needs(value, "a duration (\"1m30s\")");
    const auto duration = notation::parse_duration(*text);
    if (duration) return *duration;
    return std::unexpected(duration.error().text);
}

[[nodiscard]] Typed to_type(const RawValue& value, OptionType type) {
    switch (type) {
    case OptionType::boolean:
        return to_boolean(value);
    case OptionType::integer:
        return to_integer(value);
    case OptionType::floating:
        return to_floating(value);
    case OptionType::string:
        return to_string(value);
    case OptionType::list:
        return to_list(value);
    case OptionType::size:
        return to_size(value);
    case OptionType::duration:
        return to_duration(value);
    }
    return std::unexpected(std::string("has a type that this version does not know"));
}

[[nodiscard]] Complaint unknown(const RawOption& option, std::string_view table,
                                std::span<const OptionSpec> specs) {
    std::vector<std::string_view> keys;
    for (const OptionSpec& spec : specs)
        keys.emplace_back(spec.key);
    std::string text = std::string(table) + " option \"" + option.key + "\" unknown";
    if (const auto near = notation::nearest(option.key, keys))
        text += "; nearest \"" + std::string(*near) + "\"";
    return Complaint{.origin = option.key_origin, .text = std::move(text)};
}

} // namespace

CheckedOptions examine_options(std::string_view kind, std::string_view driver,
                               std::span<const OptionSpec> specs, const RawOptions& given) {
    const std::string table = "[" + std::string(kind) + "." + std::string(driver) + "]";
    CheckedOptions checked;
    std::map<std::string, OptionValue, std::less<>> values;
    for (const OptionSpec& spec : specs) {
        auto value = to_type(Untyped{spec.default_value}, spec.type);
        if (value)
            values.insert_or_assign(spec.key, std::move(*value));
        else
            checked.complaints.push_back(
                {.origin = {},
                 .text = table + " option \"" + spec.key + "\": the driver's own default " + value.error(),
                 .code = Code::plugin_fault});
    }
    for (const RawOption& option : given) {
        const auto spec = std::ranges::find(specs, option.key, &OptionSpec::key);
        if (spec == specs.end()) {
            if (!option.lenient) checked.complaints.push_back(unknown(option, table, specs));
            continue;
        }
        auto value = to_type(option.value, spec->type);
        if (value)
            values.insert_or_assign(spec->key, std::move(*value));
        else
            checked.complaints.push_back(
                {.origin = option.value_origin,
                 .text = table + " option \"" + option.key + "\": " + value.error()});
    }
    checked.options = Options(std::move(values));
    return checked;
}

Result<Options> check_options(std::string_view kind, std::string_view driver,
                              std::span<const OptionSpec> specs, const RawOptions& given) {
    auto checked = examine_options(kind, driver, specs, given);
    if (checked.complaints.empty()) return std::move(checked.options);
    return std::unexpected(checked.complaints.front().error());
}

} // namespace mydocker::config
