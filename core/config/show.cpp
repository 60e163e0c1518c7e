// The effective configuration as text that load() reads as the same.
#include "base/notation.hpp"
#include "config/check.hpp"
#include "config/keys.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace mydocker::config {
namespace {

// The length of the UTF-8 character at the front; 0: there is none.
[[nodiscard]] std::size_t character_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    std::size_t length = 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        length = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        length = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        length = 4;
    else if (lead >= 0x80)
        return 0;
    if (length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0U) != 0x80U) return 0;
    const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
    const bool surrogate = lead == 0xed && byte(1) >= 0xa0;
    const bool beyond = lead == 0xf4 && byte(1) >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

// A TOML string. A path may hold bytes that TOML cannot: they are shown as the replacement character.
[[nodiscard]] std::string literal(std::string_view text) {
    constexpr std::string_view kHexDigits = "0123456789abcdef";
    std::string quoted = "\"";
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        const auto lead = static_cast<unsigned char>(text.front());
        if (length == 0)
            quoted += "\xef\xbf\xbd";
        else if (lead < 0x20 || lead == 0x7f)
            quoted += std::string("\\u00") + kHexDigits[lead >> 4U] + kHexDigits[lead & 0xfU];
        else if (lead == '"' || lead == '\\')
            quoted += {'\\', static_cast<char>(lead)};
        else
            quoted += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return quoted + "\"";
}

[[nodiscard]] std::string literal(const std::string& text) {
    return literal(std::string_view(text));
}

[[nodiscard]] std::string literal(bool value) {
    return value ? "true" : "false";
}

[[nodiscard]] std::string literal(std::int64_t value) {
    return std::to_string(value);
}

[[nodiscard]] std::string literal(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    std::string text(digits.data(), end.ptr);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}

[[nodiscard]] std::string literal(const std::vector<std::string>& list) {
    std::string text = "[";
    for (const std::string& element : list)
        text += (text.size() > 1 ? ", " : "") + literal(element);
    return text + "]";
}

[[nodiscard]] std::string literal(const Untyped& value) {
    return literal(value.text);
}

template <class Choice>
    requires std::is_enum_v<Choice>
[[nodiscard]] std::string literal(Choice value) {
    for (const auto& [choice, word] : words(Choice{}))
        if (choice == value) return literal(word);
    return "\"\"";
}

[[nodiscard]] std::string literal(std::uint64_t value, Form form) {
    return form == Form::size ? literal(notation::format_size(value)) : std::to_string(value);
}

template <class T>
[[nodiscard]] std::string literal(const T& value, Form) {
    return literal(value);
}

// A key of an option: dotted where it was; a part that is no bare key is quoted.
[[nodiscard]] std::string option_key(std::string_view key) {
    constexpr std::string_view kBare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    const bool bare = !key.empty() && key.find_first_not_of(kBare) == std::string_view::npos;
    return bare ? std::string(key) : literal(key);
}

class Printer {
  public:
    explicit Printer(ShowOrigin origins) : origins_(origins) {}

    void table(std::string_view name) { text_ += (text_.empty() ? "[" : "\n[") + std::string(name) + "]\n"; }

    void line(const std::string& key, const std::string& value, const Origin& origin) {
        std::string text = key + " = " + value;
        if (origins_ == ShowOrigin::yes) {
            constexpr std::size_t kColumn = 48;
            text.resize(std::max(kColumn, text.size() + 2), ' ');
            text += "# " + comment(origin.text());
        }
        text_ += text + "\n";
    }

    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    // A file's name may hold anything; a comment ends with its line.
    [[nodiscard]] static std::string comment(const std::string& text) {
        const std::string quoted = literal(text);
        return quoted.substr(1, quoted.size() - 2);
    }

    ShowOrigin origins_;
    std::string text_;
};

void print_options(Printer& printer, const Config& config, std::string_view kind) {
    for (const auto& [driver, options] : config.options) {
        if (driver.kind != kind || options.empty()) continue;
        printer.table(driver.kind + "." + driver.driver);
        for (const RawOption& option : options)
            printer.line(option_key(option.key),
                         std::visit([](const auto& value) { return literal(value); }, option.value),
                         option.value_origin);
    }
}

} // namespace

std::string show(const Config& config, ShowOrigin origins) {
    Printer printer(origins);
    std::string_view table;
    for (const Key& key : kKeys) {
        if (key.table != table) {
            print_options(printer, config, table);
            table = key.table;
            printer.table(table);
        }
        std::visit(
            [&](auto member) {
                const auto& value = config.*member;
                printer.line(std::string(key.name), literal(value.value, key.form), value.origin);
            },
            key.member);
    }
    print_options(printer, config, table);
    return printer.take();
}

} // namespace mydocker::config
