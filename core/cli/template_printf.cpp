// printf of templates, over fmt.
#include "cli/template_printf.hpp"

#include "cli/template_functions.hpp"

#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>

namespace mydocker::cli {
namespace {

using json::Value;

// A mistyped width must not eat the memory.
constexpr int kMaxWidth = 4096;

// "%-10.3s" in parts.
struct Directive {
    bool left = false;
    bool plus = false;
    bool alternate = false;
    bool zeros = false;
    int width = 0;
    std::optional<int> precision;
    char verb = '\0';
};

int take_number(std::string_view& text) {
    int number = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        if (number <= kMaxWidth) number = number * 10 + (text.front() - '0');
        text.remove_prefix(1);
    }
    return number;
}

Result<Directive> take_directive(std::string_view& text) {
    Directive directive;
    for (; !text.empty(); text.remove_prefix(1)) {
        const char c = text.front();
        if (c == '-')
            directive.left = true;
        else if (c == '+')
            directive.plus = true;
        else if (c == '#')
            directive.alternate = true;
        else if (c == '0')
            directive.zeros = true;
        else
            break;
    }
    directive.width = take_number(text);
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        directive.precision = take_number(text);
    }
    if (directive.width > kMaxWidth || directive.precision.value_or(0) > kMaxWidth)
        return fail(Code::invalid, "printf: a width above 4096");
    if (text.empty()) return fail(Code::invalid, "printf: a '%' with nothing behind it");
    directive.verb = text.front();
    text.remove_prefix(1);
    return directive;
}

std::string padded(const std::string& text, const Directive& directive) {
    return directive.left ? fmt::format("{:<{}}", text, directive.width)
                          : fmt::format("{:>{}}", text, directive.width);
}

std::string with_zeros(std::string digits, const Directive& directive, bool negative) {
    const auto sign = static_cast<std::size_t>(negative || directive.plus ? 1 : 0);
    const auto width = static_cast<std::size_t>(directive.width);
    if (directive.zeros && !directive.left && digits.size() + sign < width)
        digits.insert(0, width - sign - digits.size(), '0');
    const std::string before = negative ? "-" : directive.plus ? "+" : "";
    return padded(before + digits, directive);
}

std::unexpected<Error> misfit(const Directive& directive, const Value& value) {
    return fail(Code::invalid, fmt::format("printf: %{} does not fit '{}'", directive.verb, to_text(value)));
}

Result<std::string> whole_number(const Directive& directive, const Value& value) {
    bool negative = false;
    std::uint64_t amount = 0;
    if (const auto* number = value.if_int()) {
        negative = *number < 0;
        amount = negative ? 0 - static_cast<std::uint64_t>(*number) : static_cast<std::uint64_t>(*number);
    } else if (const auto* large = value.if_uint()) {
        amount = *large;
    } else {
        return misfit(directive, value);
    }
    std::string digits;
    if (directive.verb == 'x')
        digits = fmt::format("{:x}", amount);
    else if (directive.verb == 'X')
        digits = fmt::format("{:X}", amount);
    else if (directive.verb == 'o')
        digits = fmt::format("{:o}", amount);
    else
        digits = std::to_string(amount);
    return with_zeros(std::move(digits), directive, negative);
}

Result<std::string> broken_number(const Directive& directive, const Value& value) {
    const double* number = value.if_double();
    if (number == nullptr) return misfit(directive, value); // As in Go.
    const double amount = *number < 0 ? -*number : *number;
    if (directive.verb == 'g' && !directive.precision)
        return with_zeros(fmt::format("{}", amount), directive, *number < 0);
    const int precision = directive.precision.value_or(6);
    return with_zeros(directive.verb == 'g' ? fmt::format("{:.{}g}", amount, precision)
                                            : fmt::format("{:.{}f}", amount, precision),
                      directive, *number < 0);
}

Result<std::string> one(const Directive& directive, const Value& value) {
    switch (directive.verb) {
    case 's':
    case 'v': {
        std::string text = to_text(value);
        if (directive.precision && directive.verb == 's')
            text.resize(std::min(text.size(), static_cast<std::size_t>(*directive.precision)));
        return padded(text, directive);
    }
    case 'q':
        return padded(json::dump(Value(to_text(value))), directive);
    case 't':
        if (value.if_bool() == nullptr) return misfit(directive, value);
        return padded(to_text(value), directive);
    case 'd':
    case 'x':
    case 'X':
    case 'o':
        return whole_number(directive, value);
    case 'f':
    case 'F':
    case 'g':
        return broken_number(directive, value);
    default:
        return fail(
            Code::invalid,
            fmt::format("printf: unknown %{}; there are: %s %v %q %d %x %X %o %f %g %t %%", directive.verb));
    }
}

} // namespace

Result<Value> print_formatted(std::span<const Value> arguments) {
    const std::string* format = arguments.front().if_string();
    if (format == nullptr) return fail(Code::invalid, "printf: the first argument has to be a text");
    std::string_view text = *format;
    std::string out;
    std::size_t used = 1;
    while (!text.empty()) {
        const std::size_t percent = std::min(text.find('%'), text.size());
        out += text.substr(0, percent);
        text.remove_prefix(percent);
        if (text.empty()) break;
        text.remove_prefix(1);
        auto directive = take_directive(text);
        if (!directive) return fail(directive);
        if (directive->verb == '%') {
            out += '%';
            continue;
        }
        if (used == arguments.size())
            return fail(Code::invalid, fmt::format("printf: no value for %{}", directive->verb));
        auto worded = one(*directive, arguments[used++]);
        if (!worded) return fail(worded);
        out += *worded;
    }
    if (used < arguments.size()) return fail(Code::invalid, "printf: more values than the format has places");
    return Value(out);
}

} // namespace mydocker::cli
