// The engine: configuration, directories and drivers that every use case is given. Drivers are opened
// when first touched and stay open to the end of the process.
#pragma once

#include "base/diag.hpp"
#include "base/paths.hpp"
#include "base/trace.hpp"
#include "config/config.hpp"
#include "engine/events.hpp"
#include "engine/record.hpp"
#include "image/store.hpp"
#include "mydocker/cgroup_backend.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/state_store.hpp"
#include "mydocker/storage_driver.hpp"
#include "plugin/plugin_host.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mydocker::engine {

struct EngineSetup {
    config::Config config;
    paths::Installation installation;
    diag::Diagnostics* diagnostics = nullptr;  // outlives the engine
    std::vector<std::string> global_arguments; // those a helper process of ours must be given again
};

// A driver and what its probe said.
struct StorageChoice {
    StorageDriver* driver = nullptr;
    StorageTraits traits;
    std::string name;
};
struct CgroupChoice {
    CgroupBackend* backend = nullptr;
    CgroupTraits traits;
    std::string name;
};

// A record with the revision it was read at.
struct Loaded {
    ContainerRecord record;
    Revision revision = kAnyRevision;
};

class Engine {
  public:
    explicit Engine(EngineSetup setup);

    [[nodiscard]] const config::Config& config() const { return setup_.config; }
    [[nodiscard]] const paths::Roots& roots() const { return roots_; }
    [[nodiscard]] const paths::Installation& installation() const { return setup_.installation; }
    [[nodiscard]] diag::Diagnostics& diagnostics() { return *setup_.diagnostics; }
    [[nodiscard]] const std::vector<std::string>& global_arguments() const { return setup_.global_arguments; }
    [[nodiscard]] plugin::PluginHost& plugins() { return plugins_; }
    [[nodiscard]] const std::vector<std::string>& plugin_directories() const { return plugin_directories_; }

    // What is done from now on is noted there, if not null; it outlives the engine.
    void set_trace(trace::Recorder* recorder) { trace_ = recorder; }
    [[nodiscard]] trace::Recorder* trace() const { return trace_; }

    // Makes the roots; needed once before anything is written. No reset empties them until this process ends
    // or lets them go, as one does that only watches. Errors: denied, no_space.
    [[nodiscard]] Status make_roots();
    void let_roots_go() { roots_in_use_.reset(); }
    // For a reset. Whether no other process has them; one that wants them waits until they are shared again.
    [[nodiscard]] Result<bool> take_roots_alone();
    [[nodiscard]] Status share_roots();

    // The selected driver of the kind; `auto` takes the first candidate whose probe passes. Errors: why
    // none can be used.
    [[nodiscard]] Result<StorageChoice> selected_storage();
    [[nodiscard]] Result<CgroupChoice> selected_cgroup();
    [[nodiscard]] std::string selected_log() const;
    [[nodiscard]] const std::string& selected_state() const { return setup_.config.state_driver.value; }

    // A driver by name: that of an existing container, whatever is selected now.
    [[nodiscard]] Result<StorageDriver*> storage(const std::string& name);
    [[nodiscard]] Result<CgroupBackend*> cgroup(const std::string& name);
    [[nodiscard]] Result<CgroupChoice> cgroup_choice(const std::string& name);
    // Where a container's processes are counted, by its own driver. Errors: corrupt when its record has none.
    struct OwnCgroup {
        CgroupBackend* backend = nullptr;
        Locator locator;
    };
    [[nodiscard]] Result<OwnCgroup> cgroup_of(const ContainerRecord& record);
    [[nodiscard]] Result<LogSink*> log(const std::string& name,
                                       const std::map<std::string, std::string>& options);
    [[nodiscard]] Result<StateStore*> state();
    [[nodiscard]] Result<image::Store*> images();

    // Options of a log sink as the configuration and the container give them, typed.
    [[nodiscard]] Result<Options> log_options(const std::string& name,
                                              const std::map<std::string, std::string>& own);

    // Records.
    [[nodiscard]] Result<Loaded> load(const ContainerId& id);
    [[nodiscard]] Result<Loaded> find(std::string_view name_or_prefix);
    // Writes an event down. It is a convenience: failing is told at debug level, and ignored.
    void note(Event event);
    // Of a container: note(record, "start").
    void note(const ContainerRecord& record, std::string action, Attributes more = {});

    // Saves if nobody else has meanwhile; the new revision is kept in `loaded`.
    [[nodiscard]] Status save(Loaded& loaded);
    // For the holder of the baton: what others have written meanwhile (a name, limits, a policy) stays, what
    // is the holder's to say (copy_run()) is as in `loaded`, which is the record as it is then.
    [[nodiscard]] Status save_over(Loaded& loaded);
    // Changes the record as it is now, once more if somebody else saved meanwhile; for what may be changed
    // without the baton. Errors: the change's own, and nothing is saved then.
    using RecordChange = std::function<Status(ContainerRecord&)>;
    [[nodiscard]] Result<Loaded> amend(const ContainerId& id, const RecordChange& change);

  private:
    [[nodiscard]] Result<plugin::OpenRequest> request_for(plugin::Kind kind, const std::string& name);
    template <class Choice, class Try>
    [[nodiscard]] Result<Choice> choose(std::string_view kind, const std::string& selected,
                                        const std::vector<std::string>& candidates, const Try& attempt);

    EngineSetup setup_;
    trace::Recorder* trace_ = nullptr;
    paths::Roots roots_;
    UniqueFd roots_in_use_;
    std::vector<std::string> plugin_directories_;
    plugin::PluginHost plugins_;
    EventWriter events_;
    std::map<std::string, std::unique_ptr<StorageDriver>> storage_;
    std::map<std::string, std::unique_ptr<CgroupBackend>> cgroup_;
    std::map<std::string, std::unique_ptr<LogSink>> log_;
    std::unique_ptr<StateStore> state_;
    std::unique_ptr<image::Store> images_;
    std::optional<StorageChoice> storage_choice_;
    std::optional<CgroupChoice> cgroup_choice_;
};

} // namespace mydocker::engine
