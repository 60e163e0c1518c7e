// What a user asks for, as plain values: made by cli/args from argv, read by the engine.
#pragma once

#include "engine/record.hpp"
#include "mydocker/cgroup_backend.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::engine {

// Which network namespace a container gets.
struct NetworkMode {
    enum class Kind { none, host, container } kind = Kind::none;
    std::string container; // with Kind::container: name or id
};

// Which namespace of another kind: one of its own, the host's, or another container's.
struct NamespaceMode {
    enum class Kind { own, host, container } kind = Kind::own;
    std::string container; // with Kind::container: name or id
};

// A device node of the host that the container gets.
struct DeviceRequest {
    std::string path; // inside
    char type = 'c';  // 'c' or 'b'
    std::int64_t major = 0;
    std::int64_t minor = 0;
    std::uint32_t mode = 0600;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string access = "rwm";
};

// One mount that a user asks for: -v, --mount, --tmpfs; or an image's volume.
struct MountRequest {
    enum class Kind { bind, volume, tmpfs } kind = Kind::bind;
    std::string source; // bind: absolute path on the host; volume: its name, empty: a new anonymous one
    std::string target; // absolute inside the container, in its shortest form
    bool read_only = false;
    bool create_source = false; // bind: a directory that is not there is made, if the configuration allows it
    bool anonymous = false;     // volume: goes with its container
    bool copy = true;           // volume: filled from the image while it is empty
    std::string propagation;    // bind: "rprivate", "rslave", …; empty: rprivate
    std::vector<std::string> options; // words of mount(8)
};

// A limit of each process, instead of the default one of its type.
struct Ulimit {
    std::string type; // "RLIMIT_NOFILE"
    std::uint64_t soft = 0;
    std::uint64_t hard = 0; // the greatest number: no limit
};

// A line of /etc/hosts.
struct ExtraHost {
    std::string name;
    std::string address;
};

// The volumes and host directories of another container.
struct VolumesFrom {
    std::string container;         // name or id
    std::optional<bool> read_only; // absent: as there
};

// Which filter of system calls.
struct FilterChoice {
    enum class Kind { builtin, unconfined, profile } kind = Kind::builtin;
    std::string file; // profile: for messages
    std::string text; // profile: docker's JSON
};

// `create` and `run`.
struct CreateRequest {
    std::string image;
    std::vector<std::string> command;      // after the image; empty: the image's own
    std::optional<std::string> entrypoint; // "" clears the image's
    std::string name;                      // empty: one is made up
    std::string hostname;                  // empty: the short id
    bool interactive = false;              // -i: standard input is kept open
    bool terminal = false;                 // -t
    bool remove_after = false;             // --rm
    RestartPolicy restart;                 // not with remove_after
    HealthRequest health;
    bool read_only = false;
    bool init = false;
    // Who feeds its standard input first, and goes, ends it: so made for the foreground. Else it waits for
    // the next one.
    bool input_once = true;
    std::string pid_file; // absolute; each start writes the first process's id there; empty: none
    std::vector<std::string> environment; // "KEY=value"
    std::vector<std::pair<std::string, std::string>> labels;
    std::vector<MountRequest> mounts;          // no two with one target
    std::vector<std::string> host_environment; // "KEY=value", below the image's own
    std::string working_directory;
    std::string user;
    NetworkMode network;
    std::string stop_signal;
    std::optional<std::chrono::seconds> stop_timeout;
    Resources resources;               // what the flags asked for; defaults are the spec builder's
    std::string cgroup_parent;         // empty: "mydocker"
    std::vector<std::string> cap_add;  // "CAP_CHOWN"; "ALL": all that the engine has
    std::vector<std::string> cap_drop; // likewise
    // Everything that the engine has: capabilities, devices, no filter, nothing hidden or read-only. What is
    // said otherwise of one of these still counts.
    bool privileged = false;
    std::optional<bool> no_new_privileges; // absent: unless privileged
    std::vector<std::string> masked;       // paths hidden besides the default ones
    std::vector<std::string>
        unmasked; // of the default ones, hidden or read-only: as they are; "ALL": every one
    std::optional<std::uint32_t> umask; // absent: 0022
    std::vector<VolumesFrom> volumes_from;
    std::optional<FilterChoice> filter; // of system calls; absent: the default one, unless privileged
    NamespaceMode pid;
    NamespaceMode ipc; // with it goes /dev/shm
    NamespaceMode uts;
    bool host_cgroups = false;       // the cgroup namespace
    std::vector<std::string> groups; // besides the user's own: names of the image's /etc/group, or ids
    std::vector<DeviceRequest> devices;
    std::vector<DeviceRule> device_rules; // after the default ones and those of `devices`
    std::optional<int> oom_score_adj;
    std::map<std::string, std::string> sysctls;
    std::string domainname;
    std::map<std::string, std::string> annotations;
    std::map<std::string, std::string> log_options;
    std::vector<Ulimit> ulimits;
    std::optional<std::uint64_t> shm_size; // bytes, of /dev/shm
    std::vector<ExtraHost> extra_hosts;
    std::vector<std::string> dns;         // addresses; empty: the host's resolvers
    std::vector<std::string> dns_search;  // domains; empty: the host's
    std::vector<std::string> dns_options; // "ndots:2"; empty: the host's
    int id_file = -1;                     // descriptor that the id is written to once the container is made
};

// `exec`.
struct ExecRequest {
    std::vector<std::string> command;
    std::vector<std::string> environment; // "KEY=value", over the container's own
    std::string working_directory;        // empty: the container's
    std::string user;                     // empty: the container's
    bool interactive = false;             // -i: standard input goes to the command
    bool terminal = false;                // -t
    bool privileged = false;              // all capabilities of the engine, whatever the container has
};

enum class Attach { foreground, detached };

// How a command line stays with a container or command in the foreground.
struct Attachment {
    bool input = true;  // standard input goes to it, if it takes any
    bool output = true; // what it writes comes here; a terminal's is all of this stream
    bool error_output = true;
    bool sig_proxy = true;   // signals are passed on; else they end the command line alone
    std::string detach_keys; // bytes that part the two, on a terminal (detach_keys.hpp); empty: none do
};

// Why a command line in the foreground went before what it stayed with had ended.
enum class Parting {
    none, // it did not
    keys,
    signal,
    reader_gone, // of its output
};

struct StopRequest {
    std::optional<std::chrono::seconds> timeout; // until SIGKILL; absent: the container's, then 10 s
    std::string signal;                          // empty: the container's
};

} // namespace mydocker::engine
