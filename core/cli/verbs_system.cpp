// info, version, system check and recover, and the two words that are not for people.
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "cli/version.hpp"
#include "engine/check.hpp"
#include "engine/lifecycle.hpp"

#include "base/sys.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

void print(const std::string& text) {
    (void)sys::write_all(STDOUT_FILENO, text); // A reader that is gone has no use for it.
}

class Version final : public Verb {
  public:
    void declare(CLI::App&) override {}

    Result<int> run(Session&, const std::vector<std::string>&) override {
        print(fmt::format("mydocker {} (plugin ABI {}.{})\n", kVersionText, MD_ABI_MAJOR, MD_ABI_MINOR));
        return kOk;
    }
};

// A driver and how it was come by: "overlayfs (auto)"; or why there is none.
template <class Choice>
std::string choice_text(const Result<Choice>& choice, const std::string& selected) {
    if (!choice) return "none: " + describe(choice.error());
    return selected == "auto" ? choice->name + " (auto)" : choice->name;
}

class Info final : public Verb {
  public:
    void declare(CLI::App&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        auto made = session.engine();
        if (!made) return fail(made);
        engine::Engine& engine = **made;
        auto containers = engine::list(engine);
        if (!containers) return fail(containers);
        std::size_t live = 0;
        for (const engine::Summary& summary : *containers)
            if (summary.record && summary.record->is_live()) ++live;
        auto images = engine.images();
        auto listed = images ? (*images)->list() : Result<std::vector<image::ListedImage>>(fail(images));
        const config::Config& config = engine.config();
        auto cgroup = engine.selected_cgroup();
        utsname host{};
        (void)::uname(&host); // It cannot fail on valid memory.
        std::string controllers;
        if (cgroup)
            for (const std::string& name : cgroup->traits.controllers)
                controllers += (controllers.empty() ? "" : " ") + name;
        print(fmt::format("Version:         {}\n", kVersionText) +
              fmt::format("Containers:      {} ({} running)\n", containers->size(), live) +
              fmt::format("Images:          {}\n",
                          listed ? std::to_string(listed->size()) : describe(listed.error())) +
              fmt::format("Storage Driver:  {}\n",
                          choice_text(engine.selected_storage(), config.storage_driver.value)) +
              fmt::format("Cgroup Driver:   {}\n", choice_text(cgroup, config.cgroup_driver.value)) +
              fmt::format("Controllers:     {}\n", controllers) +
              fmt::format("Log Driver:      {}\n", config.log_driver.value) +
              fmt::format("State Driver:    {}\n", config.state_driver.value) +
              fmt::format("Root:            {}\n", config.root.value) +
              fmt::format("Run Root:        {}\n", config.run_root.value) +
              fmt::format("Kernel:          {} {}\n", host.release, host.machine) +
              fmt::format("Processors:      {}\n", ::sysconf(_SC_NPROCESSORS_ONLN)) +
              fmt::format("Memory:          {} MiB\n",
                          (::sysconf(_SC_PHYS_PAGES) * ::sysconf(_SC_PAGESIZE)) >> 20));
        return kOk;
    }
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
    void declare(CLI::App&) override {}

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
    void declare(CLI::App&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto left = engine::recover_system(
            **engine, [](std::string_view action) { print(std::string(action) + "\n"); });
        if (!left) return fail(left);
        print_findings(*left);
        return left->empty() ? kOk : kFailed;
    }
};

// The teaching program's `init`: what it did is mydocker-init's work now.
class Init final : public Verb {
  public:
    void declare(CLI::App&) override {}

    Result<int> run(Session& session, const std::vector<std::string>&) override {
        session.diagnostics().error("init: internal: a container's first steps are made by mydocker-init; it "
                                    "cannot be called by hand");
        return kFailed;
    }
};

// What a monitor becomes when its container has ended and nobody waits.
class Finish final : public Verb {
  public:
    void declare(CLI::App&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 1 || !paths::is_id(operands.front()))
            return usage("internal: not for use by hand");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto done = engine::finish_after_monitor(**engine, ContainerId(operands.front()));
        if (!done) return fail(done);
        return kOk;
    }
};

} // namespace

std::unique_ptr<Verb> make_version() {
    return std::make_unique<Version>();
}
std::unique_ptr<Verb> make_info() {
    return std::make_unique<Info>();
}
std::unique_ptr<Verb> make_system_check() {
    return std::make_unique<SystemCheck>();
}
std::unique_ptr<Verb> make_system_recover() {
    return std::make_unique<SystemRecover>();
}
std::unique_ptr<Verb> make_init() {
    return std::make_unique<Init>();
}
std::unique_ptr<Verb> make_finish() {
    return std::make_unique<Finish>();
}

} // namespace mydocker::cli
