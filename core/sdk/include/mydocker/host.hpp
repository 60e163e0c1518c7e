// What a driver sees of the engine: its directories, its options, a place for diagnostics. Not for
// container output (that is a LogSink's business).
#pragma once

#include "mydocker/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mydocker {

// Severity of a diagnostic. The last two say which side broke the contract of the plugin API.
enum class LogLevel : std::uint32_t {
    debug = 0,
    info = 1,
    warning = 2,
    error = 3,
    host_misbehaved = 4,
    plugin_misbehaved = 5,
};

// Types of option values. `size` (bytes, "10m") and `duration` ("1m30s") are parsed by the engine,
// so that they mean the same in every driver.
enum class OptionType : std::uint32_t {
    boolean = 1,
    integer = 2,
    floating = 3,
    string = 4,
    list = 5, // of strings
    size = 6,
    duration = 7,
};

// One option that a driver declares. `default_value` is in the notation of mydocker.toml without
// quotes ("10m", "true", "3"); a list's default is its elements joined by commas.
struct OptionSpec {
    const char* key;
    OptionType type;
    const char* default_value;
    const char* help;
};

// A typed value: size as bytes (uint64), duration as nanoseconds.
using OptionValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>,
                                 std::uint64_t, std::chrono::nanoseconds>;

// The options of a driver, complete (defaults filled in) and typed by the engine. Asking for a key
// that the driver did not declare, or by another type, is the author's mistake: it yields the type's
// empty value.
class Options {
  public:
    Options() = default;
    explicit Options(std::map<std::string, OptionValue, std::less<>> values) : values_(std::move(values)) {}

    [[nodiscard]] bool boolean(std::string_view key) const { return get<bool>(key); }
    [[nodiscard]] std::int64_t integer(std::string_view key) const { return get<std::int64_t>(key); }
    [[nodiscard]] double floating(std::string_view key) const { return get<double>(key); }
    [[nodiscard]] std::string string(std::string_view key) const { return get<std::string>(key); }
    [[nodiscard]] std::vector<std::string> list(std::string_view key) const {
        return get<std::vector<std::string>>(key);
    }
    [[nodiscard]] std::uint64_t size(std::string_view key) const { return get<std::uint64_t>(key); }
    [[nodiscard]] std::chrono::nanoseconds duration(std::string_view key) const {
        return get<std::chrono::nanoseconds>(key);
    }
    [[nodiscard]] const std::map<std::string, OptionValue, std::less<>>& values() const { return values_; }

  private:
    template <class T>
    [[nodiscard]] T get(std::string_view key) const {
        const auto found = values_.find(key);
        if (found == values_.end()) return T{};
        const T* value = std::get_if<T>(&found->second);
        return value != nullptr ? *value : T{};
    }

    std::map<std::string, OptionValue, std::less<>> values_;
};

// The engine as seen by one driver instance. Cheap to copy; valid as long as the instance.
class Host {
  public:
    using LogFunction = std::function<void(LogLevel, std::string_view)>;
    using CancelFunction = std::function<bool()>;

    Host() = default;
    Host(std::string data_dir, std::string run_dir, Options options, LogFunction log = {},
         CancelFunction cancelled = {})
        : data_dir_(std::move(data_dir)),
          run_dir_(std::move(run_dir)),
          options_(std::move(options)),
          log_(std::move(log)),
          cancelled_(std::move(cancelled)) {}

    // A directory of the driver's own, absolute, on disk, mode 0700, made on the driver's first
    // use of it (the driver makes it; the path's parent exists).
    [[nodiscard]] const std::string& data_dir() const { return data_dir_; }
    // The same for what dies with the boot: locks, sockets.
    [[nodiscard]] const std::string& run_dir() const { return run_dir_; }
    [[nodiscard]] const Options& options() const { return options_; }

    // A message about the driver itself. Threads: any.
    void log(LogLevel level, std::string_view text) const {
        if (log_) log_(level, text);
    }
    // Whether the caller wants a long operation to end early with Code::cancelled. Threads: any.
    [[nodiscard]] bool cancelled() const { return cancelled_ && cancelled_(); }

  private:
    std::string data_dir_;
    std::string run_dir_;
    Options options_;
    LogFunction log_;
    CancelFunction cancelled_;
};

} // namespace mydocker
