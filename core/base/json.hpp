// JSON as plain values. json.cpp is the only file that sees the JSON library. Bytes in, bytes out:
// strings are byte strings; bytes that are not UTF-8 are escaped reversibly (see below), because argv,
// environment and paths are bytes and must come back unchanged.
#pragma once

#include "mydocker/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mydocker::json {

class Value;
using Array = std::vector<Value>;
// Members in the order they were added or read; a duplicate key is an error when reading.
using Object = std::vector<std::pair<std::string, Value>>;

// One JSON value. Integers are kept apart from floating point numbers.
class Value {
  public:
    Value() = default; // null
    // Implicit, so that values are written as they look: value.set("pid", 7).
    // NOLINTBEGIN(google-explicit-constructor)
    Value(bool value) : data_(value) {}
    Value(std::int64_t value) : data_(value) {}
    Value(std::uint64_t value) : data_(value) {}
    Value(int value) : data_(static_cast<std::int64_t>(value)) {}
    Value(unsigned value) : data_(static_cast<std::uint64_t>(value)) {}
    Value(double value) : data_(value) {}
    Value(std::string value) : data_(std::move(value)) {}
    Value(std::string_view value) : data_(std::string(value)) {}
    Value(const char* value) : data_(std::string(value)) {}
    Value(Array value) : data_(std::move(value)) {}
    Value(Object value) : data_(std::move(value)) {}
    // NOLINTEND(google-explicit-constructor)

    [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
    [[nodiscard]] const bool* if_bool() const { return std::get_if<bool>(&data_); }
    [[nodiscard]] const std::string* if_string() const { return std::get_if<std::string>(&data_); }
    [[nodiscard]] const Array* if_array() const { return std::get_if<Array>(&data_); }
    [[nodiscard]] const Object* if_object() const { return std::get_if<Object>(&data_); }
    [[nodiscard]] Array* if_array() { return std::get_if<Array>(&data_); }
    [[nodiscard]] Object* if_object() { return std::get_if<Object>(&data_); }
    // Nothing when it is no integer or out of range.
    [[nodiscard]] const std::int64_t* if_int() const { return std::get_if<std::int64_t>(&data_); }
    [[nodiscard]] const std::uint64_t* if_uint() const { return std::get_if<std::uint64_t>(&data_); }
    [[nodiscard]] const double* if_double() const { return std::get_if<double>(&data_); }

    // A member of an object; null for another kind of value or when absent.
    [[nodiscard]] const Value* find(std::string_view key) const;
    // Appends a member; the value becomes an object if it was null.
    Value& set(std::string key, Value value);
    // Appends an element; the value becomes an array if it was null.
    Value& push(Value value);

    bool operator==(const Value&) const = default;

  private:
    // Non-negative integers read from text are held as int64 when they fit, else as uint64.
    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> data_;
};

struct Limits {
    std::size_t bytes = std::size_t{4} << 20U;
    std::size_t depth = 64;
    std::size_t values = std::size_t{1} << 18U; // all kinds, objects and arrays included
};

// Errors: corrupt, saying at which byte; invalid when over a limit. Both are found before memory is taken
// for what is too much.
[[nodiscard]] Result<Value> parse(std::string_view text, Limits limits = {});

enum class Style : std::uint32_t { compact, indented };
[[nodiscard]] std::string dump(const Value& value, Style style = Style::compact);

// Typed reading of a member, for documents of our own. Errors: corrupt, naming the key.
[[nodiscard]] Result<std::string> get_string(const Value& object, std::string_view key);
[[nodiscard]] Result<std::int64_t> get_int(const Value& object, std::string_view key);
[[nodiscard]] Result<std::uint64_t> get_uint(const Value& object, std::string_view key);
[[nodiscard]] Result<bool> get_bool(const Value& object, std::string_view key);
[[nodiscard]] Result<std::vector<std::string>> get_strings(const Value& object, std::string_view key);

// Bytes in JSON: dump() writes each byte that is not part of valid UTF-8 as the code point U+10FF00 +
// byte: U+10FF80…U+10FFFF, the end of the last private plane, which no text uses. Code points of that
// range in the value itself are escaped likewise, byte by byte. parse() turns back just what dump() would
// have written and leaves any other use of the range as it is. So any byte string survives dump and
// parse, and what was read from any text survives being written and read again.

} // namespace mydocker::json
