// What a verb is run with: configuration, installation, diagnostics, engine.
#include "cli/verb.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <unistd.h>
#include <utility>

namespace mydocker::cli {
namespace {

// The flags again, for a process of ours that must see the same configuration. What the environment says in
// a flag's stead is among them: that process is given no environment.
std::vector<std::string> global_arguments(const GlobalFlags& flags) {
    struct Argument {
        const char* flag;
        const std::string& given;
        const char* variable = nullptr;
    };
    const Argument all[] = {{"--config", flags.config, "MYDOCKER_CONFIG"},
                            {"--root", flags.root, "MYDOCKER_ROOT"},
                            {"--run-root", flags.run_root, "MYDOCKER_RUN_ROOT"},
                            {"--storage-driver", flags.storage_driver},
                            {"--cgroup-driver", flags.cgroup_driver},
                            {"--log-driver", flags.log_driver},
                            {"--state-driver", flags.state_driver}};
    std::vector<std::string> arguments;
    for (const auto& [flag, given, variable] : all) {
        const char* set = variable != nullptr ? std::getenv(variable) : nullptr;
        const std::string value = given.empty() && set != nullptr ? set : given;
        if (!value.empty()) arguments.push_back(fmt::format("{}={}", flag, value));
    }
    return arguments;
}

diag::Format format_of(const config::Config& config) {
    return config.diagnostics_format.value == config::LogFormat::json ? diag::Format::json
                                                                      : diag::Format::text;
}

// Diagnostics through a log sink: a plugin loaded by the first record that needs it.
diag::WriterFactory sink_writer(std::unique_ptr<engine::Engine>& engine, const config::Config& config) {
    const std::string& driver = config.diagnostics_driver.value;
    if (driver == "stderr") return {};
    return [&engine, driver, directory = config.root.value]() -> Result<diag::Writer> {
        if (!engine) return fail(Code::unsupported, "the engine is not up yet");
        if (auto made = engine->make_roots(); !made) return fail(made);
        auto sink = engine->log(driver, {});
        if (!sink) return fail(sink);
        StreamInfo info;
        info.id = "diagnostics";
        info.name = "mydocker";
        info.directory = directory + "/diagnostics";
        if (auto made = files::make_directories(info.directory); !made) return fail(made);
        auto stream = (*sink)->open(info);
        if (!stream) return fail(stream);
        const std::shared_ptr<LogSink::Stream> shared(std::move(*stream));
        return diag::Writer([sink = *sink, shared](LogLevel, std::string_view line) -> Status {
            LogRecord record;
            record.source = LogSource::diagnostic;
            record.bytes = line;
            if (auto written = sink->write(*shared, std::span(&record, 1)); !written) return written;
            return sink->flush(*shared);
        });
    };
}

// Whether only files are to blame.
bool is_of_files(const config::Examined& examined) {
    return std::ranges::none_of(examined.complaints, [](const config::Complaint& complaint) {
        return complaint.origin.source == config::Source::flag ||
               complaint.origin.source == config::Source::environment;
    });
}

} // namespace

// By stdio, whose stream remembers for main() that something was lost.
void print(std::string_view text) {
    (void)std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) != 0 && errno == EPIPE) std::clearerr(stdout);
}

config::LoadRequest Session::load_request() const {
    config::LoadRequest request;
    if (installation_) {
        request.main_file = installation_->config;
        const auto slash = request.main_file.rfind('/');
        request.drop_ins = request.main_file.substr(0, slash) + "/conf.d";
    }
    request.chosen_file = flags_.config;
    const std::pair<std::pair<const char*, const char*>, const std::string*> overrides[] = {
        {{"root", "--root"}, &flags_.root},
        {{"run_root", "--run-root"}, &flags_.run_root},
        {{"storage.driver", "--storage-driver"}, &flags_.storage_driver},
        {{"cgroup.driver", "--cgroup-driver"}, &flags_.cgroup_driver},
        {{"log.driver", "--log-driver"}, &flags_.log_driver},
        {{"state.driver", "--state-driver"}, &flags_.state_driver},
        {{"diagnostics.level", "--log-level"}, &flags_.log_level},
        {{"diagnostics.format", "--log-format"}, &flags_.log_format}};
    for (const auto& [names, value] : overrides)
        if (!value->empty()) request.overrides.push_back({names.first, *value, names.second});
    return request;
}

Result<const paths::Installation*> Session::installation() {
    if (!installation_) {
        auto found = paths::find_installation();
        if (!found) return fail(found);
        installation_ = std::move(*found);
    }
    return &*installation_;
}

void Session::set_up_diagnostics() {
    diag::Setup setup;
    setup.level = config_->diagnostics_level.value;
    setup.format = format_of(*config_);
    setup.open_writer = sink_writer(engine_, *config_);
    diagnostics_.set(std::move(setup));
}

Result<const config::Config*> Session::config() {
    if (config_) return &*config_;
    if (auto found = installation(); !found) return fail(found);
    auto examined = config::examine(load_request());
    const bool sound = examined.complaints.empty();
    // A broken file must not hide what runs; what it says rightly still counts. A broken flag is a slip of
    // this moment, and what it meant would not be shown.
    if (!sound && !(tolerant_ && is_of_files(examined)))
        return std::unexpected(examined.complaints.front().error());
    if (!sound)
        diagnostics_.warning(
            fmt::format("{}; going on with the defaults", describe(examined.complaints.front().error())));
    config_ = std::move(examined.config);
    set_up_diagnostics();
    for (const config::Complaint& warning : config_->warnings)
        diagnostics_.warning(describe(warning.error()));
    return &*config_;
}

Result<engine::Engine*> Session::engine(Privilege privilege) {
    if (privilege == Privilege::root && ::geteuid() != 0)
        return fail(Code::denied, "needs root: containers are made of namespaces, mounts and cgroups; a "
                                  "rootless mode is not built");
    is_for_root_ = is_for_root_ || privilege == Privilege::root;
    if (engine_) return engine_.get();
    auto loaded = config();
    if (!loaded) return fail(loaded);
    engine::EngineSetup setup;
    setup.config = **loaded;
    setup.installation = *installation_;
    setup.diagnostics = &diagnostics_;
    setup.global_arguments = global_arguments(flags_);
    auto engine = std::make_unique<engine::Engine>(std::move(setup));
    if (privilege == Privilege::root)
        if (auto made = engine->make_roots(); !made) return fail(made);
    engine_ = std::move(engine);
    return engine_.get();
}

int Session::exit_code_of(const Error& error) {
    if (!engine_) return kEngineError;
    // Everybody may ask what plugins there are, and not everybody may read the records.
    if (!is_for_root_) return kFailed;
    const bool is_answer = error.code == Code::not_found || error.code == Code::exists ||
                           error.code == Code::conflict || error.code == Code::busy;
    if (is_answer && engine_->state()) return kFailed; // No need to read them all.
    return has_records() ? kFailed : kEngineError;
}

bool Session::has_records() {
    auto store = engine_->state();
    if (!store) return false;
    return (*store)->list([](const ListedRecord&) { return Status{}; }).has_value();
}

} // namespace mydocker::cli
