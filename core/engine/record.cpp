// The record's document: JSON, schema 1. Byte strings survive (base/json).
#include "engine/record.hpp"

#include "base/json.hpp"
#include "base/paths.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mydocker::engine {
namespace {

constexpr std::array<std::pair<State, std::string_view>, 4> kStates{{
    {State::created, "created"},
    {State::running, "running"},
    {State::paused, "paused"},
    {State::exited, "exited"},
}};

constexpr std::array<std::pair<Transition, std::string_view>, 6> kTransitions{{
    {Transition::none, "none"},
    {Transition::creating, "creating"},
    {Transition::starting, "starting"},
    {Transition::active, "active"},
    {Transition::removing, "removing"},
    {Transition::restarting, "restarting"},
}};

constexpr std::array<std::pair<RestartPolicy::Kind, std::string_view>, 4> kRestartKinds{{
    {RestartPolicy::Kind::no, "no"},
    {RestartPolicy::Kind::on_failure, "on-failure"},
    {RestartPolicy::Kind::always, "always"},
    {RestartPolicy::Kind::unless_stopped, "unless-stopped"},
}};

template <class E, std::size_t N>
std::string_view name_of(const std::array<std::pair<E, std::string_view>, N>& table, E value) {
    for (const auto& [known, name] : table)
        if (known == value) return name;
    return table.front().second;
}

json::Value to_json(const std::vector<std::string>& list) {
    json::Array array(list.begin(), list.end());
    return array;
}

template <class Map>
json::Value map_to_json(const Map& map) {
    json::Object object;
    for (const auto& [key, value] : map)
        object.emplace_back(key, value);
    return object;
}

json::Value to_json(const process::ProcessId& process) {
    json::Value value;
    value.set("pid", static_cast<std::int64_t>(process.pid));
    value.set("start_time", process.start_time);
    value.set("boot_id", process.boot_id);
    return value;
}

// Reads members one after another and keeps the first complaint.
class Members {
  public:
    explicit Members(const json::Value& object) : object_(object) {}

    void text(std::string_view key, std::string& to) { keep(json::get_string(object_, key), to); }
    void number(std::string_view key, std::int64_t& to) { keep(json::get_int(object_, key), to); }
    void flag(std::string_view key, bool& to) { keep(json::get_bool(object_, key), to); }
    // For members that came later: what is not said is as it was before.
    void flag_if_there(std::string_view key, bool& to) {
        if (find(key) != nullptr) flag(key, to);
    }
    void texts(std::string_view key, std::vector<std::string>& to) {
        keep(json::get_strings(object_, key), to);
    }

    template <class E, std::size_t N>
    void choice(std::string_view key, const std::array<std::pair<E, std::string_view>, N>& table, E& to) {
        std::string word;
        text(key, word);
        if (error_) return;
        for (const auto& [value, name] : table) {
            if (name != word) continue;
            to = value;
            return;
        }
        error_ = Error{Code::corrupt, 0,
                       "member '" + std::string(key) + "' is '" + word + "', which is no known value"};
    }

    template <class Insert>
    void map(std::string_view key, const Insert& insert) {
        if (error_) return;
        const json::Value* value = object_.find(key);
        const json::Object* members = value != nullptr ? value->if_object() : nullptr;
        if (members == nullptr) return complain(key, "is no object");
        for (const auto& [name, item] : *members) {
            const std::string* string = item.if_string();
            if (string == nullptr) return complain(key, "holds a value that is no text");
            insert(name, *string);
        }
    }

    void complain(std::string_view key, std::string_view what) {
        if (!error_)
            error_ = Error{Code::corrupt, 0, "member '" + std::string(key) + "' " + std::string(what)};
    }
    [[nodiscard]] const json::Value* find(std::string_view key) const { return object_.find(key); }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  private:
    template <class T>
    void keep(Result<T> value, T& to) {
        if (error_) return;
        if (value) {
            to = std::move(*value);
        } else {
            error_ = std::move(value.error());
        }
    }

    const json::Value& object_;
    std::optional<Error> error_;
};

void read_process(Members& members, process::ProcessId& to) {
    const json::Value* value = members.find("process");
    if (value == nullptr || value->if_object() == nullptr) return members.complain("process", "is no object");
    const auto pid = json::get_int(*value, "pid");
    const auto start = json::get_uint(*value, "start_time");
    auto boot = json::get_string(*value, "boot_id");
    if (!pid || !start || !boot) return members.complain("process", "is incomplete");
    // 0: none yet. Negative pids and 1 would make a signal reach strangers.
    if (*pid < 0 || *pid == 1 || *pid > 4194304) return members.complain("process", "has an impossible pid");
    to = {static_cast<pid_t>(*pid), *start, std::move(*boot)};
}

// Absent: it has none, as all records before there were any.
void read_restart(Members& members, RestartState& to) {
    const json::Value* value = members.find("restart");
    if (value == nullptr) return;
    Members own(*value);
    own.choice("policy", kRestartKinds, to.policy.kind);
    own.number("most", to.policy.most);
    own.number("count", to.count);
    own.number("delay_ms", to.delay_ms);
    own.flag("stopped_by_user", to.stopped_by_user);
    own.flag("begun", to.begun);
    if (own.error()) members.complain("restart", "is incomplete: " + own.error()->text);
    if (to.policy.most < 0 || to.count < 0 || to.delay_ms < 0 || to.delay_ms > 3'600'000)
        members.complain("restart", "is out of range");
}

json::Value restart_json(const RestartState& restart) {
    json::Value value;
    value.set("policy", to_string(restart.policy.kind));
    value.set("most", restart.policy.most);
    value.set("count", restart.count);
    value.set("delay_ms", restart.delay_ms);
    value.set("stopped_by_user", restart.stopped_by_user);
    value.set("begun", restart.begun);
    return value;
}

void read_identity(Members& members, ContainerRecord& record) {
    std::string id;
    std::string name;
    members.text("id", id);
    members.text("name", name);
    record.id = ContainerId(std::move(id));
    record.name = ContainerName(std::move(name));
    members.text("image", record.image);
    members.text("image_id", record.image_id);
    members.texts("command", record.command);
    if (members.find("entrypoint_words") != nullptr)
        members.number("entrypoint_words", record.entrypoint_words);
    if (record.entrypoint_words < 0 || std::cmp_greater(record.entrypoint_words, record.command.size()))
        members.complain("entrypoint_words", "is out of range");
    members.map("labels", [&](const std::string& key, const std::string& value) {
        record.labels.emplace_back(key, value);
    });
    members.map("log_options",
                [&](const std::string& key, const std::string& value) { record.log_options[key] = value; });
    members.map("intents",
                [&](const std::string& key, const std::string& value) { record.intents[key] = value; });
    members.map("drivers", [&](const std::string& kind, const std::string& name_of_driver) {
        if (kind == "storage") record.drivers.storage = name_of_driver;
        if (kind == "cgroup") record.drivers.cgroup = name_of_driver;
        if (kind == "log") record.drivers.log = name_of_driver;
    });
}

void read_life(Members& members, ContainerRecord& record) {
    members.choice("state", kStates, record.state);
    members.choice("transition", kTransitions, record.transition);
    members.flag("born_by_run", record.born_by_run);
    members.flag("terminal", record.terminal);
    members.flag("interactive", record.interactive);
    members.flag_if_there("input_once", record.input_once);
    if (members.find("pid_file") != nullptr) members.text("pid_file", record.pid_file);
    members.flag("remove_after", record.remove_after);
    members.flag_if_there("reaper", record.reaper);
    read_restart(members, record.restart);
    if (const json::Value* health = members.find("health")) {
        auto state = parse_health(*health);
        if (!state) return members.complain("health", "is damaged: " + state.error().text);
        record.health = std::move(*state);
    }
    members.text("network", record.network);
    if (members.find("pid_mode") != nullptr) members.text("pid_mode", record.pid_mode);
    if (members.find("ipc_mode") != nullptr) members.text("ipc_mode", record.ipc_mode);
    if (members.find("uts_mode") != nullptr) members.text("uts_mode", record.uts_mode);
    members.text("stop_signal", record.stop_signal);
    members.number("stop_timeout_s", record.stop_timeout_s);
    if (members.find("memory_limit") != nullptr)
        members.number("memory_limit", record.memory_limit.emplace());
    read_process(members, record.process);
    members.number("created_ns", record.created_ns);
    members.number("started_ns", record.started_ns);
    members.number("finished_ns", record.finished_ns);
    std::int64_t exit_code = 0;
    members.number("exit_code", exit_code);
    if (exit_code < 0 || exit_code > 255) members.complain("exit_code", "is out of range");
    record.exit_code = static_cast<int>(exit_code);
    members.flag("oom_killed", record.oom_killed);
    if (members.find("log_dropped") != nullptr) members.number("log_dropped", record.log_dropped);
    members.text("reason", record.reason);
}

// What will be released by the record's word must be the container's own: a record that names another's
// effect, or a path of its own choosing, is believed in nothing. The engine's names all bear the id.
void check_intents(Members& members, const ContainerRecord& record) {
    const std::string& id = record.id.str();
    for (const auto& [step, name] : record.intents) {
        if (step == "process" || step == "volumes") continue;
        const bool own = step == "storage"  ? name == id
                         : step == "bundle" ? name.ends_with("/" + id)
                                            : name.find(id) != std::string::npos;
        if (!own || id.empty())
            return members.complain("intents", "names '" + name + "' for its " + step +
                                                   ", which is not this container's");
    }
    // Whose a volume is, it says itself; here it has to be the name of one.
    for (const std::string& name : volume_names(record))
        if (auto known = paths::parse_volume_name(name); !known)
            return members.complain("intents", "names volumes: " + known.error().text);
}

} // namespace

std::string_view to_string(State state) {
    return name_of(kStates, state);
}

std::string_view to_string(RestartPolicy::Kind kind) {
    return name_of(kRestartKinds, kind);
}

std::string command_words(const std::vector<std::string>& command) {
    constexpr std::size_t kMostBytes = 4096;
    std::string words;
    for (const std::string& word : command) {
        words += (words.empty() ? "" : " ") + word;
        if (words.size() <= kMostBytes) continue;
        std::size_t end = kMostBytes; // Not in the middle of a character of UTF-8.
        while (end > 0 && (static_cast<unsigned char>(words[end]) & 0xC0U) == 0x80U)
            --end;
        return words.substr(0, end) + "…";
    }
    return words;
}

std::vector<std::string> volume_names(const ContainerRecord& record) {
    std::vector<std::string> names;
    const auto intent = record.intents.find("volumes");
    if (intent == record.intents.end()) return names;
    for (std::string_view left = intent->second; !left.empty();) {
        const std::string_view name = left.substr(0, left.find(' '));
        left.remove_prefix(std::min(name.size() + 1, left.size()));
        names.emplace_back(name);
    }
    return names;
}

Result<ContainerRecord> parse_record(std::string_view document) {
    auto root = json::parse(document);
    // Whatever it is that the reader refuses: we wrote nothing like it.
    if (!root && root.error().code == Code::invalid)
        return fail(Code::corrupt, root.error().text, root.error().sys_errno);
    if (!root) return fail(root);
    auto schema = json::get_int(*root, "schema");
    if (!schema) return fail(schema);
    if (*schema > kRecordSchema)
        return fail(Code::unsupported, "written by a newer mydocker (schema " + std::to_string(*schema) +
                                           "; this one knows up to " + std::to_string(kRecordSchema) + ")");
    ContainerRecord record;
    Members members(*root);
    read_identity(members, record);
    read_life(members, record);
    check_intents(members, record);
    if (members.error()) return std::unexpected<Error>(*members.error());
    return record;
}

Result<ContainerRecord> parse_record(const StoredRecord& stored) {
    auto record = parse_record(std::string_view(stored.document));
    if (record) record->name = stored.name;
    return record;
}

std::string to_document(const ContainerRecord& record) {
    json::Value root;
    root.set("schema", kRecordSchema);
    root.set("id", record.id.str());
    root.set("name", record.name.str());
    root.set("image", record.image);
    root.set("image_id", record.image_id);
    root.set("command", to_json(record.command));
    root.set("entrypoint_words", record.entrypoint_words);
    root.set("labels", map_to_json(record.labels));
    root.set("log_options", map_to_json(record.log_options));
    root.set("intents", map_to_json(record.intents));
    json::Object drivers;
    drivers.emplace_back("storage", record.drivers.storage);
    drivers.emplace_back("cgroup", record.drivers.cgroup);
    drivers.emplace_back("log", record.drivers.log);
    root.set("drivers", std::move(drivers));
    root.set("state", name_of(kStates, record.state));
    root.set("transition", name_of(kTransitions, record.transition));
    root.set("born_by_run", record.born_by_run);
    root.set("terminal", record.terminal);
    root.set("interactive", record.interactive);
    root.set("input_once", record.input_once);
    if (!record.pid_file.empty()) root.set("pid_file", record.pid_file);
    root.set("remove_after", record.remove_after);
    root.set("reaper", record.reaper);
    if (record.restart.policy.kind != RestartPolicy::Kind::no)
        root.set("restart", restart_json(record.restart));
    if (record.health) root.set("health", to_json(*record.health));
    root.set("network", record.network);
    if (!record.pid_mode.empty()) root.set("pid_mode", record.pid_mode);
    if (!record.ipc_mode.empty()) root.set("ipc_mode", record.ipc_mode);
    if (!record.uts_mode.empty()) root.set("uts_mode", record.uts_mode);
    root.set("stop_signal", record.stop_signal);
    root.set("stop_timeout_s", record.stop_timeout_s);
    if (record.memory_limit) root.set("memory_limit", *record.memory_limit);
    root.set("process", to_json(record.process));
    root.set("created_ns", record.created_ns);
    root.set("started_ns", record.started_ns);
    root.set("finished_ns", record.finished_ns);
    root.set("exit_code", record.exit_code);
    root.set("oom_killed", record.oom_killed);
    if (record.log_dropped != 0) root.set("log_dropped", record.log_dropped);
    root.set("reason", record.reason);
    return json::dump(root);
}

void copy_run(const ContainerRecord& from, ContainerRecord& to) {
    to.state = from.state;
    to.transition = from.transition;
    to.born_by_run = from.born_by_run;
    to.process = from.process;
    to.started_ns = from.started_ns;
    to.finished_ns = from.finished_ns;
    to.exit_code = from.exit_code;
    to.oom_killed = from.oom_killed;
    to.log_dropped = from.log_dropped;
    to.reason = from.reason;
    const RestartPolicy policy = to.restart.policy; // The user's.
    to.restart = from.restart;
    to.restart.policy = policy;
    if (from.is_live())
        to.health = from.health; // It has just begun: what the last run's checks say is none of it.
}

} // namespace mydocker::engine
