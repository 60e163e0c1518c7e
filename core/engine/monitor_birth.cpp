#include "engine/monitor_birth.hpp"

#include "base/sys.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace mydocker::engine {
namespace {

Status prepare_pipes(Newborn& newborn) {
    for (std::size_t i = 0; i < newborn.outputs.size(); ++i) {
        auto pipe = sys::pipe();
        if (!pipe) return fail(pipe, "output pipe");
        if (auto set = sys::set_nonblocking(pipe->read.get(), true); !set) return set;
        newborn.outputs[i] = std::move(pipe->read);
        newborn.inner[i + 1] = std::move(pipe->write);
    }
    if (newborn.plan.interactive) {
        auto pipe = sys::pipe();
        if (!pipe) return fail(pipe, "input pipe");
        if (auto set = sys::set_nonblocking(pipe->write.get(), true); !set) return set;
        newborn.input = std::move(pipe->write);
        newborn.inner[0] = std::move(pipe->read);
    } else {
        auto null = sys::openat(AT_FDCWD, "/dev/null", O_RDONLY);
        if (!null) return fail(null);
        newborn.inner[0] = std::move(*null);
    }
    return {};
}

runtime::LaunchInput input_of(const Newborn& newborn) {
    runtime::LaunchInput input;
    input.init_path = newborn.plan.init_path;
    input.trace = newborn.trace.get();
    for (std::size_t i = 0; i < newborn.joined.size(); ++i)
        input.joined.push_back({newborn.plan.joined[i], newborn.joined[i].get()});
    for (std::size_t i = 0; i < newborn.inner.size(); ++i)
        input.standard[i] = newborn.inner[i].get();
    return input;
}

Status spawn(Newborn& newborn, const runtime::LaunchPlan& plan, const runtime::LaunchInput& input) {
    auto launch = runtime::Launch::begin(plan, input);
    if (!launch) return fail(launch);
    newborn.launch.emplace(std::move(*launch));
    auto identity = process::identify(newborn.launch->pid());
    if (!identity) return fail(identity);
    newborn.process = std::move(*identity);
    return {};
}

std::vector<int> numbers_of(std::span<const UniqueFd> fds) {
    std::vector<int> numbers;
    for (const UniqueFd& fd : fds)
        numbers.push_back(fd.get());
    return numbers;
}

} // namespace

Result<Newborn> bear(BirthPlan plan, std::vector<UniqueFd> joined) {
    if (joined.size() != plan.joined.size())
        return fail(Code::internal, "the descriptors are not those of the namespaces");
    auto namespaces = runtime::decode(plan.namespaces);
    if (!namespaces) return fail(namespaces);
    Newborn newborn;
    newborn.plan = std::move(plan);
    newborn.joined = std::move(joined);
    if (namespaces->trace) newborn.trace = std::make_unique<trace::Recorder>("monitor");
    if (!newborn.plan.terminal)
        if (auto made = prepare_pipes(newborn); !made) return fail(made);
    if (newborn.plan.waits) return newborn;
    auto input = input_of(newborn);
    input.plan_follows = true;
    if (auto spawned = spawn(newborn, *namespaces, input); !spawned) return fail(spawned);
    return newborn;
}

Status hand_plan(Newborn& newborn, const runtime::LaunchPlan& plan, bool cgroup_by_directory,
                 std::span<const UniqueFd> cgroup) {
    if (newborn.launch) {
        if (cgroup_by_directory) return fail(Code::internal, "the process was begun outside its cgroup");
        return newborn.launch->hand_plan(plan, numbers_of(cgroup));
    }
    auto input = input_of(newborn);
    if (cgroup_by_directory)
        input.cgroup_directory = cgroup.front().get();
    else
        input.cgroup_joins = numbers_of(cgroup);
    return spawn(newborn, plan, input);
}

} // namespace mydocker::engine
