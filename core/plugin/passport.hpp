// What a plugin file says of itself, read without running any of it: the ELF note in .note.mydocker.
// Not for loading: that is plugin_host's, which trusts a file only after this.
#pragma once

#include "mydocker/abi/base.h"
#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::plugin {

enum class Kind : std::uint32_t {
    storage = MD_KIND_STORAGE,
    cgroup = MD_KIND_CGROUP,
    log = MD_KIND_LOG,
    state = MD_KIND_STATE,
    network = MD_KIND_NETWORK,
    volume = MD_KIND_VOLUME,
    image = MD_KIND_IMAGE,
};

// As in file names, tables of mydocker.toml and messages: "storage".
[[nodiscard]] std::string_view kind_word(Kind kind);
// For people: "storage driver", "log sink".
[[nodiscard]] std::string_view kind_phrase(Kind kind);
[[nodiscard]] std::optional<Kind> parse_kind(std::string_view word);

// Whether it can be a plugin's name: of a-z 0-9 - _, at most 64 bytes, a letter or digit first.
[[nodiscard]] bool is_plugin_name(std::string_view name);

struct Passport {
    Kind kind = Kind::storage;
    std::uint32_t abi_major = 0;
    std::uint32_t abi_minor = 0;
    std::string name;
    std::string version;
    std::string vendor;  // may be empty
    std::string summary; // one line
    std::string url;     // may be empty
    // The options it declares. Their strings live in `texts`, so keep the Passport (or `texts`).
    std::vector<OptionSpec> options;
    std::shared_ptr<const std::vector<char>> texts;
};

// Reads the passport of a plugin file: a regular file, not a link; an ELF shared object for this
// machine, complete (every header, segment and section inside the file: a truncated one would kill
// the process when loaded); with the note. Of a passport of another ABI major only kind, versions and
// name are read. Text: "plugin 'PATH' is not a regular file".
// Errors: not_found, denied, io; corrupt (not complete, damaged note); unsupported (other machine);
// invalid (no shared object, no plugin).
[[nodiscard]] Result<Passport> read_passport(const std::string& path);

// Whether this engine can load it. Errors: unsupported, with both versions.
[[nodiscard]] Status check_abi(const Passport& passport, const std::string& path);

} // namespace mydocker::plugin
