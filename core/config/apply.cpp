// From a parsed file, or a flag, to values of the Config: names looked up, types and forms checked.
#include "base/notation.hpp"
#include "config/check.hpp"
#include "config/keys.hpp"
#include "config/tree.hpp"

#include <algorithm>
#include <utility>

namespace mydocker::config {
namespace {

// What is wrong with a value, to be put behind its key: "is an integer; a text is needed".
using Wrong = std::optional<std::string>;

[[nodiscard]] std::string quoted(std::string_view text) {
    constexpr std::size_t kLongest = 80;
    return "\"" + std::string(text.substr(0, kLongest)) + (text.size() > kLongest ? "…" : "") + "\"";
}

[[nodiscard]] Wrong needed(const RawValue& value, std::string_view type) {
    return std::string("is ") + type_of(value) + "; " + std::string(type) + " is needed";
}

// An absolute path that stays what it says. Paths are bytes; what a terminal would act on is no path.
[[nodiscard]] Wrong wrong_path(std::string_view path) {
    if (!path.starts_with('/')) return quoted(path) + " is no absolute path";
    const bool controls =
        std::ranges::any_of(path, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (controls) return std::string("has control characters in it");
    if ((std::string(path) + "/").find("/../") != std::string::npos)
        return quoted(path) + " has \"..\" in it";
    return std::nullopt;
}

[[nodiscard]] Wrong wrong_name(std::string_view name) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    constexpr std::size_t kLongest = 64;
    if (!name.empty() && name.size() <= kLongest && std::ranges::all_of(name, fits)) return std::nullopt;
    return quoted(name) + " is no driver's name: it is made of a-z 0-9 - _";
}

[[nodiscard]] Wrong wrong_text(std::string_view text, Form form) {
    if (form == Form::path) return wrong_path(text);
    if (form == Form::name) return wrong_name(text);
    return std::nullopt;
}

[[nodiscard]] std::string without_last_slashes(std::string path) {
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

// One overload for each type of Member: the value into its place, or what is wrong with it.

[[nodiscard]] Wrong set(bool& target, const RawValue& value, Form) {
    const auto* boolean = std::get_if<bool>(&value);
    if (boolean == nullptr) return needed(value, "a boolean");
    target = *boolean;
    return std::nullopt;
}

[[nodiscard]] Wrong set(std::uint64_t& target, const RawValue& value, Form form) {
    const auto* integer = std::get_if<std::int64_t>(&value);
    if (integer != nullptr && *integer < 1) return std::to_string(*integer) + " is out of range: at least 1";
    if (integer != nullptr) {
        target = static_cast<std::uint64_t>(*integer);
        return std::nullopt;
    }
    if (form != Form::size) return needed(value, "an integer");
    const std::string* text = text_of(value);
    if (text == nullptr) return needed(value, "a size (\"64g\")");
    const auto bytes = notation::parse_size(*text);
    if (!bytes) return bytes.error().text;
    if (*bytes == 0) return quoted(*text) + " is out of range: at least 1";
    target = *bytes;
    return std::nullopt;
}

[[nodiscard]] Wrong set(std::string& target, const RawValue& value, Form form) {
    const std::string* text = text_of(value);
    if (text == nullptr) return needed(value, "a text");
    if (auto wrong = wrong_text(*text, form)) return wrong;
    target = form == Form::path ? without_last_slashes(*text) : *text;
    return std::nullopt;
}

[[nodiscard]] Wrong set(std::vector<std::string>& target, const RawValue& value, Form form) {
    const auto* list = std::get_if<std::vector<std::string>>(&value);
    if (list == nullptr) return needed(value, "a list of texts");
    for (const std::string& element : *list)
        if (auto wrong = wrong_text(element, form)) return wrong;
    target = *list;
    return std::nullopt;
}

template <class Choice>
    requires std::is_enum_v<Choice>
[[nodiscard]] Wrong set(Choice& target, const RawValue& value, Form) {
    const std::string* text = text_of(value);
    if (text == nullptr) return needed(value, "a text");
    std::string all;
    for (const auto& [choice, word] : words(Choice{})) {
        if (word == *text) {
            target = choice;
            return std::nullopt;
        }
        all += (all.empty() ? "" : ", ") + std::string(word);
    }
    return quoted(*text) + " is none of " + all;
}

[[nodiscard]] Wrong set_member(Config& config, const Key& key, const RawValue& value, const Origin& origin) {
    return std::visit(
        [&](auto member) {
            auto& target = config.*member;
            auto wrong = set(target.value, value, key.form);
            if (!wrong) target.origin = origin;
            return wrong;
        },
        key.member);
}

[[nodiscard]] std::string dotted(std::string_view table, std::string_view name) {
    return table.empty() ? std::string(name) : std::string(table) + "." + std::string(name);
}

[[nodiscard]] const Key* find_key(std::string_view table, std::string_view name) {
    const auto* found =
        std::ranges::find_if(kKeys, [&](const Key& key) { return key.table == table && key.name == name; });
    return found == kKeys.end() ? nullptr : found;
}

[[nodiscard]] bool is_kind(std::string_view name) {
    return std::ranges::find(kKinds, name) != kKinds.end();
}

// Walks over one file.
class Applier {
  public:
    Applier(Config& config, std::vector<Complaint>& complaints, bool lenient)
        : config_(config),
          complaints_(complaints),
          lenient_(lenient) {}

    void top(const std::vector<Node>& nodes) {
        for (const Node& node : nodes) {
            if (node.key.starts_with("x-")) continue; // the user's own
            if (is_table(node.key))
                table(node);
            else if (const Key* key = find_key("", node.key))
                value(*key, node);
            else
                unknown(node, "");
        }
    }

  private:
    void table(const Node& node) {
        if (!node.is_table)
            return complain(node.value_origin, node.key + " is " + node.type + "; a table is needed");
        for (const Node& child : node.children) {
            if (const Key* key = find_key(node.key, child.key))
                value(*key, child);
            else if (is_kind(node.key) && child.is_table)
                options(node.key, child);
            else
                unknown(child, node.key);
        }
    }

    void value(const Key& key, const Node& node) {
        const std::string name = dotted(key.table, key.name);
        if (!node.value) {
            // Let the type that is needed be said by the same words as for any other wrong type.
            const Wrong wrong =
                set_member(config_, key, RawValue(std::vector<std::string>()), node.value_origin);
            const std::string needs = wrong ? wrong->substr(wrong->find(';')) : "; a list of texts is needed";
            return complain(node.value_origin, name + " is " + node.type + needs);
        }
        if (const Wrong wrong = set_member(config_, key, *node.value, node.value_origin))
            complain(node.value_origin,
                     name + (wrong->starts_with("is ") || wrong->starts_with("has ") ? " " : ": ") + *wrong);
    }

    void options(const std::string& kind, const Node& node) {
        if (const Wrong wrong = wrong_name(node.key)) return complain(node.key_origin, *wrong);
        RawOptions& options = config_.options[DriverKey{.kind = kind, .driver = node.key}];
        flatten(options, node, "[" + kind + "." + node.key + "]", "");
    }

    void flatten(RawOptions& options, const Node& node, const std::string& table, const std::string& prefix) {
        for (const Node& child : node.children) {
            const std::string key = prefix + child.key;
            if (child.is_table)
                flatten(options, child, table, key + ".");
            else if (!child.value)
                complain(child.value_origin,
                         table + " option \"" + key + "\" is " + child.type + ", which no option takes");
            else
                put(options, {.key = key,
                              .value = *child.value,
                              .key_origin = child.key_origin,
                              .value_origin = child.value_origin,
                              .lenient = lenient_});
        }
    }

    static void put(RawOptions& options, RawOption option) {
        const auto place = std::ranges::lower_bound(options, option.key, {}, &RawOption::key);
        if (place != options.end() && place->key == option.key)
            *place = std::move(option);
        else
            options.insert(place, std::move(option));
    }

    void unknown(const Node& node, std::string_view table) {
        const bool is_top_table = node.is_table && table.empty();
        std::vector<std::string> names;
        for (const Key& key : kKeys) {
            if (!is_top_table) names.push_back(dotted(key.table, key.name));
            if (is_top_table && !key.table.empty()) names.emplace_back(key.table);
        }
        const std::vector<std::string_view> views(names.begin(), names.end());
        const std::string name = dotted(table, node.key);
        std::string text = std::string("unknown ") + (node.is_table ? "table " : "key ") + quoted(name);
        if (const auto near = notation::nearest(name, views))
            text += "; nearest: \"" + std::string(*near) + "\"";
        Complaint complaint{.origin = node.key_origin, .text = std::move(text)};
        (lenient_ ? config_.warnings : complaints_).push_back(std::move(complaint));
    }

    void complain(const Origin& origin, std::string text) {
        complaints_.push_back({.origin = origin, .text = std::move(text)});
    }

    Config& config_;
    std::vector<Complaint>& complaints_;
    bool lenient_;
};

// Whether a file says that it was written for a newer version.
[[nodiscard]] bool is_newer(const std::vector<Node>& nodes) {
    return std::ranges::any_of(nodes, [](const Node& node) {
        const auto* version = node.value ? std::get_if<std::int64_t>(&*node.value) : nullptr;
        return node.key == "config_version" && version != nullptr &&
               *version > static_cast<std::int64_t>(kVersion);
    });
}

} // namespace

void apply_file(Config& config, const std::vector<Node>& nodes, std::vector<Complaint>& complaints) {
    Applier(config, complaints, is_newer(nodes)).top(nodes);
}

void apply_override(Config& config, const std::string& key, const std::string& value, const Origin& origin,
                    std::vector<Complaint>& complaints) {
    const std::size_t dot = key.find('.');
    const std::string table = dot == std::string::npos ? "" : key.substr(0, dot);
    const std::string name = dot == std::string::npos ? key : key.substr(dot + 1);
    const Key* known = find_key(table, name);
    if (known == nullptr) {
        complaints.push_back(
            {.origin = origin, .text = "unknown key " + quoted(key), .code = Code::internal});
        return;
    }
    if (const Wrong wrong = set_member(config, *known, Untyped{value}, origin))
        complaints.push_back({.origin = origin, .text = *wrong});
}

const RawOptions& Config::options_of(std::string_view kind, std::string_view driver) const {
    static const RawOptions none;
    const auto found = options.find(DriverKey{.kind = std::string(kind), .driver = std::string(driver)});
    return found == options.end() ? none : found->second;
}

} // namespace mydocker::config
