/* The C wire of cgroup backends: limit, count, freeze and kill; start no process. Conventions: base.h.
 * The same contract in C++: mydocker/cgroup_backend.hpp. */
#ifndef MYDOCKER_ABI_CGROUP_BACKEND_H
#define MYDOCKER_ABI_CGROUP_BACKEND_H

#include "mydocker/abi/storage_driver.h" /* md_mount */

#ifdef __cplusplus
extern "C" {
#endif

/* One access rule for device nodes. */
typedef struct md_device_rule {
    uint32_t size;
    int32_t allow;
    uint32_t type; /* the character 'a' (all), 'b' (block) or 'c' (character) */
    uint32_t reserved;
    int64_t major; /* -1: any */
    int64_t minor; /* -1: any */
    md_str access; /* of "rwm" */
} md_device_rule;

/* A limit for one block device; rate: bytes or operations a second. */
typedef struct md_device_rate {
    uint32_t size;
    uint32_t reserved;
    uint64_t major;
    uint64_t minor;
    uint64_t rate;
} md_device_rate;

typedef struct md_hugepage_limit {
    uint32_t size;
    uint32_t reserved;
    md_str page_size; /* "2MB", "1GB" */
    uint64_t bytes;
} md_hugepage_limit;

/* Bits of md_resources.set: which limits are there. */
enum {
    MD_SET_MEMORY = 1 << 0,
    MD_SET_MEMORY_SWAP = 1 << 1,
    MD_SET_MEMORY_RESERVATION = 1 << 2,
    MD_SET_CPU_SHARES = 1 << 3,
    MD_SET_CPU_QUOTA = 1 << 4,
    MD_SET_CPU_PERIOD = 1 << 5,
    MD_SET_CPUSET_CPUS = 1 << 6,
    MD_SET_CPUSET_MEMS = 1 << 7,
    MD_SET_PIDS = 1 << 8,
    MD_SET_IO_WEIGHT = 1 << 9,
    MD_SET_IO_READ_BPS = 1 << 10, /* for the lists: there is at least one element */
    MD_SET_IO_WRITE_BPS = 1 << 11,
    MD_SET_IO_READ_IOPS = 1 << 12,
    MD_SET_IO_WRITE_IOPS = 1 << 13,
    MD_SET_HUGEPAGES = 1 << 14,
    MD_SET_DEVICES = 1 << 15 /* the list replaces all device rules, also when empty */
};

/* A limit whose bit is not set is left as it is. Unlimited is -1. */
typedef struct md_resources {
    uint32_t size;
    uint32_t io_weight;  /* 10…1000, v1 (blkio) scale */
    uint64_t set;        /* MD_SET_… */
    int64_t memory;      /* bytes or -1 */
    int64_t memory_swap; /* memory + swap in bytes, or -1 */
    int64_t memory_reservation;
    uint64_t cpu_shares;    /* 2…262144, v1 scale */
    int64_t cpu_quota_usec; /* per period, or -1 */
    uint64_t cpu_period_usec;
    int64_t pids;       /* number or -1 */
    md_str cpuset_cpus; /* list format, "0-2,7" */
    md_str cpuset_mems;
    md_list io_read_bps; /* of md_device_rate, as the next three */
    md_list io_write_bps;
    md_list io_read_iops;
    md_list io_write_iops;
    md_list hugepages; /* of md_hugepage_limit */
    md_list devices;   /* of md_device_rule, in order, the last match decides */
} md_resources;

typedef struct md_cgroup_traits {
    uint32_t size;
    int32_t entry_at_clone; /* entry gives a directory for clone3(CLONE_INTO_CGROUP) */
    md_list controllers;    /* of md_str: what limits can be set with here */
    md_list mounts;         /* of md_mount: what to mount at /sys/fs/cgroup inside the container */
} md_cgroup_traits;

/* How a process gets in; exactly one of the two is used. */
typedef struct md_cgroup_entry {
    uint32_t size;
    int32_t directory; /* descriptor, or -1 */
    md_list joins;     /* of int32_t: descriptors; the process writes "0" to each */
} md_cgroup_entry;

enum { MD_STATS_MEMORY_LIMIT = 1 << 0, MD_STATS_PIDS_LIMIT = 1 << 1 }; /* bits of md_cgroup_stats.set */

typedef struct md_cgroup_stats {
    uint32_t size;
    uint32_t set; /* MD_STATS_…: whether there is such a limit */
    uint64_t cpu_usec;
    uint64_t cpu_user_usec;
    uint64_t cpu_system_usec;
    uint64_t throttled_periods;
    uint64_t throttled_usec;
    uint64_t memory_bytes;      /* in use, page cache included */
    uint64_t memory_file_bytes; /* inactive page cache */
    uint64_t memory_limit;
    uint64_t oom_kills; /* processes the kernel killed for want of memory */
    uint64_t pids;
    uint64_t pids_limit;
    uint64_t io_read_bytes;
    uint64_t io_write_bytes;
} md_cgroup_stats;

typedef struct md_cgroup_traits_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_cgroup_traits* traits);
} md_cgroup_traits_sink;

typedef struct md_cgroup_entry_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_cgroup_entry* entry);
} md_cgroup_entry_sink;

typedef struct md_cgroup_stats_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_cgroup_stats* stats);
} md_cgroup_stats_sink;

typedef struct md_pid_sink {
    void* ctx;
    int32_t (*item)(void* ctx, int32_t pid);
} md_pid_sink;

/* A locator is the backend's own handle: self-contained text, kept in records, good in later processes.
 * A limit is checked, written and read back; one that this host cannot enforce is MD_UNSUPPORTED. */
typedef struct md_cgroup_table {
    uint32_t size;
    uint32_t reserved;

    /* [one-thread] [pure] One item. MD_UNSUPPORTED with the reason when it cannot work here. */
    uint32_t (*probe)(void* self, const md_cgroup_traits_sink* out, md_error* error);

    /* [one-thread] [pure] The locator that create will use and remove can undo, from a relative name
     * ("mydocker/<container id>"); one item. */
    uint32_t (*locate)(void* self, md_str name, const md_str_sink* out, md_error* error);

    /* [one-thread] Makes the cgroup and sets the limits. Again: succeeds, limits set anew. */
    uint32_t (*create)(void* self, md_str locator, const md_resources* resources, md_error* error);

    /* [one-thread] How a process gets in; one item. */
    uint32_t (*entry)(void* self, md_str locator, const md_cgroup_entry_sink* out, md_error* error);

    /* [one-thread] [optional] Moves a process that runs already. */
    uint32_t (*attach)(void* self, md_str locator, int32_t pid, md_error* error);

    /* [one-thread] Sets the limits that are there; on error says which were set before it. */
    uint32_t (*update)(void* self, md_str locator, const md_resources* resources, md_error* error);

    /* [one-thread] [pure] One item. */
    uint32_t (*stats)(void* self, md_str locator, const md_cgroup_stats_sink* out, md_error* error);

    /* [one-thread] [optional] Returns once every process is frozen. Again: succeeds. */
    uint32_t (*freeze)(void* self, md_str locator, md_error* error);

    /* [one-thread] [optional] Again: succeeds. */
    uint32_t (*thaw)(void* self, md_str locator, md_error* error);

    /* [one-thread] Signals every process, those forked meanwhile too; SIGKILL: complete on return,
     * frozen ones included. Absent: succeeds. */
    uint32_t (*kill)(void* self, md_str locator, int32_t signal, md_error* error);

    /* [one-thread] [pure] Walks the processes, those of sub-cgroups too. */
    uint32_t (*processes)(void* self, md_str locator, const md_pid_sink* visit, md_error* error);

    /* [one-thread] [optional] *fd: readable (POLLIN or POLLPRI) after an out-of-memory kill. */
    uint32_t (*events)(void* self, md_str locator, int32_t* fd, md_error* error);

    /* [one-thread] Removes the cgroup, what was made below it, and parents left empty; waits, bounded.
     * MD_BUSY, saying which processes are still there. Absent, half-made: succeeds. */
    uint32_t (*remove)(void* self, md_str locator, md_error* error);

    /* [one-thread] [pure] Walks the locators directly below `prefix`. Absent: visits none. */
    uint32_t (*list)(void* self, md_str prefix, const md_str_sink* visit, md_error* error);
} md_cgroup_table;

#ifdef __cplusplus
}
#endif

#endif
