// Reading JSON. The only file that sees the JSON library: values are built by its event interface, so
// that every limit holds before memory is taken for what exceeds it.
#include "base/json.hpp"

#include "base/json_bytes.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <limits>
#include <new>
#include <optional>

namespace mydocker::json {
namespace {

// Reads the text and leaves in `*furthest` how far the library has come.
class TrackedIterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    TrackedIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
    reference operator*() const { return *at_; }
    TrackedIterator& operator++() {
        *furthest_ = ++at_;
        return *this;
    }
    bool operator==(const TrackedIterator& other) const { return at_ == other.at_; }
    bool operator!=(const TrackedIterator& other) const { return at_ != other.at_; }

  private:
    const char* at_;
    const char** furthest_;
};

// "…: syntax error while parsing value - REASON; last read: '…'; expected WHAT", in our words. What was
// last read is left out: it is the input's text, not ours.
std::string reason_of(std::string_view message) {
    const std::size_t dash = message.find(" - ");
    const std::string_view reason = dash == std::string_view::npos ? message : message.substr(dash + 3);
    const std::size_t expected = reason.rfind("; expected ");
    std::string text(reason.substr(0, std::min(reason.find("; last read"), expected)));
    if (expected != std::string_view::npos) text += "; " + std::string(reason.substr(expected + 2));
    return text;
}

// A name for messages, bounded: it comes from the input.
std::string shown(std::string_view name) {
    constexpr std::size_t kLongest = 64;
    if (name.size() <= kLongest) return "'" + std::string(name) + "'";
    return "'" + std::string(name.substr(0, kLongest)) + "…'";
}

// A key that occurs twice, if any.
const std::string* duplicate_key(const Object& object) {
    constexpr std::size_t kFewMembers = 16;
    if (object.size() <= kFewMembers) {
        for (std::size_t i = 1; i < object.size(); ++i)
            for (std::size_t j = 0; j < i; ++j)
                if (object[i].first == object[j].first) return &object[i].first;
        return nullptr;
    }
    // Sorting stays quick whatever keys an attacker chooses; hashing would not.
    std::vector<const std::string*> keys;
    keys.reserve(object.size());
    for (const auto& member : object)
        keys.push_back(&member.first);
    const auto before = [](const std::string* a, const std::string* b) { return *a < *b; };
    std::sort(keys.begin(), keys.end(), before);
    const auto same = [](const std::string* a, const std::string* b) { return *a == *b; };
    const auto found = std::adjacent_find(keys.begin(), keys.end(), same);
    return found == keys.end() ? nullptr : *found;
}

// Takes the library's events and builds the value. Each event returns whether to go on. The library calls
// them by name, not through a base class.
class Builder {
  public:
    Builder(std::string_view text, const Limits& limits)
        : limits_(limits),
          start_(text.data()),
          end_(text.data() + text.size()),
          furthest_(text.data()) {}

    bool null() { return add(Value{}); }
    bool boolean(bool value) { return add(value); }
    bool number_integer(std::int64_t value) { return add(value); }
    bool number_unsigned(std::uint64_t value) {
        constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        return value <= kMax ? add(static_cast<std::int64_t>(value)) : add(value);
    }
    bool number_float(double value, const std::string& /*digits*/) { return add(value); }
    bool string(std::string& value) { return add(restore_bytes(std::move(value))); }
    bool binary(nlohmann::json::binary_t& /*value*/) { return false; } // JSON text has none.

    bool start_object(std::size_t /*members*/) { return open(Object{}); }
    bool key(std::string& name) {
        open_.back().key = restore_bytes(std::move(name));
        return true;
    }
    bool end_object() {
        const std::string* twice = duplicate_key(*open_.back().value.if_object());
        if (twice != nullptr) return refuse(Code::corrupt, "member " + shown(*twice) + " occurs twice");
        return close();
    }
    bool start_array(std::size_t /*elements*/) { return open(Array{}); }
    bool end_array() { return close(); }

    bool parse_error(std::size_t position, const std::string& /*last_read*/,
                     const nlohmann::json::exception& error) {
        error_ =
            Error{Code::corrupt, 0,
                  "JSON damaged at byte " + std::to_string(position) + " (" + reason_of(error.what()) + ")"};
        return false;
    }

    [[nodiscard]] TrackedIterator begin() { return {start_, &furthest_}; }
    [[nodiscard]] TrackedIterator end() { return {end_, &furthest_}; }
    [[nodiscard]] Result<Value> take() {
        if (error_) return std::unexpected<Error>(std::move(*error_));
        return std::move(root_);
    }

  private:
    struct Open {
        Value value;
        std::string key; // of the member being read, if it is an object
    };

    bool add(Value value) {
        if (++values_ > limits_.values)
            return refuse(Code::invalid, "more than " + std::to_string(limits_.values) + " values");
        return place(std::move(value));
    }
    bool place(Value value) {
        if (open_.empty()) {
            root_ = std::move(value);
        } else if (Array* array = open_.back().value.if_array(); array != nullptr) {
            array->push_back(std::move(value));
        } else {
            open_.back().value.if_object()->emplace_back(std::move(open_.back().key), std::move(value));
        }
        return true;
    }
    bool open(Value value) {
        if (open_.size() >= limits_.depth)
            return refuse(Code::invalid, "nested deeper than " + std::to_string(limits_.depth));
        if (++values_ > limits_.values)
            return refuse(Code::invalid, "more than " + std::to_string(limits_.values) + " values");
        open_.push_back({std::move(value), {}});
        return true;
    }
    bool close() {
        Value value = std::move(open_.back().value);
        open_.pop_back();
        return place(std::move(value));
    }
    bool refuse(Code code, const std::string& why) {
        error_ = Error{code, 0, "JSON refused at byte " + std::to_string(furthest_ - start_) + ": " + why};
        return false;
    }

    Limits limits_;
    const char* start_;
    const char* end_;
    const char* furthest_;
    std::size_t values_ = 0;
    std::vector<Open> open_;
    Value root_;
    std::optional<Error> error_;
};

std::unexpected<Error> wrong(std::string_view key, const Value* value, std::string_view wanted) {
    return fail(Code::corrupt, "member '" + std::string(key) + "' " +
                                   (value == nullptr ? "is missing" : "is not " + std::string(wanted)));
}

} // namespace

const Value* Value::find(std::string_view key) const {
    const Object* object = if_object();
    if (object == nullptr) return nullptr;
    for (const auto& [name, value] : *object)
        if (name == key) return &value;
    return nullptr;
}

Value& Value::set(std::string key, Value value) {
    if (is_null()) data_ = Object{};
    Object* object = if_object();
    if (object != nullptr) object->emplace_back(std::move(key), std::move(value));
    return *this;
}

Value& Value::push(Value value) {
    if (is_null()) data_ = Array{};
    Array* array = if_array();
    if (array != nullptr) array->push_back(std::move(value));
    return *this;
}

Result<Value> parse(std::string_view text, Limits limits) {
    if (text.size() > limits.bytes)
        return fail(Code::invalid, "JSON refused: " + std::to_string(text.size()) + " bytes, " +
                                       std::to_string(limits.bytes) + " allowed");
    Builder builder(text, limits);
    try {
        if (!nlohmann::json::sax_parse(builder.begin(), builder.end(), &builder)) {
            auto failed = builder.take();
            if (!failed) return failed;
            return fail(Code::internal, "JSON reader stopped without a reason");
        }
        return builder.take();
    } catch (const std::bad_alloc&) {
        return fail(Code::no_space, "read JSON of " + std::to_string(text.size()) + " bytes", ENOMEM);
    } catch (const std::exception& error) {
        return fail(Code::internal, std::string("JSON reader: ") + error.what());
    }
}

Result<std::string> get_string(const Value& object, std::string_view key) {
    const Value* value = object.find(key);
    const std::string* string = value != nullptr ? value->if_string() : nullptr;
    if (string == nullptr) return wrong(key, value, "a text");
    return *string;
}

Result<std::int64_t> get_int(const Value& object, std::string_view key) {
    const Value* value = object.find(key);
    if (value == nullptr) return wrong(key, value, "");
    if (const auto* integer = value->if_int()) return *integer;
    const auto* natural = value->if_uint();
    if (natural != nullptr && std::in_range<std::int64_t>(*natural))
        return static_cast<std::int64_t>(*natural);
    return wrong(key, value, "a whole number in range");
}

Result<std::uint64_t> get_uint(const Value& object, std::string_view key) {
    const Value* value = object.find(key);
    if (value == nullptr) return wrong(key, value, "");
    if (const auto* natural = value->if_uint()) return *natural;
    const auto* integer = value->if_int();
    if (integer != nullptr && *integer >= 0) return static_cast<std::uint64_t>(*integer);
    return wrong(key, value, "a whole number from 0");
}

Result<bool> get_bool(const Value& object, std::string_view key) {
    const Value* value = object.find(key);
    const bool* flag = value != nullptr ? value->if_bool() : nullptr;
    if (flag == nullptr) return wrong(key, value, "true or false");
    return *flag;
}

Result<std::vector<std::string>> get_strings(const Value& object, std::string_view key) {
    const Value* value = object.find(key);
    const Array* array = value != nullptr ? value->if_array() : nullptr;
    if (array == nullptr) return wrong(key, value, "a list of texts");
    std::vector<std::string> strings;
    strings.reserve(array->size());
    for (const Value& item : *array) {
        const std::string* string = item.if_string();
        if (string == nullptr) return wrong(key, value, "a list of texts");
        strings.push_back(*string);
    }
    return strings;
}

} // namespace mydocker::json
