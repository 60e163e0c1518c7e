// What the operator configured, as plain values that know where they come from. Knows no driver: what
// an option of a driver means is checked against that driver's specs, in check.hpp.
#pragma once

#include "config/raw.hpp"

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::config {

// The newest `config_version` that this program knows.
inline constexpr std::uint64_t kVersion = 1;

// A value and its source.
template <class T>
struct Value {
    T value{};
    Origin origin;
};

enum class LogFormat { text, json };

// "storage" and "overlayfs", of [storage.overlayfs].
struct DriverKey {
    std::string kind;
    std::string driver;

    auto operator<=>(const DriverKey&) const = default;
};

struct Config {
    Value<std::uint64_t> config_version{.value = kVersion, .origin = {}};
    Value<std::string> root{.value = "/var/lib/mydocker", .origin = {}};
    Value<std::string> run_root{.value = "/run/mydocker", .origin = {}};
    // Looked through before the directory of the installation.
    Value<std::vector<std::string>> plugin_dirs;

    Value<std::string> storage_driver{.value = "auto", .origin = {}};
    Value<std::string> cgroup_driver{.value = "auto", .origin = {}};
    Value<std::string> log_driver{.value = "json-file", .origin = {}};
    Value<std::string> state_driver{.value = "json-file", .origin = {}};

    // What "auto" tries, in this order: the first whose probe passes is taken.
    Value<std::vector<std::string>> storage_candidates{.value = {"overlayfs", "vfs"}, .origin = {}};
    Value<std::vector<std::string>> cgroup_candidates{.value = {"v1", "v2"}, .origin = {}};

    Value<std::string> default_image{.value = "busybox", .origin = {}};     // [run]
    Value<bool> create_bind_sources{.value = true, .origin = {}};           // [run]
    Value<std::string> detach_keys{.value = "ctrl-p,ctrl-q", .origin = {}}; // [run]

    Value<LogLevel> diagnostics_level{.value = LogLevel::warning, .origin = {}};
    Value<LogFormat> diagnostics_format;
    Value<std::string> diagnostics_driver{.value = "stderr", .origin = {}}; // or a log driver

    Value<std::uint64_t> max_layer_size{.value = std::uint64_t{64} << 30U, .origin = {}}; // [images], bytes
    Value<std::uint64_t> max_entries{.value = 10'000'000, .origin = {}};                  // of a layer
    Value<std::uint64_t> max_layers{.value = 128, .origin = {}};                          // of an image

    // [KIND.NAME] of every driver that a file mentions, sorted by key.
    std::map<DriverKey, RawOptions> options;
    // What was not understood in a file of a newer config_version, and left out.
    std::vector<Complaint> warnings;

    // The options given for a driver; none: an empty list.
    [[nodiscard]] const RawOptions& options_of(std::string_view kind, std::string_view driver) const;
};

// A value from a flag; it wins over every file and the environment.
struct Override {
    std::string key;   // as in a file: "root", "storage.driver", "diagnostics.level"
    std::string value; // as on the command line
    std::string flag;  // "--root", for messages
};

struct LoadRequest {
    std::string main_file; // absolute; missing: as if empty
    // Files NAME.toml in it are read after the main file, in byte order of their names; missing: none.
    std::string drop_ins;
    // --config: replaces the main file and the drop-ins, so that it says all there is to say. Missing
    // is an error. Empty: the environment's MYDOCKER_CONFIG, and without it the main file.
    std::string chosen_file;
    std::vector<Override> overrides;
    // The environment: MYDOCKER_CONFIG, MYDOCKER_ROOT, MYDOCKER_RUN_ROOT. Empty: this process's.
    std::function<const char*(const char*)> environment;
};

// Built-in defaults ← main file ← drop-ins ← environment ← flags. Nothing configured costs nothing: no
// file, or one of comments only, is not parsed.
// Errors: invalid, the first complaint: "config FILE:LINE:COLUMN: …"; denied for a file that others
// than root can write while we are root; not_found for a chosen file that is not there.
[[nodiscard]] Result<Config> load(const LoadRequest& request);

// The same, for `config validate` and for verbs that work in spite of a broken file: what is right is
// in `config`, what is not is complained of, all of it, by file and position.
struct Examined {
    Config config;
    std::vector<Complaint> complaints;
};
[[nodiscard]] Examined examine(const LoadRequest& request);

// The files that load would read if they are there, in this order.
[[nodiscard]] std::vector<std::string> files(const LoadRequest& request);

enum class ShowOrigin { no, yes };

// The effective configuration as TOML; with origins, a comment behind each value says its source.
[[nodiscard]] std::string show(const Config& config, ShowOrigin origins);

} // namespace mydocker::config
