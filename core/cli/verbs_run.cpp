// run, create, start.
#include "base/signals.hpp"
#include "cli/attach_flags.hpp"
#include "cli/explain.hpp"
#include "cli/health_flags.hpp"
#include "cli/host_flags.hpp"
#include "cli/id_file.hpp"
#include "cli/isolation_flags.hpp"
#include "cli/key_values.hpp"
#include "cli/mount_flags.hpp"
#include "cli/resource_flags.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"
#include "engine/restart.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

// One of its own is one with nothing in it.
Result<engine::NetworkMode> parse_network(const std::string& text) {
    auto mode = parse_namespace("network", text, {"none"});
    if (!mode) return fail(mode);
    engine::NetworkMode network{.kind = engine::NetworkMode::Kind::none,
                                .container = std::move(mode->container)};
    if (mode->kind == engine::NamespaceMode::Kind::host) network.kind = engine::NetworkMode::Kind::host;
    if (mode->kind == engine::NamespaceMode::Kind::container)
        network.kind = engine::NetworkMode::Kind::container;
    return network;
}

// The host name's rules: hostname(7).
Status check_hostname(const std::string& name) {
    if (name.size() > 63) return usage(fmt::format("hostname: '{}' is longer than 63 characters", name));
    for (const char c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.')
            return usage(fmt::format("hostname: '{}' may contain letters, digits, - and .", name));
    return {};
}

// The flags of `create` and `run`.
class CreateFlags {
  public:
    void declare(FlagSet& app) {
        app.add_flag("-i,--interactive", request_.interactive, "keep standard input open");
        app.add_flag("-t,--tty", request_.terminal, "give the command a terminal");
        app.add_flag("--rm", request_.remove_after, "remove the container when it has ended");
        app.add_option("--restart", restart_,
                       "when it has ended: no (default), on-failure[:N], always, unless-stopped");
        app.add_flag("--init", request_.init,
                     "a small first process inside that reaps what others leave and passes signals on");
        name_ = app.add_option("--name", request_.name, "name of the container");
        app.add_option("-h,--hostname", request_.hostname, "host name inside (default: the short id)");
        environment_.declare(app);
        app.add_flag("--env-host", env_host_, "this environment, too; the image's own and -e come before it");
        app.add_option("-w,--workdir", request_.working_directory, "working directory inside");
        app.add_option("-u,--user", request_.user, "user inside: NAME|UID[:GROUP|GID]");
        entrypoint_ =
            app.add_option("--entrypoint", entrypoint_text_, "program instead of the image's entrypoint");
        app.add_option("--volumes-from", volumes_from_,
                       "the volumes and host directories of another container, CONTAINER[:ro|:rw]")
            ->takes("CONTAINER");
        app.add_flag("--read-only", request_.read_only, "root file system read-only");
        app.add_option("--network,--net", network_, "none (default), host, or container:NAME");
        app.add_option("--stop-signal", request_.stop_signal, "signal that stop sends first")
            ->takes("SIGNAL");
        app.add_option("--stop-timeout", stop_timeout_, "seconds until stop kills")->not_empty();
        app.add_option("--cgroup-parent", request_.cgroup_parent,
                       "cgroup to put the container's below (mydocker)");
        app.add_option("--cidfile", id_file_, "new file to write the id of the container to")->takes("FILE");
        app.add_option("--pidfile", request_.pid_file,
                       "file that each start writes the id of the main process to, as the host sees it")
            ->takes("FILE")
            ->not_empty();
        health_.declare(app);
        mounts_.declare(app);
        isolation_.declare(app);
        host_.declare(app);
        resources_.declare(app);
    }

    Result<engine::CreateRequest> parse(const std::vector<std::string>& operands) {
        if (operands.empty()) return usage("needs an image name");
        request_.image = operands.front();
        request_.command.assign(operands.begin() + 1, operands.end());
        if (auto parsed = parse_identity(); !parsed) return fail(parsed);
        if (auto parsed = parse_life(); !parsed) return fail(parsed);
        if (auto parsed = environment_.parse(request_.environment); !parsed) return fail(parsed);
        if (env_host_)
            for (char** variable = environ; *variable != nullptr; ++variable)
                request_.host_environment.emplace_back(*variable);
        if (auto parsed = take(health_.parse(), request_.health); !parsed) return fail(parsed);
        if (auto parsed = take(mounts_.parse(), request_.mounts); !parsed) return fail(parsed);
        if (auto parsed = parse_volumes_from(); !parsed) return fail(parsed);
        if (auto parsed = take(parse_network(network_), request_.network); !parsed) return fail(parsed);
        if (auto parsed = isolation_.parse(request_); !parsed) return fail(parsed);
        if (auto found = find_gateway(request_); !found) return fail(found);
        if (auto parsed = host_.parse(request_); !parsed) return fail(parsed);
        if (auto parsed = take(resources_.parse(), request_.resources); !parsed) return fail(parsed);
        return request_;
    }

    [[nodiscard]] const std::string& id_file() const { return id_file_; }

  private:
    template <class T>
    static Status take(Result<T> parsed, T& to) {
        if (!parsed) return fail(parsed);
        to = std::move(*parsed);
        return {};
    }

    Status parse_identity() {
        // An empty name is a mistake in a script, not a wish for a made-up one.
        if (name_->count() > 0)
            if (auto name = paths::parse_name(request_.name); !name) return fail(name);
        if (auto checked = check_hostname(request_.hostname); !checked) return fail(checked);
        if (!request_.working_directory.empty() && request_.working_directory.front() != '/')
            return usage(fmt::format("workdir: '{}' is not absolute", request_.working_directory));
        if (entrypoint_->count() > 0) request_.entrypoint = entrypoint_text_;
        if (!request_.pid_file.empty() && request_.pid_file.front() != '/') {
            // Later starts are made from elsewhere.
            std::error_code error;
            request_.pid_file = std::filesystem::absolute(request_.pid_file, error).string();
            if (error) return usage("pidfile: " + error.message());
        }
        return {};
    }

    Status parse_life() {
        if (auto parsed = take(engine::parse_restart_policy(restart_), request_.restart); !parsed)
            return parsed;
        if (request_.remove_after && request_.restart.kind != engine::RestartPolicy::Kind::no)
            return usage("conflicting options: --restart and --rm: one keeps what the other takes away");
        if (!request_.stop_signal.empty())
            if (auto known = signals::parse(request_.stop_signal); !known)
                return usage("stop-signal: " + known.error().text);
        if (stop_timeout_.empty()) return {};
        auto seconds = parse_number("stop-timeout", stop_timeout_, -1, 86400);
        if (!seconds) return fail(seconds);
        request_.stop_timeout = std::chrono::seconds(*seconds);
        return {};
    }

    Status parse_volumes_from() {
        for (const std::string& text : volumes_from_) {
            const auto colon = text.find(':');
            engine::VolumesFrom from{.container = text.substr(0, colon), .read_only = {}};
            const std::string access = colon == std::string::npos ? "" : text.substr(colon + 1);
            const bool is_access = access == "ro" || access == "rw" || colon == std::string::npos;
            if (from.container.empty() || !is_access)
                return usage(fmt::format("volumes-from: '{}' is not of the form CONTAINER[:ro|:rw]", text));
            if (!access.empty()) from.read_only = access == "ro";
            request_.volumes_from.push_back(std::move(from));
        }
        return {};
    }

    engine::CreateRequest request_;
    ResourceFlags resources_;
    Flag* name_ = nullptr;
    Flag* entrypoint_ = nullptr;
    std::string entrypoint_text_;
    EnvironmentFlags environment_;
    bool env_host_ = false;
    HealthFlags health_;
    MountFlags mounts_;
    IsolationFlags isolation_;
    HostFlags host_;
    std::string id_file_;
    std::vector<std::string> volumes_from_;
    std::string network_;
    std::string stop_timeout_;
    std::string restart_;
};

class Run final : public Verb {
  public:
    void declare(FlagSet& app) override {
        flags_.declare(app);
        attach_flags_.declare(app);
        attach_flags_.declare_streams(app);
        app.add_flag("-d,--detach", detach_, "leave it in the background and print its id");
        app.add_option("--explain", explain_,
                       "show what was done when; --explain=FILE.json: as a trace for Chrome or Perfetto")
            ->may_be_bare();
    }
    [[nodiscard]] Operands operands() const override { return Operands::then_stop; }
    [[nodiscard]] int failure_code() const override { return kEngineError; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        auto request = flags_.parse(operands);
        if (!request) return fail(request);
        if (detach_ && attach_flags_.has_streams())
            return usage("conflicting options: --attach and --detach");
        auto explanation = Explanation::make(explain_);
        if (!explanation) return fail(explanation);
        auto config = [&] {
            const trace::Scope scope(explanation->recorder(), "read the configuration");
            return session.config();
        }();
        if (!config) return fail(config);
        auto how = attach_flags_.parse(**config);
        if (!how) return usage(how.error().text);
        if (request->terminal && !detach_ && how->input && ::isatty(STDIN_FILENO) == 0)
            return usage("-t needs a terminal on standard input; use -i alone");
        // Input that nobody gives does not end, either: it waits for `attach`.
        request->input_once = !detach_ && how->input;
        auto engine = session.engine();
        if (!engine) return fail(engine);
        (*engine)->set_trace(explanation->recorder());
        auto id_file = IdFile::make(flags_.id_file());
        if (!id_file) return fail(id_file);
        request->id_file = id_file->fd();
        const auto attach = detach_ ? engine::Attach::detached : engine::Attach::foreground;
        auto outcome = engine::run(**engine, *request, attach, *how);
        (*engine)->set_trace(nullptr);
        if (auto told = explanation->finish(); !told) session.diagnostics().warning(describe(told.error()));
        if (!outcome) return report_failure(session, "run", outcome.error());
        id_file->keep();
        // As docker does where nothing else is shown.
        if (detach_ || !(how->output || how->error_output)) print(outcome->record.id.str() + "\n");
        return detach_ ? kOk : report_outcome(session, "run", *outcome);
    }

  private:
    CreateFlags flags_;
    AttachFlags attach_flags_;
    bool detach_ = false;
    std::string explain_;
};

class Create final : public Verb {
  public:
    void declare(FlagSet& app) override { flags_.declare(app); }
    [[nodiscard]] Operands operands() const override { return Operands::then_stop; }
    [[nodiscard]] int failure_code() const override { return kEngineError; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        auto request = flags_.parse(operands);
        if (!request) return fail(request);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto id_file = IdFile::make(flags_.id_file());
        if (!id_file) return fail(id_file);
        request->id_file = id_file->fd();
        auto record = engine::create(**engine, *request);
        if (!record) return fail(record);
        id_file->keep();
        print(record->id.str() + "\n");
        return kOk;
    }

  private:
    CreateFlags flags_;
};

class Start final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-a,--attach", attach_, "stay in the foreground, with its output and exit code");
        app.add_flag("-i,--interactive", interactive_,
                     "stay in the foreground with standard input, if it was made with -i");
        flags_.declare(app);
    }
    [[nodiscard]] int failure_code() const override { return attach_ ? kEngineError : kFailed; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        attach_ = attach_ || interactive_;
        if (attach_ && operands.size() > 1) return usage("one container at a time can be attached to");
        auto config = session.config();
        if (!config) return fail(config);
        auto how = flags_.parse(**config);
        if (!how) return usage(how.error().text);
        how_ = std::move(*how);
        how_.input = interactive_;
        auto engine = session.engine();
        if (!engine) return fail(engine);
        int code = kOk;
        for (const std::string& name : operands)
            if (const int one = start_one(session, **engine, name); one != kOk) code = one;
        return code;
    }

  private:
    int start_one(Session& session, engine::Engine& engine, const std::string& name) {
        auto container = engine::find_settled(engine, name);
        if (!container)
            return report_failure(
                session, "start",
                {container.error(), std::max(failure_code(), session.exit_code_of(container.error()))});
        const engine::ContainerRecord& record = container->record;
        if (interactive_ && record.interactive && record.terminal && ::isatty(STDIN_FILENO) == 0)
            return report_failure(
                session, "start",
                {{Code::invalid, 0,
                  "container '" + name + "' has a terminal; -i needs one on standard input"},
                 kEngineError});
        if (record.is_live()) return stay(session, engine, name);
        if (record.is_restarting()) // Now, then, and not when it is due.
            if (auto stopped = engine::stop(engine, record.id, {}); !stopped)
                return report_failure(session, "start", {stopped.error(), failure_code()});
        auto outcome = engine::start(engine, record.id,
                                     attach_ ? engine::Attach::foreground : engine::Attach::detached, how_);
        if (!outcome) {
            engine::RunError failure = outcome.error();
            if (!attach_) failure.exit_code = kFailed;
            return report_failure(session, "start", failure);
        }
        if (attach_) return report_outcome(session, "start", *outcome);
        print(name + "\n");
        return kOk;
    }

    // It runs: what was asked for is so.
    int stay(Session& session, engine::Engine& engine, const std::string& name) const {
        if (!attach_) print(name + "\n");
        if (!attach_) return kOk;
        auto outcome = engine::attach(engine, name, how_);
        if (!outcome) return report_failure(session, "start", outcome.error());
        return report_outcome(session, "start", *outcome);
    }

    bool attach_ = false;
    bool interactive_ = false;
    AttachFlags flags_;
    engine::Attachment how_;
};

} // namespace

std::unique_ptr<Verb> make_run() {
    return std::make_unique<Run>();
}
std::unique_ptr<Verb> make_create() {
    return std::make_unique<Create>();
}
std::unique_ptr<Verb> make_start() {
    return std::make_unique<Start>();
}

} // namespace mydocker::cli
