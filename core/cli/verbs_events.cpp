// events: what happened, and what happens.
#include "cli/event_words.hpp"
#include "cli/filters.hpp"
#include "cli/listing.hpp"
#include "cli/times.hpp"
#include "cli/verb_makers.hpp"
#include "engine/events.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <poll.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

constexpr std::array<std::string_view, 7> kEventKeys{"container", "event", "image", "label",
                                                     "name",      "type",  "volume"};
constexpr std::array<std::string_view, 3> kEventTypes{"container", "image", "volume"};

class EventFilter {
  public:
    static Result<EventFilter> parse(const std::vector<std::string>& given) {
        auto filters = Filters::parse(given, kEventKeys);
        if (!filters) return fail(filters);
        if (auto known = filters->check_words("type", kEventTypes); !known) return fail(known);
        EventFilter filter;
        filter.filters_ = std::move(*filters);
        return filter;
    }

    [[nodiscard]] bool accepts(const engine::Event& event) const {
        // "exec_create: sh" is asked for by its first word.
        const std::string action = event.action.substr(0, event.action.find(':'));
        return filters_.accepts("type", event.type) &&
               (filters_.accepts("event", action) || filters_.accepts("event", event.action)) &&
               filters_.accepts_labels(event.attributes) && accepts_name(event) &&
               accepts_object(event, "container") && accepts_object(event, "volume") && accepts_image(event);
    }

  private:
    [[nodiscard]] bool accepts_name(const engine::Event& event) const {
        const std::string name = attribute(event, "name");
        return filters_.accepts("name", name.empty() ? event.id : name);
    }

    // By name, id or the beginning of one.
    [[nodiscard]] bool accepts_object(const engine::Event& event, std::string_view type) const {
        if (!filters_.has(type)) return true;
        if (event.type != type) return false;
        return filters_.accepts(type, attribute(event, "name")) ||
               std::ranges::any_of(filters_.values(type), [&](const std::string& value) {
                   return !value.empty() && event.id.starts_with(value);
               });
    }

    // Of an image, or of a container of it; with its tag or without.
    [[nodiscard]] bool accepts_image(const engine::Event& event) const {
        if (!filters_.has("image")) return true;
        const std::string name = attribute(event, event.type == "image" ? "name" : "image");
        return filters_.accepts("image", name) ||
               filters_.accepts("image", name.substr(0, name.rfind(':'))) ||
               (event.type == "image" && filters_.accepts("image", event.id));
    }

    Filters filters_;
};

class Events final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_option("--since", since_,
                       "also what was before: a time (2026-01-31T12:00:00Z) or an age (10m)");
        app.add_option("--until", until_, "not after; one that has passed ends it at once");
        app.add_option("-f,--filter", filters_, "KEY=VALUE: only those, e.g. event=die, container=web");
        app.add_option("--format", format_, "json, or a template: '{{.Action}} {{.Actor.ID}}'");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        if (auto parsed = parse(); !parsed) return usage(parsed.error().text);
        if (template_)
            if (auto fine = template_->check(event_fields({}), {.maps = kEventMaps}); !fine)
                return usage(format_error(fine.error()).error().text);
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto reader = engine::EventReader::open((*engine)->roots());
        if (!reader) return fail(reader);
        (*engine)->let_roots_go();
        const Status done = follow(*reader);
        if (!done && done.error().sys_errno == EPIPE) return 128 + SIGPIPE;
        if (!done) return fail(done);
        return kOk;
    }

  private:
    Status parse() {
        const std::int64_t now = sys::realtime_ns();
        since_ns_ = now;
        if (!since_.empty()) {
            auto time = parse_time("since", since_, now);
            if (!time) return fail(time);
            since_ns_ = *time;
        }
        if (!until_.empty()) {
            auto time = parse_time("until", until_, now);
            if (!time) return fail(time);
            until_ns_ = *time;
        }
        auto filter = EventFilter::parse(filters_);
        if (!filter) return fail(filter);
        filter_ = std::move(*filter);
        if (format_.empty() || format_ == "json") return {};
        auto parsed = Template::parse(format_);
        if (!parsed) return format_error(parsed.error());
        template_ = std::move(*parsed);
        return {};
    }

    Status follow(engine::EventReader& reader) {
        for (;;) {
            std::string text;
            auto read = reader.read([&](const engine::Event& event) { return add(text, event); });
            // Whatever is wrong with one, those before it are shown.
            if (auto written = sys::write_all(STDOUT_FILENO, text); !written) return written;
            if (!read) return read;
            if (until_ns_ && sys::realtime_ns() > *until_ns_) return {};
            std::array<pollfd, 2> fds{pollfd{reader.fd(), POLLIN, 0}, pollfd{STDOUT_FILENO, 0, 0}};
            if (auto ready = sys::poll(fds, timeout_ms()); !ready) return fail(ready);
            if ((fds[1].revents & (POLLERR | POLLHUP)) != 0) return {}; // Its reader is gone.
        }
    }

    [[nodiscard]] int timeout_ms() const {
        if (!until_ns_) return -1;
        constexpr std::int64_t kLongest = 1'000'000;
        const std::int64_t left = (*until_ns_ - sys::realtime_ns()) / 1'000'000 + 1;
        return static_cast<int>(std::clamp<std::int64_t>(left, 0, kLongest));
    }

    Status add(std::string& text, const engine::Event& event) const {
        if (event.time_ns < since_ns_ || (until_ns_ && event.time_ns > *until_ns_)) return {};
        if (!filter_.accepts(event)) return {};
        if (template_) {
            // docker's two forms of an event differ in their names: `{{json .}}` shows the one that is JSON.
            auto line = template_->run(event_fields(event), {.maps = kEventMaps, .whole = event_json(event)});
            if (!line) return format_error(line.error());
            text += *line;
        } else {
            text += format_.empty() ? event_line(event) : json::dump(event_json(event));
        }
        text += '\n';
        return {};
    }

    std::string since_;
    std::string until_;
    std::vector<std::string> filters_;
    std::string format_;
    std::int64_t since_ns_ = 0;
    std::optional<std::int64_t> until_ns_;
    EventFilter filter_;
    std::optional<Template> template_;
};

} // namespace

std::unique_ptr<Verb> make_events() {
    return std::make_unique<Events>();
}

} // namespace mydocker::cli
