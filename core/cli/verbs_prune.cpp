// container prune, image prune, volume prune, system prune: docker's words.
#include "cli/image_words.hpp"
#include "cli/prune_filter.hpp"
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "engine/prune.hpp"

#include "base/sys.hpp"

#include <fmt/format.h>

namespace mydocker::cli {
namespace {

constexpr std::string_view kWarning = "WARNING! This will remove ";

std::string list_text(std::string_view heading, const engine::Pruned& pruned) {
    if (pruned.names.empty()) return {};
    std::string text = fmt::format("{}:\n", heading);
    for (const std::string& name : pruned.names)
        text += printable(name) + "\n";
    return text + "\n";
}

// What the verbs of this file have in common.
class PruneVerb : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-f,--force", force_, "without asking");
        app.add_option("--filter", filters_, "only what fits: until=24h, label=KEY[=VALUE], label!=…");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        auto filter = PruneFilter::parse(filters_, sys::realtime_ns());
        if (!filter) return usage(filter.error().text);
        filter_ = std::move(*filter);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        if (!force_ && !is_agreed(warning())) return kOk;
        std::uint64_t freed = 0;
        if (auto done = prune(**engine, freed); !done) return fail(done);
        print(fmt::format("Total reclaimed space: {}\n", human_size(freed)));
        for (const Error& failure : failures_)
            session.diagnostics().error(fmt::format("{}: {}", name_, describe(failure)));
        return failures_.empty() ? kOk : kFailed;
    }

  protected:
    explicit PruneVerb(std::string_view name) : name_(name) {}

    [[nodiscard]] virtual std::string warning() const = 0;
    // Tells what went; adds up what was freed.
    [[nodiscard]] virtual Status prune(engine::Engine& engine, std::uint64_t& freed) = 0;

    // What went stands there, also where something else could not go.
    Status tell(std::string_view heading, Result<engine::Pruned> pruned, std::uint64_t& freed) {
        if (!pruned) return fail(pruned);
        print(list_text(heading, *pruned));
        freed += pruned->freed;
        failures_.insert(failures_.end(), pruned->failures.begin(), pruned->failures.end());
        return {};
    }

    [[nodiscard]] Result<engine::Pruned> containers(engine::Engine& engine) const {
        return engine::prune_containers(engine, [this](const engine::ContainerRecord& record) {
            return filter_.fits(record.created_ns, record.labels);
        });
    }
    [[nodiscard]] Result<engine::Pruned> images(engine::Engine& engine, engine::PruneImages which) const {
        return engine::prune_images(engine, which, [this](const image::Image& image) {
            // One that does not say when it was made is of old.
            return filter_.fits(image_created_ns(image.config.created).value_or(0), image.config.labels);
        });
    }
    [[nodiscard]] Result<engine::Pruned> volumes(engine::Engine& engine, engine::Prune which) const {
        return engine::prune_volumes(engine, which, [this](const engine::Volume& volume) {
            return filter_.fits(volume.created_ns, volume.labels);
        });
    }

  private:
    std::string_view name_;
    bool force_ = false;
    std::vector<std::string> filters_;
    PruneFilter filter_;
    std::vector<Error> failures_;
};

class ContainerPrune final : public PruneVerb {
  public:
    ContainerPrune() : PruneVerb("container prune") {}

  protected:
    [[nodiscard]] std::string warning() const override {
        return fmt::format("{}all stopped containers.\n", kWarning);
    }
    [[nodiscard]] Status prune(engine::Engine& engine, std::uint64_t& freed) override {
        return tell("Deleted Containers", containers(engine), freed);
    }
};

class ImagePrune final : public PruneVerb {
  public:
    ImagePrune() : PruneVerb("image prune") {}

    void declare(FlagSet& app) override {
        PruneVerb::declare(app);
        app.add_flag("-a,--all", all_, "all that no container uses, not only those without a name");
    }

  protected:
    [[nodiscard]] std::string warning() const override {
        return fmt::format("{}{}.\n", kWarning,
                           all_ ? "all images without at least one container associated to them"
                                : "all dangling images");
    }
    [[nodiscard]] Status prune(engine::Engine& engine, std::uint64_t& freed) override {
        const auto which = all_ ? engine::PruneImages::unused : engine::PruneImages::dangling;
        return tell("Deleted Images", images(engine, which), freed);
    }

  private:
    bool all_ = false;
};

class VolumePrune final : public PruneVerb {
  public:
    VolumePrune() : PruneVerb("volume prune") {}

    void declare(FlagSet& app) override {
        PruneVerb::declare(app);
        app.add_flag("-a,--all", all_, "those with a name, too");
    }

  protected:
    [[nodiscard]] std::string warning() const override {
        return fmt::format("{}{} volumes not used by at least one container.\n", kWarning,
                           all_ ? "all local" : "anonymous local");
    }
    [[nodiscard]] Status prune(engine::Engine& engine, std::uint64_t& freed) override {
        const auto which = all_ ? engine::Prune::all : engine::Prune::anonymous;
        return tell("Deleted Volumes", volumes(engine, which), freed);
    }

  private:
    bool all_ = false;
};

class SystemPrune final : public PruneVerb {
  public:
    SystemPrune() : PruneVerb("system prune") {}

    void declare(FlagSet& app) override {
        PruneVerb::declare(app);
        app.add_flag("-a,--all", all_, "all images that no container uses, not only those without a name");
        app.add_flag("--volumes", volumes_, "anonymous volumes, too");
    }

  protected:
    [[nodiscard]] std::string warning() const override {
        return fmt::format("WARNING! This will remove:\n  - all stopped containers\n{}  - {}\n"
                           "  - what killed commands left\n\n",
                           volumes_ ? "  - all anonymous volumes not used by at least one container\n" : "",
                           all_ ? "all images without at least one container associated to them"
                                : "all dangling images");
    }

    // Containers first: what they use is free then.
    [[nodiscard]] Status prune(engine::Engine& engine, std::uint64_t& freed) override {
        if (auto told = tell("Deleted Containers", containers(engine), freed); !told) return told;
        if (volumes_)
            if (auto told = tell("Deleted Volumes", volumes(engine, engine::Prune::anonymous), freed); !told)
                return told;
        const auto which = all_ ? engine::PruneImages::unused : engine::PruneImages::dangling;
        if (auto told = tell("Deleted Images", images(engine, which), freed); !told) return told;
        auto swept = engine::sweep_leftovers(engine);
        if (!swept) return fail(swept);
        freed += *swept;
        return {};
    }

  private:
    bool all_ = false;
    bool volumes_ = false;
};

} // namespace

std::unique_ptr<Verb> make_container_prune() {
    return std::make_unique<ContainerPrune>();
}
std::unique_ptr<Verb> make_image_prune() {
    return std::make_unique<ImagePrune>();
}
std::unique_ptr<Verb> make_volume_prune() {
    return std::make_unique<VolumePrune>();
}
std::unique_ptr<Verb> make_system_prune() {
    return std::make_unique<SystemPrune>();
}

} // namespace mydocker::cli
