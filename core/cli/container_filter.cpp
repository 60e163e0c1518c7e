// ps --filter.
#include "cli/container_filter.hpp"

#include "cli/container_words.hpp"
#include "cli/resource_flags.hpp"
#include "engine/shown_mounts.hpp"
#include "engine/steps.hpp"

#include <algorithm>
#include <array>

namespace mydocker::cli {
namespace {

constexpr std::array<std::string_view, 11> kContainerKeys{
    "id", "name", "label", "status", "ancestor", "exited", "volume", "before", "since", "health", "network"};
constexpr std::array<std::string_view, 4> kHealthWords{"none", "starting", "healthy", "unhealthy"};
constexpr std::array<std::string_view, 7> kStatusWords{"created", "restarting", "running", "removing",
                                                       "paused",  "exited",     "dead"};

bool begins_with(const std::vector<LayerId>& chain, const std::vector<LayerId>& beginning) {
    return beginning.size() <= chain.size() && std::equal(beginning.begin(), beginning.end(), chain.begin());
}

// When the container was made that was named last.
Result<std::optional<std::int64_t>> created_of(engine::Engine& engine, std::span<const std::string> names) {
    std::optional<std::int64_t> time;
    for (const std::string& name : names) {
        auto container = engine.find(name);
        if (!container) return fail(container, "filter");
        time = container->record.created_ns;
    }
    return time;
}

} // namespace

Result<ContainerFilter> ContainerFilter::parse(const std::vector<std::string>& given) {
    auto filters = Filters::parse(given, kContainerKeys);
    if (!filters) return fail(filters);
    ContainerFilter filter;
    filter.filters_ = std::move(*filters);
    if (auto known = filter.filters_.check_words("status", kStatusWords); !known) return fail(known);
    if (auto known = filter.filters_.check_words("health", kHealthWords); !known) return fail(known);
    for (const std::string& code : filter.filters_.values("exited")) {
        auto number = parse_number("filter: exited", code, 0, 255);
        if (!number) return fail(number);
        filter.exit_codes_.push_back(*number);
    }
    return filter;
}

Status ContainerFilter::settle(engine::Engine& engine) {
    engine_ = &engine;
    auto before = created_of(engine, filters_.values("before"));
    auto since = created_of(engine, filters_.values("since"));
    if (!before || !since) return fail(before ? since : before);
    before_ns_ = *before;
    since_ns_ = *since;
    return filters_.has("ancestor") ? find_ancestors() : Status{};
}

// The images that are one of those asked for, or built on one.
Status ContainerFilter::find_ancestors() {
    auto store = engine_->images();
    if (!store) return fail(store);
    auto images = (*store)->list();
    if (!images) return fail(images);
    for (const std::string& name : filters_.values("ancestor")) {
        auto ancestor = (*store)->find(name);
        if (!ancestor) continue;
        for (const image::ListedImage& listed : *images)
            if (listed.image && begins_with(listed.image->chain, ancestor->chain))
                descendants_.insert(listed.image->id);
    }
    return {};
}

// By its image's name too, which may be another image's by now.
bool ContainerFilter::descends(const engine::ContainerRecord& record) const {
    return filters_.accepts("ancestor", record.image) || descendants_.contains(record.image_id);
}

// By a volume's name, or by either end of a mount.
bool ContainerFilter::has_volume(const engine::ContainerRecord& record) const {
    if (!filters_.has("volume")) return true;
    auto spec = engine::read_spec(*engine_, record.id);
    if (!spec) return false; // Damaged: what it mounts is not known.
    return std::ranges::any_of(engine::shown_mounts(*spec, engine_->roots(), record.id),
                               [&](const auto& mount) {
                                   return (!mount.name.empty() && filters_.accepts("volume", mount.name)) ||
                                          filters_.accepts("volume", mount.destination) ||
                                          (!mount.source.empty() && filters_.accepts("volume", mount.source));
                               });
}

// With docker's slash before it, too: scripts ask for "^/web$".
bool ContainerFilter::has_name(const engine::ContainerRecord& record) const {
    return filters_.matches("name", record.name.str()) || filters_.matches("name", "/" + record.name.str());
}

bool ContainerFilter::accepts(const engine::ContainerRecord& record) const {
    const bool exit_fits =
        exit_codes_.empty() || (record.state == engine::State::exited &&
                                std::ranges::find(exit_codes_, record.exit_code) != exit_codes_.end());
    return exit_fits && filters_.matches("id", record.id.str()) && has_name(record) &&
           filters_.accepts_labels(record.labels) && filters_.accepts("status", state_word(record)) &&
           filters_.accepts("network", record.network) && filters_.accepts("health", health_word(record)) &&
           (!before_ns_ || record.created_ns < *before_ns_) &&
           (!since_ns_ || record.created_ns > *since_ns_) && descends(record) && has_volume(record);
}

} // namespace mydocker::cli
