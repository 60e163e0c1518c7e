// system df, system reset.
#include "cli/container_words.hpp"
#include "cli/image_words.hpp"
#include "cli/listing.hpp"
#include "cli/prune_filter.hpp"
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "engine/disk.hpp"
#include "engine/reset.hpp"

#include "base/sys.hpp"

#include <fmt/format.h>

namespace mydocker::cli {
namespace {

constexpr std::size_t kShownId = 12;

// A line of the short form.
struct Space {
    std::string type;
    std::size_t total = 0;
    std::size_t active = 0;
    std::uint64_t bytes = 0;
    std::uint64_t reclaimable = 0;

    void count(bool is_active, std::uint64_t size) {
        ++total;
        bytes += size;
        if (is_active)
            ++active;
        else
            reclaimable += size;
    }
    [[nodiscard]] json::Value row() const {
        const std::string share = bytes > 0 ? fmt::format(" ({}%)", reclaimable * 100 / bytes) : "";
        json::Value row;
        row.set("Active", std::to_string(active));
        row.set("Reclaimable", human_size(reclaimable) + share);
        row.set("Size", human_size(bytes));
        row.set("TotalCount", std::to_string(total));
        row.set("Type", type);
        return row;
    }
};

constexpr Field kSpaceFields[] = {
    {"Active", "ACTIVE"}, {"Reclaimable", "RECLAIMABLE"}, {"Size", "SIZE"}, {"TotalCount", "TOTAL"},
    {"Type", "TYPE"},
};
constexpr std::string_view kSpaceColumns[] = {"Type", "TotalCount", "Active", "Size", "Reclaimable"};

class SystemDf final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-v,--verbose", verbose_, "each one by itself");
        app.add_option("--format", format_, kFormatHelp);
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        if (verbose_ && !format_.empty()) return usage("--format is for the short form; leave -v out");
        Listing listing(kSpaceFields, kSpaceColumns);
        if (auto set = listing.set_format(format_); !set) return usage(set.error().text);
        if (auto fine = listing.check_fields(); !fine) return usage(fine.error().text);
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto used = engine::disk_usage(**engine);
        if (!used) return fail(used);
        if (!verbose_)
            if (auto added = overview(*used, listing); !added) return fail(added);
        print(verbose_ ? details(*used) : listing.text());
        return kOk;
    }

  private:
    static Status overview(const engine::DiskUsage& used, Listing& listing) {
        Space images{"Images"};
        for (const engine::ImageRow& image : used.images) {
            ++images.total;
            if (image.containers > 0)
                ++images.active;
            else
                images.reclaimable += image.unique;
        }
        images.bytes = used.image_bytes;
        if (images.active == 0) images.reclaimable = images.bytes;
        Space containers{"Containers"};
        for (const engine::ContainerRow& container : used.containers)
            containers.count(container.record.is_live(), container.bytes);
        Space volumes{"Local Volumes"};
        for (const engine::VolumeRow& volume : used.volumes)
            volumes.count(volume.containers > 0, volume.bytes);
        Space unpacked{"Unpacked Layers"};
        for (const engine::UnpackedRow& row : used.unpacked)
            unpacked.count(row.containers > 0, row.bytes);
        for (const Space& space : {images, containers, volumes, unpacked})
            if (auto added = listing.add(space.row()); !added) return added;
        return {};
    }

    static std::string details(const engine::DiskUsage& used) {
        return "Images space usage:\n\n" + image_table(used) + "\nContainers space usage:\n\n" +
               container_table(used) + "\nLocal Volumes space usage:\n\n" + volume_table(used) +
               "\nUnpacked layers, by storage driver:\n\n" + unpacked_table(used);
    }

    static std::string image_table(const engine::DiskUsage& used) {
        Table table(
            {"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"});
        const std::int64_t now = sys::realtime_ns();
        for (const engine::ImageRow& image : used.images) {
            const ImageName name =
                image_name(image.references.empty() ? std::string() : image.references.front());
            table.add({shown_part(name.repository), shown_part(name.tag), image.id.substr(0, kShownId),
                       image_age(image.created, now), human_size(image.bytes),
                       human_size(image.bytes - image.unique), human_size(image.unique),
                       std::to_string(image.containers)});
        }
        return table.text();
    }

    static std::string container_table(const engine::DiskUsage& used) {
        Table table({"CONTAINER ID", "IMAGE", "COMMAND", "SIZE", "CREATED", "STATUS", "NAMES"});
        const std::int64_t now = sys::realtime_ns();
        for (const engine::ContainerRow& row : used.containers)
            table.add({paths::short_id(row.record.id), printable(row.record.image),
                       shorten(quote_command(row.record.command), 20), human_size(row.bytes),
                       age(row.record.created_ns, now) + " ago", status_text(row.record, now),
                       row.record.name.str()});
        return table.text();
    }

    static std::string volume_table(const engine::DiskUsage& used) {
        Table table({"VOLUME NAME", "LINKS", "SIZE"});
        for (const engine::VolumeRow& row : used.volumes)
            table.add({row.volume.name, std::to_string(row.containers), human_size(row.bytes)});
        return table.text();
    }

    static std::string unpacked_table(const engine::DiskUsage& used) {
        Table table({"DRIVER", "CONTAINERS", "SIZE"});
        for (const engine::UnpackedRow& row : used.unpacked)
            table.add({printable(row.driver), std::to_string(row.containers), human_size(row.bytes)});
        return table.text();
    }

    std::string format_;
    bool verbose_ = false;
};

class SystemReset final : public Verb {
  public:
    void declare(FlagSet& app) override { app.add_flag("-f,--force", force_, "without asking"); }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto plan = engine::reset_plan(**engine);
        if (!plan) return fail(plan);
        std::string warning = "WARNING! This will remove:\n";
        for (const std::string& line : *plan)
            warning += "  - " + printable(line) + "\n";
        if (!force_ && !is_agreed(warning + "\n")) return kOk;
        if (auto done = engine::reset(**engine); !done) return fail(done);
        return kOk;
    }

  private:
    bool force_ = false;
};

} // namespace

std::unique_ptr<Verb> make_system_df() {
    return std::make_unique<SystemDf>();
}
std::unique_ptr<Verb> make_system_reset() {
    return std::make_unique<SystemReset>();
}

} // namespace mydocker::cli
