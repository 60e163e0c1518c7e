// attach.
#include "cli/attach_flags.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"

#include <unistd.h>

namespace mydocker::cli {
namespace {

class Attach final : public Verb {
  public:
    void declare(FlagSet& app) override {
        flags_.declare(app);
        app.add_flag("--no-stdin", no_input_, "output only; standard input stays here");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 1) return usage("needs one container");
        auto config = session.config();
        if (!config) return fail(config);
        auto how = flags_.parse(**config);
        if (!how) return usage(how.error().text);
        how->input = !no_input_;
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto container = engine::find_settled(**engine, operands.front());
        if (!container) return fail(container);
        const engine::ContainerRecord& record = container->record;
        if (record.terminal && record.interactive && how->input && ::isatty(STDIN_FILENO) == 0)
            return fail(Code::invalid, "container '" + record.name.str() +
                                           "' has a terminal; attaching needs one on standard input, or "
                                           "--no-stdin");
        auto outcome = engine::attach(**engine, operands.front(), *how);
        if (!outcome) return report_failure(session, "attach", outcome.error());
        return report_outcome(session, "attach", *outcome);
    }

  private:
    AttachFlags flags_;
    bool no_input_ = false;
};

} // namespace

std::unique_ptr<Verb> make_attach() {
    return std::make_unique<Attach>();
}

} // namespace mydocker::cli
