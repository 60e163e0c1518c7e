// volume create, ls, rm, prune.
#include "cli/container_words.hpp"
#include "cli/each.hpp"
#include "cli/filters.hpp"
#include "cli/key_values.hpp"
#include "cli/listing.hpp"
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "engine/container_volumes.hpp"
#include "engine/volumes.hpp"

#include "base/sys.hpp"

#include <fmt/format.h>

namespace mydocker::cli {
namespace {

// docker's word for what lies on this host.
constexpr const char* kDriver = "local";

class VolumeCreate final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_option("-l,--label", labels_, "label, KEY=value");
        app.add_option("-d,--driver", driver_, "local is all there is");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() > 1) return usage("needs one name, or none");
        if (driver_ != kDriver)
            return usage(fmt::format("driver '{}' is unknown; there is: {}", driver_, kDriver));
        engine::Volume volume;
        if (auto named = name_it(volume, operands); !named) return usage(named.error().text);
        auto labels = parse_labels(labels_);
        if (!labels) return fail(labels);
        volume.labels = std::move(*labels);
        volume.created_ns = sys::realtime_ns();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        if (auto made = engine::create_volume(**engine, volume); !made) return fail(made);
        print(volume.name + "\n");
        return kOk;
    }

  private:
    static Status name_it(engine::Volume& volume, const std::vector<std::string>& operands) {
        if (operands.empty()) {
            auto id = paths::make_id();
            if (!id) return fail(id);
            volume.name = id->str();
            volume.anonymous = true;
            return {};
        }
        auto name = paths::parse_volume_name(operands.front());
        if (!name) return fail(name);
        volume.name = std::move(*name);
        return {};
    }

    std::vector<std::string> labels_;
    std::string driver_ = kDriver;
};

constexpr Field kVolumeFields[] = {
    {"Driver", "DRIVER"},    {"Labels", "LABELS"}, {"Mountpoint", "MOUNTPOINT"},
    {"Name", "VOLUME NAME"}, {"Scope", "SCOPE"},
};
constexpr std::string_view kVolumeColumns[] = {"Driver", "Name"};
constexpr std::array<std::string_view, 4> kVolumeKeys{"dangling", "driver", "label", "name"};

class VolumeLs final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-q,--quiet", quiet_, "names only");
        app.add_option("-f,--filter", filters_, "KEY=VALUE: only those, e.g. dangling=true");
        app.add_option("--format", format_, kFormatHelp);
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        Listing listing(kVolumeFields, kVolumeColumns);
        if (auto set = listing.set_format(format_); !set) return usage(set.error().text);
        auto filters = Filters::parse(filters_, kVolumeKeys);
        auto dangling = filters ? filters->truth("dangling") : Result<bool>(fail(filters));
        if (!dangling) return usage(dangling.error().text);
        if (auto fine = listing.check_fields(); !fine) return usage(fine.error().text);
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto volumes = engine::list_volumes((*engine)->roots());
        if (!volumes) return fail(volumes);
        engine::VolumeUsers users;
        if (filters->has("dangling")) {
            auto known = engine::volume_users(**engine);
            if (!known) return fail(known);
            users = std::move(*known);
        }
        std::string names;
        for (const engine::Volume& volume : *volumes) {
            if (filters->has("dangling") && *dangling == users.by_volume.contains(volume.name)) continue;
            if (!filters->accepts("driver", kDriver) || !filters->accepts_labels(volume.labels) ||
                !filters->matches("name", volume.name))
                continue;
            names += volume.name + "\n";
            if (auto added = listing.add(row((*engine)->roots(), volume)); !added) return fail(added);
        }
        print(quiet_ && listing.is_plain() ? names : listing.text());
        return kOk;
    }

  private:
    static json::Value row(const paths::Roots& roots, const engine::Volume& volume) {
        json::Value row;
        row.set("Driver", kDriver);
        row.set("Labels", printable(labels_text(volume.labels)));
        row.set("Mountpoint", paths::volume_data(roots, volume.name));
        row.set("Name", volume.name);
        row.set("Scope", "local");
        return row;
    }

    bool quiet_ = false;
    std::string format_;
    std::vector<std::string> filters_;
};

class VolumeRm final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-f,--force", force_, "an absent volume is no error");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a volume");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        const auto absent = force_ ? engine::Absent::allowed : engine::Absent::error;
        return for_each_name(session, "volume rm", operands, [&](const std::string& name) {
            return engine::remove_volume(**engine, name, absent);
        });
    }

  private:
    bool force_ = false;
};

} // namespace

std::unique_ptr<Verb> make_volume_create() {
    return std::make_unique<VolumeCreate>();
}
std::unique_ptr<Verb> make_volume_ls() {
    return std::make_unique<VolumeLs>();
}
std::unique_ptr<Verb> make_volume_rm() {
    return std::make_unique<VolumeRm>();
}

} // namespace mydocker::cli
