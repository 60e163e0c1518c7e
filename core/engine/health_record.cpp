// Health checks as values.
#include "engine/health_record.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mydocker::engine {
namespace {

using std::chrono::nanoseconds;

constexpr std::array<std::pair<Health, std::string_view>, 3> kHealths{{
    {Health::starting, "starting"},
    {Health::healthy, "healthy"},
    {Health::unhealthy, "unhealthy"},
}};

// A member of an image's check; 0 and absent both stand for the default.
Status take_number(const json::Value& image, const char* key, std::int64_t& to) {
    const json::Value* value = image.find(key);
    if (value == nullptr || value->is_null()) return {};
    const std::int64_t* number = value->if_int();
    if (number == nullptr || *number < 0)
        return fail(Code::invalid, "image: Healthcheck." + std::string(key) + " is no number from 0");
    if (*number != 0) to = *number;
    return {};
}

Status take_time(const json::Value& image, const char* key, nanoseconds& to) {
    std::int64_t count = to.count();
    auto taken = take_number(image, key, count);
    to = std::min<nanoseconds>(nanoseconds(count), kLongestHealthTime);
    return taken;
}

// Nobody wants fewer checks while it starts than later.
void settle_start_interval(HealthCheck& check) {
    constexpr nanoseconds kUsual = std::chrono::seconds(5);
    if (check.start_interval == nanoseconds(0)) check.start_interval = std::min(kUsual, check.interval);
}

Result<HealthCheck> parse_image_check(const std::string& text) {
    HealthCheck check;
    auto image = json::parse(text);
    if (!image) return fail(image, "image: Healthcheck");
    if (const json::Value* test = image->find("Test"); test != nullptr && !test->is_null()) {
        auto words = json::get_strings(*image, "Test");
        if (!words) return fail(words, "image: Healthcheck");
        check.test = std::move(*words);
    }
    for (auto [key, member] : {std::pair{"Interval", &check.interval},
                               {"Timeout", &check.timeout},
                               {"StartPeriod", &check.start_period},
                               {"StartInterval", &check.start_interval}})
        if (auto taken = take_time(*image, key, *member); !taken) return fail(taken);
    if (auto taken = take_number(*image, "Retries", check.retries); !taken) return fail(taken);
    return check;
}

json::Value result_json(const HealthResult& result) {
    json::Value value;
    value.set("start_ns", result.start_ns);
    value.set("end_ns", result.end_ns);
    value.set("exit_code", result.exit_code);
    value.set("output", result.output);
    return value;
}

Result<HealthResult> parse_result(const json::Value& value) {
    auto start = json::get_int(value, "start_ns");
    auto end = json::get_int(value, "end_ns");
    auto code = json::get_int(value, "exit_code");
    auto output = json::get_string(value, "output");
    if (!start || !end || !code || !output) return fail(Code::corrupt, "a result is incomplete");
    return HealthResult{*start, *end, *code, std::move(*output)};
}

// Reads integers one after another; `ok` says whether all were there and not negative.
struct Numbers {
    const json::Value& object;
    bool ok = true;

    std::int64_t operator()(std::string_view key) {
        auto number = json::get_int(object, key);
        ok = ok && number && *number >= 0;
        return number.value_or(0);
    }
};

} // namespace

Result<std::optional<HealthCheck>> choose_health(const std::string& image, const HealthRequest& request) {
    if (request.none) return std::nullopt;
    auto base = image.empty() ? Result<HealthCheck>(HealthCheck{}) : parse_image_check(image);
    if (!base) return fail(base);
    HealthCheck check = std::move(*base);
    if (request.test) check.test = *request.test;
    check.interval = request.interval.value_or(check.interval);
    check.timeout = request.timeout.value_or(check.timeout);
    check.start_period = request.start_period.value_or(check.start_period);
    check.start_interval = request.start_interval.value_or(check.start_interval);
    settle_start_interval(check);
    check.retries = request.retries.value_or(check.retries);
    const bool is_none = check.test.empty() || check.test.front() == "NONE";
    if (is_none && request.has_settings())
        return fail(Code::invalid,
                    "health: there is no check that these flags could be for; give --health-cmd");
    if (is_none) return std::nullopt;
    const bool known = check.test.front() == "CMD" || check.test.front() == "CMD-SHELL";
    if (!known || check.test.size() < 2)
        return fail(Code::invalid, "Healthcheck.Test begins with '" + check.test.front() +
                                       "'; CMD or CMD-SHELL and a command are needed");
    return check;
}

json::Value image_document(const HealthCheck& check) {
    json::Value value;
    value.set("Test", json::Array(check.test.begin(), check.test.end()));
    value.set("Interval", std::int64_t{check.interval.count()});
    value.set("Timeout", std::int64_t{check.timeout.count()});
    value.set("StartPeriod", std::int64_t{check.start_period.count()});
    value.set("StartInterval", std::int64_t{check.start_interval.count()});
    value.set("Retries", check.retries);
    return value;
}

std::vector<std::string> health_command(const HealthCheck& check) {
    std::vector<std::string> words(check.test.begin() + 1, check.test.end());
    if (check.test.front() == "CMD-SHELL") words = {"/bin/sh", "-c", check.test[1]};
    return words;
}

void add_health_result(HealthState& state, HealthResult result, std::int64_t started_ns) {
    if (result.exit_code == 0) {
        state.failing_streak = 0;
        state.status = Health::healthy;
    } else {
        const bool young = nanoseconds(result.start_ns - started_ns) < state.check.start_period;
        if (!(young && state.status == Health::starting)) ++state.failing_streak;
        if (state.failing_streak >= state.check.retries) state.status = Health::unhealthy;
    }
    state.results.push_back(std::move(result));
    if (state.results.size() > kMostHealthResults) state.results.erase(state.results.begin());
}

std::string_view to_string(Health health) {
    const auto* found = std::ranges::find(kHealths, health, &std::pair<Health, std::string_view>::first);
    return found == kHealths.end() ? kHealths.front().second : found->second;
}

json::Value to_json(const HealthState& state) {
    json::Value value;
    value.set("test", json::Array(state.check.test.begin(), state.check.test.end()));
    value.set("interval_ns", std::int64_t{state.check.interval.count()});
    value.set("timeout_ns", std::int64_t{state.check.timeout.count()});
    value.set("start_period_ns", std::int64_t{state.check.start_period.count()});
    value.set("start_interval_ns", std::int64_t{state.check.start_interval.count()});
    value.set("retries", state.check.retries);
    value.set("status", to_string(state.status));
    value.set("failing_streak", state.failing_streak);
    json::Value results{json::Array{}};
    for (const HealthResult& result : state.results)
        results.push(result_json(result));
    value.set("results", std::move(results));
    return value;
}

Result<HealthState> parse_health(const json::Value& value) {
    HealthState state;
    auto test = json::get_strings(value, "test");
    auto status = json::get_string(value, "status");
    if (!test || test->size() < 2 || !status) return fail(Code::corrupt, "it is incomplete");
    state.check.test = std::move(*test);
    Numbers number{value};
    state.check.interval = nanoseconds(number("interval_ns"));
    state.check.timeout = nanoseconds(number("timeout_ns"));
    state.check.start_period = nanoseconds(number("start_period_ns"));
    if (value.find("start_interval_ns") != nullptr) // Came later than the others.
        state.check.start_interval = nanoseconds(number("start_interval_ns"));
    settle_start_interval(state.check);
    state.check.retries = number("retries");
    state.failing_streak = number("failing_streak");
    const auto* known = std::ranges::find(kHealths, *status, &std::pair<Health, std::string_view>::second);
    const bool sane = std::max({state.check.interval, state.check.timeout, state.check.start_period}) <=
                      nanoseconds(kLongestHealthTime);
    if (!number.ok || !sane || known == kHealths.end()) return fail(Code::corrupt, "a value is impossible");
    state.status = known->first;
    const json::Value* results = value.find("results");
    if (results == nullptr || results->if_array() == nullptr)
        return fail(Code::corrupt, "its results are no list");
    for (const json::Value& each : *results->if_array()) {
        auto result = parse_result(each);
        if (!result) return fail(result);
        state.results.push_back(std::move(*result));
    }
    return state;
}

} // namespace mydocker::engine
