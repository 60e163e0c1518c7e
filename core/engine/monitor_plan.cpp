// The monitor's plan, flattened and read back.
#include "engine/monitor_plan.hpp"

#include "base/codec.hpp"

#include <chrono>
#include <map>
#include <utility>
#include <variant>

namespace mydocker::engine {
namespace {

struct PutOption {
    codec::Writer& writer;

    void operator()(bool value) const { writer.put(static_cast<std::uint8_t>(value)); }
    void operator()(std::int64_t value) const { writer.put(value); }
    void operator()(double value) const { writer.put(value); }
    void operator()(const std::string& value) const { writer.put(value); }
    void operator()(const std::vector<std::string>& value) const { writer.put(value); }
    void operator()(std::uint64_t value) const { writer.put(value); }
    void operator()(std::chrono::nanoseconds value) const { writer.put(std::int64_t{value.count()}); }
};

void put(codec::Writer& writer, const Options& options) {
    writer.put(static_cast<std::uint64_t>(options.values().size()));
    for (const auto& [key, value] : options.values()) {
        writer.put(key);
        writer.put(static_cast<std::uint8_t>(value.index()));
        std::visit(PutOption{writer}, value);
    }
}

template <class T>
T take(codec::Reader& reader) {
    T value{};
    reader.get(value);
    return value;
}

OptionValue take_option(codec::Reader& reader) {
    switch (take<std::uint8_t>(reader)) {
    case 0:
        return take<std::uint8_t>(reader) != 0;
    case 1:
        return take<std::int64_t>(reader);
    case 2:
        return take<double>(reader);
    case 3:
        return take<std::string>(reader);
    case 4:
        return take<std::vector<std::string>>(reader);
    case 5:
        return take<std::uint64_t>(reader);
    default:
        return std::chrono::nanoseconds(take<std::int64_t>(reader));
    }
}

void get(codec::Reader& reader, Options& options) {
    std::map<std::string, OptionValue, std::less<>> values;
    const auto count = take<std::uint64_t>(reader);
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
        auto key = take<std::string>(reader);
        values[std::move(key)] = take_option(reader);
    }
    options = Options(std::move(values));
}

void put(codec::Writer& writer, const StreamInfo& stream) {
    writer.put(stream.id);
    writer.put(stream.name);
    writer.put(stream.image);
    writer.put(stream.directory);
    writer.put(static_cast<std::uint64_t>(stream.labels.size()));
    for (const auto& [key, value] : stream.labels) {
        writer.put(key);
        writer.put(value);
    }
}

void get(codec::Reader& reader, StreamInfo& stream) {
    reader.get(stream.id);
    reader.get(stream.name);
    reader.get(stream.image);
    reader.get(stream.directory);
    const auto labels = take<std::uint64_t>(reader);
    for (std::uint64_t i = 0; i < labels && reader.ok(); ++i) {
        auto key = take<std::string>(reader);
        stream.labels.emplace_back(std::move(key), take<std::string>(reader));
    }
}

} // namespace

std::string encode(const SinkPlan& plan) {
    codec::Writer writer;
    writer.put(plan.driver);
    writer.put(plan.plugin_dirs);
    writer.put(plan.data_dir);
    writer.put(plan.run_dir);
    put(writer, plan.options);
    return writer.take();
}

Result<SinkPlan> decode_sink_plan(std::string_view bytes) {
    codec::Reader reader(bytes);
    SinkPlan plan;
    reader.get(plan.driver);
    reader.get(plan.plugin_dirs);
    reader.get(plan.data_dir);
    reader.get(plan.run_dir);
    get(reader, plan.options);
    if (!reader.complete()) return fail(Code::corrupt, "the plan of the log sink is malformed");
    return plan;
}

std::string encode(const BirthPlan& plan) {
    codec::Writer writer;
    writer.put(plan.namespaces);
    writer.put(plan.init_path);
    writer.put(static_cast<std::uint8_t>(plan.terminal));
    writer.put(static_cast<std::uint8_t>(plan.interactive));
    writer.put(static_cast<std::uint8_t>(plan.waits));
    writer.put(static_cast<std::uint64_t>(plan.joined.size()));
    for (const runtime::NamespaceKind kind : plan.joined)
        writer.put(kind);
    return writer.take();
}

Result<BirthPlan> decode_birth_plan(std::string_view bytes) {
    codec::Reader reader(bytes);
    BirthPlan plan;
    reader.get(plan.namespaces);
    reader.get(plan.init_path);
    plan.terminal = take<std::uint8_t>(reader) != 0;
    plan.interactive = take<std::uint8_t>(reader) != 0;
    plan.waits = take<std::uint8_t>(reader) != 0;
    const auto joined = take<std::uint64_t>(reader);
    for (std::uint64_t i = 0; i < joined && reader.ok(); ++i)
        reader.get(plan.joined.emplace_back());
    if (!reader.complete()) return fail(Code::corrupt, "the plan of the namespaces is malformed");
    return plan;
}

std::string encode(const MonitorPlan& plan) {
    codec::Writer writer;
    writer.put(plan.launch_plan);
    writer.put(plan.run_directory);
    put(writer, plan.stream);
    writer.put(static_cast<std::uint8_t>(plan.foreground));
    writer.put(static_cast<std::uint8_t>(plan.feeds));
    writer.put(static_cast<std::uint8_t>(plan.input_once));
    writer.put(static_cast<std::uint8_t>(plan.cgroup_by_directory));
    writer.put(plan.cgroup_fds);
    writer.put(plan.finish);
    writer.put(plan.health);
    for (const auto time :
         {plan.health_times.interval, plan.health_times.start_interval, plan.health_times.start_period})
        writer.put(std::int64_t{time.count()});
    return writer.take();
}

Result<MonitorPlan> decode_monitor_plan(std::string_view bytes) {
    codec::Reader reader(bytes);
    MonitorPlan plan;
    reader.get(plan.launch_plan);
    reader.get(plan.run_directory);
    get(reader, plan.stream);
    plan.foreground = take<std::uint8_t>(reader) != 0;
    plan.feeds = take<std::uint8_t>(reader) != 0;
    plan.input_once = take<std::uint8_t>(reader) != 0;
    plan.cgroup_by_directory = take<std::uint8_t>(reader) != 0;
    reader.get(plan.cgroup_fds);
    reader.get(plan.finish);
    reader.get(plan.health);
    for (auto* time :
         {&plan.health_times.interval, &plan.health_times.start_interval, &plan.health_times.start_period})
        *time = std::chrono::milliseconds(take<std::int64_t>(reader));
    if (!reader.complete()) return fail(Code::corrupt, "the monitor's plan is malformed");
    return plan;
}

} // namespace mydocker::engine
