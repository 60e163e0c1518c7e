// JSON values as text. Knows nothing of the JSON library.
#include "base/json.hpp"
#include "base/json_bytes.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace mydocker::json {
namespace {

constexpr std::size_t kIndent = 2;

template <class T>
void append_number(std::string& text, T number) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    text.append(digits.data(), end);
}

void append_double(std::string& text, double number) {
    if (!std::isfinite(number)) { // JSON has no word for it.
        text += "null";
        return;
    }
    const std::size_t start = text.size();
    append_number(text, number);
    // Without a point it would be read back as an integer.
    if (text.find_first_of(".e", start) == std::string::npos) text += ".0";
}

class Writer {
  public:
    explicit Writer(Style style) : style_(style) {}

    void write(const Value& value) {
        if (const auto* object = value.if_object()) return write_object(*object);
        if (const auto* array = value.if_array()) return write_array(*array);
        if (const auto* string = value.if_string()) return append_string(text_, *string);
        if (const auto* integer = value.if_int()) return append_number(text_, *integer);
        if (const auto* natural = value.if_uint()) return append_number(text_, *natural);
        if (const auto* number = value.if_double()) return append_double(text_, *number);
        if (const auto* flag = value.if_bool()) {
            text_ += *flag ? "true" : "false";
            return;
        }
        text_ += "null";
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    void write_object(const Object& object) {
        open('{');
        bool first = true;
        for (const auto& [key, value] : object) {
            next(first);
            append_string(text_, key);
            text_ += style_ == Style::indented ? ": " : ":";
            write(value);
        }
        close('}', object.empty());
    }
    void write_array(const Array& array) {
        open('[');
        bool first = true;
        for (const Value& value : array) {
            next(first);
            write(value);
        }
        close(']', array.empty());
    }

    void open(char bracket) {
        text_.push_back(bracket);
        ++depth_;
    }
    void next(bool& first) {
        if (!first) text_.push_back(',');
        first = false;
        new_line();
    }
    void close(char bracket, bool empty) {
        --depth_;
        if (!empty) new_line();
        text_.push_back(bracket);
    }
    void new_line() {
        if (style_ == Style::compact) return;
        text_.push_back('\n');
        text_.append(depth_ * kIndent, ' ');
    }

    Style style_;
    std::size_t depth_ = 0;
    std::string text_;
};

} // namespace

std::string dump(const Value& value, Style style) {
    Writer writer(style);
    writer.write(value);
    return writer.take();
}

} // namespace mydocker::json
