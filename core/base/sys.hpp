// System calls, a list: the manual's names and argument order, returning Result. Nothing else lives
// here. Every descriptor is close-on-exec at birth; EINTR is retried where the call can be. Tests of
// privileged call order link tests/support/fake_sys.cpp in place of sys.cpp: this header is the seam.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <span>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <termios.h>
#include <vector>

namespace mydocker::sys {

// --- files ---------------------------------------------------------------------------------------
[[nodiscard]] Result<UniqueFd> openat(int directory, const std::string& path, int flags, mode_t mode = 0);
// `resolve`: RESOLVE_…, openat2(2).
[[nodiscard]] Result<UniqueFd> openat2(int directory, const std::string& path, std::uint64_t flags,
                                       std::uint64_t resolve, mode_t mode = 0);
[[nodiscard]] Status mkdirat(int directory, const std::string& path, mode_t mode);
[[nodiscard]] Status mknodat(int directory, const std::string& path, mode_t mode, dev_t device);
[[nodiscard]] Status symlinkat(const std::string& target, int directory, const std::string& path);
[[nodiscard]] Status unlinkat(int directory, const std::string& path, int flags);
[[nodiscard]] Status renameat(int old_directory, const std::string& old_path, int directory,
                              const std::string& path);
[[nodiscard]] Status fchmod(int fd, mode_t mode);
[[nodiscard]] Status fchmodat(int directory, const std::string& path, mode_t mode);
[[nodiscard]] Status fchown(int fd, uid_t uid, gid_t gid);
[[nodiscard]] Status fchownat(int directory, const std::string& path, uid_t uid, gid_t gid, int flags);
[[nodiscard]] Result<struct stat> fstat(int fd);
[[nodiscard]] Result<struct stat> fstatat(int directory, const std::string& path, int flags);
[[nodiscard]] Result<std::string> readlinkat(int directory, const std::string& path);
// The names in an open directory, "." and ".." left out, in no order.
[[nodiscard]] Result<std::vector<std::string>> list_names(int directory);
[[nodiscard]] Status chdir(const std::string& path);
[[nodiscard]] Status fchdir(int fd);
[[nodiscard]] Status chroot(const std::string& path);
[[nodiscard]] Result<std::string> getcwd();
[[nodiscard]] Result<std::size_t> read(int fd, std::span<char> buffer);
[[nodiscard]] Result<std::size_t> pread(int fd, std::span<char> buffer, off_t offset);
// One write(2); may write less.
[[nodiscard]] Result<std::size_t> write(int fd, std::string_view bytes);
[[nodiscard]] Status write_all(int fd, std::string_view bytes);
[[nodiscard]] Result<UniqueFd> dup(int fd);    // F_DUPFD_CLOEXEC
[[nodiscard]] Status dup2(int fd, int target); // without close-on-exec: it is meant to be inherited
[[nodiscard]] Status set_inheritable(int fd);  // clears close-on-exec
[[nodiscard]] Status set_nonblocking(int fd, bool on);
[[nodiscard]] Status close_range(unsigned first, unsigned last, unsigned flags);
[[nodiscard]] Result<UniqueFd> memfd_create(const std::string& name, unsigned flags);
[[nodiscard]] Status seal(int fd, int seals); // F_ADD_SEALS

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};
[[nodiscard]] Result<Pipe> pipe();

// --- mounts --------------------------------------------------------------------------------------
[[nodiscard]] Status mount(const std::string& source, const std::string& target, const std::string& type,
                           unsigned long flags, const std::string& data);
[[nodiscard]] Status umount2(const std::string& target, int flags);
[[nodiscard]] Status pivot_root(const std::string& new_root, const std::string& put_old);
[[nodiscard]] Result<UniqueFd> open_tree(int directory, const std::string& path, unsigned flags);
[[nodiscard]] Status move_mount(int from_directory, const std::string& from_path, int to_directory,
                                const std::string& to_path, unsigned flags);
// attr_set/attr_clr: MOUNT_ATTR_…; propagation: MS_PRIVATE… or 0; userns_fd for MOUNT_ATTR_IDMAP.
struct MountAttr {
    std::uint64_t attr_set = 0;
    std::uint64_t attr_clr = 0;
    std::uint64_t propagation = 0;
    std::uint64_t userns_fd = 0;
};
[[nodiscard]] Status mount_setattr(int directory, const std::string& path, unsigned flags,
                                   const MountAttr& attr);
[[nodiscard]] Result<UniqueFd> fsopen(const std::string& type, unsigned flags);
[[nodiscard]] Status fsconfig_flag(int fs, const std::string& key);
[[nodiscard]] Status fsconfig_string(int fs, const std::string& key, const std::string& value);
[[nodiscard]] Status fsconfig_fd(int fs, const std::string& key, int value);
[[nodiscard]] Status fsconfig_create(int fs);
[[nodiscard]] Result<UniqueFd> fsmount(int fs, unsigned flags, unsigned attributes);
// The kernel's own words about the last failure on an fs context, without newline; empty: none.
[[nodiscard]] std::string fs_message(int fs);
[[nodiscard]] Result<long> fstatfs_type(int fd);
// Whether the mount that holds an open file forbids execution.
[[nodiscard]] Result<bool> fstatfs_noexec(int fd);

// --- processes -----------------------------------------------------------------------------------
[[nodiscard]] Status unshare(int flags);
[[nodiscard]] Status setns(int fd, int type);
[[nodiscard]] Status sethostname(const std::string& name);
[[nodiscard]] Status setdomainname(const std::string& name);
[[nodiscard]] Result<pid_t> setsid();
[[nodiscard]] Status set_controlling_terminal(int terminal);             // TIOCSCTTY
[[nodiscard]] Status set_window_size(int terminal, const winsize& size); // TIOCSWINSZ
// The other side of an open pty master, unlocked first; no path is looked up. ioctl_tty(2), TIOCGPTPEER.
[[nodiscard]] Result<UniqueFd> open_pty_peer(int master);
[[nodiscard]] Status setresuid(uid_t real, uid_t effective, uid_t saved);
[[nodiscard]] Status setresgid(gid_t real, gid_t effective, gid_t saved);
[[nodiscard]] Status setgroups(std::span<const gid_t> groups);
[[nodiscard]] Status setrlimit(int resource, const rlimit64& limit);
[[nodiscard]] Result<rlimit64> getrlimit(int resource);
[[nodiscard]] Status prctl(int option, unsigned long a, unsigned long b = 0, unsigned long c = 0,
                           unsigned long d = 0);
// The three sets as bit masks by capability number. Source: capset(2), version 3.
struct CapabilitySets {
    std::uint64_t effective = 0;
    std::uint64_t permitted = 0;
    std::uint64_t inheritable = 0;
};
[[nodiscard]] Result<CapabilitySets> capget();
[[nodiscard]] Status capset(const CapabilitySets& sets);
[[nodiscard]] Status seccomp_load(std::span<const sock_filter> program, unsigned flags);
// The same, and who holds the descriptor is told of each call the program gives SECCOMP_RET_USER_NOTIF.
[[nodiscard]] Result<UniqueFd> seccomp_listen(std::span<const sock_filter> program);
// Errors: ENOENT when the caller is gone already.
[[nodiscard]] Result<seccomp_notif> seccomp_receive(int listener);
// Whether the call still waits for its answer: until then the pid is its caller's.
[[nodiscard]] bool seccomp_is_pending(int listener, std::uint64_t id);
// Lets the kernel do what the caller asked for.
[[nodiscard]] Status seccomp_continue(int listener, std::uint64_t id);
[[nodiscard]] Status join_session_keyring(); // a new anonymous one; keyctl(2)
[[nodiscard]] Status umask(mode_t mask);
// Returns only on failure.
[[nodiscard]] Error execve(const std::string& path, char* const argv[], char* const envp[]);
[[nodiscard]] Result<UniqueFd> pidfd_open(pid_t pid);
[[nodiscard]] Status pidfd_send_signal(int pidfd, int signal);
[[nodiscard]] Status kill(pid_t pid, int signal);

// --- descriptors that wait -----------------------------------------------------------------------
// Returns how many are ready; `timeout_ms` -1: for ever. EINTR is returned as 0.
[[nodiscard]] Result<int> poll(std::span<pollfd> fds, int timeout_ms);
[[nodiscard]] Result<UniqueFd> signalfd(std::span<const int> signals); // blocks them too
struct SocketPair {
    UniqueFd first;
    UniqueFd second;
};
[[nodiscard]] Result<SocketPair> socketpair(int type); // AF_UNIX
[[nodiscard]] Result<UniqueFd> unix_listen(int directory,
                                           const std::string& name); // SOCK_SEQPACKET, mode 0600
[[nodiscard]] Result<UniqueFd> unix_connect(int directory, const std::string& name);
[[nodiscard]] Result<UniqueFd> accept(int socket);
// Whose process is at the other end, as it was when it connected. SO_PEERCRED, unix(7).
[[nodiscard]] Result<uid_t> peer_uid(int socket);
// Sends bytes with descriptors attached, whole or not at all (SOCK_SEQPACKET or small stream writes).
[[nodiscard]] Status send_with_fds(int socket, std::string_view bytes, std::span<const int> fds);
struct Received {
    std::string bytes; // empty: the other end is closed
    std::vector<UniqueFd> fds;
};
[[nodiscard]] Result<Received> receive_with_fds(int socket, std::size_t limit);

// --- locks ---------------------------------------------------------------------------------------
// An open-file-description write lock over the whole file; false: somebody else has it. fcntl(2).
[[nodiscard]] Result<bool> try_lock(int fd);
[[nodiscard]] Status wait_lock(int fd);
[[nodiscard]] Status wait_read_lock(int fd); // beside others of its kind
// flock(2), of directories, too; false: with LOCK_NB, somebody else has it. A lock held before is lost then.
[[nodiscard]] Result<bool> flock(int fd, int operation);

// --- misc ----------------------------------------------------------------------------------------
[[nodiscard]] Status random_bytes(std::span<unsigned char> buffer);
[[nodiscard]] std::int64_t realtime_ns();
[[nodiscard]] std::int64_t monotonic_ns();
// An interface of the calling network namespace is set up (IFF_UP).
[[nodiscard]] Status interface_up(const std::string& name);

} // namespace mydocker::sys
