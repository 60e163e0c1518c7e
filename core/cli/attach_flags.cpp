// Staying in the foreground.
#include "cli/attach_flags.hpp"

#include "base/sys.hpp"
#include "engine/detach_keys.hpp"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <fmt/format.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

// The exit code of a container that ended in the foreground, said if it did not end by itself.
int report_end(Session& session, std::string_view verb, const engine::ContainerRecord& record) {
    if (record.oom_killed)
        session.diagnostics().error(fmt::format("{}: container '{}' killed: out of memory (limit {} MiB)",
                                                verb, record.name.str(),
                                                record.memory_limit.value_or(0) >> 20U));
    else if (!record.reason.empty())
        session.diagnostics().error(
            fmt::format("{}: container '{}': {}", verb, record.name.str(), record.reason));
    return record.exit_code;
}

} // namespace

void AttachFlags::declare_keys(FlagSet& app) {
    keys_option_ = app.add_option("--detach-keys", keys_,
                                  "keys that leave it running on its terminal (ctrl-p,ctrl-q); '': none");
}

void AttachFlags::declare(FlagSet& app) {
    declare_keys(app);
    app.add_flag("--sig-proxy,!--no-sig-proxy", sig_proxy_,
                 "pass signals on (default); =false: they end this command alone");
}

void AttachFlags::declare_streams(FlagSet& app) {
    app.add_option("-a,--attach", streams_,
                   "stay with this stream alone: stdin (with -i), stdout or stderr; may be repeated")
        ->takes("stdin|stdout|stderr");
}

Status parse_attached(const std::vector<std::string>& names, engine::Attachment& to) {
    if (names.empty()) return {};
    to.input = to.output = to.error_output = false;
    for (const std::string& name : names) {
        std::string lower = name;
        std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
        bool* const stream = lower == "stdin"    ? &to.input
                             : lower == "stdout" ? &to.output
                             : lower == "stderr" ? &to.error_output
                                                 : nullptr;
        if (stream == nullptr)
            return fail(Code::invalid,
                        fmt::format("attach: '{}' is unknown; there are: stdin, stdout, stderr", name));
        *stream = true;
    }
    return {};
}

Result<engine::Attachment> AttachFlags::parse(const config::Config& config) const {
    const bool given = keys_option_ != nullptr && keys_option_->count() > 0;
    auto keys = engine::parse_detach_keys(given ? keys_ : config.detach_keys.value);
    if (!keys && !given) return fail(keys, "config: run.detach_keys");
    if (!keys) return fail(keys);
    engine::Attachment how{.sig_proxy = sig_proxy_, .detach_keys = std::move(*keys)};
    if (auto parsed = parse_attached(streams_, how); !parsed) return fail(parsed);
    return how;
}

int report_parting(engine::Parting parting, int signal) {
    switch (parting) {
    case engine::Parting::keys:
        (void)sys::write_all(STDERR_FILENO, "read escape sequence\n");
        return kOk;
    case engine::Parting::signal:
        return 128 + signal;
    case engine::Parting::reader_gone:
        return 128 + SIGPIPE;
    case engine::Parting::none:
        break;
    }
    return kOk;
}

int report_outcome(Session& session, std::string_view verb, const engine::RunOutcome& outcome) {
    if (outcome.missed != 0)
        session.diagnostics().warning(fmt::format(
            "{}: {} bytes of output are not shown: they came faster than they were read here; see "
            "`mydocker logs {}`",
            verb, outcome.missed, outcome.record.name.str()));
    if (outcome.record.log_dropped != 0)
        session.diagnostics().warning(
            fmt::format("{}: container '{}': its log did not take {} pieces of its output", verb,
                        outcome.record.name.str(), outcome.record.log_dropped));
    if (outcome.unwritten) {
        session.diagnostics().error(fmt::format("{}: {}", verb, describe(*outcome.unwritten)));
        return kEngineError;
    }
    if (outcome.parting != engine::Parting::none) return report_parting(outcome.parting, outcome.signal);
    return report_end(session, verb, outcome.record);
}

int report_failure(Session& session, std::string_view verb, const engine::RunError& failure) {
    session.diagnostics().error(fmt::format("{}: {}", verb, describe(failure.error)));
    return failure.exit_code;
}

} // namespace mydocker::cli
