// info: the engine, its drivers and the host.
#include "cli/listing.hpp"
#include "cli/resource_flags.hpp"
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "cli/version.hpp"
#include "engine/lifecycle.hpp"

#include "base/json.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

namespace mydocker::cli {
namespace {

// A driver and how it was come by: "overlayfs (auto)"; or why there is none.
template <class Choice>
std::string choice_text(const Result<Choice>& choice, const std::string& selected) {
    if (!choice) return "none: " + describe(choice.error());
    return selected == "auto" ? choice->name + " (auto)" : choice->name;
}

struct Counts {
    std::size_t all = 0;
    std::size_t running = 0;
    std::size_t paused = 0;
};

class Info final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_option("-f,--format", format_, "json, or a template: '{{.Driver}}'");
    }

    // Nothing is asked of a container: what fails is the engine, or the words.
    [[nodiscard]] int failure_code() const override { return kEngineError; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        auto made = session.engine();
        if (!made) return fail(made);
        engine::Engine& engine = **made;
        auto containers = engine::list(engine);
        if (!containers) return fail(containers);
        Counts counts{.all = containers->size()};
        for (const engine::Summary& summary : *containers) {
            if (!summary.record) continue;
            if (summary.record->state == engine::State::running) ++counts.running;
            if (summary.record->state == engine::State::paused) ++counts.paused;
        }
        auto text = format_.empty() ? Result<std::string>(words(engine, counts))
                                    : format_value(format_, document(engine, counts));
        if (!text) return usage(text.error().text);
        print(*text);
        return kOk;
    }

  private:
    static Result<std::size_t> count_images(engine::Engine& engine) {
        auto images = engine.images();
        if (!images) return fail(images);
        auto listed = (*images)->list();
        if (!listed) return fail(listed);
        return listed->size();
    }

    static std::string words(engine::Engine& engine, const Counts& counts) {
        const config::Config& config = engine.config();
        auto images = count_images(engine);
        auto cgroup = engine.selected_cgroup();
        utsname host{};
        (void)::uname(&host); // It cannot fail on valid memory.
        std::string controllers;
        if (cgroup)
            for (const std::string& name : cgroup->traits.controllers)
                controllers += (controllers.empty() ? "" : " ") + name;
        return fmt::format("Version:         {}\n", kVersionText) +
               fmt::format("Containers:      {} ({} running, {} paused)\n", counts.all, counts.running,
                           counts.paused) +
               fmt::format("Images:          {}\n",
                           images ? std::to_string(*images) : describe(images.error())) +
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
               fmt::format("Memory:          {} MiB\n", machine_memory() >> 20U);
    }

    // docker's member names. A driver that cannot be used has no name.
    static json::Value document(engine::Engine& engine, const Counts& counts) {
        const config::Config& config = engine.config();
        auto storage = engine.selected_storage();
        auto cgroup = engine.selected_cgroup();
        auto images = count_images(engine);
        if (!images) engine.diagnostics().warning("info: images: " + describe(images.error()));
        utsname host{};
        (void)::uname(&host);
        json::Value value;
        value.set("Containers", counts.all);
        value.set("ContainersRunning", counts.running);
        value.set("ContainersPaused", counts.paused);
        value.set("ContainersStopped", counts.all - counts.running - counts.paused);
        value.set("Images", images.value_or(0));
        value.set("Driver", storage ? storage->name : std::string());
        value.set("LoggingDriver", config.log_driver.value);
        value.set("StateDriver", config.state_driver.value);
        value.set("CgroupDriver", cgroup ? cgroup->name : std::string());
        value.set("CgroupVersion", cgroup && cgroup->name == "v2" ? "2" : "1");
        json::Array controllers;
        if (cgroup)
            for (const std::string& name : cgroup->traits.controllers)
                controllers.emplace_back(name);
        value.set("CgroupControllers", std::move(controllers));
        value.set("KernelVersion", std::string(host.release));
        value.set("OSType", "linux");
        value.set("Architecture", std::string(host.machine));
        value.set("NCPU", static_cast<std::int64_t>(::sysconf(_SC_NPROCESSORS_ONLN)));
        value.set("MemTotal", machine_memory());
        value.set("DockerRootDir", config.root.value);
        value.set("RunRoot", config.run_root.value);
        value.set("Name", std::string(host.nodename));
        value.set("ServerVersion", kVersionText);
        return value;
    }

    std::string format_;
};

} // namespace

std::unique_ptr<Verb> make_info() {
    return std::make_unique<Info>();
}

} // namespace mydocker::cli
