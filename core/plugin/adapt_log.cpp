// Log sinks: from the wire to the face, results checked on the way.
#include "plugin/adapt.hpp"

#include "mydocker/abi/log_sink.h"

#include <array>
#include <span>

namespace mydocker::plugin {
namespace {

static_assert(static_cast<std::uint32_t>(LogSource::diagnostic) == MD_SOURCE_DIAGNOSTIC);

// Records converted at a time: on the stack, so that writing allocates nothing.
constexpr std::size_t kBatch = 64;

// A StreamInfo as the wire has it; owns the labels' array. The info must outlive it.
class WireInfo {
  public:
    explicit WireInfo(const StreamInfo& info) : wire_(wire::make<md_stream_info>()) {
        labels_.reserve(info.labels.size());
        for (const auto& [key, value] : info.labels) {
            auto& label = labels_.emplace_back(wire::make<md_label>());
            label.key = wire::str(key);
            label.value = wire::str(value);
        }
        wire_.id = wire::str(info.id);
        wire_.name = wire::str(info.name);
        wire_.image = wire::str(info.image);
        wire_.directory = wire::str(info.directory);
        wire_.labels = wire::list(labels_);
    }
    WireInfo(const WireInfo&) = delete;
    WireInfo& operator=(const WireInfo&) = delete;
    ~WireInfo() = default;

    [[nodiscard]] const md_stream_info* get() const { return &wire_; }

  private:
    std::vector<md_label> labels_;
    md_stream_info wire_;
};

// The sink's instance and table; streams keep it alive, so the order of destruction does not matter.
struct Sink {
    std::unique_ptr<Instance> instance;
    md_log_table table;
};

// A stream of a plugin, closed by the destructor when nobody did.
class WireStream final : public LogSink::Stream {
  public:
    WireStream(std::shared_ptr<const Sink> sink, void* handle) : sink_(std::move(sink)), handle_(handle) {}
    WireStream(const WireStream&) = delete;
    WireStream& operator=(const WireStream&) = delete;
    ~WireStream() override {
        if (open_) (void)close(); // Whoever drops a stream does not want to hear how it ended.
    }

    [[nodiscard]] void* handle() const { return handle_; }

    [[nodiscard]] Status close() {
        open_ = false;
        return sink_->instance->call("close", sink_->table.close, handle_);
    }

  private:
    std::shared_ptr<const Sink> sink_;
    void* handle_;
    bool open_ = true;
};

class LogAdaptor final : public LogSink {
  public:
    explicit LogAdaptor(std::unique_ptr<Instance> instance) {
        const auto table = wire::copy_in<md_log_table>(instance->table());
        sink_ = std::make_shared<const Sink>(Sink{std::move(instance), table});
    }

    [[nodiscard]] Result<LogTraits> probe() override {
        LogTraits traits;
        auto out = wire::receive<md_log_traits_sink>([&](const md_log_traits& item) -> Status {
            traits = {item.readable != 0, item.diagnostics != 0};
            return {};
        });
        if (auto done = out.finish(call("probe", sink_->table.probe, out.sink())); !done) return fail(done);
        if (auto ok = Results(*sink_->instance, "probe").one(out.count()); !ok) return fail(ok);
        return traits;
    }

    [[nodiscard]] Result<std::unique_ptr<Stream>> open(const StreamInfo& info) override {
        const WireInfo given(info);
        void* handle = nullptr;
        if (auto done = call("open", sink_->table.open, given.get(), &handle); !done) return fail(done);
        return std::make_unique<WireStream>(sink_, handle);
    }

    [[nodiscard]] Status write(Stream& stream, std::span<const LogRecord> records) override {
        void* const handle = static_cast<const WireStream&>(stream).handle();
        std::array<md_log_record, kBatch> batch;
        while (!records.empty()) {
            const std::size_t count = std::min(records.size(), kBatch);
            for (std::size_t i = 0; i < count; ++i) {
                batch[i] = {static_cast<std::uint32_t>(sizeof(md_log_record)),
                            static_cast<std::uint32_t>(records[i].source),
                            records[i].time_ns,
                            records[i].partial ? 1 : 0,
                            0,
                            wire::str(records[i].bytes)};
            }
            const md_list list{batch.data(), count, sizeof(md_log_record)};
            if (auto done = call("write", sink_->table.write, handle, list); !done) return done;
            records = records.subspan(count);
        }
        return {};
    }

    [[nodiscard]] Status flush(Stream& stream) override {
        return call("flush", sink_->table.flush, static_cast<const WireStream&>(stream).handle());
    }

    [[nodiscard]] Status close(std::unique_ptr<Stream> stream) override {
        return static_cast<WireStream&>(*stream).close();
    }

    [[nodiscard]] Result<LogPage> read(const StreamInfo& info, const LogQuery& query, const LogCursor& from,
                                       const LogVisitor& visit) override {
        const WireInfo given(info);
        const md_log_query asked = to_wire(query);
        auto what = wire::make<md_log_read>();
        what.info = given.get();
        what.query = &asked;
        what.from = wire::str(from.str());
        const md_log_read* pointer = &what;

        const Results results(*sink_->instance, "read");
        auto records = wire::receive<md_log_record_sink>([&](const md_log_record& item) -> Status {
            if (auto ok =
                    results.range("a record's source", item.source, MD_SOURCE_OUT, MD_SOURCE_DIAGNOSTIC);
                !ok)
                return ok;
            return visit({item.time_ns, static_cast<LogSource>(item.source), item.partial != 0,
                          wire::view(item.bytes)});
        });
        LogPage page;
        auto out = wire::receive<md_log_page_sink>([&](const md_log_page& item) -> Status {
            page = {LogCursor(wire::view(item.next)), item.at_end != 0, item.damaged};
            return results.text("the cursor", page.next.str());
        });
        auto done = call("read", sink_->table.read, pointer, records.sink(), out.sink());
        if (done = out.finish(records.finish(std::move(done))); !done) return fail(done);
        if (auto ok = results.one(out.count()); !ok) return fail(ok);
        return page;
    }

    [[nodiscard]] Status remove(const StreamInfo& info) override {
        const WireInfo given(info);
        return call("remove", sink_->table.remove, given.get());
    }

  private:
    template <class Slot, class... Arguments>
    [[nodiscard]] Status call(const char* name, Slot slot, Arguments... arguments) {
        return sink_->instance->call(name, slot, arguments...);
    }

    [[nodiscard]] static md_log_query to_wire(const LogQuery& query) {
        auto asked = wire::make<md_log_query>();
        if (query.since_ns) asked.set |= MD_QUERY_SINCE;
        if (query.until_ns) asked.set |= MD_QUERY_UNTIL;
        if (query.tail) asked.set |= MD_QUERY_TAIL;
        asked.since_ns = query.since_ns.value_or(0);
        asked.until_ns = query.until_ns.value_or(0);
        asked.tail = query.tail.value_or(0);
        return asked;
    }

    std::shared_ptr<const Sink> sink_;
};

} // namespace

Result<std::unique_ptr<LogSink>> PluginHost::open_log(const OpenRequest& request) {
    auto plugin = load_for(Kind::log, request);
    if (!plugin) return fail(plugin);
    const auto table = wire::copy_in<md_log_table>(plugin->descriptor.table);
    if (auto good = check_slots(*plugin, {{"probe", table.probe != nullptr},
                                          {"open", table.open != nullptr},
                                          {"write", table.write != nullptr},
                                          {"flush", table.flush != nullptr},
                                          {"close", table.close != nullptr},
                                          {"remove", table.remove != nullptr}});
        !good)
        return fail(good);
    auto instance = open_instance(*plugin, request);
    if (!instance) return fail(instance);
    return std::make_unique<LogAdaptor>(*std::move(instance));
}

} // namespace mydocker::plugin
