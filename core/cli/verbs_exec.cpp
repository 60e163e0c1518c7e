// exec.
#include "cli/attach_flags.hpp"
#include "cli/key_values.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

class Exec final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-i,--interactive", request_.interactive, "pass standard input on");
        app.add_flag("-t,--tty", request_.terminal, "give the command a terminal");
        flags_.declare_keys(app);
        app.add_flag(
            "-d,--detach", detach_,
            "leave it in the background; -i is ignored then, and nobody types at the terminal of -t");
        environment_.declare(app);
        app.add_flag("--privileged", request_.privileged,
                     "with all capabilities, whatever the container has");
        app.add_option("-u,--user", request_.user, "user inside: NAME|UID[:GROUP|GID]");
        app.add_option("-w,--workdir", request_.working_directory, "working directory inside");
    }
    [[nodiscard]] Operands operands() const override { return Operands::then_stop; }
    [[nodiscard]] int failure_code() const override { return kEngineError; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (auto parsed = parse(operands); !parsed) return fail(parsed);
        auto config = session.config();
        if (!config) return fail(config);
        auto how = flags_.parse(**config);
        if (!how) return usage(how.error().text);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        const auto attach = detach_ ? engine::Attach::detached : engine::Attach::foreground;
        auto outcome = engine::exec(**engine, operands.front(), request_, attach, *how);
        if (!outcome) return report_failure(session, "exec", outcome.error());
        if (outcome->parting != engine::Parting::none) return report_parting(outcome->parting, 0);
        if (outcome->container_ended)
            session.diagnostics().error(fmt::format("exec: container '{}' ended", outcome->container));
        return outcome->exit_code;
    }

  private:
    // `exec web sh`, typed at a terminal: the teaching program gave it that terminal, and docker a shell
    // without input, which ends at once.
    [[nodiscard]] bool is_typed() const {
        return request_.command.size() == 1 && !detach_ && ::isatty(STDIN_FILENO) == 1 &&
               ::isatty(STDOUT_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
    }

    Status parse(const std::vector<std::string>& operands) {
        if (operands.size() < 2) return usage("needs a container and a command");
        request_.command.assign(operands.begin() + 1, operands.end());
        if (!request_.interactive && !request_.terminal && is_typed())
            request_.interactive = request_.terminal = true;
        if (!request_.working_directory.empty() && request_.working_directory.front() != '/')
            return usage(fmt::format("workdir: '{}' is not absolute", request_.working_directory));
        if (request_.terminal && !detach_ && ::isatty(STDIN_FILENO) == 0)
            return usage("-t needs a terminal on standard input; use -i alone");
        return environment_.parse(request_.environment);
    }

    engine::ExecRequest request_;
    AttachFlags flags_;
    bool detach_ = false;
    EnvironmentFlags environment_;
};

} // namespace

std::unique_ptr<Verb> make_exec() {
    return std::make_unique<Exec>();
}

} // namespace mydocker::cli
