// ps: the containers, as they are now.
#include "cli/container_filter.hpp"
#include "cli/container_words.hpp"
#include "cli/document_parts.hpp"
#include "cli/listing.hpp"
#include "cli/resource_flags.hpp"
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"
#include "engine/shown_mounts.hpp"
#include "engine/steps.hpp"

#include "base/sys.hpp"

#include <fmt/format.h>
#include <limits>
#include <ranges>

namespace mydocker::cli {
namespace {

constexpr Field kPsFields[] = {
    {"Command", "COMMAND"}, {"CreatedAt", "CREATED AT"}, {"ID", "ID"},
    {"Image", "IMAGE"},     {"Labels", "LABELS"},        {"LocalVolumes", "LOCAL VOLUMES"},
    {"Mounts", "MOUNTS"},   {"Names", "NAME"},           {"Networks", "NETWORKS"},
    {"PID", "PID"},         {"Ports", "PORTS"},          {"RunningFor", "CREATED"},
    {"Size", "SIZE"},       {"State", "STATE"},          {"Status", "STATUS"},
};
constexpr std::string_view kPsColumns[] = {"ID", "Names", "PID", "Status", "Command", "RunningFor", "Image"};

class Ps final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-a,--all", all_, "those that do not run, too");
        app.add_flag("-q,--quiet", quiet_, "ids only");
        app.add_option("-n,--last", last_, "the last so many that were made, running or not");
        app.add_flag("-l,--latest", latest_, "the last one that was made");
        app.add_flag("-s,--size", size_, "what each has written");
        app.add_flag("--no-trunc", no_trunc_, "whole ids and commands");
        app.add_option("-f,--filter", filters_, "KEY=VALUE: only those, e.g. status=exited, label=KEY");
        app.add_option("--format", format_, kFormatHelp);
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands; see --help");
        if (size_) listing_.add_column("Size");
        if (auto set = listing_.set_format(format_); !set) return usage(set.error().text);
        auto most = parse_last();
        if (!most) return usage(most.error().text);
        auto filter = ContainerFilter::parse(filters_);
        if (!filter) return usage(filter.error().text);
        if (auto fine = listing_.check_fields(); !fine) return usage(fine.error().text);
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        if (auto settled = filter->settle(**engine); !settled) return fail(settled);
        auto containers = engine::list(**engine);
        if (!containers) return fail(containers);
        if (auto shown = show(session, **engine, *containers, *filter, *most); !shown) return fail(shown);
        const bool only_ids = quiet_ && listing_.is_plain();
        print(only_ids ? ids_ : listing_.text());
        return kOk;
    }

  private:
    // Nothing: all of them.
    Result<std::optional<std::uint64_t>> parse_last() const {
        if (latest_) return std::optional<std::uint64_t>(1);
        if (last_.empty()) return std::optional<std::uint64_t>();
        auto count = parse_number("last", last_, -1, std::numeric_limits<std::int64_t>::max());
        if (!count) return fail(count);
        if (*count <= 0) return std::optional<std::uint64_t>(); // docker's word for no limit
        return std::optional<std::uint64_t>(static_cast<std::uint64_t>(*count));
    }

    Status show(Session& session, engine::Engine& engine, std::vector<engine::Summary>& containers,
                const ContainerFilter& filter, std::optional<std::uint64_t> most) {
        const bool all = all_ || most || filter.asks_for_state();
        const std::int64_t now = sys::realtime_ns();
        std::uint64_t count = 0;
        // Newest first, as docker lists them.
        for (const engine::Summary& each : std::views::reverse(containers)) {
            if (!each.record) {
                session.diagnostics().warning(fmt::format("container {}: {}; see `mydocker system check`",
                                                          paths::short_id(each.id),
                                                          describe(each.record.error())));
                continue;
            }
            const engine::ContainerRecord& record = *each.record;
            if ((!all && !record.is_live() && !record.is_restarting()) || !filter.accepts(record)) continue;
            if (most && count++ == *most) break;
            ids_ += id_of(record) + "\n";
            if (auto added = add_row(engine, record, now); !added) return added;
        }
        return {};
    }

    [[nodiscard]] std::string id_of(const engine::ContainerRecord& record) const {
        return no_trunc_ ? record.id.str() : paths::short_id(record.id);
    }

    // In the order of the fields; what is not shown is not found out.
    Status add_row(engine::Engine& engine, const engine::ContainerRecord& record, std::int64_t now) {
        json::Value row{json::Object{}};
        const auto set = [&](const char* name, const auto& make) {
            if (listing_.shows(name))
                row.set(name, make());
            else if (!format_.empty())
                row.set(name, "");
        };
        set("Command", [&] { return command_of(record); });
        set("CreatedAt", [&] { return timestamp(record.created_ns); });
        set("ID", [&] { return id_of(record); });
        set("Image", [&] { return printable(record.image); });
        set("Labels", [&] { return printable(labels_text(record.labels)); });
        set("LocalVolumes", [&] { return std::to_string(engine::volume_names(record).size()); });
        set("Mounts", [&] { return mounts_of(engine, record); });
        set("Names", [&] { return record.name.str(); });
        set("Networks", [&] { return record.network; });
        set("PID", [&] { return record.is_live() ? std::to_string(record.process.pid) : "-"; });
        set("Ports", [&] { return ""; }); // None is published: there is no network but the host's.
        set("RunningFor", [&] { return age(record.created_ns, now) + " ago"; });
        // A walk over all that it has written: JSON has it with -s only.
        if (size_ || listing_.asks_for("Size")) row.set("Size", size_of(engine, record));
        set("State", [&] { return state_word(record); });
        set("Status", [&] { return status_text(record, now); });
        return listing_.add(row, json::Value(json::Object{{"Label", text_object(record.labels)}}));
    }

    [[nodiscard]] std::string command_of(const engine::ContainerRecord& record) const {
        const std::string command = quote_command(record.command);
        return no_trunc_ ? command : shorten(command, 30);
    }

    [[nodiscard]] static std::string mounts_of(engine::Engine& engine,
                                               const engine::ContainerRecord& record) {
        auto spec = engine::read_spec(engine, record.id);
        if (!spec) return "?";
        std::string text;
        for (const auto& mount : engine::shown_mounts(*spec, engine.roots(), record.id))
            if (mount.kind != engine::ShownMount::Kind::tmpfs)
                text += (text.empty() ? "" : ",") + (mount.name.empty() ? mount.source : mount.name);
        return printable(text);
    }

    // The storage driver's figure for what the container has written.
    [[nodiscard]] static std::string size_of(engine::Engine& engine, const engine::ContainerRecord& record) {
        auto driver = engine.storage(record.drivers.storage);
        auto usage = driver ? (*driver)->usage(RwId(record.id.str())) : Result<Usage>(fail(driver));
        return usage ? human_size(usage->bytes) : "?";
    }

    bool all_ = false;
    bool quiet_ = false;
    bool latest_ = false;
    bool size_ = false;
    bool no_trunc_ = false;
    std::string last_;
    std::string format_;
    std::vector<std::string> filters_;
    Listing listing_{kPsFields, kPsColumns};
    std::string ids_;
};

} // namespace

std::unique_ptr<Verb> make_ps() {
    return std::make_unique<Ps>();
}

} // namespace mydocker::cli
