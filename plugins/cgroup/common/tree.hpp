// Cgroups as directories: names and locators, making one with its parents, walking and removing a
// tree that others change meanwhile.
#pragma once

#include "control.hpp"

#include "mydocker/cgroup_backend.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace mydocker::cgroup {

using Deadline = std::chrono::steady_clock::time_point;
// The milliseconds left for poll(2), rounded up; 0: passed.
[[nodiscard]] int milliseconds_left(Deadline deadline);

// Whether a name is relative, without empty parts, "." or "..", and without control characters.
// Errors: invalid.
[[nodiscard]] Status check_name(std::string_view name);

// A locator is "<version>:<name>": all that a later process needs, since the mount points are the
// host's. Errors: invalid.
[[nodiscard]] Result<Locator> to_locator(std::string_view version, const CgroupName& name);
// Errors: invalid, also for another backend's locator.
[[nodiscard]] Result<std::string> from_locator(std::string_view version, const Locator& locator);

// Makes the cgroup and its missing parents. A parent that another container's end takes away
// meanwhile is made again. Again: succeeds.
[[nodiscard]] Status make(const Place& place);

// Visits the cgroup and all below it, each before its children, with a directory descriptor that is
// valid during the call. Needs two descriptors however deep the tree is. Absent: visits none.
[[nodiscard]] Status walk(const Place& place, const std::function<Status(int)>& visit);

// The processes in the cgroup and below it, each once, ascending. Those of other pid namespaces, which
// have no number here, are left out. Absent: none.
[[nodiscard]] Result<std::vector<pid_t>> processes_of(const Place& place);

// Waits until something may have left the cgroup, at the latest until the deadline. `round` counts the
// calls from 0.
using ExitWait = std::function<void(const Place& place, Deadline deadline, int round)>;

// Removes the cgroup and all below it. Absent: succeeds. Errors: busy, naming the processes, when they
// are not gone by the deadline.
[[nodiscard]] Status remove_cgroup(const Place& place, Deadline deadline, const ExitWait& wait);

// Removes the parents that are empty, from the lowest up.
void remove_empty_parents(const Place& place);

// The names of the cgroups directly below. Absent: none.
[[nodiscard]] Result<std::vector<std::string>> children_of(const Place& place);

// "process 7", "processes 7, 8 and 3 more".
[[nodiscard]] std::string name_processes(const std::vector<pid_t>& pids);

} // namespace mydocker::cgroup
