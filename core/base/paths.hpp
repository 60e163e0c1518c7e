// Every name on disk, made in one place; ids and names of containers: make, check, abbreviate.
//
//   <root>/                         /var/lib/mydocker, mode 0700
//   ├── .mydocker                   marker: `system reset` deletes only below a directory that has it
//   ├── content/                    OCI image layout: images of every kind, belonging to no driver
//   ├── storage/<driver>/           a storage driver's data
//   ├── state/<store>/              a state store's data
//   ├── cgroup/<backend>/  log/<sink>/      data of the other kinds, if they keep any
//   ├── volumes/<name>/_data/       what containers keep beyond their own life (engine/volumes.hpp)
//   └── containers/<id>/            a bundle
//       ├── config.json             OCI runtime configuration
//       ├── rootfs.json             the mounts of the root filesystem
//       ├── hostname, hosts, resolv.conf     what is mounted on those of /etc
//       └── logs/                   the log sink's directory for this container
//   <run_root>/                     /run/mydocker, mode 0700, what dies with the boot
//   ├── .mydocker                   marker
//   ├── <id>/lock                   the baton, and how far the start has come (engine/start_mark.hpp)
//   ├── <id>/attach.sock            the monitor's socket
//   ├── <id>/exit, stop             how it ended; a user wants it stopped
//   ├── <id>/frozen                 not empty: frozen by whoever locks it (engine/hold.hpp)
//   ├── exits, exits.old            exit codes of removed containers, kept for an hour
//   ├── events, events.old          what happened (engine/events.hpp)
//   └── {storage,state,cgroup,log}/<driver>/      run-time data of drivers
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"
#include "mydocker/support/files.hpp"

#include <string>
#include <string_view>

namespace mydocker::paths {

struct Roots {
    std::string root;     // absolute
    std::string run_root; // absolute
};

inline constexpr std::string_view kMarker = ".mydocker";

[[nodiscard]] std::string content(const Roots& roots);
[[nodiscard]] std::string volumes(const Roots& roots);
[[nodiscard]] std::string volume_data(const Roots& roots, std::string_view name);
[[nodiscard]] std::string containers(const Roots& roots);
[[nodiscard]] std::string bundle(const Roots& roots, const ContainerId& id);
[[nodiscard]] std::string logs(const Roots& roots, const ContainerId& id);
[[nodiscard]] std::string run_directory(const Roots& roots, const ContainerId& id);
[[nodiscard]] std::string baton(const Roots& roots, const ContainerId& id);
[[nodiscard]] std::string exits(const Roots& roots);
[[nodiscard]] std::string events(const Roots& roots);
// Data and run directory of a driver; kind is "storage", "cgroup", "log" or "state".
[[nodiscard]] std::string driver_data(const Roots& roots, std::string_view kind, std::string_view driver);
[[nodiscard]] std::string driver_run(const Roots& roots, std::string_view kind, std::string_view driver);

// Makes both roots (0700) and the marker in each. Again: succeeds, and closes a root that others could
// enter. The descriptor is the run root's, with a shared lock (flock(2)): while one is open, no `system
// reset` empties the roots, and while one does, this waits. Errors: exists, when a directory without the
// marker is not empty; denied, when it is another user's; invalid; no_space, …
[[nodiscard]] Result<UniqueFd> make_roots(const Roots& roots);

inline constexpr std::size_t kIdLength = 64;
inline constexpr std::size_t kShortIdLength = 12;
inline constexpr std::size_t kMaxNameLength = 253;

[[nodiscard]] Result<ContainerId> make_id();     // 256 random bits
[[nodiscard]] bool is_id(std::string_view text); // 64 lower-case hex digits
[[nodiscard]] std::string short_id(const ContainerId& id);
// [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most kMaxNameLength. Errors: invalid, naming the rule.
[[nodiscard]] Result<ContainerName> parse_name(std::string_view text);
// The same grammar.
[[nodiscard]] Result<std::string> parse_volume_name(std::string_view text);
[[nodiscard]] Result<ContainerName> make_name(); // readable and random, "quiet_heron_482"

// Where the installed program finds its own parts, from the path of the running executable:
// <prefix>/bin/mydocker → <prefix>/libexec/mydocker/…, <prefix>/lib/mydocker/plugins, …
struct Installation {
    std::string prefix;
    std::string program; // mydocker itself
    std::string monitor; // libexec/mydocker/mydocker-monitor
    std::string init;    // libexec/mydocker/mydocker-init
    std::string plugins; // lib/mydocker/plugins
    std::string images;  // share/mydocker/images: images that are loaded by themselves
    std::string
        config; // /etc/mydocker/mydocker.toml; <prefix>/etc/… when the prefix is not /usr or /usr/local
};
[[nodiscard]] Result<Installation> find_installation();

// The same for a program's path ("<prefix>/bin/…" or "<prefix>/libexec/mydocker/…"). Touches nothing; the
// build tree has the same shape. Errors: not_found for any other place.
[[nodiscard]] Result<Installation> installation_of(std::string_view program);

} // namespace mydocker::paths
