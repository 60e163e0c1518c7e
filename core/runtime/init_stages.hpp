// The stages of mydocker-init, by file. Each does one thing to the process or its namespaces; init.cpp
// says in which order.
#pragma once

#include "mydocker/result.hpp"
#include "runtime/init.hpp"

namespace mydocker::runtime::init {

// --- init_namespaces.cpp ---
[[nodiscard]] Status refuse_tracing(Init& init);        // by those who are in a joined pid namespace already
[[nodiscard]] Status await_mappings(Init& init);        // of a new user namespace; becomes its root
[[nodiscard]] Status join_cgroups(Init& init);          // those of the orders
[[nodiscard]] Status join_received_cgroups(Init& init); // those that came with the plan
[[nodiscard]] Status join_namespaces(Init& init);
[[nodiscard]] Status make_namespaces(Init& init);     // those that the parent did not make
[[nodiscard]] Status leave_host_sessions(Init& init); // cgroup namespace, keyring
[[nodiscard]] Status name_host(Init& init);           // host and domain name, loopback
[[nodiscard]] Status write_sysctls(Init& init);
[[nodiscard]] Status set_oom_score(Init& init);
// Receives the parent's mounts, once. Errors: cancelled when the parent is gone.
[[nodiscard]] Status receive_prepared(Init& init);
// The procfs of the container's pid namespace, by descriptor: of our own making, never looked up.
[[nodiscard]] Result<int> procfs(Init& init);

// --- init_rootfs.cpp ---
[[nodiscard]] Status isolate_mounts(Init& init); // nothing we mount may be seen on the host
[[nodiscard]] Status make_own_mounts(Init& init);
[[nodiscard]] Status enter_root(Init& init);
[[nodiscard]] Status attach_mounts(Init& init);
[[nodiscard]] Status create_cwd(Init& init);
[[nodiscard]] Status finish_root(Init& init); // read-only where asked, propagation

// --- init_devices.cpp ---
[[nodiscard]] Status make_devices(Init& init);
[[nodiscard]] Status hide_paths(Init& init);

// --- init_terminal.cpp ---
[[nodiscard]] Status open_terminal(Init& init);

// --- init_user.cpp ---
[[nodiscard]] Status find_user(Init& init);

// --- init_privilege.cpp ---
[[nodiscard]] Status set_limits(Init& init);
[[nodiscard]] Status adopt_streams(Init& init); // the streams belong to the user; umask
[[nodiscard]] Status drop_privilege(Init& init);
[[nodiscard]] Status enter_cwd(Init& init);

// --- init_reaper.cpp ---
// With a reaper: returns in the child that is to become the command; process 1 itself never comes back. The
// filter is in force already: whoever traces process 1 from inside gets no further than by tracing another.
[[nodiscard]] Status split_off(Init& init);

// --- init_exec.cpp ---
// Announces it, loads the filter, executes. Returns only on failure.
[[nodiscard]] InitFailure execute(Init& init);

} // namespace mydocker::runtime::init
