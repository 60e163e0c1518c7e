// Environment variables from words and files.
#include "cli/key_values.hpp"

#include "cli/given_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <unordered_map>

namespace mydocker::cli {
namespace {

// Adds the variable that a text says, if it says one.
void add(std::vector<std::string>& to, std::string text, const LookUp& look_up) {
    if (text.find('=') != std::string::npos) {
        to.push_back(std::move(text));
    } else if (const char* value = look_up(text.c_str()); value != nullptr) {
        to.push_back(text + "=" + value);
    }
}

Status check_line(std::string_view line) {
    const std::string_view key = line.substr(0, line.find('='));
    if (key.empty()) return fail(Code::invalid, "there is no name before the '='");
    if (key.find_first_of(" \t") != std::string_view::npos)
        return fail(Code::invalid, fmt::format("the name '{}' has a blank in it", key));
    if (line.find('\0') != std::string_view::npos) return fail(Code::invalid, "it has a NUL byte in it");
    return {};
}

// Blanks in front of a name count for nothing. Source: docker's cli/opts/file.go.
std::string_view without_blanks(std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return line;
}

} // namespace

Result<std::vector<std::string>> parse_environment(const std::vector<std::string>& given,
                                                   const LookUp& look_up) {
    std::vector<std::string> variables;
    for (const std::string& text : given) {
        if (text.empty() || text.front() == '=')
            return fail(Code::invalid, fmt::format("env: '{}' has no name before the '='", text));
        add(variables, text, look_up);
    }
    return variables;
}

Result<std::vector<std::string>> parse_env_file(std::string_view text, std::string_view name,
                                                const LookUp& look_up) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    std::vector<std::string> variables;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        line = without_blanks(line);
        if (line.empty() || line.front() == '#') continue;
        if (auto sane = check_line(line); !sane) return fail(sane, fmt::format("{}:{}", name, number));
        add(variables, std::string(line), look_up);
    }
    return variables;
}

Result<std::vector<std::string>> read_env_file(const std::string& path, const LookUp& look_up,
                                               std::string_view flag) {
    auto text = read_given_file(path);
    if (!text) return fail(text, std::string(flag));
    auto variables = parse_env_file(*text, path, look_up);
    if (!variables) return fail(Code::invalid, fmt::format("{} {}", flag, variables.error().text));
    return variables;
}

Status EnvironmentFlags::parse(std::vector<std::string>& to) const {
    for (const std::string& path : files_) {
        auto variables = read_env_file(path, std::getenv);
        if (!variables) return fail(variables);
        to.insert(to.end(), variables->begin(), variables->end());
    }
    auto given = parse_environment(given_, std::getenv);
    if (!given) return fail(given);
    to.insert(to.end(), given->begin(), given->end());
    return {};
}

Result<Labels> parse_labels(const std::vector<std::string>& given) {
    Labels labels;
    std::unordered_map<std::string, std::size_t> places;
    for (const std::string& text : given) {
        const auto equals = text.find('=');
        if (text.empty() || equals == 0)
            return fail(Code::invalid, fmt::format("label: '{}' has no name before the '='", text));
        const std::string key = text.substr(0, equals);
        std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
        const auto [place, is_new] = places.try_emplace(key, labels.size());
        if (is_new)
            labels.emplace_back(key, std::move(value));
        else
            labels[place->second].second = std::move(value); // The last one counts; records hold a key once.
    }
    return labels;
}

} // namespace mydocker::cli
