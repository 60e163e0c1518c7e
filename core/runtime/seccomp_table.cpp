// The default list. It follows containerd's choices; what is denied beyond them is marked. Names of all
// architectures stand side by side; a name that an architecture lacks is skipped there.
#include "runtime/seccomp_table.hpp"

#include <array>
#include <linux/capability.h>

namespace mydocker::runtime {
namespace {

constexpr std::uint64_t cap(unsigned number) {
    return std::uint64_t{1} << number;
}

constexpr std::uint64_t kAdmin = cap(CAP_SYS_ADMIN);

constexpr std::array kGroups{
    // --- allowed to all ----------------------------------------------------------------------------
    // Files: opening, reading, writing, seeking.
    CallGroup{CallRule::allow, 0,
              "open openat openat2 creat close close_range read readv pread64 preadv preadv2 write writev "
              "pwrite64 pwritev pwritev2 lseek _llseek dup dup2 dup3 fcntl fcntl64 flock sendfile sendfile64 "
              "splice tee vmsplice copy_file_range readahead fadvise64 fadvise64_64 arm_fadvise64_64 "
              "fallocate ftruncate ftruncate64 truncate truncate64 fsync fdatasync sync syncfs "
              "sync_file_range sync_file_range2 arm_sync_file_range cachestat pipe pipe2"},
    // Files: names, directories, attributes.
    CallGroup{
        CallRule::allow, 0,
        "access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx "
        "statfs statfs64 fstatfs fstatfs64 statmount listmount getdents getdents64 getcwd chdir fchdir "
        "mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat readlink readlinkat rename "
        "renameat renameat2 mknod mknodat chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 "
        "fchownat lchown lchown32 umask utime utimes futimesat utimensat utimensat_time64 "
        "name_to_handle_at file_getattr file_setattr"},
    CallGroup{CallRule::allow, 0,
              "getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr listxattrat setxattr "
              "lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat"},
    // Waiting for descriptors, asynchronous input and output (without io_uring, whose operations no filter
    // sees), watching files.
    CallGroup{CallRule::allow, 0,
              "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 "
              "epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 "
              "signalfd signalfd4 io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents "
              "io_pgetevents_time64 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
              "fanotify_mark"},
    // Memory.
    CallGroup{
        CallRule::allow, 0,
        "brk mmap mmap2 munmap mremap mprotect pkey_mprotect pkey_alloc pkey_free madvise mincore msync "
        "mlock mlock2 mlockall munlock munlockall mseal membarrier memfd_create memfd_secret "
        "remap_file_pages map_shadow_stack"},
    // Processes and threads.
    CallGroup{CallRule::allow, 0,
              "fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid "
              "getpgrp setpgid getsid setsid set_tid_address get_thread_area set_thread_area set_tls "
              "arch_prctl modify_ldt prctl futex futex_time64 futex_waitv futex_wake futex_wait "
              "futex_requeue get_robust_list set_robust_list rseq pidfd_open pidfd_send_signal "
              "process_mrelease cacheflush breakpoint uretprobe uprobe"},
    // A parent may look into its children: bound by the process's own credentials and, since Linux 4.8, by
    // this filter too.
    CallGroup{CallRule::allow, 0, "ptrace process_vm_readv process_vm_writev"},
    // Users, groups, capabilities, further confinement.
    CallGroup{CallRule::allow, 0,
              "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 "
              "getresgid getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid "
              "setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 setgroups "
              "setgroups32 setfsuid setfsuid32 setfsgid setfsgid32 capget capset seccomp "
              "landlock_create_ruleset landlock_add_rule landlock_restrict_self"},
    // Signals.
    CallGroup{CallRule::allow, 0,
              "kill tkill tgkill pause sigaltstack sigprocmask sigreturn rt_sigaction rt_sigpending "
              "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
              "rt_sigtimedwait_time64 rt_tgsigqueueinfo restart_syscall"},
    // Time and timers. Setting the clock needs a capability that the kernel checks (adjtimex reads too).
    CallGroup{CallRule::allow, 0,
              "time gettimeofday times clock_gettime clock_gettime64 clock_getres clock_getres_time64 "
              "clock_nanosleep clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex nanosleep alarm "
              "getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
              "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
              "timerfd_settime timerfd_settime64"},
    // Scheduling and limits.
    CallGroup{CallRule::allow, 0,
              "sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam "
              "sched_getscheduler sched_setscheduler sched_getattr sched_setattr sched_get_priority_max "
              "sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64 getpriority "
              "setpriority ioprio_get ioprio_set getcpu getrlimit ugetrlimit setrlimit prlimit64 getrusage"},
    // Network.
    CallGroup{CallRule::allow, 0,
              "socketpair bind connect listen accept accept4 shutdown getsockname getpeername getsockopt "
              "setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64"},
    // System V and POSIX messages, semaphores, shared memory: of the container's own ipc namespace.
    CallGroup{
        CallRule::allow, 0,
        "ipc msgget msgctl msgrcv msgsnd semget semctl semop semtimedop semtimedop_time64 shmget shmctl "
        "shmat shmdt mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 "
        "mq_timedsend mq_timedsend_time64"},
    // About the system.
    CallGroup{CallRule::allow, 0, "uname sysinfo getrandom"},

    // --- allowed by their arguments ----------------------------------------------------------------
    CallGroup{CallRule::clone, kAdmin, "clone"},
    // Its flags are behind a pointer, which no filter can read. Programs fall back to clone.
    CallGroup{CallRule::absent, kAdmin, "clone3"},
    CallGroup{CallRule::personality, 0, "personality"},
    // AF_ALG is the kernel's door to its cryptography (CVE-2026-31431); AF_VSOCK knows no namespaces.
    CallGroup{CallRule::socket, 0, "socket"},
    CallGroup{CallRule::ioctl, 0, "ioctl"},

    // --- with a capability -------------------------------------------------------------------------
    CallGroup{
        CallRule::deny, kAdmin,
        "mount umount umount2 mount_setattr move_mount open_tree open_tree_attr fsopen fsconfig fsmount "
        "fspick setns unshare sethostname setdomainname fanotify_init quotactl quotactl_fd "
        "lookup_dcookie lsm_get_self_attr lsm_set_self_attr lsm_list_modules"},
    CallGroup{CallRule::deny, kAdmin | cap(CAP_BPF), "bpf"},
    CallGroup{CallRule::deny, kAdmin | cap(CAP_PERFMON), "perf_event_open"},
    CallGroup{CallRule::deny, kAdmin | cap(CAP_SYSLOG), "syslog"},
    CallGroup{CallRule::deny, cap(CAP_DAC_READ_SEARCH), "open_by_handle_at"},
    CallGroup{CallRule::deny, cap(CAP_SYS_BOOT), "reboot"},
    CallGroup{CallRule::deny, cap(CAP_SYS_CHROOT), "chroot"},
    CallGroup{CallRule::deny, cap(CAP_SYS_MODULE), "init_module finit_module delete_module"},
    CallGroup{CallRule::deny, cap(CAP_SYS_NICE), "get_mempolicy set_mempolicy mbind set_mempolicy_home_node"},
    CallGroup{CallRule::deny, cap(CAP_SYS_PACCT), "acct"},
    CallGroup{CallRule::deny, cap(CAP_SYS_PTRACE), "kcmp pidfd_getfd process_madvise"},
    CallGroup{CallRule::deny, cap(CAP_SYS_RAWIO), "iopl ioperm"},
    CallGroup{CallRule::deny, cap(CAP_SYS_TIME), "settimeofday stime clock_settime clock_settime64"},
    CallGroup{CallRule::deny, cap(CAP_SYS_TTY_CONFIG), "vhangup"},

    // --- denied to all -----------------------------------------------------------------------------
    // Too powerful, or known for their holes. socketcall hides the family behind a pointer.
    CallGroup{CallRule::deny, 0,
              "io_uring_setup io_uring_enter io_uring_register userfaultfd add_key request_key keyctl "
              "kexec_load kexec_file_load swapon swapoff pivot_root nfsservctl socketcall move_pages "
              "migrate_pages listns"},
    // Remains of older kernels and of other systems.
    CallGroup{
        CallRule::deny, 0,
        "_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx "
        "multiplexer nice oldfstat oldlstat oldolduname oldstat olduname prof profil putpmsg query_module "
        "readdir security sgetmask sigaction signal sigpending sigsuspend spu_create spu_run ssetmask "
        "stty subpage_prot switch_endian sys_debug_setcontext swapcontext syscall sysfs sysmips tuxcall "
        "ulimit uselib ustat usr26 usr32 vm86 vm86old vserver"},
};

// From Linux 5.18 on. Source: the kernel's scripts/syscall.tbl and arch/x86/entry/syscalls/syscall_64.tbl.
constexpr std::array kRecent{
    RecentCall{"uretprobe", 335, true},   RecentCall{"uprobe", 336, true},
    RecentCall{"cachestat", 451},         RecentCall{"fchmodat2", 452},
    RecentCall{"map_shadow_stack", 453},  RecentCall{"futex_wake", 454},
    RecentCall{"futex_wait", 455},        RecentCall{"futex_requeue", 456},
    RecentCall{"statmount", 457},         RecentCall{"listmount", 458},
    RecentCall{"lsm_get_self_attr", 459}, RecentCall{"lsm_set_self_attr", 460},
    RecentCall{"lsm_list_modules", 461},  RecentCall{"mseal", 462},
    RecentCall{"setxattrat", 463},        RecentCall{"getxattrat", 464},
    RecentCall{"listxattrat", 465},       RecentCall{"removexattrat", 466},
    RecentCall{"open_tree_attr", 467},    RecentCall{"file_getattr", 468},
    RecentCall{"file_setattr", 469},      RecentCall{"listns", 470},
};

} // namespace

std::span<const CallGroup> call_groups() {
    return kGroups;
}

std::span<const RecentCall> recent_calls() {
    return kRecent;
}

} // namespace mydocker::runtime
