// The flags of health checks.
#include "cli/health_flags.hpp"

#include "base/notation.hpp"
#include "cli/resource_flags.hpp"

#include <fmt/format.h>

namespace mydocker::cli {
namespace {

using std::chrono::nanoseconds;

Status take_duration(const char* flag, const std::string& text, nanoseconds least,
                     std::optional<nanoseconds>& to) {
    if (text.empty()) return {};
    auto duration = notation::parse_duration(text);
    if (!duration) return fail(Code::invalid, fmt::format("{}: '{}' is no duration; write 30s", flag, text));
    if (*duration < least || *duration > engine::kLongestHealthTime)
        return fail(Code::invalid, fmt::format("{}: '{}' is out of range", flag, text));
    to = *duration;
    return {};
}

} // namespace

void HealthFlags::declare(FlagSet& app) {
    app.add_option("--health-cmd", command_, "shell line that succeeds inside while the container is well");
    app.add_option("--health-interval", interval_, "time between two checks (30s)")->not_empty();
    app.add_option("--health-timeout", timeout_, "time after which one has failed (30s)")->not_empty();
    app.add_option("--health-start-period", start_period_, "time to start in: failures do not count yet (0s)")
        ->not_empty();
    app.add_option("--health-start-interval", start_interval_,
                   "time between two checks within it, until one succeeds (5s, or the interval if that is "
                   "shorter)")
        ->not_empty();
    app.add_option("--health-retries", retries_, "failures in a row that make it unhealthy (3)")->not_empty();
    app.add_flag("--no-healthcheck", none_, "no check, whatever the image says");
}

Result<engine::HealthRequest> HealthFlags::parse() const {
    engine::HealthRequest request;
    request.none = none_;
    const bool any = !command_.empty() || !interval_.empty() || !timeout_.empty() || !start_period_.empty() ||
                     !start_interval_.empty() || !retries_.empty();
    if (none_ && any)
        return fail(Code::invalid, "--no-healthcheck and the --health flags contradict each other");
    if (!command_.empty()) request.test = {"CMD-SHELL", command_};
    constexpr nanoseconds kLeast = std::chrono::milliseconds(1);
    if (auto taken = take_duration("health-interval", interval_, kLeast, request.interval); !taken)
        return fail(taken);
    if (auto taken = take_duration("health-timeout", timeout_, kLeast, request.timeout); !taken)
        return fail(taken);
    if (auto taken = take_duration("health-start-period", start_period_, {}, request.start_period); !taken)
        return fail(taken);
    if (auto taken = take_duration("health-start-interval", start_interval_, kLeast, request.start_interval);
        !taken)
        return fail(taken);
    if (retries_.empty()) return request;
    auto retries = parse_number("health-retries", retries_, 1, 1'000'000);
    if (!retries) return fail(retries);
    request.retries = *retries;
    return request;
}

} // namespace mydocker::cli
