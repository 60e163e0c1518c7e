// run, create, start.
#include "cli/resource_flags.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"

#include "base/sys.hpp"

#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

// "KEY=value", or "KEY" for the caller's own value; an unset one is left out, as docker does.
Result<std::vector<std::string>> parse_environment(const std::vector<std::string>& given) {
    std::vector<std::string> result;
    for (const std::string& text : given) {
        const auto equals = text.find('=');
        if (text.empty() || equals == 0)
            return usage(fmt::format("env: '{}' has no name before the '='", text));
        if (equals != std::string::npos) {
            result.push_back(text);
        } else if (const char* value = std::getenv(text.c_str()); value != nullptr) {
            result.push_back(text + "=" + value);
        }
    }
    return result;
}

Result<engine::NetworkMode> parse_network(const std::string& text) {
    using Kind = engine::NetworkMode::Kind;
    if (text.empty() || text == "none") return engine::NetworkMode{Kind::none, ""};
    if (text == "host") return engine::NetworkMode{Kind::host, ""};
    constexpr std::string_view kContainer = "container:";
    if (text.starts_with(kContainer) && text.size() > kContainer.size())
        return engine::NetworkMode{Kind::container, text.substr(kContainer.size())};
    return usage(fmt::format("network: '{}' is unknown; there are: none, host, container:NAME", text));
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
    void declare(CLI::App& app) {
        app.add_flag("-i,--interactive", request_.interactive, "keep standard input open");
        app.add_flag("-t,--tty", request_.terminal, "give the command a terminal");
        app.add_flag("--rm", request_.remove_after, "remove the container when it has ended");
        name_ = app.add_option("--name", request_.name, "name of the container");
        app.add_option("--hostname", request_.hostname, "host name inside (default: the short id)");
        app.add_option("-e,--env", environment_, "environment variable, KEY=value or KEY");
        app.add_option("-w,--workdir", request_.working_directory, "working directory inside");
        app.add_option("-u,--user", request_.user, "user inside: NAME|UID[:GROUP|GID]");
        entrypoint_ =
            app.add_option("--entrypoint", entrypoint_text_, "program instead of the image's entrypoint");
        app.add_option("-l,--label", labels_, "label, KEY=value");
        app.add_flag("--read-only", request_.read_only, "root file system read-only");
        app.add_option("--network,--net", network_, "none (default), host, or container:NAME");
        app.add_option("--stop-signal", request_.stop_signal, "signal that stop sends first");
        app.add_option("--stop-timeout", stop_timeout_, "seconds until stop kills");
        app.add_option("--cgroup-parent", request_.cgroup_parent,
                       "cgroup to put the container's below (mydocker)");
        resources_.declare(app);
    }

    Result<engine::CreateRequest> parse(const std::vector<std::string>& operands) {
        if (operands.empty()) return usage("needs an image name");
        request_.image = operands.front();
        request_.command.assign(operands.begin() + 1, operands.end());
        // An empty name is a mistake in a script, not a wish for a made-up one.
        if (name_->count() > 0)
            if (auto name = paths::parse_name(request_.name); !name) return fail(name);
        if (auto checked = check_hostname(request_.hostname); !checked) return fail(checked);
        if (!request_.working_directory.empty() && request_.working_directory.front() != '/')
            return usage(fmt::format("workdir: '{}' is not absolute", request_.working_directory));
        if (entrypoint_->count() > 0) request_.entrypoint = entrypoint_text_;
        auto environment = parse_environment(environment_);
        if (!environment) return fail(environment);
        request_.environment = std::move(*environment);
        if (auto labelled = parse_labels(); !labelled) return fail(labelled);
        auto network = parse_network(network_);
        if (!network) return fail(network);
        request_.network = std::move(*network);
        if (!stop_timeout_.empty()) {
            auto seconds = parse_number("stop-timeout", stop_timeout_, -1, 86400);
            if (!seconds) return fail(seconds);
            request_.stop_timeout = std::chrono::seconds(*seconds);
        }
        auto resources = resources_.parse();
        if (!resources) return fail(resources);
        request_.resources = std::move(*resources);
        return request_;
    }

  private:
    Status parse_labels() {
        for (const std::string& text : labels_) {
            const auto equals = text.find('=');
            if (text.empty() || equals == 0)
                return usage(fmt::format("label: '{}' has no name before the '='", text));
            request_.labels.emplace_back(text.substr(0, equals),
                                         equals == std::string::npos ? "" : text.substr(equals + 1));
        }
        return {};
    }

    engine::CreateRequest request_;
    ResourceFlags resources_;
    CLI::Option* name_ = nullptr;
    CLI::Option* entrypoint_ = nullptr;
    std::string entrypoint_text_;
    std::vector<std::string> environment_;
    std::vector<std::string> labels_;
    std::string network_;
    std::string stop_timeout_;
};

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

int report_failure(Session& session, std::string_view verb, const engine::RunError& failure) {
    session.diagnostics().error(fmt::format("{}: {}", verb, describe(failure.error)));
    return failure.exit_code;
}

void print_line(const std::string& line) {
    (void)sys::write_all(STDOUT_FILENO, line + "\n"); // A reader that is gone has no use for it.
}

class Run final : public Verb {
  public:
    void declare(CLI::App& app) override {
        flags_.declare(app);
        app.add_flag("-d,--detach", detach_, "leave it in the background and print its id");
    }
    [[nodiscard]] Operands operands() const override { return Operands::then_stop; }
    [[nodiscard]] int failure_code() const override { return kEngineError; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        auto request = flags_.parse(operands);
        if (!request) return fail(request);
        if (request->terminal && !detach_ && ::isatty(STDIN_FILENO) == 0)
            return usage("-t needs a terminal on standard input; use -i alone");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        const auto attach = detach_ ? engine::Attach::detached : engine::Attach::foreground;
        auto outcome = engine::run(**engine, *request, attach);
        if (!outcome) return report_failure(session, "run", outcome.error());
        if (outcome->waited) return report_end(session, "run", outcome->record);
        print_line(outcome->record.id.str());
        return kOk;
    }

  private:
    CreateFlags flags_;
    bool detach_ = false;
};

class Create final : public Verb {
  public:
    void declare(CLI::App& app) override { flags_.declare(app); }
    [[nodiscard]] Operands operands() const override { return Operands::then_stop; }
    [[nodiscard]] int failure_code() const override { return kEngineError; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        auto request = flags_.parse(operands);
        if (!request) return fail(request);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto record = engine::create(**engine, *request);
        if (!record) return fail(record);
        print_line(record->id.str());
        return kOk;
    }

  private:
    CreateFlags flags_;
};

class Start final : public Verb {
  public:
    void declare(CLI::App& app) override {
        app.add_flag("-a,--attach", attach_, "stay in the foreground, with its output and exit code");
        app.add_flag("-i,--interactive", interactive_,
                     "stay in the foreground with standard input, if it was made with -i");
    }
    [[nodiscard]] int failure_code() const override { return attach_ ? kEngineError : kFailed; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        attach_ = attach_ || interactive_;
        if (attach_ && operands.size() > 1) return usage("one container at a time can be attached to");
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
        if (!container) return report_failure(session, "start", {container.error(), failure_code()});
        if (container->record.is_live()) {
            if (!attach_) print_line(name); // It runs: what was asked for is so.
            if (!attach_) return kOk;
            return report_failure(
                session, "start",
                {{Code::conflict, 0, "container '" + name + "' is running already"}, kEngineError});
        }
        if (attach_ && container->record.terminal && ::isatty(STDIN_FILENO) == 0)
            return report_failure(
                session, "start",
                {{Code::invalid, 0,
                  "container '" + name + "' has a terminal; attaching needs one on standard input"},
                 kEngineError});
        auto outcome = engine::start(engine, container->record.id,
                                     attach_ ? engine::Attach::foreground : engine::Attach::detached);
        if (!outcome) {
            engine::RunError failure = outcome.error();
            if (!attach_) failure.exit_code = kFailed;
            return report_failure(session, "start", failure);
        }
        if (outcome->waited) return report_end(session, "start", outcome->record);
        print_line(name);
        return kOk;
    }

    bool attach_ = false;
    bool interactive_ = false;
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
