// Device rules for v1's devices controller, which knows one default and exceptions from it, in no
// order: the ordered rules of Resources are worked out beforehand.
#pragma once

#include "../common/control.hpp"

#include "mydocker/cgroup_backend.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

namespace mydocker::cgroup_v1 {

// Some devices: all of a type, of a major or minor number, or one.
struct DeviceSet {
    char type = 'c'; // 'b' or 'c'
    std::int64_t major = -1;
    std::int64_t minor = -1;

    auto operator<=>(const DeviceSet&) const = default;
};

enum Access : std::uint32_t { kMknod = 1, kRead = 2, kWrite = 4, kAll = 7 };

// What the controller can hold: everything (or nothing) is allowed, except.
struct DevicePolicy {
    bool allow = false;
    std::map<DeviceSet, std::uint32_t> exceptions; // to their access bits, never none

    bool operator==(const DevicePolicy&) const = default;
};

// The policy in which the last rule that matches decides; what no rule matches is denied.
// Errors: unsupported, when v1 cannot express it: it has no exceptions from exceptions.
[[nodiscard]] Result<DevicePolicy> device_policy(const std::vector<DeviceRule>& rules);

// The policy as devices.list shows it. Errors: corrupt.
[[nodiscard]] Result<DevicePolicy> parse_devices_list(std::string_view text);

// One write to devices.allow or devices.deny.
struct DeviceWrite {
    bool allow = false;
    std::string rule;

    bool operator==(const DeviceWrite&) const = default;
};

// The writes that turn one policy into the other. What both allow stays allowed throughout, unless the
// default changes.
[[nodiscard]] std::vector<DeviceWrite> device_writes(const DevicePolicy& from, const DevicePolicy& to);

// Makes the rules those of the cgroup, and reads them back.
[[nodiscard]] Status set_devices(const cgroup::Place& place, const std::vector<DeviceRule>& rules);

} // namespace mydocker::cgroup_v1
