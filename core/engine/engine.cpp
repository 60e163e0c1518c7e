// The engine's drivers: selected, opened once, kept.
#include "engine/engine.hpp"

#include "base/sys.hpp"
#include "config/check.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sys/file.h>
#include <thread>
#include <utility>

namespace mydocker::engine {
namespace {

constexpr std::string_view kAuto = "auto";

std::vector<std::string> directories_of(const EngineSetup& setup) {
    std::vector<std::string> directories = setup.config.plugin_dirs.value;
    directories.push_back(setup.installation.plugins);
    return directories;
}

// What a driver does is part of the explanation, too: "cgroup v2: 'FILE' = 'TEXT'".
void explain(trace::Recorder& recorder, std::string_view message) {
    const auto colon = message.find(": ");
    if (colon == std::string_view::npos) return;
    const std::int64_t now_ns = sys::monotonic_ns();
    recorder.add(message.substr(0, colon), std::string(message.substr(colon + 2)), now_ns, now_ns);
}

config::RawOptions with_own(config::RawOptions given, const std::map<std::string, std::string>& own) {
    for (const auto& [key, value] : own) {
        const config::Origin origin{config::Source::flag, "--log-opt", 0, 0};
        std::erase_if(given, [&](const config::RawOption& option) { return option.key == key; });
        given.push_back({key, config::Untyped{value}, origin, origin, false});
    }
    std::ranges::sort(given, {}, &config::RawOption::key);
    return given;
}

} // namespace

Engine::Engine(EngineSetup setup)
    : setup_(std::move(setup)),
      roots_{setup_.config.root.value, setup_.config.run_root.value},
      plugin_directories_(directories_of(setup_)),
      plugins_({plugin_directories_},
               [this, owner = std::this_thread::get_id()](LogLevel level, std::string_view text) {
                   // A driver's own threads may speak; the recorder has one owner.
                   if (trace_ != nullptr && level == LogLevel::debug && std::this_thread::get_id() == owner)
                       explain(*trace_, text);
                   if (setup_.diagnostics->enabled(level)) setup_.diagnostics->write(level, text);
               }),
      events_(roots_) {}

void Engine::note(Event event) {
    if (auto written = events_.write(std::move(event)); !written)
        setup_.diagnostics->debug("event ignored: " + describe(written.error()));
}

void Engine::note(const ContainerRecord& record, std::string action, Attributes more) {
    note(container_event(record, std::move(action), std::move(more)));
}

Status Engine::make_roots() {
    if (roots_in_use_) return {};
    auto made = paths::make_roots(roots_);
    if (!made) return fail(made);
    roots_in_use_ = std::move(*made);
    return {};
}

Result<bool> Engine::take_roots_alone() {
    return sys::flock(roots_in_use_.get(), LOCK_EX | LOCK_NB);
}

Status Engine::share_roots() {
    auto shared = sys::flock(roots_in_use_.get(), LOCK_SH);
    return shared ? Status() : fail(shared);
}

Result<plugin::OpenRequest> Engine::request_for(plugin::Kind kind, const std::string& name) {
    const std::string_view kind_name = plugin::kind_word(kind);
    auto passport = plugins_.passport(kind, name);
    if (!passport) return fail(passport);
    auto options =
        config::check_options(kind_name, name, passport->options, setup_.config.options_of(kind_name, name));
    if (!options) return fail(options);
    plugin::OpenRequest request;
    request.name = name;
    request.data_dir = paths::driver_data(roots_, kind_name, name);
    request.run_dir = paths::driver_run(roots_, kind_name, name);
    request.options = std::move(*options);
    return request;
}

Result<StorageDriver*> Engine::storage(const std::string& name) {
    if (const auto open = storage_.find(name); open != storage_.end()) return open->second.get();
    auto request = request_for(plugin::Kind::storage, name);
    if (!request) return fail(request);
    auto driver = plugins_.open_storage(*request);
    if (!driver) return fail(driver);
    return storage_.emplace(name, std::move(*driver)).first->second.get();
}

Result<CgroupBackend*> Engine::cgroup(const std::string& name) {
    if (const auto open = cgroup_.find(name); open != cgroup_.end()) return open->second.get();
    auto request = request_for(plugin::Kind::cgroup, name);
    if (!request) return fail(request);
    auto backend = plugins_.open_cgroup(*request);
    if (!backend) return fail(backend);
    return cgroup_.emplace(name, std::move(*backend)).first->second.get();
}

Result<Options> Engine::log_options(const std::string& name, const std::map<std::string, std::string>& own) {
    auto passport = plugins_.passport(plugin::Kind::log, name);
    if (!passport) return fail(passport);
    return config::check_options("log", name, passport->options,
                                 with_own(setup_.config.options_of("log", name), own));
}

Result<LogSink*> Engine::log(const std::string& name, const std::map<std::string, std::string>& options) {
    if (const auto open = log_.find(name); open != log_.end()) return open->second.get();
    auto request = request_for(plugin::Kind::log, name);
    if (!request) return fail(request);
    auto typed = log_options(name, options);
    if (!typed) return fail(typed);
    request->options = std::move(*typed);
    auto sink = plugins_.open_log(*request);
    if (!sink) return fail(sink);
    return log_.emplace(name, std::move(*sink)).first->second.get();
}

Result<StateStore*> Engine::state() {
    if (state_) return state_.get();
    auto request = request_for(plugin::Kind::state, setup_.config.state_driver.value);
    if (!request) return fail(request);
    auto store = plugins_.open_state(*request);
    if (!store) return fail(store);
    state_ = std::move(*store);
    return state_.get();
}

Result<image::Store*> Engine::images() {
    if (!images_) {
        auto store = image::Store::open(paths::content(roots_));
        if (!store) return fail(store);
        images_ = std::make_unique<image::Store>(std::move(*store));
    }
    return images_.get();
}

// Says which candidate was taken, and why the ones before it were not. Only what this host cannot do leads on
// to the next: an error that passes must not give a container another driver than its neighbours have.
template <class Choice, class Try>
Result<Choice> Engine::choose(std::string_view kind, const std::string& selected,
                              const std::vector<std::string>& candidates, const Try& attempt) {
    if (selected != kAuto) return attempt(selected);
    std::string reasons;
    for (const std::string& name : candidates) {
        Result<Choice> choice = attempt(name);
        if (choice) {
            diagnostics().debug(fmt::format("{} driver {}: its probe passed{}", kind, name,
                                            reasons.empty() ? "" : "; " + reasons));
            return choice;
        }
        if (choice.error().code != Code::unsupported) return fail(choice);
        reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", name, describe(choice.error()));
    }
    return fail(Code::unsupported, fmt::format("no {} driver can be used here: {}", kind, reasons));
}

Result<StorageChoice> Engine::selected_storage() {
    if (storage_choice_) return *storage_choice_;
    auto choice = choose<StorageChoice>("storage", setup_.config.storage_driver.value,
                                        setup_.config.storage_candidates.value,
                                        [&](const std::string& name) -> Result<StorageChoice> {
                                            auto driver = storage(name);
                                            if (!driver) return fail(driver);
                                            auto traits = (*driver)->probe();
                                            if (!traits) return fail(traits);
                                            return StorageChoice{*driver, *traits, name};
                                        });
    if (choice) storage_choice_ = *choice;
    return choice;
}

Result<CgroupChoice> Engine::cgroup_choice(const std::string& name) {
    if (cgroup_choice_ && cgroup_choice_->name == name) return *cgroup_choice_;
    auto backend = cgroup(name);
    if (!backend) return fail(backend);
    auto traits = (*backend)->probe();
    if (!traits) return fail(traits);
    cgroup_choice_ = CgroupChoice{*backend, std::move(*traits), name};
    return *cgroup_choice_;
}

Result<Engine::OwnCgroup> Engine::cgroup_of(const ContainerRecord& record) {
    const auto locator = record.intents.find("cgroup");
    if (locator == record.intents.end())
        return fail(Code::corrupt, "the record of container '" + record.name.str() + "' names no cgroup");
    auto backend = cgroup(record.drivers.cgroup);
    if (!backend) return fail(backend);
    return OwnCgroup{*backend, Locator(locator->second)};
}

Result<CgroupChoice> Engine::selected_cgroup() {
    return choose<CgroupChoice>("cgroup", setup_.config.cgroup_driver.value,
                                setup_.config.cgroup_candidates.value,
                                [&](const std::string& name) { return cgroup_choice(name); });
}

std::string Engine::selected_log() const {
    return setup_.config.log_driver.value;
}

Result<Loaded> Engine::load(const ContainerId& id) {
    auto store = state();
    if (!store) return fail(store);
    auto stored = (*store)->load(id);
    if (!stored) return fail(stored);
    auto record = parse_record(*stored);
    if (!record) return fail(record, "record of container '" + paths::short_id(id) + "'");
    if (record->id != id)
        return fail(Code::corrupt,
                    "record of container '" + paths::short_id(id) + "' is that of another container");
    return Loaded{std::move(*record), stored->revision};
}

Result<Loaded> Engine::find(std::string_view name_or_prefix) {
    auto store = state();
    if (!store) return fail(store);
    auto id = (*store)->resolve(name_or_prefix);
    if (!id && id.error().code == Code::not_found)
        return fail(Code::not_found, fmt::format("no container '{}'", name_or_prefix));
    if (!id) return fail(id);
    return load(*id);
}

Status Engine::save(Loaded& loaded) {
    auto store = state();
    if (!store) return fail(store);
    auto revision = (*store)->save(loaded.record.id, to_document(loaded.record), loaded.revision);
    if (!revision) return fail(revision);
    loaded.revision = *revision;
    return {};
}

Status Engine::save_over(Loaded& loaded) {
    auto saved = save(loaded);
    if (saved || saved.error().code != Code::conflict) return saved;
    auto merged = amend(loaded.record.id, [&](ContainerRecord& now) -> Status {
        copy_run(loaded.record, now);
        return {};
    });
    if (!merged) return fail(merged);
    loaded = std::move(*merged);
    return {};
}

Result<Loaded> Engine::amend(const ContainerId& id, const RecordChange& change) {
    for (;;) {
        auto loaded = load(id);
        if (!loaded) return loaded;
        if (auto changed = change(loaded->record); !changed) return fail(changed);
        auto saved = save(*loaded);
        if (saved) return loaded;
        if (saved.error().code != Code::conflict) return fail(saved);
    }
}

} // namespace mydocker::engine
