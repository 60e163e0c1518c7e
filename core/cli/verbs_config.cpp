// config show, config validate.
#include "cli/verb_makers.hpp"
#include "config/check.hpp"

#include <fmt/format.h>

namespace mydocker::cli {
namespace {

class ConfigShow final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("--origin", origin_, "say where each value comes from");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        auto config = session.config();
        if (!config) return fail(config);
        print(config::show(**config, origin_ ? config::ShowOrigin::yes : config::ShowOrigin::no));
        return kOk;
    }

  private:
    bool origin_ = false;
};

// What the drivers say of their options; a driver that is not there is a complaint of its own.
std::vector<std::string> driver_complaints(engine::Engine& engine, const config::Config& config) {
    std::vector<std::string> complaints;
    for (const auto& [key, options] : config.options) {
        const auto kind = plugin::parse_kind(key.kind);
        if (!kind) continue;
        auto passport = engine.plugins().passport(*kind, key.driver);
        if (!passport) {
            complaints.push_back(
                fmt::format("[{}.{}]: {}", key.kind, key.driver, describe(passport.error())));
            continue;
        }
        for (const config::Complaint& complaint :
             config::examine_options(key.kind, key.driver, passport->options, options).complaints)
            complaints.push_back(describe(complaint.error()));
    }
    const std::pair<plugin::Kind, const config::Value<std::string>*> selected[] = {
        {plugin::Kind::storage, &config.storage_driver},
        {plugin::Kind::cgroup, &config.cgroup_driver},
        {plugin::Kind::log, &config.log_driver},
        {plugin::Kind::state, &config.state_driver}};
    for (const auto& [kind, driver] : selected) {
        if (driver->value == "auto") continue;
        if (auto passport = engine.plugins().passport(kind, driver->value); !passport)
            complaints.push_back(fmt::format("{}: {}", driver->origin.text(), describe(passport.error())));
    }
    return complaints;
}

class ConfigValidate final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() > 1) return usage("takes one file at the most");
        if (auto found = session.installation(); !found) return fail(found);
        config::LoadRequest request = session.load_request();
        if (!operands.empty()) request.chosen_file = operands.front();
        const config::Examined examined = config::examine(request);
        std::vector<std::string> complaints;
        complaints.reserve(examined.complaints.size());
        for (const config::Complaint& complaint : examined.complaints)
            complaints.push_back(describe(complaint.error()));
        engine::EngineSetup setup;
        setup.config = examined.config;
        setup.installation = **session.installation();
        setup.diagnostics = &session.diagnostics();
        engine::Engine engine(std::move(setup));
        for (std::string& complaint : driver_complaints(engine, examined.config))
            complaints.push_back(std::move(complaint));
        for (const std::string& complaint : complaints)
            print(complaint + "\n");
        if (complaints.empty()) print("the configuration is valid\n");
        return complaints.empty() ? kOk : kFailed;
    }
};

} // namespace

std::unique_ptr<Verb> make_config_show() {
    return std::make_unique<ConfigShow>();
}
std::unique_ptr<Verb> make_config_validate() {
    return std::make_unique<ConfigValidate>();
}

} // namespace mydocker::cli
