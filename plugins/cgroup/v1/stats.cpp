#include "stats.hpp"

#include <sys/eventfd.h>

namespace mydocker::cgroup_v1 {
namespace {

using cgroup::keyed_number;
using cgroup::limit_value;
using cgroup::parse_number;
using cgroup::read_control;

// A counter that this kernel does not have reads as nothing; a cgroup that is not there is an error.
class Reader {
  public:
    Reader(const Hierarchies& hierarchies, const std::string& name)
        : hierarchies_(hierarchies),
          name_(name) {}

    [[nodiscard]] std::string text(std::string_view controller, std::string_view file) const {
        const Hierarchy* hierarchy = hierarchies_.with(controller);
        if (hierarchy == nullptr) return {};
        return read_control(hierarchy->place(name_), file).value_or("");
    }
    [[nodiscard]] std::uint64_t number(std::string_view controller, std::string_view file) const {
        return parse_number(text(controller, file)).value_or(0);
    }

  private:
    const Hierarchies& hierarchies_;
    const std::string& name_;
};

void read_cpu(const Reader& reader, CgroupStats& stats) {
    constexpr std::uint64_t kNsPerUsec = 1000;
    stats.cpu_usec = reader.number("cpuacct", "cpuacct.usage") / kNsPerUsec;
    // The usage is measured; user and system are samples of the timer. Their ratio divides the usage, as
    // the kernel does it in cgroup v2.
    const auto user = static_cast<double>(reader.number("cpuacct", "cpuacct.usage_user"));
    const auto system = static_cast<double>(reader.number("cpuacct", "cpuacct.usage_sys"));
    const double share = user + system > 0 ? system / (user + system) : 0;
    stats.cpu_system_usec = static_cast<std::uint64_t>(static_cast<double>(stats.cpu_usec) * share);
    stats.cpu_user_usec = stats.cpu_usec - stats.cpu_system_usec;
    const std::string throttling = reader.text("cpu", "cpu.stat");
    stats.throttled_periods = keyed_number(throttling, "nr_throttled").value_or(0);
    stats.throttled_usec = keyed_number(throttling, "throttled_time").value_or(0) / kNsPerUsec;
}

// v1 counts a kill for the one cgroup that the process was in, so those that the container made below
// are added up. Before Linux 4.13 there is no count.
[[nodiscard]] std::uint64_t count_oom_kills(const Place& place) {
    std::uint64_t count = 0;
    const auto add = [&](int fd) -> Status {
        const auto text = read_control({fd, place.point, ""}, "memory.oom_control");
        if (text) count += keyed_number(*text, "oom_kill").value_or(0);
        return {};
    };
    (void)cgroup::walk(place, add); // A cgroup that vanishes takes its count along.
    return count;
}

void read_memory(const Reader& reader, CgroupStats& stats) {
    stats.memory_bytes = reader.number("memory", "memory.usage_in_bytes");
    stats.memory_file_bytes =
        keyed_number(reader.text("memory", "memory.stat"), "total_inactive_file").value_or(0);
    stats.memory_limit = limit_value(reader.text("memory", "memory.limit_in_bytes"));
}

// Lines of "major:minor Operation bytes".
void read_io(const Reader& reader, CgroupStats& stats) {
    std::string text = reader.text("blkio", "blkio.throttle.io_service_bytes_recursive");
    if (text.empty()) text = reader.text("blkio", "blkio.throttle.io_service_bytes");
    for (const std::string_view line : cgroup::lines_of(text)) {
        const auto words = cgroup::words_of(line);
        if (words.size() != 3) continue;
        if (words[1] == "Read") stats.io_read_bytes += parse_number(words[2]).value_or(0);
        if (words[1] == "Write") stats.io_write_bytes += parse_number(words[2]).value_or(0);
    }
}

} // namespace

Result<CgroupStats> read_stats(const Hierarchies& hierarchies, const std::string& name) {
    const Place members = hierarchies.members().place(name);
    if (::faccessat(members.root, members.name.c_str(), F_OK, 0) != 0)
        return fail_errno(errno, "read counters of cgroup " + members.quoted());
    CgroupStats stats;
    const Reader reader(hierarchies, name);
    read_cpu(reader, stats);
    read_memory(reader, stats);
    if (const Hierarchy* memory = hierarchies.with("memory"); memory != nullptr)
        stats.oom_kills = count_oom_kills(memory->place(name));
    stats.pids = reader.number("pids", "pids.current");
    stats.pids_limit = limit_value(reader.text("pids", "pids.max"));
    read_io(reader, stats);
    return stats;
}

Result<UniqueFd> open_oom_event(const Hierarchies& hierarchies, const std::string& name) {
    const Hierarchy* memory = hierarchies.with("memory");
    if (memory == nullptr)
        return fail(Code::unsupported, "watch for kills for want of memory: no memory controller is mounted");
    const Place place = memory->place(name);
    auto control = files::open_at(place.root, place.file("memory.oom_control"), O_RDONLY);
    if (!control) return fail_errno(control.error().sys_errno, "open " + place.quoted("memory.oom_control"));
    UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) return fail_errno(errno, "make an eventfd");
    const std::string pair = std::to_string(event.get()) + " " + std::to_string(control->get());
    if (auto written = cgroup::write_control(place, "cgroup.event_control", pair); !written)
        return fail(written, "watch for kills for want of memory");
    return event;
}

} // namespace mydocker::cgroup_v1
