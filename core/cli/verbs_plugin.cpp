// plugin ls, plugin info: read from the passports; only the probe runs code of a plugin.
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "config/check.hpp"

#include "base/sys.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

std::string abi_text(const plugin::Passport& passport) {
    return fmt::format("{}.{}", passport.abi_major, passport.abi_minor);
}

class PluginLs final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        session.tolerate_broken_config();
        auto engine = session.engine(Privilege::any);
        if (!engine) return fail(engine);
        auto files = (*engine)->plugins().list();
        if (!files) return fail(files);
        Table table({"KIND", "NAME", "VERSION", "ABI", "FILE", "SUMMARY"});
        for (const plugin::PluginFile& file : *files) {
            const std::string kind(plugin::kind_word(file.kind));
            if (file.hidden) continue;
            if (file.passport)
                table.add({kind, file.name, file.passport->version, abi_text(*file.passport), file.path,
                           file.passport->summary});
            else
                table.add({kind, file.name, "-", "-", file.path,
                           "unusable: " + printable(describe(file.passport.error()))});
        }
        print(table.text());
        return kOk;
    }
};

// A default in the notation of TOML.
std::string toml_value(const OptionSpec& spec) {
    std::string text = spec.default_value;
    switch (spec.type) {
    case OptionType::boolean:
    case OptionType::integer:
    case OptionType::floating:
        return text;
    case OptionType::list: {
        std::string list;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t comma = std::min(text.find(',', at), text.size());
            list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", text.substr(at, comma - at));
            at = comma + 1;
        }
        return "[" + list + "]";
    }
    default:
        break;
    }
    std::string quoted;
    for (const char c : text)
        quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return "\"" + quoted + "\"";
}

std::string snippet(const plugin::Passport& passport) {
    std::string text = fmt::format("[{}.{}]\n", plugin::kind_word(passport.kind), passport.name);
    for (const OptionSpec& spec : passport.options) {
        const std::string assignment = fmt::format("{} = {}", spec.key, toml_value(spec));
        text += fmt::format("{:<34} # {}\n", assignment, spec.help);
    }
    if (passport.options.empty()) text += "# no options\n";
    return text;
}

class PluginInfo final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("--no-probe", no_probe_,
                     "do not ask the plugin whether it works here: runs none of its code");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 1) return usage("needs one KIND/NAME or FILE");
        session.tolerate_broken_config();
        auto made = session.engine(Privilege::any);
        if (!made) return fail(made);
        engine::Engine& engine = **made;
        auto file = find_file(engine, operands.front());
        if (!file) return fail(file);
        auto passport = engine.plugins().inspect(*file);
        if (!passport) return fail(passport);
        print(fmt::format(
            "Kind:     {}\nName:     {}\nVersion:  {}\nABI:      {}\nFile:     {}\nSummary:  {}\n",
            plugin::kind_phrase(passport->kind), passport->name, printable(passport->version),
            abi_text(*passport), *file, printable(passport->summary)));
        if (!no_probe_) print(fmt::format("Probe:    {}\n", probe(engine, *passport, *file)));
        print("\n" + snippet(*passport));
        return kOk;
    }

  private:
    // "storage/overlayfs" by its name; anything else with a slash or a dot is a file.
    static Result<std::string> find_file(engine::Engine& engine, const std::string& text) {
        const auto slash = text.find('/');
        const auto kind = plugin::parse_kind(std::string_view(text).substr(0, slash));
        if (slash != std::string::npos && kind && text.find('/', slash + 1) == std::string::npos)
            return engine.plugins().find(*kind, text.substr(slash + 1));
        if (!text.empty() && text.front() == '/') return text;
        if (text.find('/') == std::string::npos && !text.ends_with(".so"))
            return usage(fmt::format(
                "'{}' is neither KIND/NAME nor a file; kinds are: storage, cgroup, log, state", text));
        auto directory = sys::getcwd();
        if (!directory) return fail(directory);
        return *directory + "/" + text;
    }

    static std::string verdict(const Status& probed) {
        return probed ? "works on this host" : "does not work here: " + printable(describe(probed.error()));
    }

    static std::string probe(engine::Engine& engine, const plugin::Passport& passport,
                             const std::string& file) {
        const std::string_view kind = plugin::kind_word(passport.kind);
        plugin::OpenRequest request;
        request.name = passport.name;
        request.file = file;
        request.data_dir = paths::driver_data(engine.roots(), kind, passport.name);
        request.run_dir = paths::driver_run(engine.roots(), kind, passport.name);
        auto options = config::check_options(kind, passport.name, passport.options,
                                             engine.config().options_of(kind, passport.name));
        if (!options) return verdict(fail(options));
        request.options = std::move(*options);
        switch (passport.kind) {
        case plugin::Kind::storage:
            return probe_instance(engine.plugins().open_storage(request));
        case plugin::Kind::cgroup:
            return probe_instance(engine.plugins().open_cgroup(request));
        case plugin::Kind::log:
            return probe_instance(engine.plugins().open_log(request));
        case plugin::Kind::state:
            return probe_instance(engine.plugins().open_state(request));
        default:
            return "this version has no use for the kind";
        }
    }

    template <class Driver>
    static std::string probe_instance(Result<std::unique_ptr<Driver>> driver) {
        if (!driver) return verdict(fail(driver));
        auto traits = (*driver)->probe();
        return verdict(traits ? Status{} : Status(fail(traits)));
    }

    bool no_probe_ = false;
};

} // namespace

std::unique_ptr<Verb> make_plugin_ls() {
    return std::make_unique<PluginLs>();
}
std::unique_ptr<Verb> make_plugin_info() {
    return std::make_unique<PluginInfo>();
}

} // namespace mydocker::cli
