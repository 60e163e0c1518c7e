// Finds, checks, loads and opens plugins. Each rung refuses with a sentence of its own:
//   select → own → passport → load → descriptor → (options: config/check) → open → (probe: the caller)
// Not for judging what a driver does: that is the conformance suite's.
#pragma once

#include "mydocker/abi/base.h"
#include "mydocker/cgroup_backend.hpp"
#include "mydocker/host.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"
#include "mydocker/storage_driver.hpp"
#include "plugin/passport.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::plugin {

class Instance;

// Where plugins are looked for, in this order; the first directory that has the file wins.
struct PluginSource {
    std::vector<std::string> directories; // absolute
};

// Receives what plugins say through Host::log, each as "storage overlayfs: text". Threads: any.
using DiagnosticFn = std::function<void(LogLevel, std::string_view)>;

// What to open an instance of, and what it is given.
struct OpenRequest {
    std::string name;     // "overlayfs"
    std::string data_dir; // absolute
    std::string run_dir;  // absolute
    Options options;      // complete and typed, by the specs in the passport
    Host::CancelFunction cancelled{};
    std::string file{}; // this plugin file, absolute, instead of the one that the name selects
};

// A plugin file of a plugin directory, good or bad.
struct PluginFile {
    std::string path;
    Kind kind = Kind::storage; // by its file name
    std::string name;          // by its file name
    Result<Passport> passport; // or why it cannot be used
    bool hidden = false;       // an earlier directory has one of this kind and name
};

// A plugin whose code is in the process, for good: libraries are never unloaded.
struct LoadedPlugin {
    std::string path;
    Passport passport;
    md_plugin descriptor; // copied in; what it points to lives in the library
};

// One for a process. What was found out about a file or directory is kept, so asking again is cheap.
// Threads: one at a time.
class PluginHost {
  public:
    PluginHost(PluginSource source, DiagnosticFn log);
    PluginHost(const PluginHost&) = delete;
    PluginHost& operator=(const PluginHost&) = delete;
    ~PluginHost();

    // The file that a name selects; no other file is looked at.
    // Errors: invalid (no plugin's name); not_found, listing the names that there are.
    [[nodiscard]] Result<std::string> find(Kind kind, std::string_view name) const;

    // The passport of the plugin that a name selects, after its ownership was checked. Runs nothing of
    // the plugin. Errors: those of find and inspect; invalid when the file says it is another plugin.
    [[nodiscard]] Result<Passport> passport(Kind kind, std::string_view name);

    // The passport of a plugin file, wherever it is, under the same rules.
    // Errors: denied when somebody else could have written it, naming the place; those of
    // read_passport and check_abi; invalid when its file name is not the one it says it has.
    [[nodiscard]] Result<Passport> inspect(const std::string& path);

    // All plugin files of the directories, by kind and name, the bad ones too.
    [[nodiscard]] Result<std::vector<PluginFile>> list();

    // Brings the plugin's code into the process; its constructors run. Again: the same.
    // Errors: those of passport; plugin_fault when it cannot be loaded (naming the library or symbol
    // that it lacks) or its descriptor is wrong (naming the field).
    [[nodiscard]] Result<LoadedPlugin> load(Kind kind, std::string_view name);
    [[nodiscard]] Result<LoadedPlugin> load_file(const std::string& path);

    // Opens an instance, which stands alone from then on. Several may be open. Each of these is
    // defined beside its adaptor, so that a program links only those of the kinds that it opens.
    // Errors: those of load; the driver's own.
    [[nodiscard]] Result<std::unique_ptr<StorageDriver>> open_storage(const OpenRequest& request);
    [[nodiscard]] Result<std::unique_ptr<CgroupBackend>> open_cgroup(const OpenRequest& request);
    [[nodiscard]] Result<std::unique_ptr<LogSink>> open_log(const OpenRequest& request);
    [[nodiscard]] Result<std::unique_ptr<StateStore>> open_state(const OpenRequest& request);

  private:
    [[nodiscard]] Result<LoadedPlugin> load_for(Kind kind, const OpenRequest& request);
    [[nodiscard]] Result<std::unique_ptr<Instance>> open_instance(const LoadedPlugin& plugin,
                                                                  const OpenRequest& request) const;
    [[nodiscard]] Status check_directory(const std::string& path);

    PluginSource source_;
    DiagnosticFn log_;
    std::map<std::string, Status, std::less<>> directories_; // ownership, by path
    std::map<std::string, Passport, std::less<>> passports_; // of files that passed, by path
    std::map<std::string, LoadedPlugin, std::less<>> loaded_;
};

} // namespace mydocker::plugin
