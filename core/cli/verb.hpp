// One verb of the command line: its flags, its help, what it does. The table of all verbs (verbs.cpp) is
// the only place that lists them.
#pragma once

#include "base/diag.hpp"
#include "cli/flags.hpp"
#include "config/config.hpp"
#include "engine/engine.hpp"
#include "mydocker/result.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::cli {

// Exit codes as docker's. Source: docker-run(1), "Exit status".
inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;        // the thing asked failed
inline constexpr int kEngineError = 125; // bad usage, or the engine cannot work

// Flags that stand before or after the verb.
struct GlobalFlags {
    bool help = false;
    std::string config;
    std::string root;
    std::string run_root;
    std::string storage_driver;
    std::string cgroup_driver;
    std::string log_driver;
    std::string state_driver;
    std::string log_level;
    std::string log_format;
};

// Whether a verb works for everybody or for root alone.
enum class Privilege { any, root };

// What a verb is run with. The engine is made when first asked for.
class Session {
  public:
    explicit Session(GlobalFlags flags) : flags_(std::move(flags)) {}

    [[nodiscard]] diag::Diagnostics& diagnostics() { return diagnostics_; }

    // Loads the configuration. Errors: invalid, with file, line and column.
    [[nodiscard]] Result<const config::Config*> config();
    [[nodiscard]] Result<const paths::Installation*> installation();
    // Errors: denied, when the caller is not root and has to be.
    [[nodiscard]] Result<engine::Engine*> engine(Privilege privilege = Privilege::root);

    // The exit code of an error: kFailed, but kEngineError where the engine cannot work at all: it could not
    // be made, for want of the right words or a sound configuration, or what it knows of containers cannot be
    // read.
    [[nodiscard]] int exit_code_of(const Error& error);

    // For verbs that only look: with a broken configuration they go on with the defaults, and say so.
    void tolerate_broken_config() { tolerant_ = true; }
    [[nodiscard]] config::LoadRequest load_request() const;

  private:
    void set_up_diagnostics();
    [[nodiscard]] bool has_records();

    GlobalFlags flags_;
    diag::Diagnostics diagnostics_;
    std::optional<paths::Installation> installation_;
    std::optional<config::Config> config_;
    std::unique_ptr<engine::Engine> engine_;
    bool tolerant_ = false;
    bool is_for_root_ = false; // the engine has been asked for by a verb that is
};

// How a verb takes its operands.
enum class Operands {
    anywhere,  // flags may stand between and after them
    then_stop, // after the first operand everything is the container's command
};

class Verb {
  public:
    Verb() = default;
    Verb(const Verb&) = delete;
    Verb& operator=(const Verb&) = delete;
    virtual ~Verb() = default;

    // Adds the flags, each bound to a member.
    virtual void declare(FlagSet& app) = 0;
    // Does it; returns the exit code. Errors: printed by main, exit code failure_code().
    [[nodiscard]] virtual Result<int> run(Session& session, const std::vector<std::string>& operands) = 0;

    [[nodiscard]] virtual Operands operands() const { return Operands::anywhere; }
    // The exit code of an error of run() where the engine can work; usage errors are always kEngineError.
    [[nodiscard]] virtual int failure_code() const { return kFailed; }
};

struct VerbEntry {
    std::string_view name;     // "ps", "plugin ls"
    std::string_view operands; // for help: "IMAGE [COMMAND [ARG...]]"
    std::string_view summary;  // one line
    std::unique_ptr<Verb> (*make)() = nullptr;
    std::string_view example; // one line, may be empty

    // Not for people: in no help, man page or completion.
    [[nodiscard]] bool is_internal() const { return summary == "internal"; }
};

[[nodiscard]] std::span<const VerbEntry> verbs();

// The name of a verb in the table, given one of docker's longer ones: "container run", "image ls". Any other
// name as it is. They are in no help: one name is enough to learn.
[[nodiscard]] std::string_view usual_name(std::string_view name);

// Writes to standard output, and nothing later can come before it. A reader that is gone has no use for it:
// ignored. What is lost otherwise (a full disk) makes the command fail in the end.
void print(std::string_view text);

// A usage error: exit code 125 whatever the verb.
[[nodiscard]] inline std::unexpected<Error> usage(std::string text) {
    return fail(Code::invalid, std::move(text));
}

} // namespace mydocker::cli
