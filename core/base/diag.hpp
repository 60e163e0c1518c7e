// The engine's own messages: what goes to the operator, never into a container's output. One branch
// when the level is off. Warnings and errors go as plain text to standard error by a few lines here;
// every other form and destination is a log sink, opened by the first record that needs it.
#pragma once

#include "mydocker/host.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::diag {

enum class Format { text, json };

using Field = std::pair<std::string_view, std::string_view>;

// Where finished lines go when not to standard error: opened lazily through a log-sink plugin.
using Writer = std::function<Status(LogLevel, std::string_view line)>;
using WriterFactory = std::function<Result<Writer>()>;

struct Setup {
    LogLevel level = LogLevel::warning;
    Format format = Format::text;
    WriterFactory open_writer; // empty: standard error
};

// One for a process; given to whatever needs to speak.
class Diagnostics {
  public:
    Diagnostics() = default;
    explicit Diagnostics(Setup setup) : setup_(std::move(setup)) {}

    [[nodiscard]] bool enabled(LogLevel level) const {
        return level >= setup_.level || level == LogLevel::host_misbehaved;
    }
    void set(Setup setup) {
        setup_ = std::move(setup);
        writer_ = {};
        writer_failed_ = false;
    }

    // `text`: any bytes; what a terminal could obey is made visible. One line, one write(2):
    //   mydocker: TEXT key=value…                 an error
    //   mydocker: LEVEL: TEXT key=value…          any other level
    //   {"level":…,"msg":…,"time":…,fields…}      in the JSON form
    // A writer that fails is told of once, and standard error takes its place.
    void write(LogLevel level, std::string_view text, const std::vector<Field>& fields = {});
    void debug(std::string_view text, const std::vector<Field>& fields = {}) {
        if (enabled(LogLevel::debug)) write(LogLevel::debug, text, fields);
    }
    void info(std::string_view text, const std::vector<Field>& fields = {}) {
        if (enabled(LogLevel::info)) write(LogLevel::info, text, fields);
    }
    void warning(std::string_view text, const std::vector<Field>& fields = {}) {
        if (enabled(LogLevel::warning)) write(LogLevel::warning, text, fields);
    }
    void error(std::string_view text, const std::vector<Field>& fields = {}) {
        if (enabled(LogLevel::error)) write(LogLevel::error, text, fields);
    }

  private:
    [[nodiscard]] Status write_to_sink(LogLevel level, std::string_view line);

    Setup setup_;
    Writer writer_;
    bool writer_failed_ = false; // said once; standard error from then on
    bool in_writer_ = false;
};

[[nodiscard]] std::string_view level_name(LogLevel level);

} // namespace mydocker::diag
