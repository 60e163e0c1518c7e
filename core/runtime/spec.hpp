// ContainerSpec: what the low-level runtime knows of a container. The OCI runtime configuration
// (config.json) plus the mounts of the root filesystem (rootfs.json). It knows nothing of images or
// drivers. Source: OCI runtime-spec 1.0.2…1.2, config.md and config-linux.md.
#pragma once

#include "mydocker/cgroup_backend.hpp"
#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::runtime {

enum class NamespaceKind : std::uint32_t { mount, pid, network, ipc, uts, user, cgroup, time };

// A namespace of its own (empty path), or an existing one by path. Kinds not listed are shared with the
// caller.
struct NamespaceSpec {
    NamespaceKind kind = NamespaceKind::mount;
    std::string path;
};

struct IdMapping {
    std::uint32_t container_id = 0;
    std::uint32_t host_id = 0;
    std::uint32_t size = 0;
};

// Who the process is. With a `name` ("user", "user:group", "1000", "1000:1000": what docker's -u takes)
// the ids are looked up in the container's own /etc/passwd and /etc/group at the start, and the numbers
// here are ignored; config.json carries it as process.user.username.
struct UserSpec {
    std::string name;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> additional_gids;
    std::vector<std::string>
        additional_groups; // names or ids; need a `name`. Ours: process.user.additionalGroups
    std::optional<std::uint32_t> umask;
};

// Capability names, "CAP_CHOWN".
struct CapabilitiesSpec {
    std::vector<std::string> bounding;
    std::vector<std::string> effective;
    std::vector<std::string> permitted;
    std::vector<std::string> inheritable;
    std::vector<std::string> ambient;
};

struct RlimitSpec {
    std::string type; // "RLIMIT_NOFILE"
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
    bool required = true; // false: a default of ours, lowered to what is allowed instead of an error
};

struct ConsoleSize {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
};

struct ProcessSpec {
    bool terminal = false;
    std::optional<ConsoleSize> console_size;
    UserSpec user;
    std::vector<std::string> args; // bytes; never joined, never parsed by a shell
    std::vector<std::string> env;  // "KEY=value"
    std::string cwd = "/";
    CapabilitiesSpec capabilities;
    std::vector<RlimitSpec> rlimits;
    bool no_new_privileges = true;
    std::optional<int> oom_score_adj;
};

// A mount inside the container, in OCI's form: options are words of mount(8) ("ro", "rbind",
// "nosuid", "rprivate", "size=64m", …).
struct SpecMount {
    std::string destination;
    std::string type;
    std::string source;
    std::vector<std::string> options;
};

struct DeviceSpec {
    std::string path;
    char type = 'c'; // 'c', 'u', 'b', 'p'
    std::int64_t major = 0;
    std::int64_t minor = 0;
    std::uint32_t mode = 0666;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

// What an argument of a system call has to be for a rule to count.
struct SeccompArgument {
    enum class Comparison : std::uint32_t {
        not_equal,
        less,
        less_or_equal,
        equal,
        greater_or_equal,
        greater,
        masked_equal, // (argument & value) == (value_two & value)
    };
    std::uint32_t index = 0; // 0…5
    Comparison comparison = Comparison::equal;
    std::uint64_t value = 0;
    std::uint64_t value_two = 0; // masked_equal
};

// Calls by name and what becomes of them. Actions are the kernel's (SECCOMP_RET_…), with their data. All
// `arguments` have to fit; but where one index is there twice, any of them, as libseccomp's users have it.
struct SeccompRule {
    std::vector<std::string> names;
    std::uint32_t action = 0;
    std::vector<SeccompArgument> arguments;
};

// A filter of somebody's own: linux.seccomp.
struct SeccompFilter {
    std::uint32_t default_action = 0;
    std::vector<std::string> architectures; // "SCMP_ARCH_X86": besides the machine's own
    std::vector<SeccompRule> rules;
    std::uint32_t flags = 0; // SECCOMP_FILTER_FLAG_…
};

// A seccomp filter by what it is for; compiled by runtime/seccomp and runtime/seccomp_compile.
struct SeccompSpec {
    enum class Kind : std::uint32_t { builtin, unconfined, given } kind = Kind::builtin;
    SeccompFilter filter; // given
};

struct ContainerSpec {
    ProcessSpec process;
    std::string root_path = "rootfs"; // of a foreign bundle; unused when `rootfs` is given
    bool root_readonly = false;
    std::string root_propagation; // "", "private", "slave", "shared"…
    std::string hostname;
    std::string domainname;
    std::vector<SpecMount> mounts;
    std::vector<NamespaceSpec> namespaces;
    std::vector<IdMapping> uid_mappings;
    std::vector<IdMapping> gid_mappings;
    std::vector<DeviceSpec> devices; // besides the default ones
    std::string cgroups_path;
    Resources resources;
    std::map<std::string, std::string> sysctl;
    SeccompSpec seccomp;
    std::vector<std::string> masked_paths; // "*" in one component is a pattern
    std::vector<std::string> readonly_paths;
    std::map<std::string, std::string> annotations;

    std::vector<Mount> rootfs; // rootfs.json: from the storage driver; the first has target "/"
};

// The two files of a bundle. Bytes that are not UTF-8 survive (base/json).
[[nodiscard]] std::string to_config_json(const ContainerSpec& spec);
[[nodiscard]] std::string to_rootfs_json(const std::vector<Mount>& rootfs);

// Errors: corrupt or invalid, naming the member ("linux.resources.memory.limit"); unsupported, when something
// is asked for that this version cannot give (unknown members are ignored, as the specification says).
// A config.json without linux.seccomp is unconfined, unless its annotation "io.mydocker.seccomp" says
// "builtin" (one with it has that filter); rlimits that are not required are listed in
// "io.mydocker.rlimits.best_effort".
[[nodiscard]] Result<ContainerSpec> parse_config_json(std::string_view text);
[[nodiscard]] Result<std::vector<Mount>> parse_rootfs_json(std::string_view text);

} // namespace mydocker::runtime
