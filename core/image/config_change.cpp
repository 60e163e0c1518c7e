#include "image/config_change.hpp"

#include "base/environment.hpp"
#include "base/signals.hpp"
#include "image/config_words.hpp"
#include "image/entry_path.hpp"
#include "image/health_change.hpp"
#include "image/tar_header.hpp"

#include <algorithm>
#include <cctype>

namespace mydocker::image {

namespace {

using Strings = std::vector<std::string>;

std::string upper(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    });
    return result;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const auto begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

Strings command_of(std::string_view text) {
    if (auto words = exec_form(text)) return std::move(*words);
    return {"/bin/sh", "-c", std::string(text)};
}

// A key's later value takes the place of the earlier one.
void set_pair(std::vector<std::pair<std::string, std::string>>& pairs, std::string key, std::string value) {
    const auto known = std::ranges::find(pairs, key, [](const auto& pair) { return pair.first; });
    if (known != pairs.end()) {
        known->second = std::move(value);
        return;
    }
    pairs.emplace_back(std::move(key), std::move(value));
}

void add_once(Strings& list, std::string item) {
    if (std::ranges::find(list, item) == list.end()) list.push_back(std::move(item));
}

// "A=1 B=2", or of old "A and all the rest".
Result<std::vector<std::pair<std::string, std::string>>> pairs_of(std::string_view text,
                                                                  const Strings& environment) {
    const auto blank = std::min(text.find_first_of(" \t"), text.size());
    if (text.substr(0, blank).find('=') == std::string_view::npos) {
        auto value = expand_word(trimmed(text.substr(blank)), environment);
        if (!value) return fail(value);
        if (blank == text.size()) return fail(Code::invalid, "needs a name and a value");
        return std::vector<std::pair<std::string, std::string>>{
            {std::string(text.substr(0, blank)), std::move(*value)}};
    }
    auto words = split_words(text, environment);
    if (!words) return fail(words);
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string& word : *words) {
        const auto equals = word.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(Code::invalid, shown(word) + " is not of the form NAME=value");
        pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
    return pairs;
}

Status change_cmd(ConfigEdit& edit, std::string_view text) {
    edit.config.cmd = command_of(text);
    edit.cmd_given = true;
    return {};
}

// The old arguments were the old entrypoint's.
Status change_entrypoint(ConfigEdit& edit, std::string_view text) {
    edit.config.entrypoint = command_of(text);
    if (!edit.cmd_given) edit.config.cmd.clear();
    return {};
}

Status change_env(ConfigEdit& edit, std::string_view text) {
    auto pairs = pairs_of(text, edit.config.env);
    if (!pairs) return fail(pairs);
    for (const auto& [key, value] : *pairs)
        environment::set(edit.config.env, key + "=" + value);
    return {};
}

Status change_label(ConfigEdit& edit, std::string_view text) {
    auto pairs = pairs_of(text, edit.config.env);
    if (!pairs) return fail(pairs);
    for (auto& [key, value] : *pairs)
        set_pair(edit.config.labels, std::move(key), std::move(value));
    return {};
}

Result<std::uint64_t> parse_port(std::string_view text, std::string_view whole) {
    const auto port = parse_decimal(text, "port");
    if (!port || *port == 0 || *port > 65535) return fail(Code::invalid, shown(whole) + " is no port");
    return port;
}

// "80", "80/udp", "8000-8010/tcp".
Status expose(Strings& ports, const std::string& word) {
    const auto slash = word.find('/');
    const std::string protocol = slash == std::string::npos ? "tcp" : word.substr(slash + 1);
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
        return fail(Code::invalid, shown(word) + " has a protocol that is none of tcp, udp, sctp");
    const std::string range = word.substr(0, slash);
    const auto dash = range.find('-');
    const auto first = parse_port(std::string_view(range).substr(0, dash), word);
    if (!first) return fail(first);
    const auto last =
        dash == std::string::npos ? first : parse_port(std::string_view(range).substr(dash + 1), word);
    if (!last) return fail(last);
    if (*last < *first) return fail(Code::invalid, shown(word) + " is no range of ports");
    for (std::uint64_t port = *first; port <= *last; ++port)
        add_once(ports, std::to_string(port) + "/" + protocol);
    return {};
}

Status change_expose(ConfigEdit& edit, std::string_view text) {
    auto words = split_words(text, edit.config.env);
    if (!words) return fail(words);
    for (const std::string& word : *words)
        if (auto done = expose(edit.config.exposed_ports, word); !done) return done;
    return {};
}

Status change_volume(ConfigEdit& edit, std::string_view text) {
    auto listed = exec_form(text);
    auto words = listed ? Result<Strings>(std::move(*listed)) : split_words(text, edit.config.env);
    if (!words) return fail(words);
    for (std::string& word : *words) {
        if (word.empty()) return fail(Code::invalid, "an empty text is no volume");
        add_once(edit.config.volumes, std::move(word));
    }
    return {};
}

Status change_user(ConfigEdit& edit, std::string_view text) {
    auto user = expand_word(text, edit.config.env);
    if (!user) return fail(user);
    edit.config.user = std::move(*user);
    return {};
}

// A relative one is below the one before.
Status change_workdir(ConfigEdit& edit, std::string_view text) {
    auto path = expand_word(text, edit.config.env);
    if (!path) return fail(path);
    if (!path->starts_with('/')) *path = edit.config.working_dir + "/" + *path;
    auto clean = normalise_entry_path(*path);
    if (!clean) return fail(clean.error().code, shown(*path) + " " + clean.error().text);
    edit.config.working_dir = "/" + *clean;
    return {};
}

Status change_stop_signal(ConfigEdit& edit, std::string_view text) {
    auto signal = expand_word(text, edit.config.env);
    if (!signal) return fail(signal);
    if (auto number = signals::parse(*signal); !number) return fail(number);
    edit.config.stop_signal = std::move(*signal);
    return {};
}

Status change_health(ConfigEdit& edit, std::string_view text) {
    auto check = parse_health_change(text);
    if (!check) return fail(check);
    edit.config.healthcheck = std::move(*check);
    return {};
}

Status change_on_build(ConfigEdit& edit, std::string_view text) {
    const std::string first = upper(text.substr(0, text.find_first_of(" \t")));
    if (first == "ONBUILD" || first == "FROM" || first == "MAINTAINER")
        return fail(Code::invalid, first + " is no trigger");
    edit.on_build.emplace_back(text);
    return {};
}

struct Instruction {
    std::string_view name;
    Status (*apply)(ConfigEdit&, std::string_view) = nullptr;
};
constexpr Instruction kInstructions[] = {
    {"CMD", change_cmd},
    {"ENTRYPOINT", change_entrypoint},
    {"ENV", change_env},
    {"EXPOSE", change_expose},
    {"LABEL", change_label},
    {"ONBUILD", change_on_build},
    {"USER", change_user},
    {"VOLUME", change_volume},
    {"WORKDIR", change_workdir},
    {"STOPSIGNAL", change_stop_signal},
    {"HEALTHCHECK", change_health},
};

} // namespace

Status apply_change(ConfigEdit& edit, std::string_view instruction) {
    const std::string_view whole = trimmed(instruction);
    const std::string name = upper(whole.substr(0, whole.find_first_of(" \t")));
    const std::string_view text = trimmed(whole.substr(name.size()));
    const auto known = std::ranges::find(kInstructions, name, &Instruction::name);
    if (known == std::ranges::end(kInstructions))
        return fail(Code::invalid, "change " + shown(whole) +
                                       ": the instruction is not one of CMD, ENTRYPOINT, "
                                       "ENV, EXPOSE, LABEL, ONBUILD, USER, VOLUME, "
                                       "WORKDIR, STOPSIGNAL, HEALTHCHECK");
    if (text.empty()) return fail(Code::invalid, "change " + shown(whole) + ": says nothing");
    if (text.find('\0') != std::string_view::npos)
        return fail(Code::invalid, "change " + shown(whole) + ": has a NUL byte in it");
    if (auto applied = known->apply(edit, text); !applied)
        return fail(applied.error(), "change " + shown(whole));
    return {};
}

} // namespace mydocker::image
