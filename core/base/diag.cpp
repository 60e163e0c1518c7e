// Diagnostics: levels, the two forms of a line, and standard error as the place that is always there.
#include "base/diag.hpp"

#include "base/diag_text.hpp"
#include "base/json.hpp"
#include "base/sys.hpp"

#include <unistd.h>

namespace mydocker::diag {
namespace {

// Of the message and of each field: a hostile image may put megabytes into a name.
constexpr std::size_t kMaxText = 4000;

bool needs_quotes(std::string_view value) {
    return value.empty() || value.find_first_of(" \"=") != std::string_view::npos;
}

std::string text_line(LogLevel level, std::string_view text, const std::vector<Field>& fields) {
    std::string line = "mydocker: ";
    // An error speaks for itself; the rest says how much it matters.
    if (level != LogLevel::error) line += std::string(level_name(level)) + ": ";
    line += visible(text, kMaxText);
    for (const auto& [key, value] : fields) {
        line += " " + visible(key, kMaxText) + "=";
        const std::string shown = visible(value, kMaxText);
        line += needs_quotes(shown) ? "\"" + shown + "\"" : shown;
    }
    return line;
}

std::string json_line(LogLevel level, std::string_view text, const std::vector<Field>& fields) {
    json::Object object;
    object.emplace_back("level", level_name(level));
    object.emplace_back("msg", visible(text, kMaxText));
    object.emplace_back("time", timestamp(sys::realtime_ns()));
    for (const auto& [key, value] : fields)
        object.emplace_back(visible(key, kMaxText), visible(value, kMaxText));
    return json::dump(object);
}

void write_to_stderr(std::string line) {
    line.push_back('\n');
    // There is nobody left to tell that standard error is closed or full.
    (void)sys::write_all(STDERR_FILENO, line);
}

} // namespace

std::string_view level_name(LogLevel level) {
    switch (level) {
    case LogLevel::debug:
        return "debug";
    case LogLevel::info:
        return "info";
    case LogLevel::warning:
        return "warning";
    case LogLevel::error:
        return "error";
    case LogLevel::host_misbehaved:
        return "host_misbehaved";
    case LogLevel::plugin_misbehaved:
        return "plugin_misbehaved";
    }
    return "unknown"; // A number from a plugin of a later version.
}

void Diagnostics::write(LogLevel level, std::string_view text, const std::vector<Field>& fields) {
    if (!enabled(level)) return;
    const auto compose = setup_.format == Format::json ? json_line : text_line;
    std::string line = compose(level, text, fields);
    // While the sink is being opened or written to, what its own plugin says goes past it.
    const bool direct = !setup_.open_writer || writer_failed_ || in_writer_;
    if (direct) return write_to_stderr(std::move(line));

    in_writer_ = true;
    Status written = write_to_sink(level, line);
    in_writer_ = false;
    if (written) return;
    writer_failed_ = true;
    writer_ = {};
    write_to_stderr(
        compose(LogLevel::warning, "diagnostics go to standard error now: " + describe(written.error()), {}));
    write_to_stderr(std::move(line));
}

Status Diagnostics::write_to_sink(LogLevel level, std::string_view line) {
    if (!writer_) {
        auto opened = setup_.open_writer();
        if (!opened) return fail(opened);
        writer_ = std::move(*opened);
    }
    return writer_(level, line);
}

} // namespace mydocker::diag
