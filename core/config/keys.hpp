// Every key of the engine's own in mydocker.toml, once: where it is, what form its value has, which
// member of Config holds it. Reading and showing go by this table.
#pragma once

#include "config/config.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace mydocker::config {

// What a value has to be, beyond its type.
enum class Form { any, path, name, size, count };

using Member = std::variant<Value<bool> Config::*, Value<std::uint64_t> Config::*,
                            Value<std::string> Config::*, Value<std::vector<std::string>> Config::*,
                            Value<LogLevel> Config::*, Value<LogFormat> Config::*>;

struct Key {
    std::string_view table; // empty: none
    std::string_view name;
    Member member;
    Form form = Form::any;
};

// In the order in which they are shown: those of a table together, those of none first.
inline constexpr std::array<Key, 19> kKeys = {{
    {"", "config_version", &Config::config_version, Form::count},
    {"", "root", &Config::root, Form::path},
    {"", "run_root", &Config::run_root, Form::path},
    {"", "plugin_dirs", &Config::plugin_dirs, Form::path},
    {"storage", "driver", &Config::storage_driver, Form::name},
    {"storage", "candidates", &Config::storage_candidates, Form::name},
    {"cgroup", "driver", &Config::cgroup_driver, Form::name},
    {"cgroup", "candidates", &Config::cgroup_candidates, Form::name},
    {"log", "driver", &Config::log_driver, Form::name},
    {"state", "driver", &Config::state_driver, Form::name},
    {"run", "default_image", &Config::default_image},
    {"run", "create_bind_sources", &Config::create_bind_sources},
    {"run", "detach_keys", &Config::detach_keys},
    {"diagnostics", "level", &Config::diagnostics_level},
    {"diagnostics", "format", &Config::diagnostics_format},
    {"diagnostics", "driver", &Config::diagnostics_driver, Form::name},
    {"images", "max_layer_size", &Config::max_layer_size, Form::size},
    {"images", "max_entries", &Config::max_entries, Form::count},
    {"images", "max_layers", &Config::max_layers, Form::count},
}};

[[nodiscard]] constexpr bool is_table(std::string_view name) {
    return !name.empty() && std::ranges::find(kKeys, name, &Key::table) != kKeys.end();
}

// The tables that also hold tables of driver options, [KIND.NAME].
inline constexpr std::array<std::string_view, 4> kKinds = {"storage", "cgroup", "log", "state"};

// The words of a choice, by value.
template <class Choice>
struct Word {
    Choice choice;
    std::string_view word;
};
[[nodiscard]] constexpr auto words(LogLevel) {
    return std::array<Word<LogLevel>, 4>{{{LogLevel::debug, "debug"},
                                          {LogLevel::info, "info"},
                                          {LogLevel::warning, "warning"},
                                          {LogLevel::error, "error"}}};
}
[[nodiscard]] constexpr auto words(LogFormat) {
    return std::array<Word<LogFormat>, 2>{{{LogFormat::text, "text"}, {LogFormat::json, "json"}}};
}

} // namespace mydocker::config
