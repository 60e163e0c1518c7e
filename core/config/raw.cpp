#include "config/raw.hpp"

namespace mydocker::config {

std::string Origin::text() const {
    switch (source) {
    case Source::built_in:
        return "default";
    case Source::environment:
        return "environment " + name;
    case Source::flag:
        return "flag " + name;
    case Source::file:
        break;
    }
    if (line == 0) return name;
    return name + ":" + std::to_string(line) + ":" + std::to_string(column);
}

const char* type_of(const RawValue& value) {
    struct Words {
        const char* operator()(bool) const { return "a boolean"; }
        const char* operator()(std::int64_t) const { return "an integer"; }
        const char* operator()(double) const { return "a float"; }
        const char* operator()(const std::string&) const { return "a text"; }
        const char* operator()(const std::vector<std::string>&) const { return "a list"; }
        const char* operator()(const Untyped&) const { return "a text"; }
    };
    return std::visit(Words{}, value);
}

const std::string* text_of(const RawValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return text;
    const auto* untyped = std::get_if<Untyped>(&value);
    return untyped != nullptr ? &untyped->text : nullptr;
}

Error Complaint::error() const {
    const std::string place = (origin.source == Source::file ? "config " : "") + origin.text();
    return Error{.code = code, .sys_errno = sys_errno, .text = text.empty() ? place : place + ": " + text};
}

} // namespace mydocker::config
