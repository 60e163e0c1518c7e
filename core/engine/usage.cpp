#include "engine/usage.hpp"

#include "base/process.hpp"
#include "base/sys.hpp"
#include "engine/finish.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mydocker::engine {
namespace {

std::unexpected<Error> at_rest(const ContainerRecord& record) {
    return fail(Code::conflict, "container '" + record.name.str() + "' is not running");
}

// Until it was let go its first process may still be in the engine's own cgroup.
Result<Engine::OwnCgroup> counted(Engine& engine, const ContainerRecord& record) {
    auto gone = was_let_go(engine, record.id);
    if (!gone) return fail(gone);
    if (!record.is_live() || !*gone) return at_rest(record);
    return engine.cgroup_of(record);
}

// What the kernel says of its network namespace, if that is its own: an unreadable file counts nothing.
Traffic traffic(const ContainerRecord& record) {
    if (record.network == "host") return {};
    const std::string path = "/proc/" + std::to_string(record.process.pid) + "/net/dev";
    const std::string text = files::read_file(path).value_or("");
    // Asked last: a pid that was reused meanwhile would show another one's.
    return process::is_alive(record.process).value_or(false) ? count_traffic(text) : Traffic{};
}

std::uint64_t number_at(std::string_view words, std::size_t index) {
    for (std::size_t i = 0;; ++i) {
        words.remove_prefix(std::min(words.find_first_not_of(' '), words.size()));
        if (i == index) break;
        words.remove_prefix(std::min(words.find(' '), words.size()));
    }
    std::uint64_t number = 0;
    (void)std::from_chars(words.data(), words.data() + words.size(), number); // Not there: 0.
    return number;
}

} // namespace

Traffic count_traffic(std::string_view net_dev) {
    constexpr std::size_t kReceived = 0; // columns after the name
    constexpr std::size_t kSent = 8;
    Traffic sum;
    while (!net_dev.empty()) {
        const std::string_view line = net_dev.substr(0, net_dev.find('\n'));
        net_dev.remove_prefix(std::min(line.size() + 1, net_dev.size()));
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue; // Of the two lines of headings.
        std::string_view name = line.substr(0, colon);
        name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
        if (name == "lo") continue;
        sum.received += number_at(line.substr(colon + 1), kReceived);
        sum.sent += number_at(line.substr(colon + 1), kSent);
    }
    return sum;
}

Result<Usage> usage(Engine& engine, const ContainerRecord& record) {
    auto from = counted(engine, record);
    if (!from) return fail(from);
    auto stats = from->backend->stats(from->locator);
    if (!stats && stats.error().code == Code::not_found) return at_rest(record);
    if (!stats) return fail(stats);
    return Usage{sys::monotonic_ns(), *stats, traffic(record)};
}

Result<std::vector<pid_t>> processes(Engine& engine, const ContainerRecord& record) {
    auto from = counted(engine, record);
    if (!from) return fail(from);
    std::vector<pid_t> pids;
    auto walked = from->backend->processes(from->locator, [&](pid_t pid) -> Status {
        pids.push_back(pid);
        return {};
    });
    if (!walked && walked.error().code == Code::not_found) return at_rest(record);
    if (!walked) return fail(walked);
    if (pids.empty()) return at_rest(record);
    std::ranges::sort(pids);
    return pids;
}

} // namespace mydocker::engine
