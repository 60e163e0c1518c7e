// top, stats, update: what containers use, and what they may.
#include "cli/each.hpp"
#include "cli/host_ps.hpp"
#include "cli/listing.hpp"
#include "cli/resource_flags.hpp"
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"
#include "engine/restart.hpp"
#include "engine/usage.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <ranges>
#include <unistd.h>

namespace mydocker::cli {
namespace {

class Top final : public Verb {
  public:
    void declare(FlagSet&) override {}
    [[nodiscard]] Operands operands() const override { return Operands::then_stop; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto container = engine::find_settled(**engine, operands.front());
        if (!container) return fail(container);
        auto pids = engine::processes(**engine, container->record);
        if (!pids) return fail(pids);
        auto listing = host_ps(ps_words(operands), *pids);
        if (!listing) return fail(listing);
        print(*listing);
        return kOk;
    }

  private:
    // As docker has it: "-o pid,args" in one word is two.
    static std::vector<std::string> ps_words(const std::vector<std::string>& operands) {
        std::vector<std::string> words;
        for (const std::string& operand : operands | std::views::drop(1))
            for (const auto word : std::views::split(operand, ' '))
                if (!word.empty()) words.emplace_back(word.begin(), word.end());
        if (words.empty()) words.emplace_back("-ef");
        return words;
    }
};

// What is shown of one container.
struct Shown {
    engine::ContainerRecord record;
    std::optional<engine::Usage> before;
    std::optional<engine::Usage> now; // absent: it does not run
};

// Of one processor, as docker counts: two busy ones are 200 %.
double processor_percent(const Shown& shown) {
    if (!shown.before || !shown.now || shown.now->time_ns <= shown.before->time_ns) return 0;
    if (shown.now->cgroup.cpu_usec < shown.before->cgroup.cpu_usec) return 0; // It was started anew between.
    const auto used_usec = static_cast<double>(shown.now->cgroup.cpu_usec - shown.before->cgroup.cpu_usec);
    return 100.0 * used_usec * 1000.0 / static_cast<double>(shown.now->time_ns - shown.before->time_ns);
}

std::vector<std::string> stats_row(const Shown& shown, bool whole) {
    const engine::ContainerRecord& record = shown.record;
    const engine::Usage usage = shown.now.value_or(engine::Usage{});
    const CgroupStats& cgroup = usage.cgroup;
    // What the page cache could give back at once is not counted, as docker has it.
    const std::uint64_t used = cgroup.memory_bytes - std::min(cgroup.memory_file_bytes, cgroup.memory_bytes);
    const auto whole_machine = static_cast<std::uint64_t>(machine_memory());
    const std::uint64_t limit =
        shown.now ? std::min(cgroup.memory_limit.value_or(whole_machine), whole_machine) : 0;
    const double share = limit > 0 ? 100.0 * static_cast<double>(used) / static_cast<double>(limit) : 0;
    return {whole ? record.id.str() : paths::short_id(record.id),
            record.name.str(),
            fmt::format("{:.2f}%", processor_percent(shown)),
            fmt::format("{} / {}", binary_size(used), binary_size(limit)),
            fmt::format("{:.2f}%", share),
            fmt::format("{} / {}", human_size(usage.network.received), human_size(usage.network.sent)),
            fmt::format("{} / {}", human_size(cgroup.io_read_bytes), human_size(cgroup.io_write_bytes)),
            std::to_string(cgroup.pids)};
}

constexpr Field kStatsFields[] = {
    {"BlockIO", "BLOCK I/O"}, {"CPUPerc", "CPU %"}, {"Container", "CONTAINER"},
    {"ID", "CONTAINER ID"},   {"MemPerc", "MEM %"}, {"MemUsage", "MEM USAGE / LIMIT"},
    {"Name", "NAME"},         {"NetIO", "NET I/O"}, {"PIDs", "PIDS"},
};
// In the order of stats_row().
constexpr std::string_view kStatsColumns[] = {"ID",      "Name",  "CPUPerc", "MemUsage",
                                              "MemPerc", "NetIO", "BlockIO", "PIDs"};

class Stats final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-a,--all", all_, "those that do not run, too");
        app.add_flag("--no-stream", once_, "once, not again and again");
        app.add_flag("--no-trunc", no_trunc_, "whole ids");
        app.add_option("--format", format_, kFormatHelp);
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (auto set = listing_.set_format(format_); !set) return usage(set.error().text);
        if (auto fine = listing_.check_fields(); !fine) return usage(fine.error().text);
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto shown = read(**engine, operands);
        if (!shown) return fail(shown);
        (*engine)->let_roots_go();
        const bool live = !once_ && ::isatty(STDOUT_FILENO) != 0;
        for (int wait_ms = kFirst_ms;; wait_ms = kInterval_ms) {
            if (auto waited = sys::poll({}, wait_ms); !waited) return fail(waited);
            shown = read(**engine, operands);
            if (!shown) return fail(shown);
            auto rows = list(*shown);
            if (!rows) return fail(rows);
            auto written = sys::write_all(STDOUT_FILENO, (live ? kHome : "") + *rows);
            // A reader that has seen enough ends it, as it ends any other program.
            if (!written && written.error().sys_errno != EPIPE) return fail(written, "standard output");
            if (!written || once_) return kOk;
        }
    }

  private:
    static constexpr int kFirst_ms = 500; // between the two readings that the first percentage is made of
    static constexpr int kInterval_ms = 1000;
    static constexpr const char* kHome = "\033[H\033[2J";

    Result<std::vector<engine::ContainerRecord>> chosen(engine::Engine& engine,
                                                        const std::vector<std::string>& names) const {
        std::vector<engine::ContainerRecord> records;
        for (const std::string& name : names) {
            auto container = engine::find_settled(engine, name);
            if (!container) return fail(container);
            records.push_back(std::move(container->record));
        }
        if (!names.empty()) return records;
        auto listed = engine::list(engine);
        if (!listed) return fail(listed);
        for (engine::Summary& summary : std::views::reverse(*listed))
            if (summary.record && (all_ || summary.record->is_live()))
                records.push_back(std::move(*summary.record));
        return records;
    }

    Result<std::vector<Shown>> read(engine::Engine& engine, const std::vector<std::string>& names) {
        auto records = chosen(engine, names);
        if (!records) return fail(records);
        std::vector<Shown> result;
        std::map<std::string, engine::Usage> latest;
        for (engine::ContainerRecord& record : *records) {
            Shown shown{std::move(record), {}, {}};
            const std::string& id = shown.record.id.str();
            if (const auto known = latest_.find(id); known != latest_.end()) shown.before = known->second;
            auto usage = engine::usage(engine, shown.record);
            if (!usage && usage.error().code != Code::conflict) return fail(usage);
            if (usage) shown.now = latest.emplace(id, *usage).first->second;
            result.push_back(std::move(shown));
        }
        latest_ = std::move(latest);
        return result;
    }

    Result<std::string> list(const std::vector<Shown>& all) const {
        Listing listing = listing_;
        for (const Shown& shown : all) {
            const std::vector<std::string> cells = stats_row(shown, no_trunc_);
            json::Value row;
            for (std::size_t i = 0; i < cells.size(); ++i)
                row.set(std::string(kStatsColumns[i]), cells[i]);
            row.set("Container", cells.front());
            if (auto added = listing.add(row); !added) return fail(added);
        }
        return listing.text();
    }

    bool all_ = false;
    bool once_ = false;
    bool no_trunc_ = false;
    std::string format_;
    Listing listing_{kStatsFields, kStatsColumns}; // empty
    std::map<std::string, engine::Usage> latest_;  // by id
};

class Update final : public Verb {
  public:
    void declare(FlagSet& app) override {
        limits_.declare(app, ResourceFlags::Purpose::change);
        app.add_option("--restart", restart_,
                       "policy from its next end on: no, on-failure[:N], always, unless-stopped");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        auto asked = parse();
        if (!asked) return usage(asked.error().text);
        if (!asked->limits && !asked->restart)
            return usage("needs a limit or a restart policy to change; see --help");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return for_each_name(session, "update", operands, [&](const std::string& name) -> Status {
            auto container = engine::find_settled(**engine, name);
            if (!container) return fail(container);
            return engine::update(**engine, container->record.id, *asked);
        });
    }

  private:
    Result<engine::UpdateRequest> parse() {
        engine::UpdateRequest asked;
        auto limits = limits_.parse(ResourceFlags::Purpose::change);
        if (!limits) return fail(limits);
        if (limits_.is_any_given()) asked.limits = std::move(*limits);
        if (restart_.empty()) return asked;
        auto policy = engine::parse_restart_policy(restart_);
        if (!policy) return fail(policy);
        asked.restart = *policy;
        return asked;
    }

    ResourceFlags limits_;
    std::string restart_;
};

} // namespace

std::unique_ptr<Verb> make_top() {
    return std::make_unique<Top>();
}
std::unique_ptr<Verb> make_stats() {
    return std::make_unique<Stats>();
}
std::unique_ptr<Verb> make_update() {
    return std::make_unique<Update>();
}

} // namespace mydocker::cli
