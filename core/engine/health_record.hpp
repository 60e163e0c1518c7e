// Health checks as values: what is checked and when, how the last checks went, and what follows from one
// more. Pure. Who runs them: monitor_health.hpp and health.hpp.
#pragma once

#include "base/json.hpp"
#include "mydocker/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

struct HealthCheck {
    std::vector<std::string> test; // docker's form: "CMD", WORDS… or "CMD-SHELL", LINE
    std::chrono::nanoseconds interval = std::chrono::seconds(30);
    std::chrono::nanoseconds timeout = std::chrono::seconds(30);
    std::chrono::nanoseconds start_period{0};   // failures within it count for nothing
    std::chrono::nanoseconds start_interval{0}; // within it, until one succeeds; 0: not said
    std::int64_t retries = 3;                   // failures in a row that make it unhealthy

    bool operator==(const HealthCheck&) const = default;
};

// Times are at most so long, so that a point in time can be counted with them.
inline constexpr std::chrono::hours kLongestHealthTime{24 * 365};

// What a user says; the rest is the image's.
struct HealthRequest {
    std::optional<std::vector<std::string>> test;
    std::optional<std::chrono::nanoseconds> interval;
    std::optional<std::chrono::nanoseconds> timeout;
    std::optional<std::chrono::nanoseconds> start_period;
    std::optional<std::chrono::nanoseconds> start_interval;
    std::optional<std::int64_t> retries;
    bool none = false; // --no-healthcheck

    // Whether anything is asked for that only a check can have.
    [[nodiscard]] bool has_settings() const {
        return interval || timeout || start_period || start_interval || retries;
    }
};

enum class Health : std::uint32_t { starting, healthy, unhealthy };

// One check that was made.
struct HealthResult {
    std::int64_t start_ns = 0;
    std::int64_t end_ns = 0;
    std::int64_t exit_code = 0; // -1: it took too long, or could not be made
    std::string output;         // at most kMostHealthOutput bytes
};

inline constexpr std::size_t kMostHealthOutput = 4096;
inline constexpr std::size_t kMostHealthResults = 5;

struct HealthState {
    HealthCheck check;
    Health status = Health::starting;
    std::int64_t failing_streak = 0;
    std::vector<HealthResult> results; // oldest first
};

// `image`: the image's "Healthcheck", JSON; empty: it has none. Nothing: nothing is to be checked.
// Errors: invalid, naming the member.
[[nodiscard]] Result<std::optional<HealthCheck>> choose_health(const std::string& image,
                                                               const HealthRequest& request);

// As an image's configuration has it. Source: OCI image-spec, config.md, "Healthcheck" (reserved for docker).
[[nodiscard]] json::Value image_document(const HealthCheck& check);

// What is run: words for exec.
[[nodiscard]] std::vector<std::string> health_command(const HealthCheck& check);

// Takes one more result. `started_ns`: when the container was. Source: moby, daemon/health.go.
void add_health_result(HealthState& state, HealthResult result, std::int64_t started_ns);

[[nodiscard]] std::string_view to_string(Health health);

// For the record. Errors: corrupt.
[[nodiscard]] json::Value to_json(const HealthState& state);
[[nodiscard]] Result<HealthState> parse_health(const json::Value& value);

} // namespace mydocker::engine
