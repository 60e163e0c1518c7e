// version, system check, recover and boot.
#include "cli/listing.hpp"
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "cli/version.hpp"
#include "engine/check.hpp"
#include "engine/lifecycle.hpp"
#include "engine/restart.hpp"
#include "image/manifest.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

namespace mydocker::cli {
namespace {

// One program is docker's client and server.
json::Value version_document() {
    json::Value part;
    part.set("Version", kVersionText);
    part.set("PluginAbi", fmt::format("{}.{}", int{MD_ABI_MAJOR}, int{MD_ABI_MINOR}));
    part.set("Os", "linux");
    part.set("Arch", image::host_architecture());
    json::Value document;
    document.set("Client", part);
    document.set("Server", std::move(part));
    return document;
}

class Version final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_option("-f,--format", format_, "json, or a template: '{{.Server.Version}}'");
    }

    Result<int> run(Session&, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        if (format_.empty()) {
            print(fmt::format("mydocker {} (plugin ABI {}.{})\n", kVersionText, int{MD_ABI_MAJOR},
                              int{MD_ABI_MINOR}));
            return kOk;
        }
        auto text = format_value(format_, version_document());
        if (!text) return usage(text.error().text);
        print(*text);
        return kOk;
    }

  private:
    std::string format_;
};

void print_findings(const std::vector<engine::Finding>& findings) {
    if (findings.empty()) return print("nothing is wrong\n");
    Table table({"KIND", "NAME", "WHAT"});
    for (const engine::Finding& finding : findings)
        table.add({finding.kind, finding.name.substr(0, 64), printable(finding.detail)});
    print(table.text());
}

class SystemCheck final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto findings = engine::check_system(**engine);
        if (!findings) return fail(findings);
        print_findings(*findings);
        return findings->empty() ? kOk : kFailed;
    }
};

class SystemRecover final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("--orphans", orphans_,
                     "also delete bundles and writable layers of containers whose records are lost");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto left =
            engine::recover_system(**engine, orphans_ ? engine::Orphans::remove : engine::Orphans::keep,
                                   [](std::string_view action) { print(std::string(action) + "\n"); });
        if (!left) return fail(left);
        print_findings(*left);
        return left->empty() ? kOk : kFailed;
    }

  private:
    bool orphans_ = false;
};

class SystemBoot final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto names = engine::start_after_boot(**engine);
        if (!names) return fail(names);
        for (const std::string& name : *names)
            print(name + "\n");
        return kOk;
    }
};

} // namespace

std::unique_ptr<Verb> make_version() {
    return std::make_unique<Version>();
}
std::unique_ptr<Verb> make_system_check() {
    return std::make_unique<SystemCheck>();
}
std::unique_ptr<Verb> make_system_recover() {
    return std::make_unique<SystemRecover>();
}
std::unique_ptr<Verb> make_system_boot() {
    return std::make_unique<SystemBoot>();
}

} // namespace mydocker::cli
