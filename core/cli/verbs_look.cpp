// ps, logs, inspect: what is true now.
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"
#include "engine/signals.hpp"

#include "base/json.hpp"
#include "base/sys.hpp"
#include "cli/resource_flags.hpp"
#include "cli/times.hpp"

#include <csignal>
#include <fmt/format.h>
#include <limits>
#include <unistd.h>

namespace mydocker::cli {
namespace {

std::string status_text(const engine::ContainerRecord& record, std::int64_t now) {
    switch (record.state) {
    case engine::State::running:
        return fmt::format("Up {}", age(record.started_ns, now));
    case engine::State::paused:
        return fmt::format("Up {} (Paused)", age(record.started_ns, now));
    case engine::State::exited:
        return fmt::format("Exited ({}) {} ago", record.exit_code, age(record.finished_ns, now));
    case engine::State::created:
        break;
    }
    return "Created";
}

class Ps final : public Verb {
  public:
    void declare(CLI::App& app) override {
        app.add_flag("-a,--all", all_, "those that do not run, too");
        app.add_flag("-q,--quiet", quiet_, "ids only");
        app.add_flag("--no-trunc", no_trunc_, "whole ids and commands");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands; see --help");
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto containers = engine::list(**engine);
        if (!containers) return fail(containers);
        Table table({"ID", "NAME", "PID", "STATUS", "COMMAND", "CREATED", "IMAGE"});
        std::string ids;
        const std::int64_t now = sys::realtime_ns();
        // Newest first, as docker lists them.
        for (auto each = containers->rbegin(); each != containers->rend(); ++each) {
            if (!each->record) {
                session.diagnostics().warning(fmt::format("container {}: {}; see `mydocker system check`",
                                                          paths::short_id(each->id),
                                                          describe(each->record.error())));
                continue;
            }
            const engine::ContainerRecord& record = *each->record;
            if (!all_ && !record.is_live()) continue;
            const std::string id = no_trunc_ ? record.id.str() : paths::short_id(record.id);
            ids += id + "\n";
            table.add(row(record, id, now));
        }
        (void)sys::write_all(STDOUT_FILENO, quiet_ ? ids : table.text());
        return kOk;
    }

  private:
    std::vector<std::string> row(const engine::ContainerRecord& record, const std::string& id,
                                 std::int64_t now) const {
        const std::string command = quote_command(record.command);
        return {id,
                record.name.str(),
                record.is_live() ? std::to_string(record.process.pid) : "-",
                status_text(record, now),
                no_trunc_ ? command : shorten(command, 30),
                age(record.created_ns, now) + " ago",
                printable(record.image)};
    }

    bool all_ = false;
    bool quiet_ = false;
    bool no_trunc_ = false;
};

class Logs final : public Verb {
  public:
    void declare(CLI::App& app) override {
        app.add_option("--since", since_, "not before: a time (2026-01-31T12:00:00Z) or an age (10m)");
        app.add_option("--until", until_, "not after");
        app.add_option("-n,--tail", tail_, "only the last so many lines");
        app.add_flag("-t,--timestamps", timestamps_, "a time before each line");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 1) return usage("needs one container");
        engine::LogsRequest request;
        if (auto parsed = parse(request); !parsed) return usage(parsed.error().text);
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto container = engine::find_settled(**engine, operands.front());
        if (!container) return fail(container);
        auto done = engine::logs(**engine, container->record.id, request,
                                 [&](const LogRecord& record) { return print(record); });
        if (auto flushed = flush(); !flushed && done) done = flushed;
        // A reader that has seen enough (`| head`) is no failure.
        if (!done && done.error().sys_errno == EPIPE) return 128 + SIGPIPE;
        if (!done) return fail(done);
        return kOk;
    }

  private:
    static constexpr std::size_t kBuffer = 64 * 1024;

    Status parse(engine::LogsRequest& request) const {
        const std::int64_t now = sys::realtime_ns();
        if (!since_.empty()) {
            auto time = parse_time("since", since_, now);
            if (!time) return fail(time);
            request.since_ns = *time;
        }
        if (!until_.empty()) {
            auto time = parse_time("until", until_, now);
            if (!time) return fail(time);
            request.until_ns = *time;
        }
        if (!tail_.empty() && tail_ != "all") {
            auto count = parse_number("tail", tail_, 0, std::numeric_limits<std::int64_t>::max());
            if (!count) return fail(count);
            request.tail = static_cast<std::uint64_t>(*count);
        }
        return {};
    }

    Status print(const LogRecord& record) {
        const bool err = record.source == LogSource::err;
        std::string& buffer = err ? err_ : out_;
        bool& continues = err ? err_continues_ : out_continues_;
        if (timestamps_ && !continues) buffer += timestamp(record.time_ns) + " ";
        buffer.append(record.bytes);
        if (!record.partial) buffer += '\n';
        continues = record.partial;
        return buffer.size() >= kBuffer ? flush() : Status{};
    }

    Status flush() {
        auto out = sys::write_all(STDOUT_FILENO, out_);
        auto err = sys::write_all(STDERR_FILENO, err_);
        out_.clear();
        err_.clear();
        return out ? err : out;
    }

    std::string since_;
    std::string until_;
    std::string tail_;
    bool timestamps_ = false;
    std::string out_;
    std::string err_;
    bool out_continues_ = false;
    bool err_continues_ = false;
};

json::Value strings(const std::vector<std::string>& list) {
    return json::Array(list.begin(), list.end());
}

json::Value state_json(const engine::ContainerRecord& record) {
    json::Value state;
    state.set("Status", engine::to_string(record.state));
    state.set("Running", record.state == engine::State::running);
    state.set("Paused", record.state == engine::State::paused);
    state.set("OOMKilled", record.oom_killed);
    state.set("Pid", record.is_live() ? static_cast<std::int64_t>(record.process.pid) : std::int64_t{0});
    state.set("ExitCode", record.exit_code);
    state.set("Error", record.reason);
    state.set("StartedAt", timestamp(record.started_ns));
    state.set("FinishedAt", timestamp(record.finished_ns));
    return state;
}

// docker's member names where docker has the member.
json::Value inspect_json(engine::Engine& engine, const engine::ContainerRecord& record) {
    json::Value value;
    value.set("Id", record.id.str());
    value.set("Created", timestamp(record.created_ns));
    value.set("Path", record.command.empty() ? std::string() : record.command.front());
    value.set("Args", record.command.empty() ? json::Value(json::Array{})
                                             : strings({record.command.begin() + 1, record.command.end()}));
    value.set("State", state_json(record));
    value.set("Image", record.image_id);
    value.set("Name", record.name.str());
    value.set("Driver", record.drivers.storage);
    value.set("CgroupDriver", record.drivers.cgroup);
    value.set("LogDriver", record.drivers.log);
    const std::string bundle = paths::bundle(engine.roots(), record.id);
    value.set("OciConfigPath", bundle + "/config.json");
    value.set("LogDirectory", paths::logs(engine.roots(), record.id));
    json::Value config;
    config.set("Image", record.image);
    config.set("Tty", record.terminal);
    config.set("OpenStdin", record.interactive);
    config.set("StopSignal", record.stop_signal);
    json::Object labels;
    for (const auto& [key, text] : record.labels)
        labels.emplace_back(key, text);
    config.set("Labels", std::move(labels));
    if (auto text = files::read_file(bundle + "/config.json"))
        if (auto oci = json::parse(*text)) {
            const json::Value* process = oci->find("process");
            if (process != nullptr && process->find("env") != nullptr)
                config.set("Env", *process->find("env"));
            if (process != nullptr && process->find("cwd") != nullptr)
                config.set("WorkingDir", *process->find("cwd"));
            if (oci->find("hostname") != nullptr) config.set("Hostname", *oci->find("hostname"));
        }
    value.set("Config", std::move(config));
    json::Value host;
    host.set("NetworkMode", record.network);
    host.set("AutoRemove", record.remove_after);
    host.set("Memory", record.memory_limit.value_or(0));
    value.set("HostConfig", std::move(host));
    return value;
}

class Inspect final : public Verb {
  public:
    void declare(CLI::App&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        json::Value found{json::Array{}};
        int code = kOk;
        for (const std::string& name : operands) {
            auto container = engine::find_settled(**engine, name);
            if (container) {
                found.push(inspect_json(**engine, container->record));
                continue;
            }
            session.diagnostics().error(fmt::format("inspect: {}", describe(container.error())));
            code = kFailed;
        }
        (void)sys::write_all(STDOUT_FILENO, json::dump(found, json::Style::indented) + "\n");
        return code;
    }
};

} // namespace

std::unique_ptr<Verb> make_ps() {
    return std::make_unique<Ps>();
}
std::unique_ptr<Verb> make_logs() {
    return std::make_unique<Logs>();
}
std::unique_ptr<Verb> make_inspect() {
    return std::make_unique<Inspect>();
}

} // namespace mydocker::cli
