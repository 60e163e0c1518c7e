// Detach keys: notation and search.
#include "engine/detach_keys.hpp"

#include <optional>

namespace mydocker::engine {
namespace {

constexpr std::size_t kMostKeys = 16;

// What ctrl makes of a key. Source: ascii(7).
std::optional<char> control(char key) {
    if (key >= 'a' && key <= 'z') return static_cast<char>(key - 'a' + 1);
    if (key == '@' || (key >= '[' && key <= '_')) return static_cast<char>(key - '@');
    return std::nullopt;
}

std::optional<char> parse_key(std::string_view name) {
    constexpr std::string_view kControl = "ctrl-";
    if (name.size() == 1) return name.front();
    if (name == "DEL") return '\x7f';
    if (name.size() == kControl.size() + 1 && name.starts_with(kControl)) return control(name.back());
    return std::nullopt;
}

} // namespace

Result<std::string> parse_detach_keys(std::string_view text) {
    std::string keys;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const std::string_view name = text.substr(0, comma);
        const auto key = parse_key(name);
        if (!key)
            return fail(Code::invalid, "detach keys: '" + std::string(name) +
                                           "' is no key; write ctrl-a to ctrl-z, ctrl-@, ctrl-[, ctrl-\\, "
                                           "ctrl-], ctrl-^, ctrl-_ or one character, as in ctrl-p,ctrl-q");
        keys += *key;
        if (keys.size() > kMostKeys)
            return fail(Code::invalid, "detach keys: more than " + std::to_string(kMostKeys) + " keys");
        if (comma != std::string_view::npos && comma + 1 == text.size())
            return fail(Code::invalid, "detach keys: a key is missing after the last comma");
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return keys;
}

std::string DetachWatch::feed(std::string_view typed) {
    if (keys_.empty()) return std::string(typed);
    std::string passed;
    for (const char c : typed) {
        held_ += c;
        while (!keys_.starts_with(held_)) {
            passed += held_.front();
            held_.erase(0, 1);
        }
        if (held_.size() < keys_.size()) continue;
        found_ = true;
        break;
    }
    return passed;
}

} // namespace mydocker::engine
