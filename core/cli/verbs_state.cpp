// pause, unpause, rename: what changes a container without starting or ending it.
#include "cli/each.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"

namespace mydocker::cli {
namespace {

// One thing done to each of several containers, by its id.
class ToEach final : public Verb {
  public:
    using Act = Status (*)(engine::Engine&, const ContainerId&);

    ToEach(std::string_view name, Act act, engine::State state) : name_(name), act_(act), state_(state) {}
    void declare(FlagSet& app) override {
        choice_.declare(app, state_ == engine::State::running ? "all that run" : "all that are paused");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        auto names =
            choice_.names(session, operands, state_ == engine::State::running ? is_running : is_paused);
        if (!names) return fail(names);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return for_each_name(session, name_, *names, [&](const std::string& name) -> Status {
            auto container = engine::find_settled(**engine, name);
            if (!container) return fail(container);
            return act_(**engine, container->record.id);
        });
    }

  private:
    static bool is_running(const engine::ContainerRecord& record) {
        return record.state == engine::State::running;
    }
    static bool is_paused(const engine::ContainerRecord& record) {
        return record.state == engine::State::paused;
    }

    std::string_view name_;
    Act act_;
    engine::State state_; // of those that it makes sense for
    ContainerChoice choice_;
};

class Rename final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 2) return usage("needs a container and its new name");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto container = engine::find_settled(**engine, operands.front());
        if (!container) return fail(container);
        if (auto done = engine::rename(**engine, container->record.id, operands.back()); !done)
            return fail(done);
        return kOk;
    }
};

} // namespace

std::unique_ptr<Verb> make_pause() {
    return std::make_unique<ToEach>("pause", engine::pause, engine::State::running);
}
std::unique_ptr<Verb> make_unpause() {
    return std::make_unique<ToEach>("unpause", engine::unpause, engine::State::paused);
}
std::unique_ptr<Verb> make_rename() {
    return std::make_unique<Rename>();
}

} // namespace mydocker::cli
