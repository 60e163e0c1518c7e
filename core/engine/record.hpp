// ContainerRecord: what the state store keeps of a container. It names the drivers that made it and,
// before each effect, what the effect will be called, so that nothing taken is ever unknown.
#pragma once

#include "base/process.hpp"
#include "engine/health_record.hpp"
#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

inline constexpr std::int64_t kRecordSchema = 1;

// Stored states. What passes between them is a Transition.
enum class State : std::uint32_t { created, running, paused, exited };

// What a process holding the baton is doing. A record with a transition whose baton is free belongs to a
// process that was killed: recover() walks its steps back.
enum class Transition : std::uint32_t {
    none,
    creating,   // container-life steps are being acquired: if interrupted, the container goes away
    starting,   // run-life steps are being acquired: if interrupted, they are walked back
    active,     // its monitor holds the baton
    removing,   // everything is being released
    restarting, // it has ended, and a process that holds the baton waits to start it again
};

// Whether a container that has ended is started again.
struct RestartPolicy {
    enum class Kind : std::uint32_t { no, on_failure, always, unless_stopped } kind = Kind::no;
    std::int64_t most = 0; // on_failure: so many times; 0: however often
};

struct RestartState {
    RestartPolicy policy;
    std::int64_t count = 0;       // restarts since a user started it
    std::int64_t delay_ms = 0;    // before the last of them
    bool stopped_by_user = false; // the last run
    bool begun = false;           // this run was begun by the policy: if interrupted, it is tried again
};

// The drivers that made the container; they serve it to its end.
struct DriverNames {
    std::string storage;
    std::string cgroup;
    std::string log;
};

struct ContainerRecord {
    ContainerId id;
    ContainerName name;
    std::string image;    // as the user named it
    std::string image_id; // digest of the image's configuration
    std::vector<std::string> command;
    std::int64_t entrypoint_words = 0; // so many of them, from the first, are the entrypoint
    std::vector<std::pair<std::string, std::string>> labels;
    DriverNames drivers;
    std::map<std::string, std::string> log_options; // as given, checked again at each open
    // Name of each effect by step ("storage", "cgroup", …), saved before the effect.
    std::map<std::string, std::string, std::less<>> intents;

    State state = State::created;
    Transition transition = Transition::none;
    bool born_by_run = false; // interrupted before it ran: goes away, never half kept
    bool terminal = false;
    bool interactive = false;
    bool input_once = true; // request.hpp
    std::string pid_file;   // likewise
    bool remove_after = false;
    bool reaper = false; // --init
    RestartState restart;
    std::optional<HealthState> health; // of the last run; absent: it is not checked
    std::string network;               // "none", "host", "container:<id>"
    std::string pid_mode;              // "": its own; "host", "container:<id>"
    std::string ipc_mode;              // likewise
    std::string uts_mode;              // likewise
    std::string stop_signal = "SIGTERM";
    std::int64_t stop_timeout_s = 10;
    std::optional<std::int64_t> memory_limit; // for words about running out of it

    process::ProcessId process; // PID 1 of the container, in the host's pid namespace
    std::int64_t created_ns = 0;
    std::int64_t started_ns = 0;
    std::int64_t finished_ns = 0;
    int exit_code = 0;
    bool oom_killed = false;
    std::int64_t log_dropped = 0; // records of the last run's output that its log did not take
    std::string reason;           // why it ended, if not by itself: "monitor lost"

    [[nodiscard]] bool has_run() const { return started_ns != 0; }
    [[nodiscard]] bool is_live() const { return state == State::running || state == State::paused; }
    // It waits for its next run, or that is being made.
    [[nodiscard]] bool is_restarting() const {
        return transition == Transition::restarting || (transition == Transition::starting && restart.begun);
    }
};

[[nodiscard]] std::string_view to_string(State state);
[[nodiscard]] std::string_view to_string(RestartPolicy::Kind kind);

// The volumes that it uses, of its intent "volumes": names with a blank between.
[[nodiscard]] std::vector<std::string> volume_names(const ContainerRecord& record);

// A command for a history and for events: its words with blanks between, at most 4 KiB and "…".
[[nodiscard]] std::string command_words(const std::vector<std::string>& command);

// Errors: corrupt, naming the member; unsupported for a newer schema.
[[nodiscard]] Result<ContainerRecord> parse_record(std::string_view document);
// As the store has it: of the name its word counts, for renaming does not touch the document.
[[nodiscard]] Result<ContainerRecord> parse_record(const StoredRecord& stored);
[[nodiscard]] std::string to_document(const ContainerRecord& record);

// What none but the holder of the baton writes: of a container's start, run and end.
void copy_run(const ContainerRecord& from, ContainerRecord& to);

} // namespace mydocker::engine
