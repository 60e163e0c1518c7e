// Which files are read in which order, and TOML itself. The only source that sees toml++.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include "config/config.hpp"

#include "config/source.hpp"
#include "config/tree.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <tuple>
#include <utility>

namespace mydocker::config {
namespace {

[[nodiscard]] Origin at(const toml::source_region& region, const std::string& path) {
    return Origin{.source = Source::file,
                  .name = path,
                  .line = static_cast<std::uint32_t>(region.begin.line),
                  .column = static_cast<std::uint32_t>(region.begin.column)};
}

[[nodiscard]] const char* type_of(const toml::node& node) {
    switch (node.type()) {
    case toml::node_type::table:
        return "a table";
    case toml::node_type::array:
        return "a list";
    case toml::node_type::string:
        return "a text";
    case toml::node_type::integer:
        return "an integer";
    case toml::node_type::floating_point:
        return "a float";
    case toml::node_type::boolean:
        return "a boolean";
    case toml::node_type::date:
    case toml::node_type::date_time:
        return "a date";
    case toml::node_type::time:
        return "a time of day";
    case toml::node_type::none:
        break;
    }
    return "nothing";
}

// Nothing for what no key takes: dates, lists of other things than texts.
[[nodiscard]] std::optional<RawValue> value_of(const toml::node& node) {
    if (const auto* boolean = node.as_boolean()) return RawValue(boolean->get());
    if (const auto* integer = node.as_integer()) return RawValue(std::int64_t{integer->get()});
    if (const auto* number = node.as_floating_point()) return RawValue(number->get());
    if (const auto* text = node.as_string()) return RawValue(text->get());
    const auto* array = node.as_array();
    if (array == nullptr) return std::nullopt;
    std::vector<std::string> list;
    for (const toml::node& element : *array) {
        const auto* text = element.as_string();
        if (text == nullptr) return std::nullopt;
        list.push_back(text->get());
    }
    return RawValue(std::move(list));
}

[[nodiscard]] std::vector<Node> convert(const toml::table& table, const std::string& path) {
    std::vector<Node> nodes;
    for (const auto& [key, value] : table) {
        Node node{.key = std::string(key.str()),
                  .key_origin = at(key.source(), path),
                  .value_origin = at(value.source(), path),
                  .type = type_of(value),
                  .is_table = value.is_table(),
                  .value = value_of(value),
                  .children = {}};
        if (value.is_array() && !node.value) node.type = "a list of other things than texts";
        if (const auto* children = value.as_table()) node.children = convert(*children, path);
        nodes.push_back(std::move(node));
    }
    // The library sorts by key; complaints come in the order of the file.
    std::ranges::sort(nodes, [](const Node& a, const Node& b) {
        return std::tie(a.key_origin.line, a.key_origin.column) <
               std::tie(b.key_origin.line, b.key_origin.column);
    });
    return nodes;
}

// The library says what it was doing, and then what is wrong; where it was doing it we say ourselves.
[[nodiscard]] std::string reword(std::string_view description) {
    constexpr std::string_view kDoing = "Error while parsing ";
    const std::size_t colon = description.find(": ");
    if (description.starts_with(kDoing) && colon != std::string_view::npos)
        description.remove_prefix(colon + 2);
    std::string text(description);
    if (!text.empty() && text.front() >= 'A' && text.front() <= 'Z')
        text.front() = static_cast<char>(text.front() - 'A' + 'a');
    return text;
}

[[nodiscard]] std::expected<std::vector<Node>, Complaint> parse(std::string_view text,
                                                                const std::string& path) {
    if (auto exceeded = check_limits(text, path)) return std::unexpected(std::move(*exceeded));
    try {
        const toml::parse_result parsed = toml::parse(text, std::string_view(path));
        if (parsed) return convert(parsed.table(), path);
        return std::unexpected(Complaint{.origin = at(parsed.error().source(), path),
                                         .text = reword(parsed.error().description())});
    } catch (const std::exception& error) { // Out of memory, at most.
        return std::unexpected(Complaint{.origin = {.source = Source::file, .name = path},
                                         .text = std::string("cannot be parsed: ") + error.what(),
                                         .code = Code::internal});
    }
}

[[nodiscard]] std::string from_environment(const LoadRequest& request, const char* name) {
    const char* value = request.environment ? request.environment(name) : std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

[[nodiscard]] std::string chosen_file(const LoadRequest& request) {
    return request.chosen_file.empty() ? from_environment(request, "MYDOCKER_CONFIG") : request.chosen_file;
}

class Loader {
  public:
    explicit Loader(const LoadRequest& request) : request_(request) {}

    [[nodiscard]] Examined load() {
        if (const std::string chosen = chosen_file(request_); !chosen.empty()) {
            file(chosen, IfMissing::complain);
        } else {
            file(request_.main_file, IfMissing::nothing);
            drop_ins();
        }
        overrides();
        return std::move(result_);
    }

  private:
    void file(const std::string& path, IfMissing missing) {
        if (path.empty()) return;
        auto text = reader_.read(path, missing);
        if (!text) return result_.complaints.push_back(std::move(text.error()));
        if (!*text || is_blank(**text)) return;
        const auto nodes = parse(**text, path);
        if (!nodes) return result_.complaints.push_back(nodes.error());
        apply_file(result_.config, *nodes, result_.complaints);
    }

    void drop_ins() {
        if (request_.drop_ins.empty()) return;
        auto paths = reader_.list(request_.drop_ins);
        if (!paths) return result_.complaints.push_back(std::move(paths.error()));
        for (const std::string& path : *paths)
            file(path, IfMissing::nothing);
    }

    void overrides() {
        for (const auto& [variable, key] :
             {std::pair("MYDOCKER_ROOT", "root"), {"MYDOCKER_RUN_ROOT", "run_root"}}) {
            const std::string value = from_environment(request_, variable);
            if (value.empty()) continue;
            const Origin origin{.source = Source::environment, .name = variable};
            apply_override(result_.config, key, value, origin, result_.complaints);
        }
        for (const Override& item : request_.overrides) {
            const Origin origin{.source = Source::flag, .name = item.flag};
            apply_override(result_.config, item.key, item.value, origin, result_.complaints);
        }
    }

    const LoadRequest& request_;
    SourceReader reader_;
    Examined result_;
};

} // namespace

Examined examine(const LoadRequest& request) {
    return Loader(request).load();
}

Result<Config> load(const LoadRequest& request) {
    auto examined = examine(request);
    if (examined.complaints.empty()) return std::move(examined.config);
    return std::unexpected(examined.complaints.front().error());
}

std::vector<std::string> files(const LoadRequest& request) {
    if (std::string chosen = chosen_file(request); !chosen.empty()) return {std::move(chosen)};
    std::vector<std::string> paths{request.main_file};
    if (auto drop_ins = SourceReader().list(request.drop_ins))
        paths.insert(paths.end(), drop_ins->begin(), drop_ins->end());
    return paths;
}

} // namespace mydocker::config
