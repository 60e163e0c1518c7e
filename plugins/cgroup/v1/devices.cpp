#include "devices.hpp"

#include "../common/units.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>
#include <optional>

namespace mydocker::cgroup_v1 {
namespace {

using Exceptions = std::map<DeviceSet, std::uint32_t>;

[[nodiscard]] bool covers(std::int64_t wide, std::int64_t narrow) {
    return wide < 0 || wide == narrow;
}

[[nodiscard]] bool covers(const DeviceSet& wide, const DeviceSet& narrow) {
    return wide.type == narrow.type && covers(wide.major, narrow.major) && covers(wide.minor, narrow.minor);
}

[[nodiscard]] std::optional<DeviceSet> intersection(const DeviceSet& a, const DeviceSet& b) {
    const auto meet = [](std::int64_t x, std::int64_t y) { return x < 0 || x == y || y < 0; };
    if (a.type != b.type || !meet(a.major, b.major) || !meet(a.minor, b.minor)) return std::nullopt;
    return DeviceSet{a.type, std::max(a.major, b.major), std::max(a.minor, b.minor)};
}

[[nodiscard]] std::uint32_t access_bits(std::string_view letters) {
    std::uint32_t bits = 0;
    if (letters.find('m') != std::string_view::npos) bits |= kMknod;
    if (letters.find('r') != std::string_view::npos) bits |= kRead;
    if (letters.find('w') != std::string_view::npos) bits |= kWrite;
    return bits;
}

[[nodiscard]] std::string rule_text(const DeviceSet& set, std::uint32_t access) {
    const auto number = [](std::int64_t n) { return n < 0 ? std::string("*") : std::to_string(n); };
    std::string text = std::string(1, set.type) + ' ' + number(set.major) + ':' + number(set.minor) + ' ';
    if ((access & kRead) != 0) text += 'r';
    if ((access & kWrite) != 0) text += 'w';
    if ((access & kMknod) != 0) text += 'm';
    return text;
}

// A rule that goes the way of the default: takes its part out of the exceptions.
[[nodiscard]] Status take_out(DevicePolicy& policy, const DeviceSet& set, std::uint32_t access) {
    for (auto at = policy.exceptions.begin(); at != policy.exceptions.end();) {
        const bool touches = intersection(at->first, set).has_value() && (at->second & access) != 0;
        if (touches && !covers(set, at->first))
            return fail(Code::unsupported, std::string("device rules: cgroup v1 cannot ") +
                                               (policy.allow ? "allow '" : "deny '") +
                                               rule_text(set, access) + "' after " +
                                               (policy.allow ? "denying '" : "allowing '") +
                                               rule_text(at->first, at->second) + "'");
        if (touches) at->second &= ~access;
        at = at->second == 0 ? policy.exceptions.erase(at) : std::next(at);
    }
    return {};
}

// The kernel wants all of an access from one exception. So where two exceptions meet, there is a third
// with the access of both.
void complete(Exceptions& exceptions) {
    for (bool grown = true; grown;) {
        grown = false;
        const Exceptions now = exceptions;
        for (const auto& [a, a_access] : now)
            for (const auto& [b, b_access] : now) {
                const auto both = intersection(a, b);
                if (!both || a == b) continue;
                const std::uint32_t united = a_access | b_access;
                if (united == a_access && covers(a, *both)) continue;
                if (united == b_access && covers(b, *both)) continue;
                std::uint32_t& access = exceptions[*both];
                grown = grown || (access | united) != access;
                access |= united;
            }
    }
}

[[nodiscard]] Status apply(DevicePolicy& policy, const DeviceRule& rule) {
    const std::uint32_t access = access_bits(rule.access);
    const bool all = rule.type == 'a';
    if (all && access == kAll && rule.major < 0 && rule.minor < 0) {
        policy = DevicePolicy{.allow = rule.allow, .exceptions = {}};
        return {};
    }
    for (const char type : {'b', 'c'}) {
        if (!all && rule.type != type) continue;
        const DeviceSet set{type, rule.major, rule.minor};
        if (rule.allow != policy.allow)
            policy.exceptions[set] |= access;
        else if (auto taken = take_out(policy, set, access); !taken)
            return taken;
    }
    return {};
}

[[nodiscard]] std::optional<std::int64_t> parse_device_number(std::string_view text) {
    if (text == "*") return -1;
    const auto number = cgroup::parse_number(text);
    if (!number || *number > UINT32_MAX) return std::nullopt;
    return static_cast<std::int64_t>(*number);
}

[[nodiscard]] bool parse_exception(std::string_view line, DevicePolicy& policy) {
    const auto words = cgroup::words_of(line); // c 1:3 rwm
    if (words.size() != 3 || words[0].size() != 1) return false;
    const auto numbers = cgroup::split(words[1], ':');
    if (numbers.size() != 2) return false;
    const auto major = parse_device_number(numbers[0]);
    const auto minor = parse_device_number(numbers[1]);
    if (!major || !minor) return false;
    policy.exceptions[{words[0][0], *major, *minor}] |= access_bits(words[2]);
    return true;
}

// Many rules go through one descriptor, a write each.
class RuleFile {
  public:
    RuleFile(const cgroup::Place& place, std::string_view file) : place_(place), file_(file) {}

    [[nodiscard]] Status write(const std::string& rule) {
        if (!fd_) fd_ = UniqueFd(::openat(place_.root, place_.file(file_).c_str(), O_WRONLY | O_CLOEXEC));
        if (!fd_) return fail_errno(errno, "open " + place_.quoted(file_));
        if (::write(fd_.get(), rule.data(), rule.size()) >= 0) {
            cgroup::note_write(place_, file_, rule);
            return {};
        }
        const int error = errno;
        return fail_errno(error, "write '" + rule + "' to " + place_.quoted(file_));
    }

  private:
    const cgroup::Place& place_;
    std::string_view file_;
    UniqueFd fd_;
};

[[nodiscard]] Result<DevicePolicy> current_policy(const cgroup::Place& place) {
    const auto text = cgroup::read_control(place, "devices.list");
    if (!text) return fail(text);
    auto policy = parse_devices_list(*text);
    if (!policy) return fail(policy, "read " + place.quoted("devices.list"));
    return policy;
}

[[nodiscard]] Status change_devices(const cgroup::Place& place, const DevicePolicy& wanted) {
    const auto before = current_policy(place);
    if (!before) return fail(before);
    RuleFile allow(place, "devices.allow");
    RuleFile deny(place, "devices.deny");
    for (const DeviceWrite& write : device_writes(*before, wanted))
        if (auto written = (write.allow ? allow : deny).write(write.rule); !written) return written;
    if (wanted.allow) return {}; // devices.list then shows no exceptions, only "a *:* rwm".
    const auto after = current_policy(place);
    if (!after) return fail(after);
    if (*after == wanted) return {};
    return fail(Code::io, "the kernel made other rules of those written to " + place.quoted("devices.list"));
}

} // namespace

Result<DevicePolicy> device_policy(const std::vector<DeviceRule>& rules) {
    DevicePolicy policy;
    for (const DeviceRule& rule : rules)
        if (auto applied = apply(policy, rule); !applied) return fail(applied);
    // An exception from "everything" that overlaps an access at all denies it: nothing to complete.
    if (!policy.allow) complete(policy.exceptions);
    return policy;
}

Result<DevicePolicy> parse_devices_list(std::string_view text) {
    DevicePolicy policy;
    for (const std::string_view line : cgroup::lines_of(text)) {
        if (line.starts_with('a'))
            policy.allow = true;
        else if (!parse_exception(line, policy))
            return fail(Code::corrupt, "'" + std::string(line) + "' is no device rule");
    }
    return policy;
}

std::vector<DeviceWrite> device_writes(const DevicePolicy& from, const DevicePolicy& to) {
    std::vector<DeviceWrite> writes;
    const bool anew = to.allow || from.allow; // Exceptions from "everything" cannot be read: start afresh.
    if (anew) writes.push_back({to.allow, "a"});
    const Exceptions none;
    const Exceptions& old = anew ? none : from.exceptions;
    const auto bits = [](const Exceptions& list, const DeviceSet& set) {
        const auto found = list.find(set);
        return found == list.end() ? 0U : found->second;
    };
    for (const auto& [set, access] : to.exceptions)
        if (const std::uint32_t more = access & ~bits(old, set); more != 0)
            writes.push_back({!to.allow, rule_text(set, more)});
    for (const auto& [set, access] : old)
        if (const std::uint32_t fewer = access & ~bits(to.exceptions, set); fewer != 0)
            writes.push_back({to.allow, rule_text(set, fewer)});
    return writes;
}

Status set_devices(const cgroup::Place& place, const std::vector<DeviceRule>& rules) {
    const auto wanted = device_policy(rules);
    if (!wanted) return fail(wanted);
    if (auto changed = change_devices(place, *wanted); !changed) return fail(changed, "set device rules");
    return {};
}

} // namespace mydocker::cgroup_v1
