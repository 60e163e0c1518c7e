// A spec that says everything a spec can say, each value told from the others.
#pragma once

#include "runtime/spec.hpp"

namespace mydocker::test {

[[nodiscard]] inline runtime::ProcessSpec full_process() {
    runtime::ProcessSpec process;
    process.terminal = true;
    process.console_size = runtime::ConsoleSize{.rows = 25, .columns = 80};
    process.user = {.name = "web:www",
                    .uid = 1000,
                    .gid = 1001,
                    .additional_gids = {4, 27},
                    .additional_groups = {"wheel", "7"},
                    .umask = 027};
    process.args = {"sh", "-c", "echo \"$1\"; printf '%s' '*'", "x", "", "a b", "caf\xE9", "žluť"};
    process.env = {"PATH=/usr/bin:/bin", "TERM=xterm", "LATIN=\xE4\xF6", "EMPTY="};
    process.cwd = "/srv/web";
    process.capabilities = {.bounding = {"CAP_CHOWN", "CAP_KILL"},
                            .effective = {"CAP_CHOWN"},
                            .permitted = {"CAP_CHOWN", "CAP_KILL"},
                            .inheritable = {},
                            .ambient = {"CAP_CHOWN"}};
    process.rlimits = {{.type = "RLIMIT_NOFILE", .soft = 1024, .hard = 524288, .required = false},
                       {.type = "RLIMIT_AS", .soft = 1, .hard = 18446744073709551615U, .required = true},
                       {.type = "RLIMIT_CORE", .soft = 0, .hard = 0, .required = false}};
    process.no_new_privileges = true;
    process.oom_score_adj = -500;
    return process;
}

[[nodiscard]] inline Resources full_resources() {
    Resources resources;
    resources.memory = 67108864;
    resources.memory_swap = -1;
    resources.memory_reservation = 33554432;
    resources.cpu_shares = 512;
    resources.cpu_quota_usec = 50000;
    resources.cpu_period_usec = 100000;
    resources.cpuset_cpus = "0-2,7";
    resources.cpuset_mems = "0";
    resources.pids = 2048;
    resources.io_weight = 500;
    resources.io_read_bps = {{.major = 8, .minor = 0, .rate = 1048576}};
    resources.io_write_bps = {{.major = 8, .minor = 1, .rate = 1048577}};
    resources.io_read_iops = {{.major = 8, .minor = 2, .rate = 100}};
    resources.io_write_iops = {{.major = 8, .minor = 3, .rate = 101}};
    resources.hugepages = {{.page_size = "2MB", .bytes = 4194304}};
    resources.devices = {{.allow = false, .type = 'a', .major = -1, .minor = -1, .access = "rwm"},
                         {.allow = true, .type = 'c', .major = 136, .minor = -1, .access = "rw"},
                         {.allow = true, .type = 'b', .major = 8, .minor = 0, .access = "r"}};
    return resources;
}

[[nodiscard]] inline runtime::ContainerSpec full_spec() {
    runtime::ContainerSpec spec;
    spec.process = full_process();
    spec.root_path = "rootfs";
    spec.root_readonly = true;
    spec.root_propagation = "slave";
    spec.hostname = "web-1";
    spec.domainname = "example.org";
    spec.mounts = {
        {.destination = "/proc", .type = "proc", .source = "proc", .options = {"nosuid", "noexec"}},
        {.destination = "/data", .type = "bind", .source = "/srv/d\xFF", .options = {"rbind", "ro"}},
        {.destination = "/tmp", .type = "tmpfs", .source = "", .options = {}}};
    spec.namespaces = {{.kind = runtime::NamespaceKind::mount, .path = ""},
                       {.kind = runtime::NamespaceKind::pid, .path = ""},
                       {.kind = runtime::NamespaceKind::network, .path = "/proc/7/ns/net"},
                       {.kind = runtime::NamespaceKind::ipc, .path = ""},
                       {.kind = runtime::NamespaceKind::uts, .path = ""},
                       {.kind = runtime::NamespaceKind::user, .path = ""},
                       {.kind = runtime::NamespaceKind::cgroup, .path = ""},
                       {.kind = runtime::NamespaceKind::time, .path = ""}};
    spec.uid_mappings = {{.container_id = 0, .host_id = 100000, .size = 65536}};
    spec.gid_mappings = {{.container_id = 0, .host_id = 200000, .size = 65536}};
    spec.devices = {
        {.path = "/dev/fuse", .type = 'c', .major = 10, .minor = 229, .mode = 0660, .uid = 1, .gid = 2},
        {.path = "/dev/pipe", .type = 'p', .major = 0, .minor = 0, .mode = 0600, .uid = 0, .gid = 0}};
    spec.cgroups_path = "mydocker/abc";
    spec.resources = full_resources();
    spec.sysctl = {{"net.ipv4.ping_group_range", "0 2147483647"}};
    spec.seccomp.kind = runtime::SeccompSpec::Kind::builtin;
    spec.masked_paths = {"/proc/kcore", "/sys/devices/system/cpu/cpu*/thermal_throttle"};
    spec.readonly_paths = {"/proc/sys"};
    spec.annotations = {{"io.mydocker.image", "busybox"}, {"org.example.note", "a\nb"}};
    return spec;
}

} // namespace mydocker::test
