// One check of a container's health.
#include "engine/health.hpp"

#include "base/sys.hpp"
#include "engine/lifecycle.hpp"

#include <array>
#include <cstdio>
#include <utility>

namespace mydocker::engine {
namespace {

std::string duration_text(std::chrono::nanoseconds duration) {
    std::array<char, 32> text{};
    (void)std::snprintf(text.data(), text.size(), "%gs", std::chrono::duration<double>(duration).count());
    return text.data();
}

HealthResult run_check(Engine& engine, const ContainerRecord& record) {
    HealthResult result;
    result.start_ns = sys::realtime_ns();
    ExecRequest request;
    request.command = health_command(record.health->check);
    auto captured = exec_captured(engine, record.id.str(), request,
                                  {.timeout = record.health->check.timeout, .most = kMostHealthOutput});
    result.end_ns = sys::realtime_ns();
    if (!captured) {
        result.exit_code = captured.error().exit_code == 125 ? -1 : captured.error().exit_code;
        result.output = describe(captured.error().error);
        return result;
    }
    result.exit_code = captured->exit_code;
    result.output = std::move(captured->output);
    if (captured->timed_out) {
        result.exit_code = -1;
        result.output = "health check took longer than " + duration_text(record.health->check.timeout);
    }
    return result;
}

} // namespace

Result<std::optional<Health>> check_health(Engine& engine, const ContainerId& id) {
    auto container = engine.load(id);
    if (!container) return fail(container);
    const process::ProcessId process = container->record.process;
    if (!container->record.is_live() || !container->record.health) return std::nullopt;
    if (container->record.state != State::running) return container->record.health->status;
    const HealthResult result = run_check(engine, container->record);
    bool changed = false;
    auto amended = engine.amend(id, [&](ContainerRecord& record) -> Status {
        if (!record.is_live() || record.process != process || !record.health)
            return fail(Code::cancelled, "the container has ended meanwhile");
        if (record.state == State::paused && result.exit_code == -1)
            return fail(Code::cancelled, "the container has been paused meanwhile"); // It could not answer.
        const Health before = record.health->status;
        add_health_result(*record.health, result, record.started_ns);
        changed = record.health->status != before;
        return {};
    });
    if (!amended) return fail(amended);
    if (changed)
        engine.note(amended->record,
                    "health_status: " + std::string(to_string(amended->record.health->status)));
    return amended->record.health->status;
}

} // namespace mydocker::engine
