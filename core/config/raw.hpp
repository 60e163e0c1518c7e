// Values as they were found, before anything says what type they should have; where they were found;
// and what is wrong with them.
#pragma once

#include "mydocker/result.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace mydocker::config {

enum class Source { built_in, file, environment, flag };

struct Origin {
    Source source = Source::built_in;
    std::string name;         // path of the file, name of the variable or flag
    std::uint32_t line = 0;   // from 1; 0: unknown or no file
    std::uint32_t column = 0; // from 1, in characters

    bool operator==(const Origin&) const = default;

    // "default", "/etc/mydocker/mydocker.toml:12:9", "environment MYDOCKER_ROOT", "flag --root"
    [[nodiscard]] std::string text() const;
};

// Text of a command line or of a spec's default: to be read as whatever type the spec says.
struct Untyped {
    std::string text;

    bool operator==(const Untyped&) const = default;
};

using RawValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>, Untyped>;

// "a boolean", "an integer", …
[[nodiscard]] const char* type_of(const RawValue& value);
// The text of a string, or of a value whose type is not known yet; null for others.
[[nodiscard]] const std::string* text_of(const RawValue& value);

// One option of a driver.
struct RawOption {
    std::string key; // dotted, below [KIND.NAME]
    RawValue value;
    Origin key_origin;
    Origin value_origin;
    bool lenient = false; // from a file of a newer config_version: left out if unknown
};

// Sorted by key, each once.
using RawOptions = std::vector<RawOption>;

// One thing that is wrong.
struct Complaint {
    Origin origin;
    std::string text;
    Code code = Code::invalid;
    int sys_errno = 0;

    // As it is printed: "config FILE:LINE:COLUMN: text", "flag --root: text".
    [[nodiscard]] Error error() const;
};

} // namespace mydocker::config
