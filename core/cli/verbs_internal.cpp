// What is not for people: verbs that the engine's own processes call, each on one container. The teaching
// program's `init` stands here to say why it refuses.
#include "cli/verb_makers.hpp"
#include "engine/health.hpp"
#include "engine/hold.hpp"
#include "engine/lifecycle.hpp"
#include "engine/monitor_health.hpp"
#include "engine/restart.hpp"

#include <unistd.h>

namespace mydocker::cli {
namespace {

// The teaching program's `init`: what it did is mydocker-init's work now.
class Init final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session& session, const std::vector<std::string>&) override {
        session.diagnostics().error("init: internal: a container's first steps are made by mydocker-init; it "
                                    "cannot be called by hand");
        return kFailed;
    }
};

class OnContainer final : public Verb {
  public:
    using Act = Result<int> (*)(engine::Engine&, const ContainerId&);

    explicit OnContainer(Act act) : act_(act) {}
    void declare(FlagSet&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 1 || !paths::is_id(operands.front()))
            return usage("internal: not for use by hand");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return act_(**engine, ContainerId(operands.front()));
    }

  private:
    Act act_;
};

template <Status (*act)(engine::Engine&, const ContainerId&)>
Result<int> done_or_failed(engine::Engine& engine, const ContainerId& id) {
    if (auto done = act(engine, id); !done) return fail(done);
    return kOk;
}

Result<int> check_health(engine::Engine& engine, const ContainerId& id) {
    auto health = engine::check_health(engine, id);
    if (!health) return fail(health);
    return *health == engine::Health::starting ? engine::kStillStarting : kOk;
}

Status thaw_after_caller(engine::Engine& engine, const ContainerId& id) {
    return engine::thaw_at_end(engine, id, STDIN_FILENO);
}

} // namespace

std::unique_ptr<Verb> make_init() {
    return std::make_unique<Init>();
}
// What a monitor becomes when its container has ended and nobody waits.
std::unique_ptr<Verb> make_finish() {
    return std::make_unique<OnContainer>(done_or_failed<engine::finish_after_monitor>);
}
// Waits until a container is due to be restarted, and starts it.
std::unique_ptr<Verb> make_restarter() {
    return std::make_unique<OnContainer>(done_or_failed<engine::restart_when_due>);
}
// One check of a container's health, for its monitor.
std::unique_ptr<Verb> make_health() {
    return std::make_unique<OnContainer>(check_health);
}
// Watches over a container that a command holds still.
std::unique_ptr<Verb> make_thaw() {
    return std::make_unique<OnContainer>(done_or_failed<thaw_after_caller>);
}

} // namespace mydocker::cli
