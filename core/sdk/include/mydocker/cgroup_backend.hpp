// The face of a cgroup backend: the only code that knows the name of a control file. It limits,
// counts, freezes and kills; it starts no process.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "mydocker/support/files.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace mydocker {

// What the engine calls a cgroup: relative, '/'-separated, e.g. "mydocker/<container id>".
using CgroupName = Id<struct CgroupNameTag>;
// The backend's handle, self-contained: stored in records, good in later processes.
using Locator = Id<struct LocatorTag>;

inline constexpr std::int64_t kUnlimited = -1;

// One access rule for device nodes. Source: cgroup-v1/devices.rst; OCI runtime spec, config-linux.
struct DeviceRule {
    bool allow = false;
    char type = 'a';         // 'a' all, 'b' block, 'c' character
    std::int64_t major = -1; // -1: any
    std::int64_t minor = -1; // -1: any
    std::string access;      // of "rwm"
};

// A limit for one block device. rate: bytes or operations a second.
struct DeviceRate {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    std::uint64_t rate = 0;
};

struct HugepageLimit {
    std::string page_size; // "2MB", "1GB"
    std::uint64_t bytes = 0;
};

// Limits. An absent field is left as it is; 0 and kUnlimited are values like others.
struct Resources {
    std::optional<std::int64_t> memory;             // bytes or kUnlimited
    std::optional<std::int64_t> memory_swap;        // memory + swap in bytes, or kUnlimited
    std::optional<std::int64_t> memory_reservation; // bytes or kUnlimited
    std::optional<std::uint64_t> cpu_shares;        // 2…262144, v1 scale
    std::optional<std::int64_t> cpu_quota_usec;     // per period, or kUnlimited
    std::optional<std::uint64_t> cpu_period_usec;   // 1000…1000000
    std::optional<std::string> cpuset_cpus;         // list format, "0-2,7"
    std::optional<std::string> cpuset_mems;
    std::optional<std::int64_t> pids;       // number or kUnlimited
    std::optional<std::uint16_t> io_weight; // 10…1000, v1 (blkio) scale
    std::vector<DeviceRate> io_read_bps;
    std::vector<DeviceRate> io_write_bps;
    std::vector<DeviceRate> io_read_iops;
    std::vector<DeviceRate> io_write_iops;
    std::vector<HugepageLimit> hugepages;
    // Replaces the whole list of device rules, in order, the last match decides; absent: no filter.
    std::optional<std::vector<DeviceRule>> devices;
};

struct CgroupTraits {
    bool entry_at_clone = false; // entry() gives a directory for clone3(CLONE_INTO_CGROUP)
    // That limits can be set with here, by v2's names: "memory", "cpu", …; "swap", where memory_swap can be
    // set.
    std::vector<std::string> controllers;
    // What to mount at /sys/fs/cgroup inside the container, after it has its cgroup namespace;
    // targets are absolute inside the root filesystem.
    std::vector<Mount> mounts;
};

// How a process gets in. Exactly one of the two is used. All close-on-exec, owned by the receiver.
struct CgroupEntry {
    UniqueFd directory;          // for clone3(CLONE_INTO_CGROUP); or empty, then:
    std::vector<UniqueFd> joins; // the process, single-threaded, writes "0" to each
};

struct CgroupStats {
    std::uint64_t cpu_usec = 0;
    std::uint64_t cpu_user_usec = 0;
    std::uint64_t cpu_system_usec = 0;
    std::uint64_t throttled_periods = 0;
    std::uint64_t throttled_usec = 0;
    std::uint64_t memory_bytes = 0;            // in use, page cache included
    std::uint64_t memory_file_bytes = 0;       // inactive page cache, that docker's figure leaves out
    std::optional<std::uint64_t> memory_limit; // absent: none
    std::uint64_t oom_kills = 0;               // processes the kernel killed for want of memory
    std::uint64_t pids = 0;
    std::optional<std::uint64_t> pids_limit;
    std::uint64_t io_read_bytes = 0;
    std::uint64_t io_write_bytes = 0;
};

using ProcessVisitor = std::function<Status(pid_t)>;
using LocatorVisitor = std::function<Status(const Locator&)>;

// A limit is validated, written, and read back: silent clamping by the kernel is an error with both
// numbers. Asking for a limit that this host cannot enforce is `unsupported`, naming the controller;
// asking for none works on any host. Threads: one at a time.
class CgroupBackend {
  public:
    CgroupBackend() = default;
    CgroupBackend(const CgroupBackend&) = delete;
    CgroupBackend& operator=(const CgroupBackend&) = delete;
    virtual ~CgroupBackend() = default;

    // Errors: unsupported, with the reason, when it cannot work here.
    [[nodiscard]] virtual Result<CgroupTraits> probe() = 0;

    // The handle that create will use and remove can always undo. Pure: touches nothing.
    // Errors: invalid, for a name that is absolute, empty, has ".." or control characters.
    [[nodiscard]] virtual Result<Locator> locate(const CgroupName& name) = 0;

    // Makes the cgroup in every hierarchy and sets the limits. Errors: invalid, unsupported,
    // no_space; what was made is left for remove. Again: succeeds, limits set anew.
    [[nodiscard]] virtual Status create(const Locator& locator, const Resources& resources) = 0;

    // Errors: not_found.
    [[nodiscard]] virtual Result<CgroupEntry> entry(const Locator& locator) = 0;

    // Moves a process that runs already (exec into a container prefers entry()).
    [[nodiscard]] virtual Status attach(const Locator& locator, pid_t pid) = 0;

    // Sets the fields that are present; on error says which were set before it.
    [[nodiscard]] virtual Status update(const Locator& locator, const Resources& resources) = 0;

    // Errors: not_found.
    [[nodiscard]] virtual Result<CgroupStats> stats(const Locator& locator) = 0;

    // Returns once every process is frozen. Errors: unsupported, timeout. Again: succeeds.
    [[nodiscard]] virtual Status freeze(const Locator& locator) = 0;
    [[nodiscard]] virtual Status thaw(const Locator& locator) = 0;

    // Signals every process, those forked meanwhile too. SIGKILL: complete on return (nothing runs
    // there any more), frozen ones included. Absent: succeeds.
    [[nodiscard]] virtual Status kill(const Locator& locator, int signal) = 0;

    // Walks the processes, those of sub-cgroups too.
    [[nodiscard]] virtual Status processes(const Locator& locator, const ProcessVisitor& visit) = 0;

    // A descriptor that becomes readable (POLLIN or POLLPRI) when the kernel killed a process for
    // want of memory; read stats() for how many. Errors: unsupported.
    [[nodiscard]] virtual Result<UniqueFd> events(const Locator& locator) = 0;

    // Removes the cgroup and what the container made below it; waits, bounded, for dying processes.
    // Also removes parents named in `locate` that are left empty. Errors: busy, saying which
    // processes are still there. Absent, half-made: succeeds.
    [[nodiscard]] virtual Status remove(const Locator& locator) = 0;

    // Walks the cgroups directly below the cgroup `prefix` ("mydocker"), in no order, each once.
    // Absent: visits none.
    [[nodiscard]] virtual Status list(std::string_view prefix, const LocatorVisitor& visit) = 0;
};

} // namespace mydocker
