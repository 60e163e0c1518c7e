// images: what the store has.
#include "cli/container_words.hpp"
#include "cli/filters.hpp"
#include "cli/image_words.hpp"
#include "cli/listing.hpp"
#include "cli/table.hpp"
#include "cli/times.hpp"
#include "cli/verb_makers.hpp"
#include "image/store.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fnmatch.h>
#include <optional>

namespace mydocker::cli {
namespace {

constexpr std::size_t kShortDigest = 12;

constexpr Field kImageFields[] = {
    {"CreatedAt", "CREATED AT"}, {"CreatedSince", "CREATED"},  {"Digest", "DIGEST"}, {"ID", "IMAGE ID"},
    {"Labels", "LABELS"},        {"Repository", "REPOSITORY"}, {"Size", "SIZE"},     {"Tag", "TAG"},
};
constexpr std::string_view kImageColumns[] = {"Repository", "Tag", "ID", "CreatedSince", "Size"};
constexpr std::string_view kDigestColumns[] = {"Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"};
constexpr std::array<std::string_view, 6> kImageKeys{"dangling", "label", "reference",
                                                     "before",   "since", "until"};

// One line of the list: an image under one of its names.
struct NamedImage {
    const image::Image* image = nullptr;
    ImageName name;
};

// "busybox", "busy*:1.*", "library/*": the tag may be left out.
bool fits_pattern(const ImageName& name, const std::string& pattern) {
    if (name.repository.empty()) return false;
    const std::string whole = name.repository + ":" + name.tag;
    return ::fnmatch(pattern.c_str(), whole.c_str(), FNM_PATHNAME) == 0 ||
           ::fnmatch(pattern.c_str(), name.repository.c_str(), FNM_PATHNAME) == 0;
}

// One that does not say when it was made is of old.
std::int64_t made_ns(const image::Image& image) {
    return image_created_ns(image.config.created).value_or(0);
}

class ImageFilter {
  public:
    // Pure.
    static Result<ImageFilter> parse(const std::vector<std::string>& given) {
        auto filters = Filters::parse(given, kImageKeys);
        if (!filters) return fail(filters);
        ImageFilter filter;
        filter.filters_ = std::move(*filters);
        auto dangling = filter.filters_.truth("dangling");
        if (!dangling) return fail(dangling);
        filter.dangling_ = *dangling;
        for (const std::string& text : filter.filters_.values("until")) {
            auto time = parse_time("filter: until", text, sys::realtime_ns());
            if (!time) return fail(time);
            filter.before_ns_ = std::min(filter.before_ns_.value_or(*time), *time);
        }
        return filter;
    }

    // Finds the images to compare with. Errors: not_found.
    Status settle(const image::Store& store) {
        for (const std::string& name : filters_.values("before")) {
            auto image = store.find(name);
            if (!image) return fail(image, "filter: before");
            before_ns_ = made_ns(*image);
        }
        for (const std::string& name : filters_.values("since")) {
            auto image = store.find(name);
            if (!image) return fail(image, "filter: since");
            since_ns_ = made_ns(*image);
        }
        return {};
    }

    [[nodiscard]] bool accepts(const NamedImage& named) const {
        if (filters_.has("dangling") && dangling_ != named.name.repository.empty()) return false;
        const auto patterns = filters_.values("reference");
        if (!patterns.empty() && std::ranges::none_of(patterns, [&](const std::string& pattern) {
                return fits_pattern(named.name, pattern);
            }))
            return false;
        if (!filters_.accepts_labels(named.image->config.labels)) return false;
        const std::int64_t created = made_ns(*named.image);
        return (!before_ns_ || created < *before_ns_) && (!since_ns_ || created > *since_ns_);
    }

  private:
    Filters filters_;
    bool dangling_ = false;
    std::optional<std::int64_t> before_ns_;
    std::optional<std::int64_t> since_ns_;
};

class Images final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-a,--all", all_, "accepted; all are shown anyway");
        app.add_flag("-q,--quiet", quiet_, "ids only");
        app.add_flag("--no-trunc", no_trunc_, "whole ids");
        app.add_flag("--digests", digests_, "digests of the manifests, too");
        app.add_option("-f,--filter", filters_, "KEY=VALUE: only those, e.g. reference='busy*'");
        app.add_option("--format", format_, kFormatHelp);
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() > 1) return usage("takes one NAME[:TAG] at most");
        if (!operands.empty()) filters_.push_back("reference=" + operands.front());
        Listing listing(kImageFields, digests_ ? std::span<const std::string_view>(kDigestColumns)
                                               : std::span<const std::string_view>(kImageColumns));
        if (auto set = listing.set_format(format_); !set) return usage(set.error().text);
        auto filter = ImageFilter::parse(filters_);
        if (!filter) return usage(filter.error().text);
        if (auto fine = listing.check_fields(); !fine) return usage(fine.error().text);
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto store = (*engine)->images();
        if (!store) return fail(store);
        if (auto settled = filter->settle(**store); !settled) return fail(settled);
        auto images = (*store)->list();
        if (!images) return fail(images);
        for (const image::ListedImage& listed : *images) {
            if (!listed.image) {
                session.diagnostics().warning(
                    fmt::format("image {}: {}", listed.manifest.str(), describe(listed.image.error())));
                continue;
            }
            if (auto added = add(listing, *filter, *listed.image); !added) return fail(added);
        }
        print(quiet_ && listing.is_plain() ? ids_ : listing.text());
        return kOk;
    }

  private:
    // A line for each of its names; its id once.
    Status add(Listing& listing, const ImageFilter& filter, const image::Image& image) {
        bool is_new = true;
        const auto names = image.references.empty() ? std::vector<std::string>{""} : image.references;
        for (const std::string& reference : names) {
            const NamedImage named{&image, image_name(reference)};
            if (!filter.accepts(named)) continue;
            if (is_new) ids_ += id_of(image) + "\n";
            is_new = false;
            if (auto added = listing.add(row(named)); !added) return added;
        }
        return {};
    }

    [[nodiscard]] std::string id_of(const image::Image& image) const {
        return no_trunc_ ? "sha256:" + image.id : image.id.substr(0, kShortDigest);
    }

    [[nodiscard]] json::Value row(const NamedImage& named) const {
        const image::Image& image = *named.image;
        const auto created = image_created_ns(image.config.created);
        json::Value row;
        row.set("CreatedAt", created ? timestamp(*created) : "-");
        row.set("CreatedSince", image_age(image.config.created, sys::realtime_ns()));
        row.set("Digest", image.manifest.str());
        row.set("ID", id_of(image));
        row.set("Labels", printable(labels_text(image.config.labels)));
        row.set("Repository", shown_part(named.name.repository));
        row.set("Size", human_size(image.size()));
        row.set("Tag", shown_part(named.name.tag));
        return row;
    }

    bool all_ = false;
    bool quiet_ = false;
    bool no_trunc_ = false;
    bool digests_ = false;
    std::string format_;
    std::vector<std::string> filters_;
    std::string ids_;
};

} // namespace

std::unique_ptr<Verb> make_images() {
    return std::make_unique<Images>();
}

} // namespace mydocker::cli
